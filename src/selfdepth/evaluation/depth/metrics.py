"""The depth errors that the field reports, in numpy only: they apply to the predictions of any method.

Predictions are disparities (inverse depths). They are resized to the size of the ground truth as disparities and
inverted afterwards. Published numbers are computed in this order; resizing depth instead gives different ones.
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
from selfdepth.evaluation.depth.units import truth_out_of_range

METRICS = ("abs_rel", "sq_rel", "rmse", "rmse_log", "a1", "a2", "a3")
"""The seven errors in tables of results on KITTI."""

ERRORS = (*METRICS, "log10")
"""All errors that are computed, whatever the protocol reports."""

MAKE3D_ERRORS = ("abs_rel", "sq_rel", "rmse", "log10")
"""The four errors in tables of results on Make3D."""

GARG_CROP = (0.40810811, 0.99189189, 0.03594771, 0.96405229)
"""Top, bottom, left and right as fractions of the image size (Garg et al., ECCV 2016): the region that LiDAR covers."""


@dataclass(frozen=True, kw_only=True)
class DepthProtocol:
    """Which pixels count and how predictions are bounded. All depths are in metres.

    Attributes:
        name: the key in PROTOCOLS.
        crop: top, bottom, left and right as fractions of the image size, ends excluded; None for the whole image.
        min_truth: ground truth counts above this.
        max_truth: ground truth counts below this.
        max_counts: whether ground truth of exactly `max_truth` counts too.
        clamp: range that predictions are clamped to, after scaling.
        metrics: the errors that the field reports under this protocol.
    """

    name: str
    crop: tuple[float, float, float, float] | None
    min_truth: float
    max_truth: float
    max_counts: bool = False
    clamp: tuple[float, float] = (1e-3, 80.0)
    metrics: tuple[str, ...] = METRICS

    def mask(self, truth: Float[ndarray, "h w"]) -> Bool[ndarray, "h w"]:
        """True at the pixels that count: those inside the crop with ground truth in range."""
        # Unknown depths are 0, which no lower bound lets through; NaN compares false with both.
        mask = (truth > self.min_truth) & (truth < self.max_truth)
        if self.max_counts:
            mask |= truth == self.max_truth
        if self.crop is not None:
            top, bottom, left, right = self.crop
            (height, width), inside = truth.shape, np.zeros(truth.shape, dtype=bool)
            # Truncated, not rounded: published numbers are of rows 153 to 370 of a frame with 375 rows.
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
"""eigen: raw LiDAR; eigen_benchmark: KITTI's improved ground truth; dense: rendered scenes; make3d: below 70 m ("C1").

