"""Compare predictions from any source with ground truth, and with the best constant depth on the same pixels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.config.quantity import SHIFTED
from selfdepth.errors import ConfigError
from selfdepth.evaluation.depth.baselines import best_constant
from selfdepth.evaluation.depth.metrics import (
    ERRORS,
    PROTOCOLS,
    DepthErrors,
    DepthProtocol,
    DepthReport,
    ImageErrors,
    evaluate_image,
    evaluate_set,
    resize_disparity,
    summarize,
)
from selfdepth.evaluation.depth.sparsification import Sparsification, mean_of, sparsify
from selfdepth.geometry.shifted_disparity import scale_and_shift
from selfdepth.structs import MetricScale


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The prediction and the ground truth of one frame.

    Attributes:
        name: of the frame, for errors and reports.
        disparity: predicted inverse depth at any resolution, 0 where it is not known; None if the frame has no ground
            truth.
        truth: depth in metres, 0 where unknown; None if the frame has none.
        confidence: of the prediction, of its shape; None if it has none.
    """

    name: str
    disparity: Float[ndarray, "_h _w"] | None
    truth: Float[ndarray, "h w"] | None
    confidence: Float[ndarray, "_h _w"] | None = None


@dataclass(frozen=True, kw_only=True)
class _ComparedPixels:
    """The part of a pair that the baseline and another scaling need: its n pixels that count.

    Whole maps of a split would fill the memory: 697 frames of KITTI, depth and disparity, take 5 GB in float64.

    Attributes:
        errors: of the pair.
        truth: ground truth at the pixels that count, in metres.
        disparity: prediction at the same pixels; None if it is not needed again.
        confidence: of the prediction at the same pixels; None if it has none.
    """

    errors: ImageErrors
    truth: Float[ndarray, "1 n"]
    disparity: Float[ndarray, "1 n"] | None
    confidence: Float[ndarray, "1 n"] | None


@dataclass(frozen=True, kw_only=True)
class ComparisonOptions:
    """Which frames are compared, and how.

    Attributes:
        part: "train", "val" or "test" of the split or data set; None: the test frames, or else the validation frames,
            or else all frames.
        stream: number of the video stream to take; None: the one with the most frames.
        topic: name of the topic of a bag to take; None: that of its only camera.
        at_most: evaluate a model on at most this many frames, evenly spaced over the part; None: on all of them.
        protocol: key in PROTOCOLS; None: the one that fits the data.
        median_scaling: whether each prediction is scaled to the median of its ground truth first.
        factor: predicted depths are multiplied by this before any other scaling; None: by the model's metres per unit
            if it has one (`Predictor.metres_per_unit`), else by 1.
        shift: whether each prediction is aligned with its ground truth by scale and shift, by least squares in
            disparity, instead of any other scaling: what is known up to a shift cannot be judged without.
        one_scale: with median scaling, scale all predictions by one number, the median of the images' ratios, instead
            of each by its own.
        min_depth, max_depth: in metres; ground truth outside this range does not count, and predictions are clamped to
            it. None: the protocol's bounds.
        truth_cache: folder in which depth maps computed from LiDAR scans are kept for the next evaluation; None: no
            map is kept.
        need_confidence: whether a model that does not predict its confidence is refused.
    """

    part: str | None = None
    stream: int | None = None
    topic: str | None = None
    at_most: int | None = None
    protocol: str | None = None
    median_scaling: bool = True
    factor: float | None = None
    shift: bool = False
    one_scale: bool = False
    min_depth: float | None = None
    max_depth: float | None = None
    truth_cache: Path | None = None
    need_confidence: bool = False

    def protocol_on(self, default: str) -> DepthProtocol:
        """The requested protocol, or else `default`, with the requested bounds.

        Args:
            default: key in PROTOCOLS.
        """
        protocol = PROTOCOLS[self.protocol or default]
        # Predictions are clamped to the same range: where ground truth counts, a depth outside it can only be wrong.
        if self.min_depth is not None:
            clamp = (self.min_depth, protocol.clamp[1])
            protocol = dataclasses.replace(protocol, min_truth=self.min_depth, clamp=clamp)
        if self.max_depth is not None:
            clamp = (protocol.clamp[0], self.max_depth)
            protocol = dataclasses.replace(protocol, max_truth=self.max_depth, clamp=clamp)
        return protocol

    def with_shift(self) -> ComparisonOptions:
        """These options, for predictions with an unknown shift. Raises ConfigError for a scaling that cannot be."""
        others = {"--one-scale": self.one_scale, "--no-median-scaling": not self.median_scaling}
        others |= {"--factor": self.factor is not None}
        for option, given in others.items():
            if given:
                raise ConfigError(
                    "disparity with an unknown shift is aligned image by image, by scale and shift",
                    where=option,
                    got=f"--predictions-are {SHIFTED}",
                    fix="leave the option out",
                )
        return dataclasses.replace(self, shift=True)


