"""The anchor of a refinement: how far depth is from where it started, as a ratio."""

from __future__ import annotations

import math

import pytest
import torch

from selfdepth.geometry.depth_range import DepthRange
from selfdepth.losses.anchor import anchor_loss

RANGE = DepthRange(0.1, 100.0)


def test_the_same_depth_costs_nothing() -> None:
    sigmoid = torch.rand(2, 1, 4, 8, generator=torch.Generator().manual_seed(0))
    assert float(anchor_loss((sigmoid,), RANGE.disparity(sigmoid), RANGE)) == 0


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.1, 2.0])
def test_another_scale_costs_the_log_of_its_factor_in_either_direction(factor: float) -> None:
    sigmoid = torch.full((1, 1, 4, 8), 0.3)
    coarse = torch.full((1, 1, 2, 4), 0.3)
    start = RANGE.disparity(sigmoid) * factor
    loss = float(anchor_loss((sigmoid, coarse), start, RANGE))
    assert loss == pytest.approx(abs(math.log(factor)), rel=1e-5)


def test_depths_and_disparities_are_equally_far_apart() -> None:
    sigmoid = torch.rand(1, 1, 4, 8, generator=torch.Generator().manual_seed(0))
    other = torch.rand(1, 1, 4, 8, generator=torch.Generator().manual_seed(1))
    by_depth = (RANGE.depth(sigmoid).log() - RANGE.depth(other).log()).abs().mean()
    torch.testing.assert_close(anchor_loss((sigmoid,), RANGE.disparity(other), RANGE), by_depth)