The improved ground truth is used whole: it was filtered when it was made (Uhrig et al., 3DV 2017). Predictions are
clamped to 80 m there too."""


@dataclass(frozen=True, kw_only=True)
class DepthErrors:
    """The seven errors of Eigen et al. (NeurIPS 2014), and log10, the mean of |log10 truth - log10 prediction|.

    sq_rel and rmse are in metres; the others have no unit. Lower is better, except for a1, a2 and a3.
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
        ratio: median(truth) / median(prediction), by which the prediction was multiplied; None without median scaling.
        pixels: number of pixels compared.
        name: name of the image, or its index in the set.
    """

    ratio: float | None
    pixels: int
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class DepthReport(DepthErrors):
    """Errors of a set of images: each error is the plain mean over the images, whatever their number of pixels.

    Attributes:
        images: one row per image that was compared.
        ratio_median: median of the images' ratios; None without median scaling.
        ratio_spread: population standard deviation of ratio / ratio_median (the paper's Table 8); 0 if one scale fits
            all images.
        protocol, median_scaling, factor: how the images were evaluated.
        skipped: number of images without ground truth that counts.
    """

    images: tuple[ImageErrors, ...]
    ratio_median: float | None
    ratio_spread: float | None
    protocol: DepthProtocol
    median_scaling: bool
    factor: float
    skipped: int

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values: finite numbers, None, strings, lists and dicts."""
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
    """Resample bilinearly to (height, width), in float64: half-pixel centres, edges clamped, no antialiasing.

    Published numbers are computed with OpenCV's default, which this reproduces.
    """
    low, high, weight = _taps(disparity.shape[-2], shape[0])
    weight = weight[:, None]
    rows = disparity[..., low, :] * (1 - weight) + disparity[..., high, :] * weight
    low, high, weight = _taps(disparity.shape[-1], shape[1])
    return np.asarray(rows[..., low] * (1 - weight) + rows[..., high] * weight)


def flip_post_process(
    disparity: Float[ndarray, "*n h w"], mirrored: Float[ndarray, "*n h w"]
) -> Float[ndarray, "*n h w"]:
    """Blend the disparity of an image with that of its mirror image (Godard et al., CVPR 2017).

    The left edge takes `mirrored`, the right edge `disparity`, and the middle their mean: models trained on stereo
    pairs err at the left edge of their input, which the right camera does not see.

    Args:
        disparity: prediction for the image.
        mirrored: prediction for the mirrored image, mirrored back.
    """
    width = disparity.shape[-1]
    x = np.arange(width) / max(width - 1, 1)
    # One weight alone over the outer 5 % of the width, then a ramp down to the mean at 10 %.
    left = 1 - np.clip(20 * (x - 0.05), 0, 1)
    right = left[::-1]
    return np.asarray(right * disparity + left * mirrored + (1 - left - right) * (disparity + mirrored) / 2)


def compute_errors(truth: Float[ndarray, "n"], depth: Float[ndarray, "n"]) -> DepthErrors:
    """The errors over n > 0 pixels.

    Args:
        truth: in metres, positive.
        depth: the prediction for the same pixels, as `truth`.
    """
    truth, depth = truth.astype(np.float64), depth.astype(np.float64)
    difference = truth - depth
    worse = np.maximum(truth / depth, depth / truth)  # a_k counts an error alike in either direction
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
        factor: the predicted depth is multiplied by this first (5.4 for models trained with a stereo baseline of 0.1).
        name: of the image, for the report and for errors.

    Raises:
        DataError: if the disparity is not positive and finite at a pixel that counts.
    """
    mask = protocol.mask(truth)
    if not mask.any():
        return None
    at_truth = resize_disparity(disparity, (truth.shape[0], truth.shape[1]))[mask]
    # Refused, not skipped: one NaN would turn the mean of the whole set into NaN without naming its image.
    if not (np.isfinite(at_truth) & (at_truth > 0)).all():
        raise DataError(
            "the prediction cannot be compared",
            where=name or None,
            expected="positive, finite disparities",
            got=f"{np.min(at_truth)} to {np.max(at_truth)}",
        )
    true_depth, depth, ratio = truth[mask], factor / at_truth, None
    if median_scaling:
        # Before clamping: a network in another unit would otherwise lose its far depths, and its median, to the clamp.
        ratio = float(np.median(true_depth) / np.median(depth))
        depth = depth * ratio
    errors = compute_errors(true_depth, np.clip(depth, *protocol.clamp))
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
    """Evaluate predictions against ground truth, pair by pair; see `evaluate_image`.

    Args:
        disparities: predictions, each at a resolution of its own.
        truths: depth maps in metres, 0 where unknown. A pair whose map is None or has no pixel that counts is skipped.
        names: of the images; None: their indices.

    Raises:
        DataError: if the numbers of predictions and ground truths differ, if no image can be compared, or as
            `evaluate_image`.
    """
    # One pair at a time: both may be generators, and a split of whole maps does not fit into memory.
    images: list[ImageErrors] = []
    skipped, beyond = 0, None
    for index, (disparity, truth) in enumerate(_pairs(disparities, truths)):
        name = str(index) if names is None else names[index]
        errors = None
        if truth is not None:
            errors = evaluate_image(disparity, truth, protocol, median_scaling=median_scaling, factor=factor, name=name)
        if errors is None:
            skipped += 1
            if truth is not None and not images and (truth > 0).any():
                beyond = truth[truth > 0]
        else:
            images.append(errors)
    if not images and beyond is not None:
        raise truth_out_of_range(beyond, protocol.min_truth, protocol.max_truth)
    return summarize(images, protocol, median_scaling=median_scaling, factor=factor, skipped=skipped)


def summarize(
    images: Sequence[ImageErrors], protocol: DepthProtocol, *, median_scaling: bool, factor: float, skipped: int
) -> DepthReport:
    """The report of a set: the mean of each error over its images.

    Args:
        images: errors of the images that were compared.
        protocol: how they were evaluated.
        median_scaling: whether each depth was scaled to the median of the truth.
        factor: by which each predicted depth was multiplied first.
        skipped: number of other images, which have no ground truth that counts.

    Raises:
        DataError: if there are no images.
    """
    if not images:
        raise DataError(
            "no image could be compared",
            expected=f"ground truth that counts under the protocol {protocol.name}",
            got=f"{skipped} image{'s' * (skipped != 1)} without any",
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
    """For each of `new_size` samples along an axis: the two source indices, and the weight of the second."""
    # Pixel centres lie at i + 1/2 of the edges. Clamping the position repeats the values of the border.
    position = np.clip((np.arange(new_size) + 0.5) * (size / new_size) - 0.5, 0, size - 1)
    low = np.floor(position).astype(np.int64)
    return low, np.minimum(low + 1, size - 1), position - low


def _pairs(first: Iterable[Any], second: Iterable[Any]) -> Iterable[tuple[Any, Any]]:
    """As zip, but refuse iterables of different lengths by name; either may be a generator without a length."""
    end = object()
    for index, (a, b) in enumerate(zip_longest(first, second, fillvalue=end)):
        if a is end or b is end:
            what = "ground truths than predictions" if a is end else "predictions than ground truths"
            raise DataError(f"there are more {what}", expected="one for each", got=f"{index} pairs and one left over")
        yield a, b
