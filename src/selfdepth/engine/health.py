"""Warnings about the three ways in which this method fails silently: the loss falls, and no depth is learned."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfdepth.config import Method
from selfdepth.geometry.lenses import seen_at
from selfdepth.structs import StepOutput

_MIN_SPREAD = 0.02
_MIN_KEPT = 0.02
_MIN_MOTION = 1e-4
_PATIENCE = 5
"""Checks in a row below a limit before a warning. A single low value is normal: a standstill, a blank wall."""


@torch.no_grad()
def vital_signs(output: StepOutput, n_learned: int) -> dict[str, Float[Tensor, ""]]:
    """Scalars that are near zero in a run that learns nothing.

    Args:
        n_learned: number of sources whose motion the pose network predicts. The motion to a stereo partner is given,
            and would hide a pose network that predicts none.

    Returns:
        disparity_spread: standard deviation of the disparity over its mean, within images; 0 is a constant.
        kept: share of pixels that the auto-mask keeps, 0 to 1.
        motion: length of the translation over the mean depth, plus the angle of the rotation in radians, averaged over
            sources. Absent if no motion is learned.
    """
    signs = {"disparity_spread": _spread(output), "kept": output.kept}
    if n_learned == 0:
        return signs
    T = output.T_source_target[:, :n_learned]
    identity = torch.eye(3, dtype=T.dtype, device=T.device)
    # The Frobenius norm of R - I is 2 sqrt(2) sin(angle / 2): sqrt(2) times the angle of a small rotation.
    rotation = (T[..., :3, :3] - identity).flatten(2).norm(dim=2) / 2**0.5
    # Over the depth, because the scale of a monocular model is arbitrary.
    translation = T[..., :3, 3].norm(dim=2) / output.depth.mean()
    return signs | {"motion": (translation + rotation).mean()}


def _spread(output: StepOutput) -> Float[Tensor, ""]:
    """The mean over the images; of pixels with a ray alone, since the network has not learned what to say of others."""
    if output.seen is None:
        disparity = output.disparity.flatten(1)
        return (disparity.std(1) / disparity.mean(1)).mean()
    seen = seen_at(output.seen, output.disparity.shape[-2:])
    return torch.stack([values.std() / values.mean() for values in _of_each(output.disparity, seen)]).mean()


def _of_each(maps: Float[Tensor, "b 1 h w"], seen: Bool[Tensor, "b 1 h w"]) -> list[Tensor]:
    return [each[counted] for each, counted in zip(maps, seen, strict=True)]


class Health:
    """Warns of each failure once, when it has lasted for several checks in a row.

    Args:
        method: of the run; it decides what the warnings advise.
    """

    def __init__(self, method: Method = "monodepth2") -> None:
        self.method = method
        self._n_low = {"disparity_spread": 0, "kept": 0, "motion": 0}

    def check(self, signs: dict[str, float], *, automask: bool) -> Iterator[str]:
        """Warnings that the latest vital signs call for.

        Args:
            signs: as `vital_signs` returns them.
            automask: whether the auto-mask is on; without it, `kept` means nothing.
        """
        limits = {"disparity_spread": _MIN_SPREAD, "kept": _MIN_KEPT if automask else -1.0, "motion": _MIN_MOTION}
        for name, limit in limits.items():
            if name not in signs:
                continue
            self._n_low[name] = self._n_low[name] + 1 if signs[name] < limit else 0
            if self._n_low[name] == _PATIENCE:  # not >=: once
                yield self._sentences(signs)[name].format(signs[name])

    def _sentences(self, signs: dict[str, float]) -> dict[str, str]:
        if self.method == "monodepth-v1":
            return _V1_SENTENCES
        return _SENTENCES if "motion" in signs else _STEREO_SENTENCES


def collapse(lines: list[dict[str, Any]], *, automask: bool) -> list[str]:
    """What a run has ended in, if it learned no depth: sentences for its end and for `selfdepth info`.

    Args:
        lines: of its metrics.jsonl.
        automask: as in `Health.check`.
    """
    found = []
    vals = [line for line in lines if line["kind"] == "val"]
    since = _since(vals, lambda line: _number(line, "disparity_spread") < _MIN_SPREAD)
    if since is not None:
        found.append(f"the depth has been constant since step {since}: the run has learned none, or lost it")
    since = _since(vals, _worse_than_constant)
    if since is not None:
        found.append(f"since step {since}, validation has been worse than that of a constant depth")
    if automask:
        # Between validations, as many in a row as call for a warning, or most of those that a short run has.
        trains = [line for line in lines if line["kind"] == "train"]
        patience = max(2, min(_PATIENCE, len(trains) // 2))
        since = _since(trains, lambda line: _number(line, "kept") < _MIN_KEPT, patience)
        if since is not None:
            found.append(f"since step {since}, the auto-mask has kept nearly nothing to learn from")
    return found


def _since(lines: list[dict[str, Any]], is_ill: Callable[[dict[str, Any]], bool], patience: int = 1) -> int | None:
    """The step of the first of the ill lines at the end; None if they are fewer than `patience`."""
    ill = list(takewhile(is_ill, reversed(lines)))
    return int(ill[-1]["step"]) if len(ill) >= patience else None


def _worse_than_constant(line: dict[str, Any]) -> bool:
    name = "abs_rel_median_scaled" if "abs_rel_median_scaled" in line else "abs_rel"
    return _number(line, name) > _number(line, "abs_rel_of_constant")


def _number(line: dict[str, Any], name: str) -> float:
    """A number of a line, or NaN, which is neither less nor more than any other."""
    value = line.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except OverflowError:  # a whole number of hundreds of digits: damage
        return math.nan


_SENTENCES = {
    "disparity_spread": (
        "the disparity is nearly constant (spread {:.3f}): no depth is learned. Check the intrinsics (--camera), the "
        "frame spacing (--every), and that the camera moves"
    ),
    "kept": (
        "the auto-mask keeps {:.1%} of the pixels: hardly anything moves between the frames. Try a larger --every, or "
        "--every auto, which drops parked stretches"
    ),
    "motion": (
        "the pose network predicts no motion ({:.1e}), and depth cannot be learned without it. Check that the frames "
        "are in temporal order, and try a larger --every"
    ),
}

_STEREO_SENTENCES = {
    "disparity_spread": (
        "the disparity is nearly constant (spread {:.3f}): no depth is learned. Check the calibration of the stereo "
        "pair, and that its images were taken at the same time; if the depth stays at its initial value, try a larger "
        "--loss.start-depth"
    ),
    "kept": (
        "the auto-mask keeps {:.1%} of the pixels: the images of the two cameras are nearly identical. Check that they "
        "differ, and try a larger --loss.start-depth"
    ),
}
"""The same for runs that learn from stereo pairs alone."""

_V1_SENTENCES = {
    "disparity_spread": (
        "the disparity is nearly constant (spread {:.3f}): no depth is learned. Check that the pairs are rectified, "
        "and that their images were taken at the same time; if it stays so, try another --seed"
    )
}
"""The same for Monodepth v1, which has neither auto-mask nor pose network."""
