"""Edge-aware smoothness of the disparity."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from helpers.twin import smoothness_term
from selfdepth.losses.smoothness import smoothness


def maps(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@given(factor=st.floats(1e-3, 1e3))
@settings(max_examples=25, deadline=None)
def test_the_term_does_not_depend_on_the_scale_of_the_disparity(factor: float) -> None:
    disparity, image = maps(2, 1, 6, 8), maps(2, 3, 6, 8, seed=1)
    wanted = float(smoothness(disparity, image))
    assert float(smoothness(factor * disparity, image)) == pytest.approx(wanted, rel=1e-3)


def test_each_image_is_normalised_by_its_own_mean() -> None:
    disparity, image = maps(2, 1, 6, 8), maps(2, 3, 6, 8, seed=1)
    brighter_second = disparity * torch.tensor([1.0, 50.0]).double()[:, None, None, None]
    torch.testing.assert_close(smoothness(brighter_second, image), smoothness(disparity, image), rtol=1e-6, atol=0)


def test_a_constant_disparity_is_perfectly_smooth() -> None:
    assert float(smoothness(torch.full((1, 1, 6, 8), 0.3), maps(1, 3, 6, 8).float())) < 1e-6


def test_the_term_is_that_of_the_slow_twin() -> None:
    disparity, image = maps(3, 1, 6, 8), maps(3, 3, 6, 8, seed=1)
    torch.testing.assert_close(smoothness(disparity, image), smoothness_term(disparity, image))


def test_a_step_costs_less_where_the_image_has_an_edge() -> None:
    disparity = torch.full((1, 1, 4, 8), 0.2, dtype=torch.float64)
    disparity[..., 4:] = 0.6
    plain, edge = torch.zeros(1, 3, 4, 8).double(), torch.zeros(1, 3, 4, 8).double()
    edge[..., 4:] = 1.0
    assert float(smoothness(disparity, edge)) == pytest.approx(float(smoothness(disparity, plain)) * math.exp(-1))


def test_the_two_directions_are_averaged_each_over_its_own_pairs() -> None:
    row = torch.tensor([[[[1.0, 2.0, 3.0]] * 2]], dtype=torch.float64)
    image = torch.zeros(1, 3, 2, 3, dtype=torch.float64)
    assert float(smoothness(row, image)) == pytest.approx(0.5, rel=1e-6)  # steps of 1 / mean 2, along x alone
