"""Direct image alignment: the rotation between two images that fits them best, given a depth and a first guess (ours,
not the paper's).

A pose network is right to about a quarter of a degree, which is half a pixel, and a depth that is learned through its
motion is no better. Given the depth, though, a rotation has three numbers, and a whole image to determine them: a few
steps of Gauss and Newton on the photometric error find it far more precisely (Lucas and Kanade, 1981; with depth: Engel
et al., "Direct Sparse Odometry", arXiv 1607.02565, section 2). So the objective compares by the aligned motion, and the
pose network learns from that.

The translation stays the network's. Its length has an unknown factor in common with the depth, and a fit to each pair
would let every frame choose its own; its direction was measured to get worse by fitting it through an imperfect depth.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from selfdepth.geometry.lens import LensModel
from selfdepth.geometry.lenses import Lenses, project_points
from selfdepth.geometry.se3 import rotation_from_axis_angle
from selfdepth.geometry.warp import MIN_Z, inverse_intrinsics, pixel_grid, sample

_EVERY_PX = 2
"""Every second pixel of the target in either direction is compared: three numbers need no more."""
_STEPS = 2
"""From half a pixel on, the second step is the last that gains anything."""
_MEAN_PX = 9
"""Brightness is compared with its mean over a square of this size: exposure and shadows move the mean."""
_DAMPING = 1e-3
"""Levenberg's: share of the diagonal that is added to it."""
_LONGEST_RAD = 0.1
"""Of one step: an image without texture determines nothing."""


@torch.no_grad()
def align(
    T_source_target: Float[Tensor, "b s 4 4"],
    depth: Float[Tensor, "b 1 h w"],
    frames: Float[Tensor, "b views 3 h w"],
    K: Float[Tensor, "b 3 3"],
    lenses: Lenses | None = None,
) -> Float[Tensor, "b s 4 4"]:
    """The motions with the given translations and the rotations near theirs that fit the images best; no gradients.

    Each is that with the smallest error among the given motion and those after every step, so none gets worse. Moving
    things count little: errors above the mean grow linearly, not with their square (Huber).

    Args:
        T_source_target: first guess, target to source, one per source.
        depth: of the target along z, in the unit of the translations; with lenses, along the ray.
        frames: the target, then at least s sources; colours in [0, 1].
        K: intrinsics in pixels at the frames' size.
        lenses: likewise; None for pinholes.
    """
    b, s = T_source_target.shape[:2]
    contrast = torch.unflatten(_contrast(frames[:, : 1 + s].flatten(0, 1)), 0, (b, 1 + s))
    pairs = _Pairs(
        target=_per_source(_thinned(contrast[:, 0]), s).flatten(1),
        source=_with_gradient(contrast[:, 1:].flatten(0, 1)),
        points=_per_source(_thinned(_points(depth, K) if lenses is None else depth * lenses.rays), s).flatten(2),
        translation=T_source_target[..., :3, 3:].flatten(0, 1),
        K=_per_source(K, s),
        lens=None if lenses is None else _Lens.of(lenses, s),
    )
    R = T_source_target[..., :3, :3].flatten(0, 1)
    fit = _compare(pairs, R)
    best, least, bound = R, fit.error, fit.bound
    for _ in range(_STEPS):
        R = _turned(R, fit)
        fit = _compare(pairs, R, bound)
        better = fit.error < least
        best, least = torch.where(better[:, None, None], R, best), torch.where(better, fit.error, least)
    aligned = T_source_target.clone()
    aligned[..., :3, :3] = torch.unflatten(best, 0, (b, s))
    return aligned


def alignment_loss(T_source_target: Float[Tensor, "b s 4 4"], T_aligned: Float[Tensor, "b s 4 4"]) -> Float[Tensor, ""]:
    """The rotation that the pose network's motion lacks: the mean of the sum of its angles about the three axes, in
    radians.

    Args:
        T_source_target: of the pose network, which the gradient reaches.
        T_aligned: of `align`.
    """
    difference = T_aligned[..., :3, :3] @ T_source_target[..., :3, :3].transpose(-1, -2)
    # The axis times the sine of the angle, which for such small angles is the angle.
    skew = (difference - difference.transpose(-1, -2)) / 2
    angles = torch.stack([skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]], dim=-1)
    return angles.abs().sum(-1).mean()


