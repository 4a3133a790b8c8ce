"""Depth in bad conditions is compared with the clear one, which stays a fixed target."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from selfdepth.geometry.depth_range import DepthRange
from selfdepth.losses.hard_targets import hard_target_loss

DEPTHS = DepthRange(0.5, 80.0)


def sigmoids(seed: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.rand(2, 1, 8 >> s, 16 >> s, dtype=torch.float64, generator=generator) for s in range(3))


def test_the_same_depth_costs_nothing() -> None:
    assert float(hard_target_loss(sigmoids(0), sigmoids(0), DEPTHS)) == 0


@pytest.mark.parametrize("factor", [0.5, 1.1, 3.0])
def test_a_factor_of_the_depth_costs_its_logarithm_near_and_far(factor: float) -> None:
    depths = [1.5 + 20 * level for level in sigmoids(1)]
    clear, hard = (tuple(DEPTHS.sigmoid(f * depth) for depth in depths) for f in (1.0, factor))
    assert float(hard_target_loss(hard, clear, DEPTHS)) == pytest.approx(abs(math.log(factor)), rel=1e-9)


def test_the_loss_is_that_of_the_slow_twin() -> None:
    hard, clear = sigmoids(2), sigmoids(3)
    means = []
    for bad, good in zip(hard, clear, strict=True):
        pairs = zip(bad.flatten().tolist(), good.flatten().tolist(), strict=True)
        costs = [abs(math.log(1 / DEPTHS.depth(a)) - math.log(1 / DEPTHS.depth(b))) for a, b in pairs]
        means.append(sum(costs) / len(costs))
    assert float(hard_target_loss(hard, clear, DEPTHS)) == pytest.approx(sum(means) / len(means), rel=1e-9)


def test_the_gradient_reaches_the_hard_depth_at_every_scale_and_never_the_clear_one() -> None:
    hard, clear = (tuple(level.requires_grad_() for level in sigmoids(seed)) for seed in (4, 5))
    hard_target_loss(hard, clear, DEPTHS).backward()
    assert all(level.grad is not None and (level.grad != 0).all() for level in hard)
    assert all(level.grad is None for level in clear)
