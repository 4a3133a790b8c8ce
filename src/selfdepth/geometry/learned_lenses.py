"""Lenses that are learned: their rays as functions of the camera, and the gradient that a warp through them has."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from selfdepth.errors import ConfigError
from selfdepth.geometry.lens import Lens, LensModel, unproject
from selfdepth.geometry.lenses import (
    Follow,
    Learned,
    Lenses,
    columns_of,
    forward_unless,
    intrinsics_of,
    pixels_of,
)
from selfdepth.geometry.ray_gradient import with_gradient

LEARNED: dict[LensModel, tuple[str, ...]] = {"brown": ("k1", "k2"), "kannala-brandt": ("k1", "k2"), "ucm": ("xi",)}
"""The coefficients that are learned. Those of eucm look alike: alpha and beta both bend the edge, and nothing else."""
STILL_PX = 0.05
"""A place that moves by less when the depth changes by a factor e stands still."""


def require_learnable_lens(lens: Lens) -> None:
    """Refuse a lens whose distortion cannot be learned.

    Raises:
        ConfigError: naming it.
    """
    if lens.model not in LEARNED and not lens.is_pinhole:
        raise ConfigError(
            "the distortion of this lens cannot be learned: its coefficients look alike in the images",
            where="--camera",
            expected=f"a start with a lens of the model {', '.join(LEARNED)}, or none",
            got=lens.model,
            fix="give the file without learn+distortion:, or another start",
        )
    if lens.model == "ucm" and lens.coefficients[0] == 0:
        raise ConfigError(
            "xi is learned by a factor, and cannot leave 0",
            where="--camera",
            expected="a start with xi above 0, or one with the lens brown",
            got="ucm with xi 0",
        )


def learned_lenses(
    lenses: Lenses,
    K: Float[Tensor, "b 3 3"],
    values: Float[Tensor, "b k"],
    bent: Float[Tensor, "b k"],
    follow: Follow,
) -> Lenses:
    """Lenses with other intrinsics and values, of images of the same size.

    Args:
        K: in pixels, with a gradient.
        values: `Lens.values`, with the gradient by the focal length that they go with.
        bent: the same numbers, with the gradient by what is learned of the distortion.
        follow: how motions go along with K.
    """
    # Clips of one camera have the same rays, and those of mirrored clips are the only others without zoom.
    every = torch.cat([values, *(each.reshape(-1, 1) for each in intrinsics_of(K, 0))], 1)
    _, which = torch.unique(every.detach(), dim=0, return_inverse=True)
    each_kind = torch.arange(int(which.max()) + 1, device=which.device).unsqueeze(1)
    first = (which == each_kind).to(torch.uint8).argmax(1)
    u, v = pixels_of(lenses.rays, K)
    fx, fy, cx, cy = intrinsics_of(K[first], 2)
    x, y = (u - cx) / fx, (v - cy) / fy
    columns = [columns_of(each[first], 2) for each in (values, bent)]
    *parts, seen = unproject(lenses.model, [each.detach() for each in columns[0]], x.detach(), y.detach())
    ray = torch.stack(parts, 1)

    def built(columns: list[Tensor], x: Tensor, y: Tensor, values: Tensor) -> Lenses:
        rays = forward_unless(seen, with_gradient(lenses.model, columns, x, y, ray, seen))
        return replace(lenses, values=values, rays=rays[which], seen=seen[which].unsqueeze(1))

    whole = built(columns[0], x, y, values)
    grown = axis_kept(lenses, K.detach()[first], bent[first])
    fx, fy, cx, cy = intrinsics_of(grown, 2)
    own = built(columns[1], (u - cx) / fx, (v - cy) / fy, bent)
    return replace(whole, learned=Learned(bent=own, follow=follow))


def axial(lenses: Lenses, K: Float[Tensor, "b 3 3"]) -> Float[Tensor, "b 3 3"]:
    """The intrinsics of the pinhole that a lens is near its axis."""
    return K if lenses.model != "ucm" else _scaled(K, 1 / (1 + lenses.values[:, 0]))


def axis_kept(lenses: Lenses, K: Float[Tensor, "b 3 3"], values: Float[Tensor, "b k"]) -> Float[Tensor, "b 3 3"]:
    """K itself, with the gradient by which the pinhole near the axis stays as it is when the distortion changes."""
    if lenses.model != "ucm":
        return K
    return _scaled(K, (1 + values[:, 0]) / (1 + values[:, 0].detach()))


def z_held(lenses: Lenses) -> Lenses:
    """The lenses, through which a change of the focal length leaves the depths along z as they are.

    Translation looks alike through every pinhole only if these stay, and not the distances along the rays. Beside and
    behind a fisheye there are none, and no two of them look alike.
    """
    if lenses.model != "brown":
        return lenses
    z = lenses.rays[:, 2:]
    return replace(lenses, rays=lenses.rays * (z.detach() / z))


def across(shift: Float[Tensor, "b 2 h w"], along: Float[Tensor, "b 2 h w"]) -> Float[Tensor, "b 2 h w"]:
    """The part of a shift of pixels that no change of depth makes up for.

    Args:
        along: shift by the logarithm of the depth. Where it is small, no change of depth is large enough.
    """
    share = (shift * along).sum(1, keepdim=True) / (along.square().sum(1, keepdim=True) + STILL_PX**2)
    return shift - share * along


def _scaled(K: Float[Tensor, "b 3 3"], factor: Float[Tensor, "b"]) -> Float[Tensor, "b 3 3"]:
    """K with both focal lengths times a factor."""
    scaled = K.clone()
    scaled[:, 0, 0], scaled[:, 1, 1] = K[:, 0, 0] * factor, K[:, 1, 1] * factor
    return scaled
