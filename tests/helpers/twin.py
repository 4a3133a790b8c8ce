"""The objective once more, slow and obvious: everything is computed anew for every scale and source."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from selfdepth.config import LossConfig


def twin_loss(
    disparities: tuple[Tensor, ...],
    T_source_target: Tensor,
    frames: Tensor,
    K: Tensor,
    cfg: LossConfig,
    masks: tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """The loss, and per scale which pixels a warped source won. No tie-break noise."""
    losses, keeps = [], []
    for scale, disparity in enumerate(disparities):
        small = block_average(frames, 2**scale)
        native = cfg.multiscale == "native"
        images = small if native else frames
        camera = camera_at(K, 2**scale, cfg) if native else K
        size = images.shape[-2:]
        depth = 1 / (1 / cfg.far + (1 / cfg.near - 1 / cfg.far) * upsample(disparity, size))
        target, sources = images[:, 0], images[:, 1:].unbind(1)
        static = [pair_error(source, target, cfg) for source in sources]
        warped = [
            pair_error(warp(source, depth, T, camera), target, cfg)
            for source, T in zip(sources, T_source_target.unbind(1), strict=True)
        ]
        loss = cfg.smoothness / 2**scale * smoothness_term(disparity, small[:, 0])
        if masks is not None:
            mask = upsample(masks[scale], size)
            warped = [m * error for m, error in zip(mask.unbind(1), warped, strict=True)]
            loss = loss + 0.2 * F.binary_cross_entropy(mask, torch.ones_like(mask))
        candidates, n_static = gather_candidates(static, warped, cfg)
        winner = candidates.argmin(1, keepdim=True)
        losses.append(loss + candidates.gather(1, winner).mean())
        keeps.append((winner.squeeze(1) >= n_static).to(frames.dtype))
    return sum(losses[1:], losses[0]) / len(losses), keeps


def gather_candidates(static: list[Tensor], warped: list[Tensor], cfg: LossConfig) -> tuple[Tensor, int]:
    """What the pixel's minimum is taken over, static ones first, and how many of these there are."""
    if cfg.reprojection == "mean":
        static, warped = [sum(static) / len(static)], [sum(warped) / len(warped)]  # type: ignore[list-item]
    if not cfg.automask:
        static = []
    return torch.stack(static + warped, dim=1), len(static)


def pair_error(a: Tensor, b: Tensor, cfg: LossConfig) -> Tensor:
    l1 = (a - b).abs().mean(1)
    if not cfg.ssim:
        return l1
    return cfg.ssim_weight * ssim_distance(a, b).mean(1) + (1 - cfg.ssim_weight) * l1


def ssim_distance(x: Tensor, y: Tensor) -> Tensor:
    """(1 - SSIM) / 2 per channel, from the nine values of each window."""
    x, y = windows(x), windows(y)
    mean_x, mean_y = x.mean(-1), y.mean(-1)
    variance_x, variance_y = (x**2).mean(-1) - mean_x**2, (y**2).mean(-1) - mean_y**2
    covariance = (x * y).mean(-1) - mean_x * mean_y
    ssim = ((2 * mean_x * mean_y + 0.01**2) * (2 * covariance + 0.03**2)) / (
        (mean_x**2 + mean_y**2 + 0.01**2) * (variance_x + variance_y + 0.03**2)
    )
    return ((1 - ssim) / 2).clamp(0, 1)


def windows(image: Tensor) -> Tensor:
    padded = F.pad(image, (1, 1, 1, 1), mode="reflect")
    return padded.unfold(2, 3, 1).unfold(3, 3, 1).flatten(-2)


def warp(source: Tensor, depth: Tensor, T_source_target: Tensor, K: Tensor) -> Tensor:
    """A homogeneous cloud of points, moved, projected, and looked up in four neighbours each."""
    b, _, h, w = source.shape
    v, u = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    pixels = torch.stack([u, v, torch.ones_like(u)]).to(depth).reshape(1, 3, -1)
    points = depth.reshape(b, 1, -1) * (torch.linalg.inv(K) @ pixels)
    homogeneous = torch.cat([points, torch.ones(b, 1, h * w).to(depth)], dim=1)
    seen = K @ (T_source_target @ homogeneous)[:, :3]
    x = (seen[:, 0] / seen[:, 2]).clamp(0, w - 1)
    y = (seen[:, 1] / seen[:, 2]).clamp(0, h - 1)
    x0, y0 = x.detach().floor().clamp(0, w - 2), y.detach().floor().clamp(0, h - 2)
    right, down = (x - x0).unsqueeze(1), (y - y0).unsqueeze(1)

    def neighbour(dx: int, dy: int) -> Tensor:
        index = ((y0 + dy) * w + x0 + dx).long().unsqueeze(1).expand(b, 3, -1)
        return source.flatten(2).gather(2, index)

    upper = (1 - right) * neighbour(0, 0) + right * neighbour(1, 0)
    lower = (1 - right) * neighbour(0, 1) + right * neighbour(1, 1)
    return ((1 - down) * upper + down * lower).unflatten(2, (h, w))


def smoothness_term(disparity: Tensor, image: Tensor) -> Tensor:
    d = torch.stack([one / (one.mean() + 1e-7) for one in disparity])
    gx = (image[..., :-1] - image[..., 1:]).abs().mean(1, keepdim=True)
    gy = (image[..., :-1, :] - image[..., 1:, :]).abs().mean(1, keepdim=True)
    x = (d[..., :-1] - d[..., 1:]).abs() * torch.exp(-gx)
    y = (d[..., :-1, :] - d[..., 1:, :]).abs() * torch.exp(-gy)
    return x.mean() + y.mean()


def block_average(frames: Tensor, block: int) -> Tensor:
    *lead, h, w = frames.shape
    return frames.reshape(*lead, h // block, block, w // block, block).mean((-3, -1))


def camera_at(K: Tensor, block: int, cfg: LossConfig) -> Tensor:
    shift = 0.5 if cfg.pixel_convention == "center" else 0.0
    small = K.clone()
    small[:, 0, 0], small[:, 1, 1] = K[:, 0, 0] / block, K[:, 1, 1] / block
    small[:, 0, 2], small[:, 1, 2] = ((K[:, i, 2] + shift) / block - shift for i in (0, 1))
    return small


def upsample(maps: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(maps, size=tuple(size), mode="bilinear", align_corners=False)
