"""Sparsification: the curves by their definition, and the laws of their areas."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from numpy import ndarray

from selfdepth.evaluation.depth.metrics import compute_errors
from selfdepth.evaluation.depth.sparsification import FRACTIONS, SPARSIFIED, mean_of, sparsify

RNG = np.random.default_rng(0)
TRUTH = RNG.uniform(2, 60, 700)
DEPTH = TRUTH * RNG.uniform(0.6, 1.5, 700)


def slow_curve(metric: str, removed_first: ndarray) -> list[float]:
    """The metric of the pixels that are left after removing the first of an order, for each share."""
    curve = []
    for fraction in FRACTIONS:
        kept = removed_first[len(TRUTH) - max(math.ceil((1 - fraction) * len(TRUTH)), 1) :]
        curve.append(getattr(compute_errors(TRUTH[kept], DEPTH[kept]), metric))
    return curve


def pixel_errors(metric: str) -> ndarray:
    return SPARSIFIED[metric][0](TRUTH, DEPTH)


@pytest.mark.parametrize("metric", SPARSIFIED)
def test_curves_are_the_errors_of_the_pixels_that_are_left(metric: str) -> None:
    confidence = RNG.random(len(TRUTH))
    curve = sparsify(TRUTH, DEPTH, confidence)[metric]
    np.testing.assert_allclose(curve.error, slow_curve(metric, np.argsort(confidence)), rtol=1e-9)
    np.testing.assert_allclose(curve.oracle, slow_curve(metric, np.argsort(-pixel_errors(metric))), rtol=1e-9)
    between = [a - b for a, b in zip(curve.error, curve.oracle, strict=True)]
    area = sum((a + b) / 2 * 0.02 for a, b in pairwise(between))
    assert curve.ause == pytest.approx(area, rel=1e-9)


@pytest.mark.parametrize("metric", SPARSIFIED)
def test_a_perfect_confidence_has_no_sparsification_error(metric: str) -> None:
    curve = sparsify(TRUTH, DEPTH, 1 / (1 + pixel_errors(metric)))[metric]
    assert curve.ause == pytest.approx(0, abs=1e-12)
    assert curve.aurg > 0


@pytest.mark.parametrize("metric", SPARSIFIED)
def test_a_random_confidence_gains_nothing_and_a_wrong_one_loses(metric: str) -> None:
    n = 200_000
    truth = np.full(n, 10.0)
    depth = truth * RNG.uniform(0.6, 1.5, n)
    gains = {
        name: sparsify(truth, depth, confidence)[metric].aurg / compute_errors(truth, depth).__dict__[metric]
        for name, confidence in (("random", RNG.random(n)), ("wrong", np.abs(truth - depth)))
    }
    assert gains["random"] == pytest.approx(0, abs=5e-3)
    assert gains["wrong"] < -0.1


def test_only_the_order_of_the_confidence_counts() -> None:
    confidence = RNG.random(len(TRUTH))
    first, second = sparsify(TRUTH, DEPTH, confidence), sparsify(TRUTH, DEPTH, confidence**3 * 0.1)
    assert all(np.array_equal(first[metric].error, second[metric].error) for metric in SPARSIFIED)


def test_one_pixel_and_equal_errors_have_flat_curves() -> None:
    one = sparsify(np.array([10.0]), np.array([12.0]), np.array([0.5]))["abs_rel"]
    assert np.allclose(one.error, 0.2) and np.allclose(one.oracle, 0.2) and one.ause == one.aurg == 0


def test_a_set_is_the_mean_of_its_images_and_is_json() -> None:
    images = [sparsify(TRUTH[:n], DEPTH[:n], RNG.random(n)) for n in (100, 700)]
    whole = mean_of(images)
    assert whole.curves["rmse"].ause == pytest.approx(np.mean([each["rmse"].ause for each in images]))
    values = json.loads(json.dumps(whole.to_json(), allow_nan=False))
    assert values["abs_rel"]["aurg"] == whole.curves["abs_rel"].aurg
    assert len(values["removed"]) == len(values["rmse"]["oracle"]) == 50
