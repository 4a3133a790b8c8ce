"""View synthesis: the target rebuilt from a source, through the target's depth and the motion (paper, section 3.1).

Equation 2: I_s->t = I_s < proj(D_t, T_t->s, K) >, where < > samples an image between its pixels. The paper's T_t->s is
T_source_target here. Pixel centres are integers.

With lenses, depth is the distance along the ray, and proj is that of the lens. A pixel without a ray, and one whose
point the source's lens does not see, is sampled at its own place, without a gradient.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selfdepth.geometry.learned_lenses import across, axial, axis_kept, z_held
from selfdepth.geometry.lenses import Lenses

MIN_Z = 1e-6
"""Smallest depth in the source's camera. A point on or behind its image plane is moved just in front of it, which puts
it far outside the image, where it has no gradient. Dividing by its true depth would mirror it into the image."""


def pixel_grid(height: int, width: int, *, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "3 height width"]:
    """Homogeneous coordinates p = (u, v, 1) of all pixel centres."""
    v, u = torch.meshgrid(
        torch.arange(height, dtype=dtype, device=device),
        torch.arange(width, dtype=dtype, device=device),
        indexing="ij",
    )
    return torch.stack([u, v, torch.ones_like(u)])


def project(
    depth: Float[Tensor, "b 1 h w"],
    T_source_target: Float[Tensor, "b 4 4"],
    K: Float[Tensor, "b 3 3"],
    lenses: Lenses | None = None,
) -> Float[Tensor, "b 2 h w"]:
    """The place (u', v') in the source, in pixels, of each pixel p of the target: proj of equation 2.

    K (R depth K^-1 p + t) = depth (K R K^-1) p + K t: two small matrices per source instead of a cloud of 3D points.

    Args:
        depth: of the target, along z, in the unit of the translation; with lenses, along the ray.
        K: intrinsics in pixels, the same for target and source.
        lenses: of target and source alike; None: pinholes.
    """
    return project_with_depth(depth, T_source_target, K, lenses)[0]


def project_with_depth(
    depth: Float[Tensor, "b 1 h w"],
    T_source_target: Float[Tensor, "b 4 4"],
    K: Float[Tensor, "b 3 3"],
    lenses: Lenses | None = None,
) -> tuple[Float[Tensor, "b 2 h w"], Float[Tensor, "b 1 h w"]]:
    """As `project`, and the depth z of each point in the source's camera, in the unit of the translation.

    z is as it comes: at most 0 for a point that is not in front of the source's camera. With lenses, it is the distance
    from the source's camera, and 0 for a point that is not compared: its pixel has no ray, or the source's lens does
    not see it.
    """
    if lenses is not None:
        by_lens = _project_by_lens if lenses.learned is None else _project_by_learned_lens
        return by_lens(depth, T_source_target, K, lenses)
    homography, epipole = homography_and_epipole(T_source_target, K)
    grid = pixel_grid(*depth.shape[-2:], dtype=depth.dtype, device=depth.device)
    # Homogeneous: the third row is the depth z in the source's camera.
    projected = depth * torch.einsum("bij,jhw->bihw", homography, grid) + epipole[..., None, None]
    z = projected[:, 2:]
    return projected[:, :2] / z.clamp(min=MIN_Z), z


def _project_by_lens(
    depth: Float[Tensor, "b 1 h w"], T_source_target: Float[Tensor, "b 4 4"], K: Float[Tensor, "b 3 3"], lenses: Lenses
) -> tuple[Float[Tensor, "b 2 h w"], Float[Tensor, "b 1 h w"]]:
    R, t = T_source_target[:, :3, :3], T_source_target[:, :3, 3]
    points = depth * torch.unflatten(R @ lenses.rays.flatten(2), 2, depth.shape[-2:]) + t[:, :, None, None]
    pixels, in_view = lenses.project(points, K)
    seen = lenses.seen & in_view
    # The square root has no gradient at 0, where the source's camera itself would be.
    distance = (points * points).sum(1, keepdim=True).clamp(min=torch.finfo(depth.dtype).tiny).sqrt()
    own = pixel_grid(*depth.shape[-2:], dtype=depth.dtype, device=depth.device)[:2]
    return torch.where(seen, pixels, own), torch.where(seen, distance, torch.zeros_like(distance))


def _project_by_learned_lens(
    depth: Float[Tensor, "b 1 h w"], T_source_target: Float[Tensor, "b 4 4"], K: Float[Tensor, "b 3 3"], lenses: Lenses
) -> tuple[Float[Tensor, "b 2 h w"], Float[Tensor, "b 1 h w"]]:
    """As `_project_by_lens`. Depth and motion have the gradient that they have with a known lens.

    The camera has that of what they cannot make up for. Motions follow the focal length and the principal point, and
    depths along z stay. Of what the distortion moves only the part across the epipolar line counts, along which another
    depth would move it as well: otherwise the lens would bend to explain every error of a depth that is being learned.
    """
    known, own_K, T = lenses.detached(), K.detach(), T_source_target.detach()
    places, distance = _project_by_lens(depth, T_source_target, own_K, known)
    if lenses.learned is None or not torch.is_grad_enabled():
        return places, distance
    depth, bent = depth.detach(), lenses.learned.bent
    followed = lenses.learned.follow(T.unsqueeze(1), axial(known, own_K), axial(lenses, K)).squeeze(1)
    by_focal, _ = _project_by_lens(depth, followed, K, z_held(lenses))
    by_lens, _ = _project_by_lens(depth, T, axis_kept(bent, own_K, bent.values), bent)
    crossing = across(by_lens - by_lens.detach(), by_depth(depth, T, own_K, known))
    return places + (by_focal - by_focal.detach()) + crossing, distance


@torch.no_grad()
def by_depth(
    depth: Float[Tensor, "b 1 h w"], T_source_target: Float[Tensor, "b 4 4"], K: Float[Tensor, "b 3 3"], lenses: Lenses
) -> Float[Tensor, "b 2 h w"]:
    """How places move by the logarithm of the depth, in pixels; what it says where the lens sees nothing is finite."""
    R, t = T_source_target[:, :3, :3], T_source_target[:, :3, 3]
    moved = depth * torch.unflatten(R @ lenses.rays.flatten(2), 2, depth.shape[-2:])
    by_point = lenses.jacobian(moved + t[:, :, None, None])
    return (by_point * moved.unsqueeze(1)).sum(2) * K.diagonal(dim1=1, dim2=2)[:, :2, None, None]


def homography_and_epipole(
    T_source_target: Float[Tensor, "*b 4 4"], K: Float[Tensor, "*#b 3 3"]
) -> tuple[Float[Tensor, "*b 3 3"], Float[Tensor, "*b 3"]]:
    """K R K^-1, which maps pixels at infinite depth, and K t, to which every pixel tends as its depth goes to zero."""
    R, t = T_source_target[..., :3, :3], T_source_target[..., :3, 3:]
    return K @ R @ inverse_intrinsics(K), (K @ t).squeeze(-1)


def sample(image: Float[Tensor, "b c h w"], pixels: Float[Tensor, "b 2 _h _w"]) -> Float[Tensor, "b c _h _w"]:
    """Bilinear interpolation at pixel coordinates (u, v). Outside the image its border is repeated, as in the paper."""
    height, width = image.shape[-2:]
    u, v = pixels.unbind(1)
    # grid_sample wants [-1, 1]. With align_corners=True these are the centres of the first and the last pixel, as here.
    grid = torch.stack([2 * u / (width - 1) - 1, 2 * v / (height - 1) - 1], dim=-1)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=True)


def synthesize(
    source: Float[Tensor, "b c h w"],
    depth: Float[Tensor, "b 1 h w"],
    T_source_target: Float[Tensor, "b 4 4"],
    K: Float[Tensor, "b 3 3"],
    lenses: Lenses | None = None,
) -> Float[Tensor, "b c h w"]:
    """The target rebuilt from a source (equation 2). The identity motion returns the source itself.

    Args:
        source: image to sample, of the target's size.
        depth, K, lenses: as in `project`.
    """
    return sample(source, project(depth, T_source_target, K, lenses))


def inverse_intrinsics(K: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 3 3"]:
    """K^-1, which maps a pixel (u, v, 1) to the point of its ray at depth 1."""
    # inv_ex skips the check for singular matrices, for which a GPU would have to wait. Camera refuses focal length 0.
    inverse: Tensor = torch.linalg.inv_ex(K).inverse
    return inverse
