"""Disparity that is known up to a scale and a shift, as MiDaS gives it: s * disparity + t is 1 / depth."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

_LOWEST = 0.01
"""Of a lifted map, as a share of its range."""


def lifted(disparity: Float[ndarray, "h w"]) -> Float[ndarray, "h w"]:
    """The same map with another scale and shift, from 0.01 to 1.01, so that nothing takes it for unknown or negative.

    Such networks end in a ReLU or give any sign: their 0 is the farthest place, and not a missing number.
    """
    low, span = float(disparity.min()), float(disparity.max()) - float(disparity.min())
    if span == 0:
        return np.ones_like(disparity)
    return np.asarray((disparity.astype(np.float64) - low) / span + _LOWEST, np.float32)


def scale_and_shift(disparity: Float[ndarray, "n"], true: Float[ndarray, "n"]) -> tuple[float, float]:
    """Scale and shift by least squares: those with the smallest sum of (s * disparity + t - true) ** 2.

    As in Ranftl et al., "Towards Robust Monocular Depth Estimation" (TPAMI 2022). A constant map gets the mean.
    """
    x, y = disparity.astype(np.float64), true.astype(np.float64)
    deviation = x - x.mean()
    spread = float((deviation**2).sum())
    scale = float((deviation * y).sum()) / spread if spread > 0 else 0.0
    return scale, float(y.mean()) - scale * float(x.mean())
