"""Rays of pixels as functions of the lens: `lens.unproject` with a gradient, for a lens that is learned.

The ray r of a point m of the image plane is given by project(r; c) = m. So it moves with the coefficients c and with m
by dr = -J^+ (dproject/dc dc - dm), J being the derivative of the projection by the ray (implicit function theorem): no
step of the solver is differentiated. J r = 0, and so the ray keeps its length.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfdepth.geometry.lens import LensModel, project, unproject


def unproject_with_gradient(
    model: LensModel, values: Sequence[Tensor], x: Float[Tensor, "b h w"], y: Float[Tensor, "b h w"]
) -> tuple[Float[Tensor, "b 3 h w"], Bool[Tensor, "b h w"]]:
    """As `unproject`, differentiable once in the coefficients and in the points; not where the lens ends.

    Args:
        values: `Lens.values`, each of a shape that broadcasts against the points.
        x, y: points of the normalised image plane.

    Returns:
        Unit rays, and whether the lens has one there; if not, the ray is finite, says nothing, and has no gradient.
    """
    *parts, seen = unproject(model, [value.detach() for value in values], x.detach(), y.detach())
    return with_gradient(model, values, x, y, torch.stack(parts, 1), seen), seen


def with_gradient(
    model: LensModel,
    values: Sequence[Tensor],
    x: Float[Tensor, "b h w"],
    y: Float[Tensor, "b h w"],
    ray: Float[Tensor, "b 3 h w"],
    seen: Bool[Tensor, "b h w"],
) -> Float[Tensor, "b 3 h w"]:
    """The rays of `unproject`, and which pixels have one, as functions of its arguments."""
    if not (torch.is_grad_enabled() and any(each.requires_grad for each in (*values, x, y))):
        return ray
    by_ray = jacobian(model, [value.detach() for value in values], ray)
    seen_x, seen_y, _ = project(model, values, *ray.unbind(1))
    missed = torch.stack([seen_x - x, seen_y - y], 1)
    step = _solve(by_ray, missed - missed.detach(), seen)  # a zero that has the gradient
    return ray - step


def jacobian(
    model: LensModel, values: Sequence[Tensor], points: Float[Tensor, "b 3 h w"]
) -> Float[Tensor, "b 2 3 h w"]:
    """The derivative of `project` by the point, without a gradient of its own. Values likewise have none."""
    with torch.enable_grad():
        at = points.detach().requires_grad_()
        x, y, _ = project(model, values, *at.unbind(1))
        rows = [torch.autograd.grad(each.sum(), at, retain_graph=True)[0] for each in (x, y)]
    return torch.stack(rows, 1)


def _solve(
    J: Float[Tensor, "b 2 3 h w"], missed: Float[Tensor, "b 2 h w"], seen: Bool[Tensor, "b h w"]
) -> Float[Tensor, "b 3 h w"]:
    """The shortest change of the ray that moves its image by `missed`: J^T (J J^T)^-1 missed."""
    a, b, d = ((J[:, i] * J[:, j]).sum(1) for i, j in ((0, 0), (0, 1), (1, 1)))
    determinant = a * d - b * b
    usable = seen & (determinant > torch.finfo(J.dtype).tiny)
    inverse = torch.where(usable, 1 / torch.where(usable, determinant, torch.ones_like(a)), torch.zeros_like(a))
    x, y = missed.unbind(1)
    along_x, along_y = inverse * (d * x - b * y), inverse * (a * y - b * x)
    return J[:, 0] * along_x.unsqueeze(1) + J[:, 1] * along_y.unsqueeze(1)
