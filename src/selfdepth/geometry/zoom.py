"""Enlarge a part of images to their whole size, together with their cameras."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def zoom(
    images: Float[Tensor, "b *views c h w"],
    K: Float[Tensor, "b 3 3"],
    scale: Float[Tensor, "b 2"],
    place: Float[Tensor, "b 2"],
) -> tuple[Float[Tensor, "b *views c h w"], Float[Tensor, "b 3 3"]]:
    """Crop images to 1 / scale of their size and resize what is left to the size they had; their cameras follow.

    u' = (u + 1/2 - left) s - 1/2, the resize of docs/conventions.md after a crop whose edges may lie between pixels.
    Every pixel shows the ray that it showed before, so depths and motions stay true. Different scales along x and y
    change the aspect ratio. Interpolation is bilinear, which suits images that only grow.

    Args:
        K: in pixels, one per clip for all its views.
        scale: along x and y, at least 1.
        place: of the crop along x and y: 0 at the left (top) edge of the image, 1 at the right (bottom) one.
    """
    b, height, width = len(images), images.shape[-2], images.shape[-1]
    size = torch.tensor([width, height], dtype=K.dtype, device=K.device)
    left_top = place * (size - size / scale)
    K_zoomed = K.clone()
    K_zoomed[:, :2] = K[:, :2] * scale[:, :, None]
    K_zoomed[:, :2, 2] = (K[:, :2, 2] + 0.5 - left_top) * scale - 0.5
    # In affine_grid's coordinates, with align_corners=False, the image reaches from -1 to 1 between its outer edges.
    theta = torch.zeros(b, 2, 3, dtype=images.dtype, device=images.device)
    theta[:, 0, 0], theta[:, 1, 1] = (1 / scale).to(images.dtype).unbind(1)
    theta[:, :, 2] = ((1 - 1 / scale) * (2 * place - 1)).to(images.dtype)
    flat = images.reshape(b, -1, height, width)
    grid = F.affine_grid(theta, list(flat.shape), align_corners=False)
    zoomed = F.grid_sample(flat, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return zoomed.reshape(images.shape), K_zoomed
