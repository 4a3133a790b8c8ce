"""The three ways in which this method fails silently, told in words."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from selfdepth.structs import StepOutput

_MIN_SPREAD = 0.02
_MIN_KEPT = 0.02
_MIN_MOTION = 1e-4
_PATIENCE = 5


@torch.no_grad()
def vital_signs(output: StepOutput, n_learned: int) -> dict[str, Float[Tensor, ""]]:
    """Scalars that tell a living run from a dead one.

    Args:
        n_learned: sources whose motion the pose network finds; a stereo partner's is given, and says nothing.

    - `disparity_spread`: standard deviation of the disparity over its mean, within images; 0 is a constant.
    - `kept`: share of pixels that the auto-mask keeps.
    - `motion`: length of the translations relative to the mean depth, plus the rotations in radians. None, if
      no motion is learned.
    """
    disparity = output.disparity.flatten(1)
    signs = {"disparity_spread": (disparity.std(1) / disparity.mean(1)).mean(), "kept": output.automask.mean()}
    if n_learned == 0:
        return signs
    T = output.T_source_target[:, :n_learned]
    identity = torch.eye(3, dtype=T.dtype, device=T.device)
    rotation = (T[..., :3, :3] - identity).flatten(2).norm(dim=2) / 2**0.5
    translation = T[..., :3, 3].norm(dim=2) / output.depth.mean()
    return signs | {"motion": (translation + rotation).mean()}


class Health:
    """Says each thing once, when it has been so at several looks in a row."""

    def __init__(self) -> None:
        self._bad = {"disparity_spread": 0, "kept": 0, "motion": 0}

    def look(self, signs: dict[str, float], *, automask: bool) -> Iterator[str]:
        """Sentences to tell, given the latest vital signs."""
        limits = {"disparity_spread": _MIN_SPREAD, "kept": _MIN_KEPT if automask else -1.0, "motion": _MIN_MOTION}
        for name, limit in limits.items():
            if name not in signs:
                continue
            self._bad[name] = self._bad[name] + 1 if signs[name] < limit else 0
            if self._bad[name] == _PATIENCE:
                words = _WORDS if "motion" in signs else _STEREO_WORDS
                yield words[name].format(signs[name])


_WORDS = {
    "disparity_spread": (
        "the disparity is nearly constant (spread {:.3f}): the networks see no depth. Check the camera (--camera), the "
        "frame spacing (--every), and that the camera moves"
    ),
    "kept": (
        "the auto-mask keeps {:.1%} of the pixels: hardly anything moves between the frames. Try a larger --every, or "
        "--every auto, which drops parked stretches"
    ),
    "motion": (
        "the pose network finds no motion ({:.1e}): depth cannot be learned without it. Check that the frames are in "
        "the order of time, and try a larger --every"
    ),
}

_STEREO_WORDS = {
    "disparity_spread": (
        "the disparity is nearly constant (spread {:.3f}): the network sees no depth. Check the calibration of the "
        "stereo pair, and that its images were taken at the same time; if the depth stays at its start, try a larger "
        "--loss.start-depth"
    ),
    "kept": (
        "the auto-mask keeps {:.1%} of the pixels: the two cameras show nearly the same. Check that their images "
        "differ, and try a larger --loss.start-depth"
    ),
}
"""Where all is learned from stereo pairs."""
