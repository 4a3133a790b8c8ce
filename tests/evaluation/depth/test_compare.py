"""Pairs of predictions and ground truth, compared under options."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy import ndarray

from selfdepth.errors import ConfigError, DataError
from selfdepth.evaluation.depth.compare import ComparisonOptions, DepthEvaluation, Pair, align, compare
from selfdepth.evaluation.depth.metrics import ERRORS, METRICS, PROTOCOLS, evaluate_set

RNG = np.random.default_rng(0)
TRUTHS = [np.where(RNG.random((20, 40)) < 0.5, RNG.uniform(2, 60, (20, 40)), 0) for _ in range(3)]
DISPARITIES = [RNG.uniform(0.02, 0.5, (5, 10)) * factor for factor in (1, 2, 5)]


def pairs() -> Iterator[Pair]:
    for index, (disparity, truth) in enumerate(zip(DISPARITIES, TRUTHS, strict=True)):
        yield Pair(name=f"frame {index}", disparity=disparity, truth=truth)


def compared(protocol: str = "eigen", *, both_scalings: bool = False, **options: object) -> DepthEvaluation:
    chosen = ComparisonOptions(**options)  # type: ignore[arg-type]
    return compare(pairs(), chosen.protocol_on(protocol), chosen, "frames", both_scalings=both_scalings)


def values(report: object) -> list[float]:
    return [getattr(report, metric) for metric in ERRORS]


def test_without_options_the_protocol_is_that_of_the_data() -> None:
    assert ComparisonOptions().protocol_on("dense") == PROTOCOLS["dense"]
    assert ComparisonOptions(protocol="eigen").protocol_on("dense") == PROTOCOLS["eigen"]


@pytest.mark.parametrize(
    ("options", "bounds", "clamp"),
    [
        ({"min_depth": 5.0}, (5.0, 80.0), (5.0, 80.0)),
        ({"max_depth": 50.0}, (1e-3, 50.0), (1e-3, 50.0)),
        ({"min_depth": 5.0, "max_depth": 50.0}, (5.0, 50.0), (5.0, 50.0)),
    ],
)
def test_a_bound_applies_to_ground_truth_and_predictions_and_leaves_the_other_bound(
    options: dict[str, float], bounds: tuple[float, float], clamp: tuple[float, float]
) -> None:
    protocol = ComparisonOptions(**options).protocol_on("eigen")  # type: ignore[arg-type]
    assert (protocol.min_truth, protocol.max_truth) == bounds
    assert protocol.clamp == clamp
    assert (protocol.name, protocol.crop) == ("eigen", PROTOCOLS["eigen"].crop)


def test_a_cap_bounds_protocols_that_have_none() -> None:
    protocol = ComparisonOptions(max_depth=50.0).protocol_on("eigen_benchmark")
    assert protocol.mask(np.array([[49.0, 51.0]])).tolist() == [[True, False]]


def test_the_report_is_that_of_the_whole_set() -> None:
    done = compared(factor=3.0)
    expected = evaluate_set(DISPARITIES, TRUTHS, PROTOCOLS["eigen"], factor=3.0)
    assert values(done.report) == values(expected)
    assert [image.name for image in done.report.images] == ["frame 0", "frame 1", "frame 2"]
    assert done.other is None


def test_pairs_without_ground_truth_or_prediction_are_skipped_and_counted() -> None:
    (first, *_), none = pairs(), np.zeros((20, 40))
    incomplete = [
        Pair(name="no truth", disparity=DISPARITIES[0], truth=None),
        Pair(name="not predicted", disparity=None, truth=None),
        Pair(name="nothing counts", disparity=DISPARITIES[0], truth=none),
    ]
    done = compare([first, *incomplete], PROTOCOLS["eigen"], ComparisonOptions(), "frames")
    assert (len(done.report.images), done.report.skipped) == (1, 3)


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(DataError, match=r"no image could be compared.*got 1 image without any"):
        compare([Pair(name="a", disparity=None, truth=None)], PROTOCOLS["eigen"], ComparisonOptions(), "frames")


def test_the_baseline_is_the_best_constant_on_the_same_pixels() -> None:
    done = compared()

    def abs_rel(depth_m: float) -> float:
        constant = np.full((2, 2), 1 / depth_m)
        return evaluate_set([constant] * 3, TRUTHS, PROTOCOLS["eigen"], median_scaling=False).abs_rel

    assert done.baseline.abs_rel == pytest.approx(abs_rel(done.constant_m))
    assert done.baseline.abs_rel <= min(abs_rel(done.constant_m * 0.95), abs_rel(done.constant_m * 1.05))
    assert [image.pixels for image in done.baseline.images] == [image.pixels for image in done.report.images]


def test_one_scale_for_the_set_is_the_median_of_the_ratios() -> None:
    each, one = compared(factor=3.0), compared(factor=3.0, one_scale=True)
    ratio = each.report.ratio_median
    assert ratio is not None
    assert (one.report.ratio_median, one.report.ratio_spread) == (ratio, each.report.ratio_spread)
    by_hand = compared(factor=3.0 * ratio, median_scaling=False)
    assert values(one.report) == pytest.approx(values(by_hand.report), rel=1e-9)
    assert [image.rmse for image in one.report.images] == [image.rmse for image in by_hand.report.images]
    assert one.report.abs_rel > each.report.abs_rel


@pytest.mark.parametrize(("median_scaling", "key"), [(True, "without_median_scaling"), (False, "with_median_scaling")])
def test_predictions_in_metres_are_shown_with_the_other_scaling_too(median_scaling: bool, key: str) -> None:
    done, other = (
        compared(both_scalings=True, median_scaling=scaling, factor=2.0)
        for scaling in (median_scaling, not median_scaling)
    )
    assert done.other is not None
    assert values(done.other) == pytest.approx(values(other.report), rel=1e-12)
    assert done.to_json()[key]["abs_rel"] == done.other.abs_rel


def test_the_json_names_the_scaling_and_holds_the_baseline() -> None:
    kinds = [
        done.to_json()["scaling"] for done in (compared(), compared(one_scale=True), compared(median_scaling=False))
    ]
    assert kinds == ["image", "set", "none"]
    found = compared().to_json()
    assert set(METRICS) <= found["baseline"].keys()
    assert (found["frames"], found["baseline"]["kind"]) == ("frames", "best constant depth")


def test_a_prediction_of_any_resolution_is_compared_at_the_ground_truths_size() -> None:
    def of(disparity: ndarray) -> DepthEvaluation:
        pair = Pair(name="a", disparity=disparity, truth=TRUTHS[0])
        return compare([pair], PROTOCOLS["eigen"], ComparisonOptions(one_scale=True), "frames")

    constant = [of(np.full(shape, 0.1)).report for shape in ((1, 1), (7, 9), (40, 80))]
    for report in constant[1:]:
        assert values(report) == pytest.approx(values(constant[0]))


@pytest.mark.parametrize("options", [{}, {"one_scale": True}, {"median_scaling": False, "factor": 3.0}])
def test_sparsification_is_at_the_scale_of_the_report(options: dict[str, object]) -> None:
    chosen = ComparisonOptions(**options)  # type: ignore[arg-type]
    sure = [
        Pair(name=pair.name, disparity=pair.disparity, truth=pair.truth, confidence=RNG.random((5, 10)))
        for pair in pairs()
    ]
    done = compare(sure, chosen.protocol_on("eigen"), chosen, "frames")
    assert done.sparsification is not None
    for metric, curve in done.sparsification.curves.items():
        assert curve.error[0] == pytest.approx(getattr(done.report, metric), rel=1e-9)
    assert "sparsification" in done.to_json()


def test_without_a_confidence_there_is_no_sparsification() -> None:
    done = compared()
    assert done.sparsification is None and "sparsification" not in done.to_json()


def test_disparity_with_an_unknown_shift_is_aligned_to_its_truth() -> None:
    true = [np.where(truth > 0, 1 / np.maximum(truth, 1), 0.3) for truth in TRUTHS]
    shifted = [each * (7.0 - index) + 3 * index for index, each in enumerate(true)]
    known = [Pair(name="x", disparity=each, truth=truth) for each, truth in zip(shifted, TRUTHS, strict=True)]
    plain = ComparisonOptions()
    aligned = plain.with_shift()
    done = compare(known, PROTOCOLS["dense"], aligned, "frames", both_scalings=True)
    assert done.report.abs_rel < 1e-6 < 0.1 < compare(known, PROTOCOLS["dense"], plain, "frames").report.abs_rel
    assert (done.scaling, done.report.ratio_median, done.other) == ("scale and shift", None, None)


def test_what_a_shift_puts_behind_the_camera_is_as_far_as_the_protocol_goes() -> None:
    truth = np.array([[2.0, 4, 8, 70, 75]])
    aligned = align(np.array([[1.0, 0.4, 0.3, 0.2, 0.1]]), truth, PROTOCOLS["dense"])
    assert aligned.min() == pytest.approx(1 / 80)


@pytest.mark.parametrize(
    ("options", "named"),
    [({"one_scale": True}, "--one-scale"), ({"factor": 2.0}, "--factor"), ({"median_scaling": False}, "--no-median")],
)
def test_another_scaling_than_the_alignment_is_refused(options: dict[str, float], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        ComparisonOptions(**options).with_shift()  # type: ignore[arg-type]
