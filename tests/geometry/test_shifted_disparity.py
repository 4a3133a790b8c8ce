"""Disparity up to a scale and a shift."""

from __future__ import annotations

import numpy as np
import pytest
from numpy import ndarray

from selfdepth.geometry.shifted_disparity import lifted, scale_and_shift


@pytest.fixture
def values() -> ndarray:
    return np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)


def test_scale_and_shift_are_found_back_from_an_exact_map(values: ndarray) -> None:
    assert scale_and_shift(values.ravel(), 3 * values.ravel() - 2) == pytest.approx((3, -2), rel=1e-5)


def test_they_are_those_of_a_general_least_squares_fit(values: ndarray) -> None:
    true = values.ravel() ** 2
    columns = np.stack([values.ravel(), np.ones(20)], axis=1)
    expected = np.linalg.lstsq(columns, true, rcond=None)[0]
    assert scale_and_shift(values.ravel(), true) == pytest.approx(tuple(expected), rel=1e-4)


def test_a_constant_map_gets_the_mean() -> None:
    assert scale_and_shift(np.ones(4), np.array([1.0, 2, 3, 6])) == (0, 3)
    assert (lifted(np.zeros((2, 2), np.float32)) == 1).all()


def test_a_lifted_map_is_above_zero_and_the_same_up_to_scale_and_shift(values: ndarray) -> None:
    up = lifted(values)
    assert up.min() == pytest.approx(0.01) and up.max() == pytest.approx(1.01)
    np.testing.assert_array_equal(np.argsort(up.ravel()), np.argsort(values.ravel()))
    assert np.corrcoef(up.ravel(), values.ravel())[0, 1] == pytest.approx(1)
