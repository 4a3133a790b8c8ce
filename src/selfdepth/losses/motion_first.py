"""The objective of a run's first steps: the motion alone, at constant depth (ours, not the paper's).

Depth cannot be learned before the motion. While the predicted motion is still wrong, most pixels are explained better
by not warping, so the auto-mask hides them, and the motion with them. Here nothing is masked, and one constant depth
leaves the motion no wrong shape of the scene to fit. `engine/motion_first.py` decides how long this lasts.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from selfdepth.config import LossConfig
from selfdepth.geometry.warp import synthesize
from selfdepth.losses.photometric import Target, photometric_error

_TIE = 1e-5
"""Errors closer than this differ by rounding: a motion of zero explains nothing better than no motion."""


class MotionLoss(NamedTuple):
    """The photometric error of the target rebuilt at constant depth.

    Attributes:
        loss: mean over all pixels, none of them masked.
        explained: 1 where a warped source explains the pixel better than every unwarped one, else 0.
    """

    loss: Float[Tensor, ""]
    explained: Float[Tensor, "b h w"]


def motion_loss(
    depth: Float[Tensor, "b 1 h w"],
    T_source_target: Float[Tensor, "b s 4 4"],
    frames: Float[Tensor, "b views 3 h w"],
    K: Float[Tensor, "b 3 3"],
    cfg: LossConfig,
) -> MotionLoss:
    """Rebuild the target from its sources, and compare it: equations 2 and 4, without the auto-mask of equation 5.

    Args:
        depth: constant, in the unit of the translations.
        T_source_target: target to source, one per source.
        frames: the target, then the s sources; colours in [0, 1].
        K: intrinsics in pixels at the frames' size.
        cfg: of the photometric error.
    """
    target = Target.of(frames[:, 0])
    warped = [synthesize(frames[:, 1 + s], depth, T_source_target[:, s], K) for s in range(T_source_target.shape[1])]
    errors = photometric_error(torch.stack(warped, dim=1), target, cfg)
    error = errors.amin(1) if cfg.reprojection == "min" else errors.mean(1)
    with torch.no_grad():
        unwarped = photometric_error(frames[:, 1:], target, cfg).amin(1)
        explained = (errors.amin(1) < unwarped - _TIE).to(error.dtype)
    return MotionLoss(error.mean(), explained)
