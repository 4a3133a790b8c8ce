"""The height loss: the road lies as far below the camera as somebody measured (after DNet, arXiv 2009.06840).

A plane with the unit normal n is at the distance h = n . X of each of its points X. For every pixel of the ground, n
follows from the pixels beside it, so each one states the height of the camera, in the unit of depth.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from selfdepth.geometry.lenses import Lenses
from selfdepth.geometry.warp import pixel_grid

_GROUND_RAD = math.radians(5)
"""Between the normal of a pixel of the ground and the direction down."""
_PITCH_RAD = math.radians(15)
"""Between the normals from which the direction down is found and the camera's own y axis: a mounted camera looks a bit
up or down."""
_LEAST_GROUND = 0.02
"""Share of the pixels of an image that must be ground. Fewer are chance, as in an untrained network's depth."""


def height_loss(
    depth: Float[Tensor, "b 1 h w"], K: Float[Tensor, "b 3 3"], height_m: float, lenses: Lenses | None = None
) -> Float[Tensor, ""]:
    """| log(h / height_m) |, averaged over the clips in which ground is seen; h as of `camera_height`.

    h is proportional to the depth, so d log h = d log s for a factor s on all of it. The gradient is that of this
    factor, spread evenly over the image: the known height scales the scene and bends nothing to a plane. It is 0 if no
    clip has ground, as before the network knows any shape.

    Args:
        depth: along z, in the unit that is to be metres; with lenses, along the ray.
        K: intrinsics in pixels at the size of the depth.
        height_m: of the camera above the road, in metres.
        lenses: None for pinholes.
    """
    height, seen = camera_height(depth.detach(), K, lenses)
    counts = torch.ones_like(depth) if lenses is None else lenses.seen.to(depth.dtype)
    log_scale = (depth.log() * counts).sum((1, 2, 3)) / counts.sum((1, 2, 3)).clamp(min=1)
    log_height = height.log() + (log_scale - log_scale.detach())
    error = torch.where(seen, (log_height - math.log(height_m)).abs(), torch.zeros_like(log_height))
    return error.sum() / seen.sum().clamp(min=1)


def camera_height(
    depth: Float[Tensor, "b 1 h w"], K: Float[Tensor, "b 3 3"], lenses: Lenses | None = None
) -> tuple[Float[Tensor, "b"], Bool[Tensor, "b"]]:
    """The height of the camera above the ground in the unit of the depth, and whether enough ground is seen.

    It is the median of n . X over the pixels of the ground: those below the camera's axis whose normal is within 5
    degrees of down. Down is the mean of the normals within 15 degrees of the camera's y axis. Without enough ground the
    height is 1. Arguments as of `height_loss`.
    """
    points = _points(depth, K) if lenses is None else depth * lenses.rays
    normals = _normals(points)
    inner = points[:, :, 1:-1, 1:-1]
    level = (inner[:, 1] > 0) & (normals[:, 1] > math.cos(_PITCH_RAD))
    if lenses is not None:  # a pixel without a ray has no point, and spoils the normals beside it
        unseen = F.max_pool2d((~lenses.seen).to(depth.dtype), 3, stride=1)[:, 0] > 0
        level = level & ~unseen
    down = F.normalize((normals * level.unsqueeze(1)).sum((2, 3)), dim=1)
    ground = level & (torch.einsum("bchw,bc->bhw", normals, down) > math.cos(_GROUND_RAD))
    # Masked by NaN instead of chosen by indices: the number of pixels may differ between clips.
    heights = (normals * inner).sum(1).masked_fill(~ground, math.nan)
    height = heights.flatten(1).nanmedian(1).values
    seen = (ground.float().mean((1, 2)) >= _LEAST_GROUND) & (height > 0)
    return torch.where(seen, height, torch.ones_like(height)), seen


def _points(depth: Float[Tensor, "b 1 h w"], K: Float[Tensor, "b 3 3"]) -> Float[Tensor, "b 3 h w"]:
    """The pixels in space: X = depth K^-1 p."""
    grid = pixel_grid(*depth.shape[-2:], dtype=depth.dtype, device=depth.device)
    return depth * torch.einsum("bij,jhw->bihw", torch.linalg.inv(K), grid)


def _normals(points: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 _h _w"]:
    """Unit normals of the inner pixels, of the plane through their four neighbours; those of the ground point down."""
    across = points[:, :, 1:-1, 2:] - points[:, :, 1:-1, :-2]
    along = points[:, :, 2:, 1:-1] - points[:, :, :-2, 1:-1]
    # On the ground, the row below is nearer: along = -z, across = x, and x cross -z = y, which is down.
    return F.normalize(torch.linalg.cross(across, along, dim=1), dim=1)
