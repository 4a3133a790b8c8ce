"""Baselines: predictions that do not depend on the image."""

from __future__ import annotations

import numpy as np
import pytest
from numpy import ndarray

from selfdepth.errors import DataError
from selfdepth.evaluation.depth.baselines import best_constant, best_constant_depth, profile_disparity, row_profile
from selfdepth.evaluation.depth.metrics import METRICS, PROTOCOLS, evaluate_set

DENSE = PROTOCOLS["dense"]


def sparse_truth(seed: int = 0, shape: tuple[int, int] = (40, 60)) -> ndarray:
    """Depths of 1 to 60 m at a third of the pixels."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < 1 / 3, rng.uniform(1, 60, shape), 0)


def test_under_median_scaling_every_constant_gives_the_same_errors() -> None:
    near, far = (evaluate_set([np.full((2, 2), d)], [sparse_truth()], DENSE) for d in (1.0, 0.02))
    for metric in METRICS:
        assert getattr(near, metric) == pytest.approx(getattr(far, metric))


def test_no_other_constant_depth_has_a_smaller_relative_error() -> None:
    truths = [sparse_truth(0), sparse_truth(1, (20, 30)), np.zeros((4, 4))]

    def abs_rel(depth: float) -> float:
        constants = [np.full((1, 1), 1 / depth)] * 3
        return evaluate_set(constants, truths, DENSE, median_scaling=False).abs_rel

    best = best_constant_depth(truths, DENSE)
    assert all(abs_rel(best) <= abs_rel(depth) + 1e-12 for depth in np.linspace(1, 60, 200))


def test_the_errors_of_the_best_constant_are_those_of_its_depth_everywhere() -> None:
    truths = [sparse_truth(0), sparse_truth(1, (20, 30))]
    constant_m, report = best_constant(truths, DENSE)
    assert constant_m == best_constant_depth(truths, DENSE)
    constants = [np.full(truth.shape, 1 / constant_m) for truth in truths]
    assert report == evaluate_set(constants, truths, DENSE, median_scaling=False)


def test_a_row_profile_is_the_mean_depth_of_each_row_and_fills_empty_rows() -> None:
    truth = np.zeros((6, 4))
    truth[1], truth[3, :2], truth[4] = 40, (10, 30), 5
    profile = row_profile([truth, truth], DENSE, 6)
    np.testing.assert_allclose(profile, [40, 40, 30, 20, 5, 5])


def test_a_row_profile_of_a_scene_without_columns_predicts_it_exactly() -> None:
    truth = np.linspace(60, 4, 30)[:, None].repeat(8, 1)
    disparity = profile_disparity(row_profile([truth], DENSE, 30), 8)
    assert evaluate_set([disparity], [truth], DENSE, median_scaling=False).abs_rel == pytest.approx(0)


@pytest.mark.parametrize("height", [3, 7, 12])
def test_a_row_profile_averages_maps_of_different_heights(height: int) -> None:
    profile = row_profile([np.full((6, 4), 10.0), np.full((9, 5), 10.0)], DENSE, height)
    np.testing.assert_allclose(profile, np.full(height, 10.0))


def test_baselines_without_any_ground_truth_are_refused() -> None:
    with pytest.raises(
        DataError, match="there is no ground truth; expected pixels that count under the protocol dense"
    ):
        best_constant_depth([np.zeros((4, 4))], DENSE)
    with pytest.raises(
        DataError, match="there is no ground truth; expected pixels that count under the protocol dense"
    ):
        row_profile([np.zeros((4, 4))], DENSE, 4)
