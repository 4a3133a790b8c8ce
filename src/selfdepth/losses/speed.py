"""The speed loss: the predicted motion is as long as the way that the vehicle drove (PackNet, arXiv 1905.02693).

The photometric error fixes depth and motion up to one common factor, which may even drift along a drive. With the
motion's length given, the factor is 1, and depth, motion and their unit are metres.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from selfdepth.structs import Driven

_LEAST_M = 0.1
"""Of the mean distance by which the loss is divided: parked clips do not make it explode."""
_TINY_M = 1e-6
"""The length of a vector of zeros has no gradient; of one so short it has."""


def speed_loss(T_source_target: Float[Tensor, "b s 4 4"], driven: Driven) -> Float[Tensor, ""]:
    """L_v = | |t| - v dt | of section 3.2, as a share of the mean distance of the batch.

    Averaged over the sources of a clip whose distance is known, then over the clips that have one. The metres are
    divided by the mean of the known distances of the batch, at least 0.1 m. So the loss is about the relative error of
    the scale, and one weight suits 5 and 60 frames per second, a walk and a motorway. Divided clip by clip, it would
    ask of slow clips a precision that a speed log does not have there, and be infinite for parked ones.

    Args:
        T_source_target: target to source, one per source in time.
        driven: metres that the vehicle drove between target and source, |v dt|. Where several processes share a step,
            the mean of their losses is that of all its clips.
    """
    squared = T_source_target[..., :3, 3].square().sum(-1)
    length = (squared + _TINY_M**2).sqrt()
    known = driven.known.to(length.dtype)
    n_sources = known.sum(1)
    of_clip = ((length - driven.metres).abs() * known).sum(1) / n_sources.clamp(min=1)
    mean_m, n_clips = driven.mean_m, driven.n_clips
    if mean_m is None or n_clips is None:
        mean_m, n_clips = (driven.metres * known).sum() / known.sum().clamp(min=1), (n_sources > 0).sum().clamp(min=1)
    return of_clip.sum() / n_clips / mean_m.clamp(min=_LEAST_M)
