"""Depth errors as the field reports them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy import ndarray

from selfdepth.errors import DataError
from selfdepth.evaluation.depth.metrics import (
    METRICS,
    PROTOCOLS,
    DepthReport,
    ImageErrors,
    compute_errors,
    evaluate_image,
    evaluate_set,
    flip_post_process,
    resize_disparity,
)

DENSE, EIGEN = PROTOCOLS["dense"], PROTOCOLS["eigen"]


def sparse_truth(seed: int = 0, shape: tuple[int, int] = (40, 60)) -> ndarray:
    """Depths of 1 to 60 m at a third of the pixels."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < 1 / 3, rng.uniform(1, 60, shape), 0)


def prediction(seed: int = 0, shape: tuple[int, int] = (16, 24)) -> ndarray:
    return np.random.default_rng(100 + seed).uniform(0.01, 1, shape)


def errors_of(disparity: ndarray, truth: ndarray, **options: Any) -> ImageErrors:
    errors = evaluate_image(disparity, truth, options.pop("protocol", DENSE), **options)
    assert errors is not None
    return errors


def values(errors: Any) -> list[float]:
    return [getattr(errors, metric) for metric in METRICS]


@pytest.fixture(scope="module")
def reference() -> dict[str, ndarray]:
    """Disparities, ground truths and post-processed rows of the reference values."""
    path = Path(__file__).parents[2] / "golden" / "networks_and_metrics" / "depth_metrics.npz"
    with np.load(path, allow_pickle=False) as arrays:
        truths = np.zeros(tuple(arrays["gt_shape"]), dtype=np.float32)
        truths[tuple(arrays["gt_index"].T.astype(np.int64))] = arrays["gt_value"]
        return {
            "truths": truths,
            "disparities": resize_disparity(arrays["disp_low"][:, 0], (192, 640)),
            "first_row": arrays["disp_first_row"],
            "post_processed": arrays["post_processed_first_rows"],
        }


@pytest.mark.parametrize(
    ("name", "factor", "median_scaling"),
    [("eigen", 1.0, True), ("eigen", 5.4, False), ("eigen_benchmark", 1.0, True)],
)
def test_errors_and_ratios_are_the_reference_values(
    reference: dict[str, ndarray], golden: Path, name: str, factor: float, median_scaling: bool
) -> None:
    figures = json.loads((golden / "networks_and_metrics" / "depth_metrics.json").read_text())
    expected = figures[f"{name}/scale={factor}/median={median_scaling}"]
    report = evaluate_set(
        reference["disparities"],
        reference["truths"],
        PROTOCOLS[name],
        factor=factor,
        median_scaling=median_scaling,
    )
    np.testing.assert_allclose([values(image) for image in report.images], expected["per_image"], rtol=1e-6)
    np.testing.assert_allclose(values(report), expected["mean"], rtol=1e-6)
    assert report.to_json()["ratios"] == pytest.approx(expected["ratios"], rel=1e-6)


def test_resizing_and_flip_post_processing_give_the_reference_rows(reference: dict[str, ndarray]) -> None:
    disparities = reference["disparities"]
    np.testing.assert_allclose(disparities[:, 0], reference["first_row"], rtol=1e-6)
    blended = flip_post_process(disparities[:2], disparities[2:])
    expected = reference["post_processed"]
    np.testing.assert_allclose(blended[:, : expected.shape[1]], expected, rtol=1e-6)


def slow_resize(disparity: ndarray, shape: tuple[int, int]) -> ndarray:
    """Pixel by pixel; the row above the first is the first, and so on."""
    height, width = disparity.shape
    result = np.empty(shape)
    for i in range(shape[0]):
        for j in range(shape[1]):
            y, x = (i + 0.5) * height / shape[0] - 0.5, (j + 0.5) * width / shape[1] - 0.5
            y0, x0 = math.floor(y), math.floor(x)
            result[i, j] = sum(
                (1 - abs(y - v)) * (1 - abs(x - u)) * disparity[min(max(v, 0), height - 1), min(max(u, 0), width - 1)]
                for v in (y0, y0 + 1)
                for u in (x0, x0 + 1)
            )
    return result


@pytest.mark.parametrize("shape", [(5, 7), (16, 24), (1, 1), (33, 50), (16, 7)])
def test_resizing_agrees_with_the_pixel_by_pixel_one(shape: tuple[int, int]) -> None:
    disparity = prediction()
    np.testing.assert_allclose(resize_disparity(disparity, shape), slow_resize(disparity, shape), rtol=1e-12)