@dataclass(frozen=True, kw_only=True)
class DepthEvaluation:
    """Errors of predictions, and the baseline to compare them with.

    Attributes:
        report: errors of the predictions.
        baseline: errors of the best constant depth: one number for all pixels of all frames.
        constant_m: that depth in metres.
        frames: description of the frames that were compared, such as "test frames".
        other: errors of the same predictions without median scaling if `report` has it, and with it if not; None for
            predictions that are known up to a factor only.
        one_scale: whether `report` uses one scale for the whole set.
        shift: whether each prediction was aligned by scale and shift.
        sparsification: whether the confidence of the predictions knows their errors, scaled as in `report`; None for
            predictions without a confidence.
        metric: the witness of the metres that a calibrated model predicts, else None.
    """

    report: DepthReport
    baseline: DepthReport
    constant_m: float
    frames: str
    other: DepthReport | None = None
    one_scale: bool = False
    shift: bool = False
    sparsification: Sparsification | None = None
    metric: MetricScale | None = None

    @property
    def scaling(self) -> str:
        """What each prediction was brought to its ground truth by: image, set, scale and shift, or none."""
        if self.shift:
            return "scale and shift"
        return "set" if self.one_scale else "image" if self.report.median_scaling else "none"

    def to_json(self) -> dict[str, Any]:
        """The report's values, with the baseline's and, for metric predictions, those with the other scaling."""
        baseline = {name: value for name, value in self.baseline.to_json().items() if isinstance(value, float)}
        other = {}
        if self.other is not None:
            key = "with_median_scaling" if self.other.median_scaling else "without_median_scaling"
            other = {key: {name: value for name, value in self.other.to_json().items() if isinstance(value, float)}}
        return {
            **self.report.to_json(),
            **other,
            **({} if self.sparsification is None else {"sparsification": self.sparsification.to_json()}),
            **({} if self.metric is None else {"metric": self.metric.to_json()}),
            "baseline": {"kind": "best constant depth", "depth_m": self.constant_m, **baseline},
            "frames": self.frames,
            "scaling": self.scaling,
        }


def compare(
    pairs: Iterable[Pair],
    protocol: DepthProtocol,
    options: ComparisonOptions,
    frames: str,
    *,
    both_scalings: bool = False,
) -> DepthEvaluation:
    """Errors of the pairs, and of the best constant depth on the same pixels.

    Args:
        pairs: consumed once, one after the other, so that they can be predicted as they are compared.
        frames: description of the frames, for the report.
        both_scalings: evaluate with and without median scaling; meaningful for predictions in metres.

    Raises:
        DataError: if no image can be compared, or a prediction is not positive and finite.
    """
    factor = 1.0 if options.factor is None or options.shift else options.factor
    scaling = options.median_scaling and not options.shift
    both_scalings = both_scalings and not options.shift
    if options.shift:
        pairs = (_aligned_pair(pair, protocol) for pair in pairs)
    evaluate = partial(evaluate_image, protocol=protocol, median_scaling=scaling, factor=factor)
    needed_again = both_scalings or options.one_scale
    rows = [_compare_pixels(pair, evaluate, protocol, with_disparity=needed_again) for pair in pairs]
    compared = [row for row in rows if row is not None]
    images, skipped = [row.errors for row in compared], len(rows) - len(compared)
    report = summarize(images, protocol, median_scaling=scaling, factor=factor, skipped=skipped)
    uncropped = dataclasses.replace(protocol, crop=None)  # as 1 x n arrays, the pixels must not be cropped again
    truths = [row.truth for row in compared]
    disparities = [row.disparity for row in compared if row.disparity is not None]
    constant_m, baseline = best_constant(truths, uncropped)
    if options.one_scale:
        report = _at_one_scale(report, disparities, truths, uncropped)
    evaluate_other = partial(evaluate_set, disparities, truths, uncropped, median_scaling=not scaling, factor=factor)
    return DepthEvaluation(
        report=report,
        baseline=baseline,
        constant_m=constant_m,
        frames=frames,
        other=evaluate_other() if both_scalings else None,
        one_scale=options.one_scale,
        shift=options.shift,
        sparsification=_sparsification(report, compared, one_scale=options.one_scale),
    )


