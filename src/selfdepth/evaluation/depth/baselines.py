"""Predictions that never look at the image: what a depth network has to beat.

A constant depth is also what every frame gets under median scaling when the network has learned nothing. The mean
depth of each row is harder to beat: on a road, the row alone tells most of the depth.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.errors import DataError
from selfdepth.evaluation.depth.metrics import DepthProtocol, DepthReport, evaluate_set


def best_constant_depth(truths: Iterable[Float[ndarray, "_h _w"]], protocol: DepthProtocol) -> float:
    """The depth in metres which, predicted everywhere without median scaling, has the smallest mean abs_rel.

    That is the weighted median of the depths, each weighing 1 / (depth * pixels of its image). With median scaling
    every constant gives the same errors.

    Raises:
        DataError: if no pixel counts under the protocol.
    """
    known = [truth[protocol.mask(truth)].astype(np.float64) for truth in truths]
    known = [depths for depths in known if depths.size]
    if not known:
        raise _nothing_known(protocol)
    depth = np.concatenate(known)
    weight = np.concatenate([1 / (depths * depths.size) for depths in known])
    order = np.argsort(depth, kind="stable")
    share = np.cumsum(weight[order])
    return float(depth[order][np.searchsorted(share, share[-1] / 2)])


def best_constant(truths: Sequence[Float[ndarray, "_h _w"]], protocol: DepthProtocol) -> tuple[float, DepthReport]:
    """The depth in metres of `best_constant_depth`, and its errors on the same pixels.

    Raises:
        DataError: if no pixel counts under the protocol.
    """
    constant_m = best_constant_depth(truths, protocol)
    constant = np.full((1, 1), 1 / constant_m)
    # No median scaling: the best constant beats a constant that is scaled to the median of each image.
    return constant_m, evaluate_set([constant] * len(truths), truths, protocol, median_scaling=False)


def row_profile(truths: Iterable[Float[ndarray, "_h _w"]], protocol: DepthProtocol, height: int) -> Float[ndarray, "h"]:
    """Mean depth in metres of each of `height` rows, over the pixels that count in all of `truths`.

    Truths of another height are assigned by relative position. Rows without any pixel that counts (the sky, the
    bonnet) are interpolated between, or repeat, the nearest rows that have some.

    Raises:
        DataError: if no pixel counts under the protocol.
    """
    total, count = np.zeros(height), np.zeros(height)
    for truth in truths:
        mask = protocol.mask(truth)
        row = ((np.arange(len(truth)) + 0.5) * height / len(truth)).astype(np.int64)
        np.add.at(total, row, np.where(mask, truth, 0).sum(axis=1, dtype=np.float64))
        np.add.at(count, row, mask.sum(axis=1))
    known = np.flatnonzero(count)
    if not known.size:
        raise _nothing_known(protocol)
    return np.interp(np.arange(height), known, total[known] / count[known])


def profile_disparity(profile: Float[ndarray, "h"], width: int) -> Float[ndarray, "h w"]:
    """The prediction of a row profile for any image: 1 / metres."""
    return np.repeat(1 / profile[:, None], width, axis=1)


def _nothing_known(protocol: DepthProtocol) -> DataError:
    return DataError(
        "no depth is known", expected=f"ground truth that counts under the protocol {protocol.name}", got="none"
    )