def test_resizing_to_the_same_size_changes_nothing_and_a_ramp_stays_a_ramp() -> None:
    np.testing.assert_array_equal(resize_disparity(prediction(), (16, 24)), prediction())
    ramp = np.arange(8.0)[None].repeat(4, 0)
    middle = resize_disparity(ramp, (4, 16))[0, 2:-2]
    np.testing.assert_allclose(np.diff(middle), 0.5)


def test_flip_post_processing_takes_each_edge_from_the_other_side_and_the_mean_between() -> None:
    ones, twos = np.ones((2, 101)), np.full((2, 101), 2.0)
    blended = flip_post_process(ones, twos)
    assert (blended[:, :6] == 2).all()
    assert (blended[:, -6:] == 1).all()
    np.testing.assert_allclose(blended[:, 20:80], 1.5)


def test_flip_post_processing_of_a_flipped_pair_is_the_flipped_result() -> None:
    a, b = prediction(0), prediction(1)
    np.testing.assert_allclose(flip_post_process(b[:, ::-1], a[:, ::-1]), flip_post_process(a, b)[:, ::-1])


def test_a_perfect_prediction_has_no_error() -> None:
    truth = np.random.default_rng(0).uniform(1, 60, (20, 30))
    errors = errors_of(1 / truth, truth, median_scaling=False)
    assert values(errors) == pytest.approx([0, 0, 0, 0, 1, 1, 1], abs=1e-12)
    assert errors.ratio is None
    assert errors.pixels == 600


def test_errors_are_what_a_loop_over_pixels_gives() -> None:
    rng = np.random.default_rng(0)
    g, p = rng.uniform(1, 60, 50), rng.uniform(1, 60, 50)
    expected = np.zeros(7)
    for a, b in zip(g, p, strict=True):
        worse = max(a / b, b / a)
        expected += [abs(a - b) / a, (a - b) ** 2 / a, (a - b) ** 2, math.log(a / b) ** 2] + [
            float(worse < 1.25**k) for k in (1, 2, 3)
        ]
    expected /= 50
    expected[2:4] = np.sqrt(expected[2:4])
    np.testing.assert_allclose(values(compute_errors(g, p)), expected)


def test_the_accuracies_are_strict() -> None:
    assert compute_errors(np.array([1.25]), np.array([1.0])).a1 == 0


def test_log10_is_the_mean_distance_in_powers_of_ten() -> None:
    rng = np.random.default_rng(0)
    truth, depth = rng.uniform(0.5, 70, (2, 200))
    twin = sum(abs(np.log(t) / np.log(10) - np.log(p) / np.log(10)) for t, p in zip(truth, depth, strict=True)) / 200
    assert compute_errors(truth, depth).log10 == pytest.approx(twin, rel=1e-12)
    assert compute_errors(truth, truth * 10).log10 == pytest.approx(1)
    assert compute_errors(truth, truth / 10).log10 == pytest.approx(1)


def test_median_scaling_makes_the_errors_independent_of_the_scale() -> None:
    truth, disparity = sparse_truth(), prediction()
    once, scaled = errors_of(disparity, truth), errors_of(disparity * 17, truth)
    assert values(scaled) == pytest.approx(values(once))
    assert once.ratio is not None
    assert scaled.ratio == pytest.approx(17 * once.ratio)


def test_the_ratio_is_of_depths_that_are_not_clamped_yet() -> None:
    truth = np.full((4, 4), 40.0)
    errors = errors_of(np.full((4, 4), 1e-4), truth)  # 10 km
    assert errors.ratio == pytest.approx(40 / 1e4)
    assert errors.abs_rel == pytest.approx(0)


def test_the_factor_multiplies_the_depth_and_without_median_scaling_far_depths_are_clamped() -> None:
    truth = np.full((4, 4), 54.0)
    assert errors_of(np.full((4, 4), 0.1), truth, factor=5.4, median_scaling=False).abs_rel == pytest.approx(0)
    far = errors_of(np.full((4, 4), 1e-4), truth, median_scaling=False)
    assert far.abs_rel == pytest.approx(26 / 54)


def test_disparity_is_resized_not_depth() -> None:
    truth = np.full((1, 2), 4.0)
    middle = errors_of(np.array([[0.2], [0.4]]), truth, median_scaling=False)  # mean disparity 0.3
    assert middle.abs_rel == pytest.approx(abs(4 - 1 / 0.3) / 4)