class _Lens(NamedTuple):
    """The lenses of n pairs, and which of the p pixels have a ray."""

    model: LensModel
    values: Float[Tensor, "n k"]
    has_ray: Bool[Tensor, "n p"]

    @staticmethod
    def of(lenses: Lenses, s: int) -> _Lens:
        has_ray = _per_source(_thinned(lenses.seen), s).flatten(1)
        return _Lens(lenses.model, _per_source(lenses.values, s), has_ray)


class _Pairs(NamedTuple):
    """Pairs of a target and a source, n = b s of them.

    Attributes:
        target: contrast of the p pixels that are compared.
        source: contrast, and its derivatives along u and v per pixel.
        points: of these pixels, in the target's camera.
        translation: from the target to the source.
        lens: None for pinholes.
    """

    target: Float[Tensor, "n p"]
    source: Float[Tensor, "n 3 h w"]
    points: Float[Tensor, "n 3 p"]
    translation: Float[Tensor, "n 3 1"]
    K: Float[Tensor, "n 3 3"]
    lens: _Lens | None = None


class _Fit(NamedTuple):
    """How well a rotation explains the target from the source.

    Attributes:
        error: Huber's, the mean over the pixels that the source sees; infinite if it sees none.
        bound: the residual above which it grows linearly.
        residual: source minus target; 0 where the source does not see the pixel.
        weight: of each residual in the next step.
        jacobian: of the residuals by a further rotation of the points about the three axes.
    """

    error: Float[Tensor, " n"]
    bound: Float[Tensor, "n 1"]
    residual: Float[Tensor, "n p"]
    weight: Float[Tensor, "n p"]
    jacobian: Float[Tensor, "n 3 p"]


def _compare(pairs: _Pairs, R: Float[Tensor, "n 3 3"], bound: Float[Tensor, "n 1"] | None = None) -> _Fit:
    """Project the points by a rotation and compare the contrasts. Without a bound, that is the mean |residual|."""
    turned = R @ pairs.points
    points = turned + pairs.translation
    pixels, in_view, by_point_of = _project(pairs, points)
    height, width = pairs.source.shape[-2:]
    u, v = pixels.unbind(1)
    seen = (u > 0) & (u < width - 1) & (v > 0) & (v < height - 1) & in_view
    contrast, along_u, along_v = sample(pairs.source, pixels.unsqueeze(-1)).squeeze(-1).unbind(1)

    residual = (contrast - pairs.target) * seen
    size, count = residual.abs(), seen.sum(1, keepdim=True).clamp(min=1)
    if bound is None:
        bound = size.sum(1, keepdim=True) / count + torch.finfo(size.dtype).eps
    huber = torch.where(size < bound, size.square() / 2, bound * (size - bound / 2))
    # Where nothing is seen, all residuals are 0, and the error would be the least of all.
    error = torch.where(seen.any(1), huber.sum(1) / count.squeeze(1), torch.inf)
    weight = seen * (bound / size.clamp(min=torch.finfo(size.dtype).tiny)).clamp(max=1)

    # With the gradient g by the point, g (w x q) = w (q x g) for a rotation w of the turned point q.
    by_point = by_point_of(along_u, along_v)
    return _Fit(error, bound, residual, weight, torch.linalg.cross(turned, by_point, dim=1))


_ByPoint = Callable[[Float[Tensor, "n p"], Float[Tensor, "n p"]], Float[Tensor, "n 3 p"]]
"""The derivative of a brightness by the point, from those along u and v: the chain rule."""