def align(
    disparity: Float[ndarray, "_h _w"], truth: Float[ndarray, "h w"], protocol: DepthProtocol
) -> Float[ndarray, "h w"]:
    """A disparity at the size of its ground truth, by the scale and shift that suit it best, in 1 / metres.

    It ends where the protocol's depths end: a shift may bring the farthest places to no depth at all.
    """
    at_truth = resize_disparity(disparity, (truth.shape[0], truth.shape[1]))
    known = _where_known(truth, disparity)
    mask = protocol.mask(known)
    if not mask.any():
        return at_truth
    scale, shift = scale_and_shift(at_truth[mask], 1 / known[mask])
    aligned = np.maximum(scale * at_truth + shift, 1 / protocol.clamp[1])
    return np.asarray(np.where(at_truth == 0, 0, aligned))


def _aligned_pair(pair: Pair, protocol: DepthProtocol) -> Pair:
    if pair.disparity is None or pair.truth is None:
        return pair
    truth = _where_known(pair.truth, pair.disparity)
    return dataclasses.replace(pair, disparity=align(pair.disparity, pair.truth, protocol), truth=truth)


def _sparsification(
    report: DepthReport, compared: Sequence[_ComparedPixels], *, one_scale: bool
) -> Sparsification | None:
    """The sparsification of predictions with confidence, at the scale of each that the report has; else None."""
    images = []
    for image, row in zip(report.images, compared, strict=True):
        if row.confidence is None or row.disparity is None:
            return None
        ratio = (report.ratio_median if one_scale else image.ratio) or 1.0
        depth = np.clip(report.factor * ratio / row.disparity[0], *report.protocol.clamp)
        images.append(sparsify(row.truth[0], depth, row.confidence[0]))
    return mean_of(images)


def _compare_pixels(
    pair: Pair, evaluate: Callable[..., ImageErrors | None], protocol: DepthProtocol, *, with_disparity: bool
) -> _ComparedPixels | None:
    """The errors of a pair and its pixels that count, or None if it has none."""
    if pair.truth is None or pair.disparity is None:
        return None
    truth = _where_known(pair.truth, pair.disparity)
    errors = evaluate(pair.disparity, truth, name=pair.name)
    if errors is None:
        return None
    mask = protocol.mask(truth)
    shape = (truth.shape[0], truth.shape[1])
    # Resized here, because the pixels that count have no neighbours any more.
    needed = with_disparity or pair.confidence is not None
    disparity = resize_disparity(pair.disparity, shape)[mask][None] if needed else None
    confidence = None if pair.confidence is None else resize_disparity(pair.confidence, shape)[mask][None]
    return _ComparedPixels(errors=errors, truth=truth[mask][None], disparity=disparity, confidence=confidence)


def _where_known(truth: Float[ndarray, "h w"], disparity: Float[ndarray, "_h _w"]) -> Float[ndarray, "h w"]:
    """The ground truth without the pixels of which the prediction says that it knows no depth: there it is 0."""
    if (disparity != 0).all():
        return truth
    known = resize_disparity((disparity != 0).astype(np.float32), (truth.shape[0], truth.shape[1]))
    return np.asarray(np.where(known > 1 - 1e-4, truth, 0))


def _at_one_scale(
    report: DepthReport, disparities: list[ndarray], truths: list[ndarray], protocol: DepthProtocol
) -> DepthReport:
    """The report with its errors replaced by those at one scale, the median of its ratios; the ratios stay."""
    # The command line refuses --one-scale without median scaling, so that there are ratios.
    factor = report.factor * (report.ratio_median or 1.0)
    rescaled = evaluate_set(disparities, truths, protocol, median_scaling=False, factor=factor)

    def values(errors: DepthErrors) -> dict[str, Any]:
        return {metric: getattr(errors, metric) for metric in ERRORS}

    pairs = zip(report.images, rescaled.images, strict=True)
    images = tuple(dataclasses.replace(image, **values(errors)) for image, errors in pairs)
    return dataclasses.replace(report, images=images, **values(rescaled))
