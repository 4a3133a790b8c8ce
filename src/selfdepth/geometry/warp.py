"""View synthesis: the target seen through its depth and the motion to a source (paper, section 3.1).

Equation 2 of the paper: I_source->target = I_source < proj(D_target, T_source_target, K) >.
Pixel centres are integers.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

MIN_Z = 1e-6
"""Points on or behind the source's image plane are pushed in front of it, far outside the image: no gradient."""


def pixel_grid(height: int, width: int, *, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "3 height width"]:
    """Homogeneous coordinates (u, v, 1) of all pixel centres."""
    v, u = torch.meshgrid(
        torch.arange(height, dtype=dtype, device=device),
        torch.arange(width, dtype=dtype, device=device),
        indexing="ij",
    )
    return torch.stack([u, v, torch.ones_like(u)])


def project(
    depth: Float[Tensor, "b 1 h w"], T_source_target: Float[Tensor, "b 4 4"], K: Float[Tensor, "b 3 3"]
) -> Float[Tensor, "b 2 h w"]:
    """Where each target pixel is seen in the source, (u', v') in pixels.

    K (R depth K^-1 p + t) = depth (K R K^-1) p + K t: two small matrices per source instead of a cloud of points.
    """
    homography, epipole = homography_and_epipole(T_source_target, K)
    grid = pixel_grid(*depth.shape[-2:], dtype=depth.dtype, device=depth.device)
    seen = depth * torch.einsum("bij,jhw->bihw", homography, grid) + epipole[..., None, None]
    return seen[:, :2] / seen[:, 2:].clamp(min=MIN_Z)


def homography_and_epipole(
    T_source_target: Float[Tensor, "*b 4 4"], K: Float[Tensor, "*#b 3 3"]
) -> tuple[Float[Tensor, "*b 3 3"], Float[Tensor, "*b 3"]]:
    """K R K^-1, where pixels go that are infinitely far away, and K t, where they go as their depth becomes nothing."""
    R, t = T_source_target[..., :3, :3], T_source_target[..., :3, 3:]
    return K @ R @ _inverse(K), (K @ t).squeeze(-1)


def sample(image: Float[Tensor, "b c h w"], pixels: Float[Tensor, "b 2 _h _w"]) -> Float[Tensor, "b c _h _w"]:
    """Bilinear interpolation at pixel coordinates; outside the image its border is repeated."""
    height, width = image.shape[-2:]
    u, v = pixels.unbind(1)
    grid = torch.stack([2 * u / (width - 1) - 1, 2 * v / (height - 1) - 1], dim=-1)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=True)


def synthesize(
    source: Float[Tensor, "b c h w"],
    depth: Float[Tensor, "b 1 h w"],
    T_source_target: Float[Tensor, "b 4 4"],
    K: Float[Tensor, "b 3 3"],
) -> Float[Tensor, "b c h w"]:
    """The target view rebuilt from a source (equation 2). The identity motion returns the source itself."""
    return sample(source, project(depth, T_source_target, K))


def _inverse(K: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 3 3"]:
    # inv_ex does not check for singular matrices: the check would make a GPU wait. Camera refuses focal length 0.
    inverse: Tensor = torch.linalg.inv_ex(K).inverse
    return inverse
