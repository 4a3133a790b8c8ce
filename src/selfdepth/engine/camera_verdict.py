"""How well the footage determines a learned focal length, and whether it may be called known.

Three things must agree; the focal length is known to the worst of them, and not known if that is more than 10 %:

1. The turns (Gordon et al., arXiv 1904.04998, section 4.3). Of a focal length f that is wrong by df, a turn by r leaves
   r w^2 df / (2 f^2) pixels at the border of an image of width w, which no motion makes up for. What leaves w / 400 is
   seen: df = f^2 / (200 w r), r being the root of the mean square over the clips, likewise with the height and turns up
   or down. With true depth a tenth of a pixel is seen, but a depth that is learned together with the camera gives way:
   on a rendered drive the learned focal length was wrong by w / 580 (benchmarks/results/README.md). A drive that hardly
   turns fails here, however still its focal length stands.
2. The course: how far the learned value still moved in the last quarter of the run.
3. The test: at shorter and longer focal lengths the motion of some clips is fitted anew to the learned depth, and the
   photometric error drawn over the focal length. It must have a minimum, and near the learned value; how far the
   minimum moves if other clips are taken (bootstrap) is how sharp it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

MOST = 0.1
"""The largest uncertainty, as a share of the focal length, with which it is called known."""
VISIBLE = 1 / 400
"""The shift at the border of the image that is seen, as a share of its width."""
STEPS = (-0.4, -0.3, -0.2, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2, 0.3, 0.4)
"""Logarithms of the factors at which the error is measured."""
_RESAMPLES = 200


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is known of a learned focal length. All shares are of the focal length; infinite where nothing is known.

    Attributes:
        turns: the share that leaves a shift of w / 400 at the border, given how much the camera turns.
        course: half the range of the values in the last quarter of the run.
        minimum: distance of the smallest photometric error from the learned value.
        sharpness: two standard deviations of the place of that minimum, over other choices of clips.
        turn_rad: root of the mean square of the rotation between the images of a clip, about the axes x and y.
    """

    turns: float
    course: float
    minimum: float
    sharpness: float
    turn_rad: float

    @property
    def uncertainty(self) -> float:
        """The share to which the focal length is known: the worst of the three."""
        return max(self.turns, self.course, self.minimum + self.sharpness)

    @property
    def is_known(self) -> bool:
        """Whether the footage determines the focal length."""
        return self.uncertainty <= MOST

    def __str__(self) -> str:
        return f"known to +-{_percent(self.uncertainty)}" if self.is_known else f"NOT known: {self.reason}"

    @property
    def reason(self) -> str:
        """Why the focal length is not known; empty if it is."""
        if self.turns > MOST:
            turn = math.degrees(self.turn_rad)
            return (
                f"it cannot be known from this footage, which turns too little ({turn:.2g} degrees from image to "
                f"image): {_percent(self.turns)} more or less would look the same; add footage with bends, or a "
                "larger --every"
            )
        if self.course > MOST:
            return f"it still moved by +-{_percent(self.course)} in the last quarter of the run; train for longer"
        if self.sharpness > MOST:
            return (
                "the images are explained as well by others: the one with the smallest error changes by "
                f"+-{_percent(self.sharpness)} from clip to clip; train for longer, or add footage with bends"
            )
        if self.minimum + self.sharpness > MOST:
            return (
                f"the images are explained best by one that is {_percent(self.minimum)} away, "
                f"+-{_percent(self.sharpness)}: it is not learned yet; train for longer"
            )
        return ""


def judge(
    *,
    course: Sequence[float],
    errors: Float[ndarray, "clips steps"],
    turns_rad: Float[ndarray, "n 2"],
    focal_px: float,
    size: tuple[int, int],
) -> Verdict:
    """The verdict on a focal length.

    Args:
        course: the learned value over the last quarter of the run, in any unit.
        errors: photometric error of each clip at each of the factors exp(STEPS), the motion fitted anew.
        turns_rad: of each clip, the rotation between its images about the axes x and y.
        focal_px: learned focal length.
        size: (width, height) of the images in pixels, at which that is.
    """
    width, height = size
    # Pixels that an error of the whole focal length leaves at the border, by a turn about y and about x.
    by_turn = np.hypot(turns_rad[:, 1] * width**2, turns_rad[:, 0] * height**2) / (2 * focal_px)
    shift_px = math.sqrt(float(np.mean(by_turn**2))) if len(by_turn) else 0.0
    place, spread = minimum(errors)
    return Verdict(
        turns=VISIBLE * width / shift_px if shift_px > 0 else math.inf,
        course=_half_range(course),
        minimum=abs(place),
        sharpness=spread,
        turn_rad=math.sqrt(float(np.mean((turns_rad**2).sum(1)))) if len(turns_rad) else 0.0,
    )


def _half_range(course: Sequence[float]) -> float:
    """Half the distance between the smallest and the largest value, as a share; infinite for fewer than two."""
    return math.log(max(course) / min(course)) / 2 if len(course) > 1 else math.inf


def minimum(errors: Float[ndarray, "clips steps"]) -> tuple[float, float]:
    """Place of the smallest mean error, as the logarithm of a factor, and two standard deviations of it."""
    if len(errors) < 2:
        return math.inf, math.inf
    random = np.random.default_rng(0)
    # In blocks: neighbouring clips show the same bend, and do not testify independently.
    blocks = np.array_split(errors, min(len(errors), 16))
    means = np.array([block.mean(0) for block in blocks])
    chosen = random.integers(0, len(means), (_RESAMPLES, len(means)))
    places = np.array([_smallest(means[rows].mean(0)) for rows in chosen])
    return _smallest(errors.mean(0)), 2 * float(places.std())


def _smallest(curve: Float[ndarray, "steps"]) -> float:
    """Where a curve over STEPS is smallest, by a parabola through the three points there; infinite at its ends."""
    steps, i = np.array(STEPS), int(curve.argmin())
    if i in (0, len(steps) - 1):
        return float(2 * steps[i])  # beyond the range: no minimum was seen
    a, b, _ = np.polyfit(steps[i - 1 : i + 2], curve[i - 1 : i + 2], 2)
    return float(-b / (2 * a)) if a > 0 else float(steps[i])


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.995 else "any"
