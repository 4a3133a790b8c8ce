"""The rays of a lens move with its coefficients as the difference quotient says, though no solver is differentiated."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from helpers.lenses import LENSES
from selfdepth.geometry.lens import NAMES, Lens, unproject
from selfdepth.geometry.ray_gradient import unproject_with_gradient

F64 = torch.float64
DISTORTED = [name for name in LENSES if name != "pinhole"]


def plane(name: str) -> tuple[Tensor, Tensor]:
    """Points of the image plane well within the edge of a lens, and its middle."""
    reach = {"brown": 0.6, "rational": 0.6, "fisheye": 1.4, "ucm": 0.3, "eucm": 1.2}[name]
    x, y = torch.meshgrid(*[torch.linspace(-reach, reach, 7, dtype=F64)] * 2, indexing="xy")
    return x[None], 0.7 * y[None]


def values_of(name: str) -> list[Tensor]:
    return [torch.tensor(value, dtype=F64).reshape(1, 1, 1) for value in LENSES[name].values]


def rays_of(name: str, values: list[Tensor], x: Tensor, y: Tensor) -> Tensor:
    *ray, seen = unproject(LENSES[name].model, values, x, y)
    assert seen.all()
    return torch.stack(ray, 1)


@pytest.mark.parametrize("name", DISTORTED)
def test_the_rays_are_those_of_unproject(name: str) -> None:
    values, (x, y) = values_of(name), plane(name)
    expected = rays_of(name, values, x, y)
    for value in values[:-1]:
        value.requires_grad_()
    rays, seen = unproject_with_gradient(LENSES[name].model, values, x, y)
    assert seen.all() and rays.requires_grad
    assert torch.equal(rays, expected)


@pytest.mark.parametrize("name", DISTORTED)
def test_their_derivatives_are_the_difference_quotients(name: str) -> None:
    values, (x, y), step = values_of(name), plane(name), 1e-6
    weights = torch.randn(1, 3, *x.shape[1:], dtype=F64, generator=torch.Generator().manual_seed(0))
    inputs = [*values[:-1], x, y]
    for each in inputs:
        each.requires_grad_()
    rays, _ = unproject_with_gradient(LENSES[name].model, values, x, y)
    gradients = torch.autograd.grad((rays * weights).sum(), inputs)
    coefficients = NAMES[LENSES[name].model]
    for i, (gradient, of) in enumerate(zip(gradients, (*coefficients, "x", "y"), strict=True)):
        moved = []
        for sign in (1, -1):
            at = [each.detach() + sign * step * (i == j) for j, each in enumerate(inputs)]
            moved.append((rays_of(name, [*at[:-2], values[-1]], *at[-2:]) * weights).sum())
        quotient = float(moved[0] - moved[1]) / (2 * step)
        assert float(gradient.sum()) == pytest.approx(quotient, rel=1e-5, abs=1e-7), of


def test_a_pixel_without_a_ray_has_no_gradient() -> None:
    values = [torch.tensor(value, dtype=F64).reshape(1, 1, 1) for value in Lens("brown", (-0.3,)).values]
    x, y = torch.tensor([[[0.1, 50.0]]], dtype=F64), torch.zeros(1, 1, 2, dtype=F64)
    values[0].requires_grad_()
    rays, seen = unproject_with_gradient("brown", values, x, y)
    assert seen.flatten().tolist() == [True, False] and torch.isfinite(rays).all()
    (gradient,) = torch.autograd.grad(rays[..., 1].sum(), values[0], allow_unused=True)
    assert gradient is not None and gradient.abs().max() == 0


def test_nothing_is_computed_for_a_gradient_that_nobody_wants() -> None:
    values, (x, y) = values_of("fisheye"), plane("fisheye")
    assert not unproject_with_gradient("kannala-brandt", values, x, y)[0].requires_grad
    values[0].requires_grad_()
    with torch.no_grad():
        assert not unproject_with_gradient("kannala-brandt", values, x, y)[0].requires_grad
