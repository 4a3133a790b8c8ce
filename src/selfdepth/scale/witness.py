"""What a witness says of the scale: estimates of the metres in one unit of a model's depth.

A network that learned from one moving camera knows depth up to a factor, the same for all frames of that camera but for
drift. A witness is anything that knows a length: a speed log, the camera's height above the road, a stereo baseline, a
measured distance, a LiDAR.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.errors import DataError

WitnessKind = Literal["speed", "height", "stereo", "distance", "lidar"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Testimony:
    """The estimates of one witness.

    Attributes:
        witness: what knows the length.
        source: where it comes from, for people: a file's name, "1.65 m".
        times_s: time of each estimate in seconds, not decreasing; frame numbers where the times are unknown.
        factors: metres per unit of the model, one per frame or stretch of frames; positive.
        left_out: numbers of frames that gave no estimate, by the reason.
        notes: sentences for the user, such as the clock offset that was found.

    Raises:
        DataError: if there is no estimate, or one that is not positive and finite.
    """

    witness: WitnessKind
    source: str
    times_s: Float[ndarray, "n"]
    factors: Float[ndarray, "n"]
    left_out: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        good = np.isfinite(self.factors) & (self.factors > 0)
        if len(good) and good.all():
            return
        reasons = ", ".join(f"{count} frames: {reason}" for reason, count in self.left_out.items())
        raise DataError(
            f"the {self.witness} gives no scale",
            where=self.source,
            expected="at least one frame that shows how many metres a unit of the depth has",
            got=f"{self.factors[~good][0]:g} metres per unit" if len(good) else reasons or "no estimate",
        )
