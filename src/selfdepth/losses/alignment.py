"""Direct image alignment: the motion between two images that fits them best, given a depth and a first guess (ours, not
the paper's).

A pose network is right to about half a pixel, and a depth that is learned through its motion is no better. Given the
depth, though, six numbers explain a whole image. The photometric error determines them far more precisely, and a few
steps of Gauss and Newton find them (Lucas and Kanade, 1981; with depth: Engel et al., "Direct Sparse Odometry",
arXiv 1607.02565, section 2). So the objective compares by the aligned motion, and the pose network learns from that.

The length of the translation stays the network's. Depth and translation share an unknown factor: the network has one
for all frames, while a fit to each pair would let every frame choose its own.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selfdepth.geometry.se3 import transform_from_axis_angle
from selfdepth.geometry.warp import MIN_Z, pixel_grid, sample

_STEPS = 2
"""From half a pixel on, the second step is the last that gains anything."""
_MEAN_PX = 9
"""Brightness is compared with its mean over a square of this size: exposure and shadows move the mean."""
_DAMPING = 1e-3
"""Levenberg's: share of the diagonal that is added to it, for directions that the images do not determine."""
_LONGEST = 0.1
"""Of one step, in radians and in units of the scene's depth: an image without texture determines nothing."""


@torch.no_grad()
def align(
    T_source_target: Float[Tensor, "b s 4 4"],
    depth: Float[Tensor, "b 1 h w"],
    frames: Float[Tensor, "b views 3 h w"],
    K: Float[Tensor, "b 3 3"],
) -> Float[Tensor, "b s 4 4"]:
    """The motions near the given ones by which the sources fit the target best, without gradients.

    Each is that with the smallest error among the given motion and those after every step, so none gets worse. Moving
    things count little: errors above the mean grow linearly, not with their square (Huber).

    Args:
        T_source_target: first guess, target to source, one per source.
        depth: of the target along z, in the unit of the translations.
        frames: the target, then at least s sources; colours in [0, 1].
        K: intrinsics in pixels at the frames' size.
    """
    b, s = T_source_target.shape[:2]
    contrast = torch.unflatten(_contrast(frames[:, : 1 + s].flatten(0, 1)), 0, (b, 1 + s))
    pairs = _Pairs(
        target=_per_source(contrast[:, 0], s).flatten(1),
        source=_with_gradient(contrast[:, 1:].flatten(0, 1)),
        points=_per_source(_points(depth, K), s),
        K=_per_source(K, s),
        inverse_depth=_per_source((1 / depth).mean((1, 2, 3)), s),
    )
    T = T_source_target.flatten(0, 1)
    fit = _compare(pairs, T)
    best, least, bound = T, fit.error, fit.bound
    for _ in range(_STEPS):
        T = _stepped(pairs, T, fit)
        fit = _compare(pairs, T, bound)
        better = fit.error < least
        best, least = torch.where(better[:, None, None], T, best), torch.where(better, fit.error, least)
    return torch.unflatten(best, 0, (b, s))


def alignment_loss(
    T_source_target: Float[Tensor, "b s 4 4"], T_aligned: Float[Tensor, "b s 4 4"], depth: Float[Tensor, "b 1 h w"]
) -> Float[Tensor, ""]:
    """What the pose network's motion lacks of the aligned one: the mean of |rotation| + |translation| / depth.

    Both are angles, in radians: the translation's is that by which it moves the scene at its (harmonic) mean depth.

    Args:
        T_source_target: of the pose network, which the gradient reaches.
        T_aligned: of `align`.
        depth: of the target, in the unit of the translations; not learned from.
    """
    R, R_aligned = T_source_target[..., :3, :3], T_aligned[..., :3, :3]
    difference = R_aligned @ R.transpose(-1, -2)
    # The axis times the sine of the angle, which for such small angles is the angle.
    skew = (difference - difference.transpose(-1, -2)) / 2
    rotation = torch.stack([skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]], dim=-1)
    inverse_depth = (1 / depth.detach()).mean((1, 2, 3))
    translation = (T_aligned[..., :3, 3] - T_source_target[..., :3, 3]) * inverse_depth[:, None, None]
    return (rotation.abs() + translation.abs()).sum(-1).mean()


class _Pairs(NamedTuple):
    """Pairs of a target and a source, n = b s of them.

    Attributes:
        target: contrast of every pixel.
        source: contrast, and its derivatives along u and v per pixel.
        points: of the target's pixels in its camera, in the unit of the translations.
        inverse_depth: mean over the target.
    """

    target: Float[Tensor, "n p"]
    source: Float[Tensor, "n 3 h w"]
    points: Float[Tensor, "n 3 p"]
    K: Float[Tensor, "n 3 3"]
    inverse_depth: Float[Tensor, " n"]


