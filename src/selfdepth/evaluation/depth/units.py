"""Ground truth that is not in metres: which range it has, and which unit would fit."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.errors import DataError

UNITS = {
    "millimetres": 1000,
    "centimetres": 100,
    "metres * 256 (KITTI's PNG)": 256,
    "metres * 5000 (TUM's PNG)": 5000,
    "kilometres": 1e-3,
}
"""Values per metre in which depth is stored."""
_USUAL_M = (0.3, 60.0)
"""Where the median depth of an image lies, indoors and outdoors."""


def truth_out_of_range(values: Float[ndarray, "n"], low_m: float, high_m: float) -> DataError:
    """The error for ground truth of which nothing counts, though it is there.

    Args:
        values: the positive values found, in whatever unit; at least one.
        low_m, high_m: the range that counts, in metres.
    """
    median = float(np.median(values))
    fitting = [unit for unit, per_m in UNITS.items() if _USUAL_M[0] <= median / per_m <= _USUAL_M[1]]
    per_m = UNITS[fitting[0]] if fitting else None
    return DataError(
        "no ground truth lies in the range that counts",
        expected=f"metres, from {low_m:g} to {high_m:g}",
        got=f"values from {values.min():g} to {values.max():g}, median {median:g}"
        + (f", as of {' or '.join(fitting)}" if fitting else ""),
        fix=f"divide them by {per_m:g} if they are {fitting[0]}" if per_m else "convert them to metres",
    )
