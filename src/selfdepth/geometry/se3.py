"""Rigid motions as 4x4 matrices, with gradients. `T_a_b` maps points in frame b to frame a."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

_SMALL_ANGLE_SQUARED = 1e-6
"""Below this (an angle of 0.001) three terms of the series are exact to double precision, and unlike sin(x) / x they
have the right derivative at zero, close to which every untrained pose network starts."""


def transform_from_axis_angle(
    axis_angle: Float[Tensor, "*b 3"], translation: Float[Tensor, "*b 3"]
) -> Float[Tensor, "*b 4 4"]:
    """x' = R x + t with R = exp([v]x) by Rodrigues' formula, exact for every v and differentiable at v = 0.

    [v]x is the cross-product matrix of v. The published method adds a small constant to the angle instead, so that no
    rotation is quite exact.

    Args:
        axis_angle: v, rotation axis times angle in radians.
        translation: t, applied after the rotation.
    """
    R = rotation_from_axis_angle(axis_angle)
    top = torch.cat([R, translation.unsqueeze(-1)], dim=-1)
    bottom = torch.zeros_like(top[..., :1, :])
    bottom[..., 3] = 1
    return torch.cat([top, bottom], dim=-2)


def invert(T_a_b: Float[Tensor, "*b 4 4"]) -> Float[Tensor, "*b 4 4"]:
    """T_b_a of a rigid motion: rotation R^T, translation -R^T t."""
    R_b_a = T_a_b[..., :3, :3].transpose(-1, -2)
    t_b = -(R_b_a @ T_a_b[..., :3, 3:])
    return torch.cat([torch.cat([R_b_a, t_b], dim=-1), T_a_b[..., 3:, :]], dim=-2)


def mirror(T_a_b: Float[Tensor, "*b 4 4"]) -> Float[Tensor, "*b 4 4"]:
    """The motion between the two frames after both images were flipped left to right: x changes its sign in a and b."""
    # S T S with S = diag(-1, 1, 1, 1), which is its own inverse.
    sign = torch.ones(4, dtype=T_a_b.dtype, device=T_a_b.device)
    sign[0] = -1
    return sign[:, None] * T_a_b * sign


def transform(T_a_b: Float[Tensor, "*b 4 4"], points_b: Float[Tensor, "*b n 3"]) -> Float[Tensor, "*b n 3"]:
    """Map points from frame b to frame a."""
    return points_b @ T_a_b[..., :3, :3].transpose(-1, -2) + T_a_b[..., None, :3, 3]


def rotation_from_axis_angle(axis_angle: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3 3"]:
    """R = exp([v]x), as in `transform_from_axis_angle`."""
    squared = (axis_angle * axis_angle).sum(-1)
    small = squared < _SMALL_ANGLE_SQUARED
    # `where` computes both branches, and their gradients. The branch not taken must stay finite too, or its NaN
    # gradient leaks through `where`.
    angle = torch.where(small, torch.ones_like(squared), squared).sqrt()
    # (1 - cos x) / x^2 = 2 (sin(x/2) / x)^2, which does not cancel at small angles as the left side does.
    half = torch.sin(angle / 2) / angle
    sine = torch.where(small, 1 - squared / 6 + squared**2 / 120, torch.sin(angle) / angle)
    cosine = torch.where(small, 0.5 - squared / 24 + squared**2 / 720, 2 * half**2)
    cross = _cross_matrix(axis_angle)
    # R = I + sin(x)/x [v]x + (1 - cos x)/x^2 [v]x^2, where x is the length of v.
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return identity + sine[..., None, None] * cross + cosine[..., None, None] * (cross @ cross)


def _cross_matrix(v: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3 3"]:
    x, y, z = v.unbind(-1)
    zero = torch.zeros_like(x)
    rows = [zero, -z, y, z, zero, -x, -y, x, zero]
    return torch.stack(rows, dim=-1).reshape(*v.shape, 3)
