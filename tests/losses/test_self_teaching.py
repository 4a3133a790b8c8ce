"""Self-teaching: a Laplace distribution around the teacher's disparity, and the confidence that follows from it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from selfdepth.geometry.depth_range import DepthRange
from selfdepth.losses.self_teaching import LEAST_RELATIVE_SIGMA, bounded_log_sigma, confidence_of, self_teaching_loss

RANGE = DepthRange(0.1, 100.0)


def maps(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_loss_is_the_mean_over_pixels_of_deviation_over_sigma_and_log_sigma() -> None:
    sigmoid, log_sigma, taught = maps(0, 2, 1, 3, 4), maps(1, 2, 1, 3, 4) - 1, RANGE.disparity(maps(2, 2, 1, 3, 4))
    (loss,) = self_teaching_loss((sigmoid,), (log_sigma,), taught, RANGE)
    total = 0.0
    for s, log_s, d_T in zip(sigmoid.flatten(), log_sigma.flatten(), taught.flatten(), strict=True):
        d = 0.01 + 9.99 * float(s)
        sigma = math.exp(float(log_s)) + LEAST_RELATIVE_SIGMA * d
        total += abs(d - float(d_T)) / sigma + math.log(sigma)
    assert float(loss) == pytest.approx(total / 24, rel=1e-5)


def test_coarse_scales_are_compared_at_the_size_of_the_images() -> None:
    fine, coarse = torch.full((1, 1, 4, 8), 0.3), torch.full((1, 1, 2, 4), 0.3)
    taught = RANGE.disparity(maps(0, 1, 1, 4, 8))
    first, second = self_teaching_loss((fine, coarse), (fine * 0 - 1, coarse * 0 - 1), taught, RANGE)
    torch.testing.assert_close(first, second)


def test_the_best_sigma_is_the_mean_deviation_from_the_teacher() -> None:
    sigmoid = torch.full((1, 1, 10, 10), 0.2)
    taught = RANGE.disparity(sigmoid) + torch.linspace(-1, 1, 100).reshape(1, 1, 10, 10)
    log_sigma = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([log_sigma], lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        self_teaching_loss((sigmoid,), (log_sigma.expand(1, 1, 10, 10),), taught, RANGE)[0].backward()
        optimizer.step()
    sigma = bounded_log_sigma(log_sigma.detach().expand(1, 1, 1, 1), RANGE.disparity(sigmoid[:, :, :1, :1])).exp()
    assert float(sigma) == pytest.approx(float((RANGE.disparity(sigmoid) - taught).abs().mean()), rel=0.01)


@pytest.mark.parametrize("log_sigma", [-500.0, 500.0])
def test_agreement_or_doubt_without_end_do_not_make_the_loss_infinite(log_sigma: float) -> None:
    sigmoid = torch.zeros(1, 1, 2, 2, requires_grad=True)
    (loss,) = self_teaching_loss(
        (sigmoid,), (torch.full((1, 1, 2, 2), log_sigma),), torch.full((1, 1, 2, 2), 0.01), RANGE
    )
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(sigmoid.grad).all()


def test_confidence_is_in_0_to_1_falls_with_sigma_and_has_no_unit() -> None:
    log_sigma, disparity = torch.linspace(-9, 9, 50).reshape(1, 1, 5, 10), torch.full((1, 1, 5, 10), 0.5)
    confidence = confidence_of(log_sigma, disparity).flatten()
    assert ((confidence > 0) & (confidence < 1)).all()
    assert (confidence.diff() < 0).all()
    # The same depth in a unit that is ten times smaller: disparity and sigma are a tenth.
    torch.testing.assert_close(confidence_of(log_sigma - math.log(10), disparity / 10).flatten(), confidence)


def test_a_confidence_of_nine_tenths_stands_for_eleven_per_cent() -> None:
    disparity = torch.full((1, 1, 1, 1), 2.0)
    relative = 0.111 - LEAST_RELATIVE_SIGMA
    assert float(confidence_of((relative * disparity).log(), disparity)) == pytest.approx(0.9, abs=1e-3)
