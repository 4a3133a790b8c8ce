"""How well the footage determines a learned focal length, and whether it may be called known.

Two things must agree; the focal length is known to the worse of them, and not known if that is more than 10 %:

1. The test: windows of some twenty images are adjusted (bundle/adjust.py) with shorter and longer focal lengths, and
   what no motion and no distances explain is drawn over the focal length. It must have a minimum, near the learned
   value. How far the minimum moves if other windows are taken (bootstrap) is how sharp it is: two standard deviations
   of its place. Footage that does not turn explains all focal lengths equally well, and fails here.
2. The course: how far the learned value still moved in the last quarter of the run.

The photometric error of single clips is no such test. What a turn by r leaves of a focal length f that is wrong by df
looks like an inverse distance that is wrong by 2 r u df / (f^2 t_z) at the distance u from the middle: as if the road
were another one. A network that does not yet see how the road bends prefers a focal length that is too short, by 16 %
on a rendered drive (benchmarks/results/README.md). In a window of many images the turn changes and the distances stay.
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
STEPS = tuple(round(0.1 * i, 1) for i in range(-6, 7))
"""Logarithms of the factors at which the focal length is tried."""
_RESAMPLES = 200
_BLOCKS = 16
"""Neighbouring windows share images, and do not testify independently: they are drawn in so many blocks."""
_FEWEST = 4
"""Windows without which nothing is said."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is known of a learned focal length. All shares are of the focal length; infinite where nothing is known.

    Attributes:
        course: half the range of the values in the last quarter of the run.
        minimum: distance of the smallest error from the learned value.
        sharpness: two standard deviations of the place of that minimum, over other choices of windows.
        turn_rad: root of the mean square of the rotation from one end of a window to the other.
    """

    course: float
    minimum: float
    sharpness: float
    turn_rad: float

    @property
    def uncertainty(self) -> float:
        """The share to which the focal length is known: the worse of the two."""
        return max(self.course, self.minimum + self.sharpness)

    @property
    def is_known(self) -> bool:
        """Whether the footage determines the focal length."""
        return self.uncertainty <= MOST

    def __str__(self) -> str:
        return f"known to +-{_percent(self.uncertainty)}" if self.is_known else f"NOT known: {self.reason}"

    @property
    def reason(self) -> str:
        """Why the focal length is not known; empty if it is."""
        if self.sharpness > MOST:
            return (
                f"this footage does not determine it: the camera turns by {math.degrees(self.turn_rad):.2g} degrees "
                f"within some twenty images, and {_percent(self.sharpness)} more or less would explain them as well; "
                "add footage with bends, or take a larger --every"
            )
        if self.minimum + self.sharpness > MOST:
            return (
                f"the images are explained best by one that is {_percent(self.minimum)} away, "
                f"+-{_percent(self.sharpness)}: it is not learned yet; train for longer"
            )
        if self.course > MOST:
            return f"it still moved by +-{_percent(self.course)} in the last quarter of the run; train for longer"
        return ""


def judge(*, course: Sequence[float], errors: Float[ndarray, "windows steps"], turn_rad: float) -> Verdict:
    """The verdict on a focal length.

    Args:
        course: the learned value over the last quarter of the run, in any unit.
        errors: what is left of each window at each of the factors exp(STEPS).
        turn_rad: as in `Verdict`.
    """
    place, sharpness = minimum(errors)
    return Verdict(course=_half_range(course), minimum=abs(place), sharpness=sharpness, turn_rad=turn_rad)


def _half_range(course: Sequence[float]) -> float:
    """Half the distance between the smallest and the largest value, as a share; infinite for fewer than two."""
    return math.log(max(course) / min(course)) / 2 if len(course) > 1 else math.inf


def minimum(errors: Float[ndarray, "windows steps"]) -> tuple[float, float]:
    """Place of the smallest mean error, as the logarithm of a factor, and two standard deviations of it.

    Both are infinite where too few windows tell, or where no minimum is seen.
    """
    if len(errors) < _FEWEST:
        return math.inf, math.inf
    random = np.random.default_rng(0)
    means = np.array([block.mean(0) for block in np.array_split(errors, min(len(errors), _BLOCKS))])
    chosen = random.integers(0, len(means), (_RESAMPLES, len(means)))
    places = np.array([_smallest(means[rows].mean(0)) for rows in chosen])
    place = _smallest(errors.mean(0))
    return (place, 2 * float(places.std())) if np.isfinite([place, *places]).all() else (math.inf, math.inf)


def _smallest(curve: Float[ndarray, "steps"]) -> float:
    """Where a curve over STEPS is smallest, by a parabola through the three points there; infinite at its ends."""
    steps, i = np.array(STEPS), int(curve.argmin())
    if i in (0, len(steps) - 1):
        return math.inf  # beyond the range: no minimum was seen
    a, b, _ = np.polyfit(steps[i - 1 : i + 2], curve[i - 1 : i + 2], 2)
    return float(-b / (2 * a)) if a > 0 else float(steps[i])


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.995 else "any"