def _project(
    pairs: _Pairs, points: Float[Tensor, "n 3 p"]
) -> tuple[Float[Tensor, "n 2 p"], Bool[Tensor, "n p"], _ByPoint]:
    """Pixels of the points in the source, whether they are to be compared, and the chain rule there."""
    if pairs.lens is not None:
        return _project_by_lens(pairs.lens, pairs.K, points)
    inverse_z = 1 / points[:, 2].clamp(min=MIN_Z)
    x, y = points[:, 0] * inverse_z, points[:, 1] * inverse_z
    fx, fy, cx, cy = (pairs.K[:, i, j, None] for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))

    def by_point(along_u: Tensor, along_v: Tensor) -> Tensor:
        du, dv = along_u * fx * inverse_z, along_v * fy * inverse_z
        return torch.stack([du, dv, -(du * x + dv * y)], dim=1)

    return torch.stack([fx * x + cx, fy * y + cy], 1), points[:, 2] > MIN_Z, by_point


def _project_by_lens(
    lens: _Lens, K: Float[Tensor, "n 3 3"], points: Float[Tensor, "n 3 p"]
) -> tuple[Float[Tensor, "n 2 p"], Bool[Tensor, "n p"], _ByPoint]:
    def project(points: Tensor) -> tuple[Tensor, Tensor]:
        return project_points(lens.model, lens.values, points, K)

    pixels, vjp, seen = torch.func.vjp(project, points, has_aux=True)  # type: ignore[misc]

    def by_point(along_u: Tensor, along_v: Tensor) -> Tensor:
        (gradient,) = vjp(torch.stack([along_u, along_v], 1))
        return torch.as_tensor(gradient)

    return pixels, seen[:, 0] & lens.has_ray, by_point


def _turned(R: Float[Tensor, "n 3 3"], fit: _Fit) -> Float[Tensor, "n 3 3"]:
    """The rotation after one step of Gauss and Newton."""
    weighted = fit.jacobian * fit.weight[:, None]
    hessian = weighted @ fit.jacobian.transpose(1, 2)
    damping = _DAMPING * hessian.diagonal(dim1=1, dim2=2) + torch.finfo(hessian.dtype).tiny
    slope = (weighted @ fit.residual[:, :, None]).squeeze(-1)
    # solve_ex skips the check for singular matrices, for which a GPU would have to wait; damped, none is.
    step = -torch.linalg.solve_ex(hessian + torch.diag_embed(damping), slope).result
    step = step * (_LONGEST_RAD / step.abs().amax(1, keepdim=True).clamp(min=_LONGEST_RAD))
    return rotation_from_axis_angle(step) @ R


def _contrast(images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 1 h w"]:
    """Brightness less its local mean."""
    brightness = images.mean(1, keepdim=True)
    mean = F.avg_pool2d(brightness, _MEAN_PX, stride=1, padding=_MEAN_PX // 2, count_include_pad=False)
    return brightness - mean


def _with_gradient(image: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 3 h w"]:
    """An image and its derivatives along u and v, by central differences."""
    padded = F.pad(image, (1, 1, 1, 1), mode="replicate")
    along_u = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]) / 2
    along_v = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]) / 2
    return torch.cat([image, along_u, along_v], dim=1)


def _points(depth: Float[Tensor, "b 1 h w"], K: Float[Tensor, "b 3 3"]) -> Float[Tensor, "b 3 h w"]:
    """The scene's point at every pixel, in the camera of the pixels."""
    grid = pixel_grid(depth.shape[-2], depth.shape[-1], dtype=depth.dtype, device=depth.device).flatten(1)
    rays = inverse_intrinsics(K) @ grid
    return depth * torch.unflatten(rays, 2, (depth.shape[-2], depth.shape[-1]))


def _thinned(image: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c _h _w"]:
    return image[..., _EVERY_PX // 2 :: _EVERY_PX, _EVERY_PX // 2 :: _EVERY_PX]


def _per_source(values: Tensor, s: int) -> Tensor:
    """Repeat what belongs to a clip for each of its sources."""
    return values.repeat_interleave(s, dim=0)
