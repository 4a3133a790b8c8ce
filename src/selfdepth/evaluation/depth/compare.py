"""Predictions against ground truth, whatever they come from; and what a constant would reach on the same pixels."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.evaluation.depth.baselines import best_constant_depth
from selfdepth.evaluation.depth.metrics import (
    ERRORS,
    PROTOCOLS,
    DepthErrors,
    DepthProtocol,
    DepthReport,
    evaluate_set,
    resize_disparity,
)

Pair = tuple[str, "Float[ndarray, '_h _w']", "Float[ndarray, 'h w']"]
"""Name, disparity, ground truth."""


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
    pairs: Iterator[Pair], protocol: DepthProtocol, measure: ComparisonOptions, frames: str, *, both: bool = False
) -> DepthEvaluation:
    """Errors of the pairs, and of the best constant on the same pixels.

    Args:
        frames: what is compared, in words.
        both: whether the predictions can be metres, so that the other scaling is worth a look too.

    Raises:
        DataError: if no image can be compared, or a prediction is not positive and finite.
    """
    names: list[str] = []
    known: list[ndarray] = []
    predicted: list[ndarray] = []
    factor = 1.0 if measure.factor is None else measure.factor

    def noted() -> Iterator[Pair]:
        for name, disparity, truth in pairs:
            names.append(name)
            # For the baseline the known depths are enough: whole maps of a large set would fill the memory.
            mask = protocol.mask(truth)
            known.append(truth[mask][None])
            if both or measure.one_scale:
                predicted.append(resize_disparity(disparity, (truth.shape[0], truth.shape[1]))[mask][None])
            yield name, disparity, truth

    first, second = itertools.tee(noted())
    disparities, truths = (disparity for _, disparity, _ in first), (truth for _, _, truth in second)
    scaling = measure.median_scaling
    report = evaluate_set(disparities, truths, protocol, median_scaling=scaling, factor=factor, names=names)
    anywhere = dataclasses.replace(protocol, crop=None)
    compared = [depths for depths in known if depths.size]
    constant_m, baseline = _best_constant(compared, anywhere)
    other, scaled = None, [disparity for disparity in predicted if disparity.size]
    if measure.one_scale:
        report = _at_one_scale(report, scaled, compared, anywhere)
    if both:
        other = evaluate_set(scaled, compared, anywhere, median_scaling=not scaling, factor=factor)
    return DepthEvaluation(
        report=report,
        baseline=baseline,
        constant_m=constant_m,
        frames=frames,
        other=other,
        one_scale=measure.one_scale,
    )


def _best_constant(truths: list[ndarray], protocol: DepthProtocol) -> tuple[float, DepthReport]:
    """The best constant depth in metres, and its errors."""
    constant_m = best_constant_depth(truths, protocol)
    constant = np.full((1, 1), 1 / constant_m)
    # No scaling here: the best constant beats a constant brought to each image's median.
    return constant_m, evaluate_set([constant] * len(truths), truths, protocol, median_scaling=False)


def _at_one_scale(
    report: DepthReport, disparities: list[ndarray], truths: list[ndarray], protocol: DepthProtocol
) -> DepthReport:
    """A report with median scaling, with the errors at the median of its ratios in their place; ratios stay."""
    assert report.ratio_median is not None, "one scale is found by median scaling"
    factor = report.factor * report.ratio_median
    at_one = evaluate_set(disparities, truths, protocol, median_scaling=False, factor=factor)

    def errors(of: DepthErrors) -> dict[str, Any]:
        return {metric: getattr(of, metric) for metric in ERRORS}

    pairs = zip(report.images, at_one.images, strict=True)
    images = tuple(dataclasses.replace(image, **errors(again)) for image, again in pairs)
    return dataclasses.replace(report, images=images, **errors(at_one))