class _Fit(NamedTuple):
    """How well a motion explains the target from the source.

    Attributes:
        error: Huber's, the mean over the pixels that the source sees.
        bound: the residual above which it grows linearly.
        residual: source minus target; 0 where the source does not see the pixel.
        weight: of each residual in the next step.
        jacobian: of the residuals by translation and rotation in the source's camera; the unit of the translation is
            the mean depth, so that all six columns are about as large.
    """

    error: Float[Tensor, " n"]
    bound: Float[Tensor, "n 1"]
    residual: Float[Tensor, "n p"]
    weight: Float[Tensor, "n p"]
    jacobian: Float[Tensor, "n 6 p"]


def _compare(pairs: _Pairs, T: Float[Tensor, "n 4 4"], bound: Float[Tensor, "n 1"] | None = None) -> _Fit:
    """Project the points by the motion and compare the contrasts. Without a bound, that is the mean |residual|."""
    height, width = pairs.source.shape[-2:]
    points = T[:, :3, :3] @ pairs.points + T[:, :3, 3:]
    inverse_z = 1 / points[:, 2].clamp(min=MIN_Z)
    x, y = points[:, 0] * inverse_z, points[:, 1] * inverse_z
    fx, fy, cx, cy = (pairs.K[:, i, j, None] for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))
    u, v = fx * x + cx, fy * y + cy
    seen = (u > 0) & (u < width - 1) & (v > 0) & (v < height - 1) & (points[:, 2] > MIN_Z)
    contrast, along_u, along_v = sample(pairs.source, torch.stack([u, v], 1).unsqueeze(-1)).squeeze(-1).unbind(1)

    residual = (contrast - pairs.target) * seen
    size, count = residual.abs(), seen.sum(1, keepdim=True).clamp(min=1)
    if bound is None:
        bound = size.sum(1, keepdim=True) / count + torch.finfo(size.dtype).eps
    huber = torch.where(size < bound, size.square() / 2, bound * (size - bound / 2))
    weight = seen * (bound / size.clamp(min=torch.finfo(size.dtype).tiny)).clamp(max=1)

    # The chain rule from pixels over normalised coordinates to the point P, and dP = v + w x P.
    du, dv = along_u * fx, along_v * fy
    dz = -(du * x + dv * y)
    near = inverse_z / pairs.inverse_depth[:, None]
    jacobian = torch.stack([du * near, dv * near, dz * near, dz * y - dv, du - dz * x, dv * x - du * y], dim=1)
    # Where nothing is seen, all residuals are 0, and the error would be the least of all.
    error = torch.where(seen.any(1), huber.sum(1) / count.squeeze(1), torch.inf)
    return _Fit(error, bound, residual, weight, jacobian)


def _stepped(pairs: _Pairs, T: Float[Tensor, "n 4 4"], fit: _Fit) -> Float[Tensor, "n 4 4"]:
    """The motion after one step of Gauss and Newton that keeps the length of the translation."""
    translation = T[:, :3, 3]
    length = translation.norm(dim=1, keepdim=True)
    direction = translation / length.clamp(min=MIN_Z)
    J = fit.jacobian
    # Only across the translation: along it, its length would change.
    across = J[:, :3] - direction[:, :, None] * (direction[:, None] @ J[:, :3])
    J = torch.cat([across, J[:, 3:]], dim=1)
    weighted = J * fit.weight[:, None]
    hessian = weighted @ J.transpose(1, 2)
    diagonal = hessian.diagonal(dim1=1, dim2=2)
    # The largest entry stands for those of directions that nothing determines, of which one is that of the translation.
    damping = _DAMPING * torch.maximum(diagonal, _DAMPING * diagonal.amax(1, keepdim=True)) + 1e-12
    gradient = (weighted @ fit.residual[:, :, None]).squeeze(-1)
    # solve_ex skips the check for singular matrices, for which a GPU would have to wait; damped, none is.
    step = -torch.linalg.solve_ex(hessian + torch.diag_embed(damping), gradient).result
    step = step * (_LONGEST / step.abs().amax(1, keepdim=True).clamp(min=_LONGEST))
    moved = transform_from_axis_angle(step[:, 3:], step[:, :3] / pairs.inverse_depth[:, None]) @ T
    scale = length / moved[:, :3, 3].norm(dim=1, keepdim=True).clamp(min=MIN_Z)
    moved[:, :3, 3] *= scale.clamp(max=1 / MIN_Z)
    return moved


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


def _points(depth: Float[Tensor, "b 1 h w"], K: Float[Tensor, "b 3 3"]) -> Float[Tensor, "b 3 p"]:
    """The scene's point at every pixel, in the camera of the pixels."""
    grid = pixel_grid(depth.shape[-2], depth.shape[-1], dtype=depth.dtype, device=depth.device).flatten(1)
    rays: Tensor = torch.linalg.inv_ex(K).inverse @ grid
    return depth.flatten(2) * rays


def _per_source(values: Tensor, s: int) -> Tensor:
    """Repeat what belongs to a clip for each of its sources."""
    return values.repeat_interleave(s, dim=0)