@pytest.mark.parametrize(
    ("name", "depth", "counts"),
    [
        ("eigen", 1e-3, False),
        ("eigen", 79.99, True),
        ("eigen", 80.0, False),
        ("eigen_benchmark", 0.0, False),
        ("eigen_benchmark", 1e-4, True),
        ("eigen_benchmark", 90.0, True),
        ("dense", 80.0, True),
        ("dense", 80.1, False),
        ("dense", 0.0, False),
        ("dense", math.nan, False),
    ],
)
def test_a_protocol_says_which_depths_count(name: str, depth: float, counts: bool) -> None:
    assert PROTOCOLS[name].mask(np.full((10, 10), depth)).any() == counts


def test_on_make3d_ground_truth_counts_below_70_m_and_predictions_are_clamped_there() -> None:
    protocol = PROTOCOLS["make3d"]
    truth = np.array([[69.999, 70.0, 80.0, 0.0]])
    assert protocol.mask(truth).tolist() == [[True, False, False, False]]
    report = evaluate_set([np.full((1, 4), 1e-3)], [truth], protocol, median_scaling=False)
    assert report.rmse == pytest.approx(0.001, abs=1e-6)


def test_the_eigen_crop_leaves_the_published_rows_and_columns_of_a_kitti_frame() -> None:
    rows, columns = np.nonzero(EIGEN.mask(np.ones((375, 1242))))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (153, 370, 44, 1196)


def test_a_set_reports_plain_means_over_images_and_the_spread_of_the_ratios() -> None:
    disparities, truths = [prediction(i) for i in range(3)], [sparse_truth(i) for i in range(3)]
    report = evaluate_set(disparities, truths, DENSE, names=["a", "b", "c"])
    single = [errors_of(d, t) for d, t in zip(disparities, truths, strict=True)]
    np.testing.assert_allclose(values(report), np.mean([values(errors) for errors in single], axis=0))
    ratios = np.array([errors.ratio for errors in single])
    assert report.ratio_median == pytest.approx(np.median(ratios))
    assert report.ratio_spread == pytest.approx(np.std(ratios / np.median(ratios)))
    assert [image.name for image in report.images] == ["a", "b", "c"]


def test_a_set_of_one_scale_has_no_spread() -> None:
    truths = [np.random.default_rng(i).uniform(1, 60, (8, 8)) for i in range(3)]
    report = evaluate_set([0.1 / truth for truth in truths], truths, DENSE)
    assert report.ratio_median == pytest.approx(0.1)
    assert report.ratio_spread == pytest.approx(0, abs=1e-12)


def test_an_image_without_ground_truth_is_skipped_and_counted() -> None:
    truths = [sparse_truth(), None, np.zeros((40, 60)), sparse_truth(1)]
    report = evaluate_set([prediction(i) for i in range(4)], truths, DENSE)
    assert [image.name for image in report.images] == ["0", "3"]
    counts = report.to_json()["counts"]
    assert (counts["images"], counts["skipped"]) == (2, 2)
    assert np.isfinite(values(report)).all()


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
@pytest.mark.parametrize("median_scaling", [True, False])
def test_a_report_is_strict_json(name: str, median_scaling: bool) -> None:
    report: DepthReport = evaluate_set([prediction()], [sparse_truth()], PROTOCOLS[name], median_scaling=median_scaling)
    found = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert {*METRICS, "images", "ratios", "protocol", "counts"} <= set(found)
    assert len(found["ratios"]) == median_scaling
    assert found["protocol"]["name"] == name
    assert found["protocol"]["median_scaling"] == median_scaling


@pytest.mark.parametrize(
    ("disparities", "truths", "message"),
    [
        ([prediction()] * 2, [sparse_truth()], "more predictions than ground truths"),
        ([prediction()], [sparse_truth()] * 2, "more ground truths than predictions"),
        ([prediction()], [None], "no image could be compared"),
        ([], [], "no image could be compared"),
        ([prediction() * 0], [sparse_truth()], "positive, finite disparities"),
        ([prediction() * np.nan], [sparse_truth()], "positive, finite disparities"),
        ([-prediction()], [sparse_truth()], "positive, finite disparities"),
    ],
)
def test_sets_that_cannot_be_compared_are_refused(
    disparities: list[ndarray], truths: list[ndarray | None], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        evaluate_set(disparities, truths, DENSE)
