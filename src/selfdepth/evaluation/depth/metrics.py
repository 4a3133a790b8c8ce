"""Depth errors as the field reports them, in numpy: usable on anybody's predictions.

Predictions are disparities (inverse depths). They are resized to the ground truth's size as disparities, and only
then inverted; resizing depth instead gives other numbers.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from selfdepth.errors import DataError

METRICS = ("abs_rel", "sq_rel", "rmse", "rmse_log", "a1", "a2", "a3")
"""The errors that KITTI's tables have."""

ERRORS = (*METRICS, "log10")
"""All that are measured."""
MAKE3D_ERRORS = ("abs_rel", "sq_rel", "rmse", "log10")

GARG_CROP = (0.40810811, 0.99189189, 0.03594771, 0.96405229)
"""Top, bottom, left, right as shares of the size (Garg et al., ECCV 2016): the part LiDAR and camera share."""


@dataclass(frozen=True, kw_only=True)
class DepthProtocol:
    """Which pixels count and how predictions are bounded. All depths in metres.

    Attributes:
        name: the key in PROTOCOLS.
        crop: top, bottom, left, right as shares of the size (ends excluded), or None for the whole image.
        min_truth: ground truth counts above this.
        max_truth: ground truth counts below this.
        max_counts: whether ground truth of exactly `max_truth` counts too.
        clamp: predictions are moved into this range, after scaling.
        metrics: the errors that the field reports under it.
    """

    name: str
    crop: tuple[float, float, float, float] | None
    min_truth: float
    max_truth: float
    max_counts: bool = False
    clamp: tuple[float, float] = (1e-3, 80.0)
    metrics: tuple[str, ...] = METRICS

    def mask(self, truth: Float[ndarray, "h w"]) -> Bool[ndarray, "h w"]:
        """The pixels that count: True where there is ground truth in range, inside the crop."""
        mask = (truth > self.min_truth) & (truth < self.max_truth)
        if self.max_counts:
            mask |= truth == self.max_truth
        if self.crop is not None:
            top, bottom, left, right = self.crop
            (height, width), inside = truth.shape, np.zeros(truth.shape, dtype=bool)
            inside[int(top * height) : int(bottom * height), int(left * width) : int(right * width)] = True
            mask &= inside
        return np.asarray(mask)


PROTOCOLS = {
    "eigen": DepthProtocol(name="eigen", crop=GARG_CROP, min_truth=1e-3, max_truth=80.0),
    "eigen_benchmark": DepthProtocol(name="eigen_benchmark", crop=None, min_truth=0.0, max_truth=math.inf),
    "dense": DepthProtocol(name="dense", crop=None, min_truth=0.0, max_truth=80.0, max_counts=True),
    "make3d": DepthProtocol(
        name="make3d", crop=None, min_truth=0.0, max_truth=70.0, clamp=(1e-3, 70.0), metrics=MAKE3D_ERRORS
    ),
}
"""eigen: raw LiDAR; eigen_benchmark: KITTI's improved ground truth; dense: rendered scenes; make3d: below 70 m, C1."""


@dataclass(frozen=True, kw_only=True)
class DepthErrors:
    """The seven numbers of Eigen et al., NeurIPS 2014, and log10, the mean of |log10 truth - log10 prediction|.

    sq_rel and rmse are in metres, the others without unit.
    """

    abs_rel: float
    sq_rel: float
    rmse: float
    rmse_log: float
    a1: float
    a2: float
    a3: float
    log10: float


