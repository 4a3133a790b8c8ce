"""The warp through a learned lens: what of a shift another depth makes up for, and which depths stay."""

from __future__ import annotations

import pytest
import torch

from helpers.lenses import camera
from selfdepth.errors import ConfigError
from selfdepth.geometry.learned_lenses import STILL_PX, across, axial, axis_kept, require_learnable_lens
from selfdepth.geometry.lens import Lens
from selfdepth.geometry.lenses import Lenses
from selfdepth.geometry.se3 import transform_from_axis_angle
from selfdepth.geometry.warp import by_depth, project

F64 = torch.float64


def test_across_is_what_is_left_beside_the_line_of_another_depth() -> None:
    generator = torch.Generator().manual_seed(0)
    shift, along = (torch.randn(1, 2, 5, 7, dtype=F64, generator=generator) for _ in range(2))
    left = across(shift, 100 * along)
    assert (left * along).sum(1).abs().max() < 1e-4
    torch.testing.assert_close(across(left, 100 * along), left, rtol=0, atol=1e-5)
    torch.testing.assert_close(across(shift, 1e-3 * STILL_PX * along), shift, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["brown", "fisheye", "ucm", "eucm"])
def test_places_move_by_the_depth_as_the_difference_quotient_says(name: str) -> None:
    cam = camera(name)
    lenses, K = Lenses.of([cam], dtype=F64), torch.from_numpy(cam.matrix())[None]
    depth = 3 + torch.rand(1, 1, cam.height, cam.width, dtype=F64, generator=torch.Generator().manual_seed(0))
    T = transform_from_axis_angle(
        torch.tensor([[0.01, -0.03, 0.02]]).double(), torch.tensor([[0.2, 0.1, -0.3]]).double()
    )
    quotient = (project(depth * 1.00001, T, K, lenses) - project(depth / 1.00001, T, K, lenses)) / 2e-5
    moved = quotient.abs().sum(1, keepdim=True) > 0  # where the lens sees the point
    assert moved.to(F64).mean() > 0.6
    torch.testing.assert_close(by_depth(depth, T, K, lenses) * moved, quotient * moved, rtol=1e-4, atol=1e-4)


def test_the_axis_of_ucm_keeps_its_pinhole() -> None:
    cam = camera("ucm")
    lenses, K = Lenses.of([cam], dtype=F64), torch.from_numpy(cam.matrix())[None]
    assert axial(lenses, K)[0, 0, 0].item() == pytest.approx(cam.fx / (1 + cam.lens.coefficients[0]))
    values = lenses.values.clone().requires_grad_()
    kept = axis_kept(lenses, K, values)
    assert torch.equal(kept.detach(), K)
    (gradient,) = torch.autograd.grad((kept[0, 0, 0] / (1 + values[0, 0])), values)
    assert abs(gradient[0, 0].item()) < 1e-12


@pytest.mark.parametrize("lens", [Lens("eucm", (0.6, 1.1)), Lens("ucm", (0.0,))])
def test_a_lens_that_cannot_be_learned_is_refused(lens: Lens) -> None:
    require_learnable_lens(Lens())
    with pytest.raises(ConfigError, match="--camera"):
        require_learnable_lens(lens)
