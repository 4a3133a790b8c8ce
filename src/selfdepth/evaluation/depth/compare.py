"""Predictions against ground truth, whatever they come from; and what a constant would reach on the same pixels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from jaxtyping import Float
from numpy import ndarray

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


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The prediction and the ground truth of one frame.

    Attributes:
        name: of the frame, for errors and reports.
        disparity: predicted; None where there is no ground truth to compare it with.
        truth: depth in metres, 0 where unknown; None where the frame has none.
    """

    name: str
    disparity: Float[ndarray, "_h _w"] | None
    truth: Float[ndarray, "h w"] | None


@dataclass(frozen=True, kw_only=True)
class _ComparedPixels:
    """What is kept of a pair: for the baseline and another scale, the pixels that count are enough, while whole maps
    of a large set would fill the memory.

    Attributes:
        errors: of the pair.
        truth, disparity: at the pixels that count; disparity only where it is needed again.
    """

    errors: ImageErrors
    truth: Float[ndarray, "1 n"]
    disparity: Float[ndarray, "1 n"] | None


@dataclass(frozen=True, kw_only=True)
class ComparisonOptions:
    """What is compared, and how.

    Attributes:
        part: of the split or data set: "train", "val" or "test"; None: the test frames, else those for validation,
            else all.
        at_most: of a model: compare no more than this many frames, evenly spaced over the part; None: all of them.
        protocol: key in PROTOCOLS; None: the one that fits the data.
        median_scaling: whether each prediction is brought to the median of its ground truth first.
        factor: predicted depths are multiplied by this before anything else; None: by what makes them metres, where
            the model knows (`TrainConfig.metres_per_unit`), else by 1.
        one_scale: with median scaling, bring all predictions to metres by one number, the median of the images'
            ratios, in place of each by its own.
        min_depth, max_depth: in metres; ground truth counts between them, and predictions are moved there. None: as
            the protocol says.
        truth_cache: folder that keeps the depth maps made of LiDAR scans, for the next time; None: nothing is kept.
    """

    part: str | None = None
    at_most: int | None = None
    protocol: str | None = None
    median_scaling: bool = True
    factor: float | None = None
    one_scale: bool = False
    min_depth: float | None = None
    max_depth: float | None = None
    truth_cache: Path | None = None

    def protocol_on(self, default: str) -> DepthProtocol:
        """The protocol asked for, else `default`, with the bounds asked for."""
        protocol = PROTOCOLS[self.protocol or default]
        if self.min_depth is not None:
            clamp = (self.min_depth, protocol.clamp[1])
            protocol = dataclasses.replace(protocol, min_truth=self.min_depth, clamp=clamp)
        if self.max_depth is not None:
            clamp = (protocol.clamp[0], self.max_depth)
            protocol = dataclasses.replace(protocol, max_truth=self.max_depth, clamp=clamp)
        return protocol


@dataclass(frozen=True, kw_only=True)
class DepthEvaluation:
    """Errors, and what they are to be compared with.

    Attributes:
        report: errors of the predictions.
        baseline: errors of one constant depth for all pixels of all frames, the best one for this ground truth.
        constant_m: that depth in metres.
        frames: what was compared, in words.
        other: the same predictions with median scaling where `report` is without it, and the other way round; None
            where the predictions are up to an unknown factor.
        one_scale: whether `report` has one scale for the whole set.
    """

    report: DepthReport
    baseline: DepthReport
    constant_m: float
    frames: str
    other: DepthReport | None = None
    one_scale: bool = False

    def to_json(self) -> dict[str, Any]:
        """The report's values, and the baseline's beside them; of metres, the report with the other scaling too."""
        baseline = {name: value for name, value in self.baseline.to_json().items() if isinstance(value, float)}
        other = {}
        if self.other is not None:
            key = "with_median_scaling" if self.other.median_scaling else "without_median_scaling"
            other = {key: {name: value for name, value in self.other.to_json().items() if isinstance(value, float)}}
        return {
            **self.report.to_json(),
            **other,
            "baseline": {"kind": "best constant depth", "depth_m": self.constant_m, **baseline},
            "frames": self.frames,
            "scaling": "set" if self.one_scale else "image" if self.report.median_scaling else "none",
        }


def compare(
    pairs: Iterable[Pair], protocol: DepthProtocol, options: ComparisonOptions, frames: str, *, both: bool = False
) -> DepthEvaluation:
    """Errors of the pairs, and of the best constant on the same pixels.

    Args:
        frames: what is compared, in words.
        both: whether the predictions can be metres, so that the other scaling is worth a look too.

    Raises:
        DataError: if no image can be compared, or a prediction is not positive and finite.
    """
    factor = 1.0 if options.factor is None else options.factor
    scaling = options.median_scaling
    evaluate = partial(evaluate_image, protocol=protocol, median_scaling=scaling, factor=factor)
    rows = [_compare_pixels(pair, evaluate, protocol, keep=both or options.one_scale) for pair in pairs]
    compared = [row for row in rows if row is not None]
    report = summarize(
        [row.errors for row in compared],
        protocol,
        median_scaling=scaling,
        factor=factor,
        skipped=len(rows) - len(compared),
    )
    anywhere = dataclasses.replace(protocol, crop=None)
    truths = [row.truth for row in compared]
    disparities = [row.disparity for row in compared if row.disparity is not None]
    constant_m, baseline = best_constant(truths, anywhere)
    other = None
    if options.one_scale:
        report = _at_one_scale(report, disparities, truths, anywhere)
    if both:
        other = evaluate_set(disparities, truths, anywhere, median_scaling=not scaling, factor=factor)
    return DepthEvaluation(
        report=report,
        baseline=baseline,
        constant_m=constant_m,
        frames=frames,
        other=other,
        one_scale=options.one_scale,
    )


def _compare_pixels(
    pair: Pair, evaluate: Callable[..., ImageErrors | None], protocol: DepthProtocol, *, keep: bool
) -> _ComparedPixels | None:
    """The errors of a pair and its pixels that count, or None where it has none."""
    if pair.truth is None or pair.disparity is None:
        return None
    errors = evaluate(pair.disparity, pair.truth, name=pair.name)
    if errors is None:
        return None
    mask = protocol.mask(pair.truth)
    shape = (pair.truth.shape[0], pair.truth.shape[1])
    disparity = resize_disparity(pair.disparity, shape)[mask][None] if keep else None
    return _ComparedPixels(errors=errors, truth=pair.truth[mask][None], disparity=disparity)


def _at_one_scale(
    report: DepthReport, disparities: list[ndarray], truths: list[ndarray], protocol: DepthProtocol
) -> DepthReport:
    """A report with median scaling, with the errors at the median of its ratios in their place; ratios stay."""
    # Median scaling found the ratios: --one-scale is refused without it.
    factor = report.factor * (report.ratio_median or 1.0)
    at_one = evaluate_set(disparities, truths, protocol, median_scaling=False, factor=factor)

    def errors(of: DepthErrors) -> dict[str, Any]:
        return {metric: getattr(of, metric) for metric in ERRORS}

    pairs = zip(report.images, at_one.images, strict=True)
    images = tuple(dataclasses.replace(image, **errors(again)) for image, again in pairs)
    return dataclasses.replace(report, images=images, **errors(at_one))