@dataclass(frozen=True, kw_only=True)
class ImageErrors(DepthErrors):
    """Errors of one image.

    Attributes:
        ratio: median(truth) / median(prediction) that the prediction was multiplied by; None without median scaling.
        pixels: number of pixels compared.
        name: the image's name or its index in the set.
    """

    ratio: float | None
    pixels: int
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class DepthReport(DepthErrors):
    """Errors of a set of images: each metric is the plain mean over the images.

    Attributes:
        images: one row per image that was compared.
        ratio_median: median of the images' ratios; None without median scaling.
        ratio_spread: population standard deviation of ratio / ratio_median; 0 is a constant scale.
        protocol, median_scaling, factor: how it was measured.
        skipped: images that have no ground truth that counts.
    """

    images: tuple[ImageErrors, ...]
    ratio_median: float | None
    ratio_spread: float | None
    protocol: DepthProtocol
    median_scaling: bool
    factor: float
    skipped: int

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values (finite numbers, None, strings, lists, dicts)."""
        protocol = dataclasses.asdict(self.protocol)
        if math.isinf(self.protocol.max_truth):
            protocol["max_truth"] = None  # JSON has no infinity
        for key in ("crop", "clamp", "metrics"):
            protocol[key] = None if protocol[key] is None else list(protocol[key])
        return {
            **{metric: getattr(self, metric) for metric in ERRORS},
            "images": [dataclasses.asdict(image) for image in self.images],
            "ratios": [image.ratio for image in self.images if image.ratio is not None],
            "ratio_median": self.ratio_median,
            "ratio_spread": self.ratio_spread,
            "protocol": {**protocol, "median_scaling": self.median_scaling, "factor": self.factor},
            "counts": {
                "images": len(self.images),
                "skipped": self.skipped,
                "pixels": sum(image.pixels for image in self.images),
            },
        }


def resize_disparity(disparity: Float[ndarray, "*n _h _w"], shape: tuple[int, int]) -> Float[ndarray, "*n h w"]:
    """Bilinear resampling to (height, width): half-pixel centres, edges clamped, no antialiasing; float64.

    This is what OpenCV does by default, and what published numbers are computed with.
    """
    low, high, weight = _taps(disparity.shape[-2], shape[0])
    weight = weight[:, None]
    rows = disparity[..., low, :] * (1 - weight) + disparity[..., high, :] * weight
    low, high, weight = _taps(disparity.shape[-1], shape[1])
    return np.asarray(rows[..., low] * (1 - weight) + rows[..., high] * weight)


def flip_post_process(
    disparity: Float[ndarray, "*n h w"], mirrored: Float[ndarray, "*n h w"]
) -> Float[ndarray, "*n h w"]:
    """Blend the disparities of an image and of its mirror image (that result mirrored back already).

    Each is trusted at the side that it saw with context: the left edge takes `mirrored`, the right edge
    `disparity`, the middle their mean (Godard et al., CVPR 2017).
    """
    width = disparity.shape[-1]
    x = np.arange(width) / max(width - 1, 1)
    left = 1 - np.clip(20 * (x - 0.05), 0, 1)
    right = left[::-1]
    return np.asarray(right * disparity + left * mirrored + (1 - left - right) * (disparity + mirrored) / 2)


def compute_errors(truth: Float[ndarray, "n"], depth: Float[ndarray, "n"]) -> DepthErrors:
    """The errors over n > 0 pixels; both in metres and positive."""
    truth, depth = truth.astype(np.float64), depth.astype(np.float64)
    difference = truth - depth
    worse = np.maximum(truth / depth, depth / truth)
    return DepthErrors(
        abs_rel=float(np.mean(np.abs(difference) / truth)),
        sq_rel=float(np.mean(difference**2 / truth)),
        rmse=float(np.sqrt(np.mean(difference**2))),
        rmse_log=float(np.sqrt(np.mean((np.log(truth) - np.log(depth)) ** 2))),
        a1=float(np.mean(worse < 1.25)),
        a2=float(np.mean(worse < 1.25**2)),
        a3=float(np.mean(worse < 1.25**3)),
        log10=float(np.mean(np.abs(np.log10(truth / depth)))),
    )


def evaluate_image(
    disparity: Float[ndarray, "_h _w"],
    truth: Float[ndarray, "h w"],
    protocol: DepthProtocol,
    *,
    median_scaling: bool = True,
    factor: float = 1.0,
    name: str = "",
) -> ImageErrors | None:
    """Errors of one prediction, or None if the image has no ground truth that counts.

    Args:
        disparity: inverse depth at any resolution.
        truth: depth in metres, 0 where unknown.
        factor: the predicted depth is multiplied by this first (5.4 for models trained with a baseline of 0.1).

    Raises:
        DataError: if the disparity is not positive and finite at a pixel that counts.
    """
    mask = protocol.mask(truth)
    if not mask.any():
        return None
    at_truth = resize_disparity(disparity, (truth.shape[0], truth.shape[1]))[mask]
    if not (np.isfinite(at_truth) & (at_truth > 0)).all():
        raise DataError(
            "the prediction cannot be compared",
            where=name or None,
            expected="positive, finite disparities",
            got=f"{np.min(at_truth)} to {np.max(at_truth)}",
        )
    known, depth, ratio = truth[mask], factor / at_truth, None
    if median_scaling:
        ratio = float(np.median(known) / np.median(depth))
        depth = depth * ratio
    errors = compute_errors(known, np.clip(depth, *protocol.clamp))
    return ImageErrors(**dataclasses.asdict(errors), ratio=ratio, pixels=int(mask.sum()), name=name)


def evaluate_set(
    disparities: Iterable[Float[ndarray, "_h _w"]],
    truths: Iterable[Float[ndarray, "_h2 _w2"] | None],
    protocol: DepthProtocol,
    *,
    median_scaling: bool = True,
    factor: float = 1.0,
    names: Sequence[str] | None = None,
) -> DepthReport:
    """Evaluate predictions against ground truths, taken pair by pair; see `evaluate_image`.

    A truth of None, or one with no pixel that counts, is skipped and counted.

    Raises:
        DataError: if there are more of one than of the other, if no image could be compared, or as `evaluate_image`.
    """
    images: list[ImageErrors] = []
    skipped = 0
    for index, (disparity, truth) in enumerate(_pairs(disparities, truths)):
        name = str(index) if names is None else names[index]
        errors = None
        if truth is not None:
            errors = evaluate_image(disparity, truth, protocol, median_scaling=median_scaling, factor=factor, name=name)
        if errors is None:
            skipped += 1
        else:
            images.append(errors)
    return summarize(images, protocol, median_scaling=median_scaling, factor=factor, skipped=skipped)


def summarize(
    images: Sequence[ImageErrors], protocol: DepthProtocol, *, median_scaling: bool, factor: float, skipped: int
) -> DepthReport:
    """The report of a set: the mean of each metric over its images.

    Args:
        protocol, median_scaling, factor: how the images were evaluated.
        skipped: how many others have no ground truth that counts.

    Raises:
        DataError: if there are no images.
    """
    if not images:
        raise DataError(
            "no image could be compared",
            expected=f"ground truth that counts under the protocol {protocol.name}",
            got=f"{skipped} images without any",
        )
    ratios = np.array([image.ratio for image in images if image.ratio is not None])
    median = float(np.median(ratios)) if median_scaling else None
    return DepthReport(
        **{metric: float(np.mean([getattr(image, metric) for image in images])) for metric in ERRORS},
        images=tuple(images),
        ratio_median=median,
        ratio_spread=None if median is None else float(np.std(ratios / median)),
        protocol=protocol,
        median_scaling=median_scaling,
        factor=factor,
        skipped=skipped,
    )


def _taps(size: int, new_size: int) -> tuple[ndarray, ndarray, ndarray]:
    """The two source indices and the weight of the second, for each of `new_size` samples along an axis."""
    position = np.clip((np.arange(new_size) + 0.5) * (size / new_size) - 0.5, 0, size - 1)
    low = np.floor(position).astype(np.int64)
    return low, np.minimum(low + 1, size - 1), position - low


def _pairs(first: Iterable[Any], second: Iterable[Any]) -> Iterable[tuple[Any, Any]]:
    """zip, refusing a different number of each."""
    end = object()
    for index, (a, b) in enumerate(zip_longest(first, second, fillvalue=end)):
        if a is end or b is end:
            what = "ground truths than predictions" if a is end else "predictions than ground truths"
            raise DataError(f"there are more {what}", expected="one for each", got=f"{index} pairs and one over")
        yield a, b
