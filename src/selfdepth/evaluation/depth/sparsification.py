"""Whether a confidence knows where depth is wrong: the sparsification of Ilg et al. (ECCV 2018), in numpy only.

The pixels of an image are removed from the least sure on, and the error of the rest is followed. If the confidence
ranks pixels as their errors do, that is the curve of an oracle; if it knows nothing, the error stays as it was. The
area between curve and oracle is AUSE, that between the full error and the curve AURG (Poggi et al., CVPR 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

FRACTIONS = np.arange(50) / 50
"""Shares of the pixels that are removed: 0, 2 %, ..., 98 %."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The error of the pixels that are left, at each of FRACTIONS, and that of an oracle.

    Attributes:
        error, oracle: one value per fraction, in the metric's unit.
    """

    error: Float[ndarray, "f"]
    oracle: Float[ndarray, "f"]

    @property
    def ause(self) -> float:
        """Area between the curve and the oracle's, over shares from 0 to 0.98: 0 for a perfect confidence."""
        return _area(self.error - self.oracle)

    @property
    def aurg(self) -> float:
        """Area between the error of all pixels and the curve: how much better than a random order. 0 for that."""
        return _area(self.error[0] - self.error)


@dataclass(frozen=True, kw_only=True)
class Sparsification:
    """The curves of a set of images, by metric: each the mean over its images, whatever their number of pixels."""

    curves: dict[str, Curve]

    def to_json(self) -> dict[str, Any]:
        """The curves and their areas as JSON values, by metric."""
        values: dict[str, Any] = {"removed": FRACTIONS.tolist()}
        for metric, curve in self.curves.items():
            values[metric] = {
                "ause": curve.ause,
                "aurg": curve.aurg,
                "error": curve.error.tolist(),
                "oracle": curve.oracle.tolist(),
            }
        return values


SPARSIFIED: dict[str, tuple[Callable[[ndarray, ndarray], ndarray], Callable[[ndarray], ndarray]]] = {
    "abs_rel": (lambda truth, depth: np.abs(truth - depth) / truth, lambda mean: mean),
    "rmse": (lambda truth, depth: (truth - depth) ** 2, np.sqrt),
}
"""For each metric: the error of a pixel, and what the metric is of their mean."""


def sparsify(
    truth: Float[ndarray, "n"], depth: Float[ndarray, "n"], confidence: Float[ndarray, "n"]
) -> dict[str, Curve]:
    """The curves of one image, by metric.

    Args:
        truth, depth: of its n > 0 pixels that count, in metres; the prediction after scaling and clamping.
        confidence: of the same pixels; only its order matters.
    """
    order = np.argsort(-confidence, kind="stable")
    curves = {}
    for metric, (error_of, of_mean) in SPARSIFIED.items():
        error = error_of(truth.astype(np.float64), depth.astype(np.float64))
        curves[metric] = Curve(error=of_mean(_means(error[order])), oracle=of_mean(_means(np.sort(error))))
    return curves


def mean_of(images: Sequence[dict[str, Curve]]) -> Sparsification:
    """The mean curves of one or more images."""
    return Sparsification(
        curves={
            metric: Curve(
                error=np.mean([each[metric].error for each in images], axis=0),
                oracle=np.mean([each[metric].oracle for each in images], axis=0),
            )
            for metric in SPARSIFIED
        }
    )


def _means(errors: Float[ndarray, "n"]) -> Float[ndarray, "f"]:
    """The mean of the first (1 - fraction) n errors, at least of one, for each fraction."""
    kept = np.maximum(np.ceil((1 - FRACTIONS) * len(errors)).astype(np.int64), 1)
    return np.asarray(np.cumsum(errors)[kept - 1] / kept)


def _area(heights: Float[ndarray, "f"]) -> float:
    """The area under heights at FRACTIONS, by trapezia."""
    return float(np.sum((heights[1:] + heights[:-1]) / 2 * np.diff(FRACTIONS)))
