"""The objective: minimum reprojection, auto-mask, full-resolution multiscale (paper, section 3.2).

The unwarped ("static") error and the target's SSIM statistics depend on neither the scale nor the networks: a
`Level` holds them, and the full-resolution level is prepared once and serves all scales.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selfdepth.config import LossConfig
from selfdepth.geometry.camera import downscale
from selfdepth.geometry.warp import depth_from_disparity, synthesize
from selfdepth.losses.photometric import Target, photometric_error
from selfdepth.losses.smoothness import smoothness

_MASK_WEIGHT = 0.2
_LOG_FLOOR = -100.0


@dataclass(frozen=True, kw_only=True)
class Objective:
    """The loss and what it saw.

    Attributes:
        loss: mean of `per_scale`.
        per_scale: one loss per disparity, in their order (finest first).
        keep: per scale, 1 where a warped candidate won the pixel and 0 where a static one did (equation 5).
        depth: of the finest disparity, at the size where it was compared.
    """

    loss: Float[Tensor, ""]
    per_scale: tuple[Float[Tensor, ""], ...]
    keep: tuple[Float[Tensor, "b _h _w"], ...]
    depth: Float[Tensor, "b 1 _hd _wd"]


@dataclass(frozen=True, kw_only=True)
class Level:
    """Frames at the resolution where they are compared, with all that does not depend on depth or motion."""

    frames: Float[Tensor, "b views 3 h w"]
    K: Float[Tensor, "b 3 3"]
    target: Target
    static: Float[Tensor, "b h w"] | None

    @staticmethod
    def of(frames: Float[Tensor, "b views 3 h w"], K: Float[Tensor, "b 3 3"], cfg: LossConfig) -> Level:
        """Prepare a level; the static error is None when there is no auto-mask."""
        target = Target.of(frames[:, 0])
        static = _static_error(frames[:, 1:], target, cfg) if cfg.automask else None
        return Level(frames=frames, K=K, target=target, static=static)


def self_supervised_loss(
    disparities: tuple[Float[Tensor, "b 1 _h _w"], ...],
    T_source_target: Float[Tensor, "b s 4 4"],
    frames: Float[Tensor, "b views 3 h w"],
    K: Float[Tensor, "b 3 3"],
    cfg: LossConfig,
    masks: tuple[Float[Tensor, "b s _h _w"], ...] | None = None,
) -> Objective:
    """The self-supervised objective of the paper, with every ablation of its Table 2.

    Args:
        disparities: the network's sigmoids in (0, 1), finest first. The scale of each is read from its size.
        T_source_target: target to source, one per source.
        frames: target, then the s sources; clean colours in [0, 1].
        K: intrinsics in pixels at the frames' size.
        cfg: the switches.
        masks: weights in (0, 1) per source, same sizes as the disparities (cfg.predictive_mask only).
    """
    full = Level.of(frames, K, cfg) if cfg.multiscale == "full" else None
    losses: list[Tensor] = []
    keeps: list[Tensor] = []
    depths: list[Tensor] = []
    for index, disparity in enumerate(disparities):
        scale = (frames.shape[-2] // disparity.shape[-2]).bit_length() - 1  # log2(H / h)
        small_frames, small_K = downscale(frames, K, scale, cfg.pixel_convention)
        level = full if full is not None else Level.of(small_frames, small_K, cfg)
        mask = masks[index] if masks is not None else None
        loss, keep, depth = _reprojection(disparity, T_source_target, level, mask, cfg)
        losses.append(loss + cfg.smoothness / 2**scale * smoothness(disparity, small_frames[:, 0]))
        keeps.append(keep)
        depths.append(depth)
    return Objective(loss=torch.stack(losses).mean(), per_scale=tuple(losses), keep=tuple(keeps), depth=depths[0])


def _reprojection(
    disparity: Float[Tensor, "b 1 _h _w"],
    T_source_target: Float[Tensor, "b s 4 4"],
    level: Level,
    mask: Float[Tensor, "b s _h _w"] | None,
    cfg: LossConfig,
) -> tuple[Float[Tensor, ""], Float[Tensor, "b hl wl"], Float[Tensor, "b 1 hl wl"]]:
    """Warp the sources through one disparity and reduce their errors to a loss, a keep mask and the depth."""
    depth = depth_from_disparity(_upsample(disparity, level), cfg.near, cfg.far)
    warped = torch.stack(
        [
            synthesize(level.frames[:, 1 + source], depth, T_source_target[:, source], level.K)
            for source in range(T_source_target.shape[1])
        ],
        dim=1,
    )
    errors = photometric_error(warped, level.target, cfg)
    penalty = errors.new_zeros(())
    if mask is not None:
        mask = _upsample(mask, level)
        errors = mask * errors
        # Without this cross-entropy towards one, a mask of zero would be the cheapest explanation of everything.
        penalty = -_MASK_WEIGHT * mask.log().clamp(min=_LOG_FLOOR).mean()
    error = _over_sources(errors, cfg)
    if level.static is None:
        return error.mean() + penalty, torch.ones_like(error), depth
    # Equation 5: keep a pixel only where warping explains it better than not warping. Static wins ties.
    keep = error < level.static
    return torch.where(keep, error, level.static).mean() + penalty, keep.to(error.dtype), depth


def _static_error(sources: Float[Tensor, "b s 3 h w"], target: Target, cfg: LossConfig) -> Float[Tensor, "b h w"]:
    errors = photometric_error(sources, target, cfg)
    if cfg.tie_break_noise == 0:
        return _over_sources(errors, cfg)
    if cfg.reprojection == "mean":
        error = errors.mean(1)
        return error + cfg.tie_break_noise * torch.randn_like(error)
    return (errors + cfg.tie_break_noise * torch.randn_like(errors)).amin(1)


def _over_sources(errors: Float[Tensor, "b s h w"], cfg: LossConfig) -> Float[Tensor, "b h w"]:
    """Equation 4 of the paper: the best source per pixel (occluded in one, visible in the other), or the mean."""
    return errors.min(1).values if cfg.reprojection == "min" else errors.mean(1)


def _upsample(maps: Float[Tensor, "b c _h _w"], level: Level) -> Float[Tensor, "b c hl wl"]:
    size = level.frames.shape[-2:]
    if maps.shape[-2:] == size:
        return maps
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)
