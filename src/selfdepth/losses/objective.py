"""The objective: minimum reprojection, auto-mask, full-resolution multiscale, smoothness (paper, section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selfdepth.config import LossConfig
from selfdepth.geometry.camera import downscale
from selfdepth.losses.fused.binding import FusedReprojectionLevel, can_fuse
from selfdepth.losses.reprojection import ReprojectionLevel, TensorReprojectionLevel
from selfdepth.losses.smoothness import smoothness


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
    scales = [(frames.shape[-2] // disparity.shape[-2]).bit_length() - 1 for disparity in disparities]  # log2(H / h)
    views = [downscale(frames, K, scale, cfg.pixel_convention) for scale in scales]
    if cfg.multiscale == "full":
        # Coarse disparities are compared at full resolution too: a patch of texture is then not its own explanation.
        size = (frames.shape[-2], frames.shape[-1])
        disparities_there = tuple(_upsample(disparity, size) for disparity in disparities)
        masks_there = tuple(_upsample(mask, size) for mask in masks) if masks is not None else None
        compared = _level(frames, K, cfg).compare(disparities_there, T_source_target, masks_there)
    else:
        disparities_there, compared = disparities, []
        for i, (small_frames, small_K) in enumerate(views):
            mask = (masks[i],) if masks is not None else None
            compared += _level(small_frames, small_K, cfg).compare((disparities[i],), T_source_target, mask)
    # A motion that is not a number must show in the loss, not hide behind the auto-mask.
    broken = 0 * T_source_target.sum()
    losses = [
        each.loss + broken + cfg.smoothness / 2**scale * smoothness(disparity, small_frames[:, 0])
        for each, scale, disparity, (small_frames, _) in zip(compared, scales, disparities, views, strict=True)
    ]
    return Objective(
        loss=torch.stack(losses).mean(),
        per_scale=tuple(losses),
        keep=tuple(each.keep for each in compared),
        depth=cfg.depth_range.depth(disparities_there[0]),
    )


def _level(frames: Float[Tensor, "b views 3 h w"], K: Float[Tensor, "b 3 3"], cfg: LossConfig) -> ReprojectionLevel:
    kind = FusedReprojectionLevel if can_fuse(frames, cfg) else TensorReprojectionLevel
    return kind.of(frames, K, cfg)


def _upsample(maps: Float[Tensor, "b c _h _w"], size: tuple[int, int]) -> Float[Tensor, "b c hl wl"]:
    if maps.shape[-2:] == size:
        return maps
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)
