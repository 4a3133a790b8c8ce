"""The first steps of a run: the motion alone, at constant depth, with nothing masked."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from selfdepth.config import LossConfig
from selfdepth.geometry.camera import downscale
from selfdepth.geometry.se3 import transform_from_axis_angle
from selfdepth.losses.motion_first import motion_loss
from selfdepth.losses.objective import self_supervised_loss

H, W = 32, 64
K = torch.tensor([[[40.0, 0.0, 31.5], [0.0, 40.0, 15.5], [0.0, 0.0, 1.0]]])
CONFIG = LossConfig(tie_break_noise=0.0)


def sideways(shift_px: float) -> Tensor:
    """T_source_target that moves the image of a plane at depth 1 by so many pixels."""
    translation = torch.tensor([[[shift_px / 40.0, 0.0, 0.0]]])
    return transform_from_axis_angle(torch.zeros(1, 1, 3), translation)


def plane(shift_px: int) -> Tensor:
    """A textured plane at depth 1, seen from the target, and by a source whose image is shifted."""
    u, v = torch.arange(W + 40.0), torch.arange(float(H))[:, None]
    # Waves of 24 pixels and more: the error of a shift then grows with the shift.
    wide = torch.stack([0.5 + 0.25 * torch.sin(u / 4 + c) + 0.2 * torch.cos(u / 9 + v / 5 + c) for c in range(3)])[None]
    views = [wide[..., 16 : 16 + W], wide[..., 16 - shift_px : 16 - shift_px + W]]
    return torch.stack(views, dim=1)


def test_the_true_motion_of_a_plane_explains_it_and_costs_nothing() -> None:
    frames = plane(4)
    loss, explained = motion_loss(1.0, sideways(4.0), frames, K, CONFIG)
    still, none = motion_loss(1.0, sideways(0.0), frames, K, CONFIG)
    # Apart from the four columns that the source does not see.
    assert loss < 0.15 * still
    assert explained.mean() > 0.9
    assert none.mean() < 0.01, "no motion explains nothing better than no motion"


def test_nothing_is_masked_however_wrong_the_motion() -> None:
    """The full objective would hide every pixel that a wrong motion explains worse than none."""
    frames = plane(4)
    translation = torch.tensor([[[-0.1, 0.0, 0.0]]], requires_grad=True)
    T = transform_from_axis_angle(torch.zeros(1, 1, 3), translation)
    loss, explained = motion_loss(1.0, T, frames, K, CONFIG)
    assert explained.mean() < 0.2
    (slope,) = torch.autograd.grad(loss, translation)
    assert slope[0, 0, 0].abs() > 0
    unmasked = LossConfig(tie_break_noise=0.0, automask=False, smoothness=0.0)
    torch.testing.assert_close(loss, at_a_quarter(T, frames, unmasked), rtol=1e-4, atol=1e-6)


def at_a_quarter(T: Tensor, frames: Tensor, cfg: LossConfig) -> Tensor:
    """The full objective on images of a quarter of the size, at a constant depth of 1."""
    small, small_K = downscale(frames, K, 2, "center")
    sigmoid = torch.full((1, 1, H // 4, W // 4), cfg.depth_range.sigmoid(1.0))
    return self_supervised_loss((sigmoid,), T, small, small_K, cfg).loss


@pytest.mark.parametrize("reprojection", ["min", "mean"])
def test_the_sources_are_combined_as_in_the_full_objective(reprojection: str) -> None:
    frames = torch.cat([plane(4), plane(2)[:, 1:]], dim=1)
    T = torch.cat([sideways(3.0), sideways(1.0)], dim=1)
    cfg = LossConfig(automask=False, smoothness=0.0, reprojection=reprojection)  # type: ignore[arg-type]
    loss = motion_loss(1.0, T, frames, K, cfg).loss
    torch.testing.assert_close(loss, at_a_quarter(T, frames, cfg), rtol=1e-4, atol=1e-6)


def test_the_motion_is_found_by_gradient_descent_where_the_auto_mask_would_hide_it() -> None:
    frames = plane(4)
    translation = torch.zeros(1, 1, 3, requires_grad=True)
    optimizer = torch.optim.Adam([translation], lr=5e-3)
    for _ in range(120):
        T = transform_from_axis_angle(torch.zeros(1, 1, 3), translation)
        loss, explained = motion_loss(1.0, T, frames, K, CONFIG)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert math.isclose(translation[0, 0, 0].item(), 0.1, rel_tol=0.1)
    assert explained.mean() > 0.9
