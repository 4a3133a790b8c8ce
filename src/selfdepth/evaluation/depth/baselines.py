"""Baselines: predictions that do not depend on the image, which a depth network has to beat.

A network that has learned nothing predicts about one depth everywhere; under median scaling that is a constant depth
for each image. The mean depth of each row is harder to beat: on a road, most of the depth follows from the row alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.errors import DataError
from selfdepth.evaluation.depth.metrics import DepthProtocol, DepthReport, evaluate_set


def best_constant_depth(truths: Iterable[Float[ndarray, "_h _w"]], protocol: DepthProtocol) -> float:
    """The depth in metres that has the smallest mean abs_rel if it is predicted everywhere without median scaling.

    With median scaling, all constants give the same errors.

    Raises:
        DataError: if no pixel counts under the protocol.
    """
    per_image = [truth[protocol.mask(truth)].astype(np.float64) for truth in truths]
    per_image = [depths for depths in per_image if depths.size]
    if not per_image:
        raise _no_depth(protocol)
    # The mean over images of mean_i |d_i - c| / d_i is a sum of |d_i - c| weighted by 1 / (d_i n), with n pixels in the
    # image. The weighted median minimises such a sum.
    depth = np.concatenate(per_image)
    weight = np.concatenate([1 / (depths * depths.size) for depths in per_image])
    order = np.argsort(depth, kind="stable")
    cumulative = np.cumsum(weight[order])
    return float(depth[order][np.searchsorted(cumulative, cumulative[-1] / 2)])


def best_constant(truths: Sequence[Float[ndarray, "_h _w"]], protocol: DepthProtocol) -> tuple[float, DepthReport]:
    """The depth in metres of `best_constant_depth`, and its errors on the pixels that count.

    Raises:
        DataError: if no pixel counts under the protocol.
    """
    constant_m = best_constant_depth(truths, protocol)
    constant = np.full((1, 1), 1 / constant_m)  # one pixel, which evaluation resizes to each map
    # Without median scaling, because this constant beats one that is scaled to the median of each image.
    return constant_m, evaluate_set([constant] * len(truths), truths, protocol, median_scaling=False)


def row_profile(truths: Iterable[Float[ndarray, "_h _w"]], protocol: DepthProtocol, height: int) -> Float[ndarray, "h"]:
    """Mean depth in metres of each of `height` rows, over the pixels that count in all of `truths`.

    The rows of a map of another height are assigned by their relative position. A row without pixels that count (the
    sky, the bonnet) is interpolated between the nearest rows that have some; beyond the first and last of these, it
    repeats them.

    Raises:
        DataError: if no pixel counts under the protocol.
    """
    total, count = np.zeros(height), np.zeros(height)
    for truth in truths:
        mask = protocol.mask(truth)
        row = ((np.arange(len(truth)) + 0.5) * height / len(truth)).astype(np.int64)
        # Not `total[row] += ...`, which would count only one of several rows with the same index.
        np.add.at(total, row, np.where(mask, truth, 0).sum(axis=1, dtype=np.float64))
        np.add.at(count, row, mask.sum(axis=1))
    measured = np.flatnonzero(count)
    if not measured.size:
        raise _no_depth(protocol)
    return np.interp(np.arange(height), measured, total[measured] / count[measured])


def profile_disparity(profile: Float[ndarray, "h"], width: int) -> Float[ndarray, "h w"]:
    """The disparity, 1 / metres, that a row profile predicts for every image.

    Args:
        profile: depth of each row in metres.
    """
    return np.repeat(1 / profile[:, None], width, axis=1)


def _no_depth(protocol: DepthProtocol) -> DataError:
    return DataError(
        "there is no ground truth",
        expected=f"pixels that count under the protocol {protocol.name}",
        got="none",
    )
