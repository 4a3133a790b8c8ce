"""A sigmoid stands for a depth between near and far, and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from selfdepth.errors import ConfigError
from selfdepth.geometry.depth_range import MAX_DISPARITY, DepthRange


def test_disparity_to_depth_matches_the_reference_to_1e_9(golden: Path) -> None:
    wanted = np.load(golden / "networks_and_metrics" / "geometry.npz")
    sigmoid, depths = torch.from_numpy(wanted["sigmoid"]), DepthRange(0.1, 100.0)
    np.testing.assert_allclose(depths.disparity(sigmoid).numpy(), wanted["scaled_disp"], rtol=1e-9)
    np.testing.assert_allclose(depths.depth(sigmoid).numpy(), wanted["depth"], rtol=1e-9)


def test_depth_runs_from_far_at_disparity_zero_to_near_at_one() -> None:
    ends = DepthRange(0.5, 20.0).depth(torch.tensor([0.0, 1.0], dtype=torch.float64))
    torch.testing.assert_close(ends, torch.tensor([20.0, 0.5], dtype=torch.float64))


def test_the_sigmoid_of_a_depth_stands_for_that_depth() -> None:
    depths = DepthRange(0.5, 20.0)
    metres = torch.linspace(0.5, 20.0, 9, dtype=torch.float64)
    torch.testing.assert_close(depths.depth(depths.sigmoid(metres)), metres)
    assert depths.sigmoid(metres).min() >= 0 and depths.sigmoid(metres).max() <= 1


def test_numbers_arrays_and_tensors_are_converted_alike() -> None:
    depths, sigmoids = DepthRange(0.5, 20.0), [0.0, 0.3, 1.0]
    numbers = [depths.depth(sigmoid) for sigmoid in sigmoids]
    assert np.array_equal(depths.depth(np.array(sigmoids)), numbers)
    tensors = depths.depth(torch.tensor(sigmoids, dtype=torch.float64))
    assert torch.equal(tensors, torch.tensor(numbers, dtype=torch.float64))


@pytest.mark.parametrize(
    ("near", "far"),
    [(0.0, 1.0), (-1.0, 1.0), (2.0, 2.0), (3.0, 2.0), (float("inf"), float("inf")), (float("nan"), 1.0)],
)
def test_near_and_far_out_of_order_are_refused(near: float, far: float) -> None:
    with pytest.raises(ConfigError, match=r"--loss.near, --loss.far.*0 < near < far.*got"):
        DepthRange(near, far)


def test_depth_from_a_pair_is_focal_length_times_baseline_over_the_disparity_and_reaches_to_infinity() -> None:
    width_px, focal_px, baseline_m = 512, 300.0, 0.54
    depths = DepthRange.of_pair(focal_px / width_px * baseline_m)
    for sigmoid in (1e-6, 0.01, 0.5, 1.0):
        disparity_px = MAX_DISPARITY * sigmoid * width_px
        assert depths.depth(sigmoid) == pytest.approx(focal_px * baseline_m / disparity_px)
        assert depths.sigmoid(depths.depth(sigmoid)) == pytest.approx(sigmoid)
    assert depths.disparity(0.0) == 0
