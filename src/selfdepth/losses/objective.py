"""The objective: minimum reprojection, auto-mask, full-resolution multi-scale, smoothness (paper, section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selfdepth.config import LossConfig
from selfdepth.geometry.camera import downscale
from selfdepth.geometry.lenses import Lenses
from selfdepth.losses.fused.binding import FusedReprojectionLevel, can_fuse
from selfdepth.losses.reprojection import ReprojectionLevel, ReprojectionLoss, TensorReprojectionLevel
from selfdepth.losses.smoothness import smoothness


@dataclass(frozen=True, kw_only=True)
class Objective:
    """The loss, and what it was computed from.

    Attributes:
        loss: mean of `per_scale`.
        per_scale: one loss per disparity, in the order of the disparities (finest first).
        automask: mu of equation 5 per scale: 1 where a warped source explains the pixel best, else 0.
        depth: of the finest disparity, at the size where it was compared, in the unit of the translations.
    """

    loss: Float[Tensor, ""]
    per_scale: tuple[Float[Tensor, ""], ...]
    automask: tuple[Float[Tensor, "b _h _w"], ...]
    depth: Float[Tensor, "b 1 _hd _wd"]


def self_supervised_loss(
    disparities: tuple[Float[Tensor, "b 1 _h _w"], ...],
    T_source_target: Float[Tensor, "b s 4 4"],
    frames: Float[Tensor, "b views 3 h w"],
    K: Float[Tensor, "b 3 3"],
    cfg: LossConfig,
    masks: tuple[Float[Tensor, "b s _h _w"], ...] | None = None,
    lenses: Lenses | None = None,
    part: tuple[int, int] | None = None,
) -> Objective:
    """The self-supervised objective of the paper, with every ablation of its Table 2.

    L = mean over the scales s of [ mean(mu L_p) + lambda / 2^s L_s ]; pixels with mu = 0 add a constant.

    Args:
        disparities: the network's sigmoids in (0, 1), finest first. The scale of each follows from its size.
        T_source_target: target to source, one per source.
        frames: the target, then the s sources; clean colours in [0, 1].
        K: intrinsics in pixels at the frames' size.
        cfg: the switches.
        masks: weights in (0, 1) per source, of the same sizes as the disparities (cfg.predictive_mask only).
        lenses: at the frames' size; None for pinholes. Pixels without a ray are in no mean and have no gradient.
        part: as `Batch.part`.
    """
    scales = [(frames.shape[-2] // disparity.shape[-2]).bit_length() - 1 for disparity in disparities]  # log2(H / h)
    whole = _Level(frames, K, lenses, part)
    pyramid = [whole.downscaled(scale, cfg) for scale in scales]
    if cfg.multiscale == "full":
        # The paper's third contribution. In a small image fine texture is averaged away and many depths fit equally
        # well, so coarse disparities are upsampled and compared at full resolution too.
        size = (frames.shape[-2], frames.shape[-1])
        compared_disparities = tuple(upsample(disparity, size) for disparity in disparities)
        compared_masks = tuple(upsample(mask, size) for mask in masks) if masks is not None else None
        reprojections = whole.reprojection(cfg).compare(compared_disparities, T_source_target, compared_masks)
    else:
        compared_disparities, reprojections = disparities, []
        for i, small in enumerate(pyramid):
            mask = (masks[i],) if masks is not None else None
            reprojections += small.reprojection(cfg).compare((disparities[i],), T_source_target, mask)
    losses = _with_smoothness(reprojections, pyramid, scales, disparities, cfg, nan_if_broken=0 * T_source_target.sum())
    return Objective(
        loss=torch.stack(losses).mean(),
        per_scale=tuple(losses),
        automask=tuple(each.automask for each in reprojections),
        depth=cfg.depth_range.depth(compared_disparities[0]),
    )


def _with_smoothness(
    reprojections: list[ReprojectionLoss],
    pyramid: list[_Level],
    scales: list[int],
    disparities: tuple[Float[Tensor, "b 1 _h _w"], ...],
    cfg: LossConfig,
    *,
    nan_if_broken: Float[Tensor, ""],
) -> list[Float[Tensor, ""]]:
    # A NaN in a motion would lose against every unwarped error and vanish behind the auto-mask. 0 * NaN is NaN, which
    # puts it into the loss, where the training loop looks for it.
    # Smoothness compares neighbours at the disparity's own size, where they are 2^s full-size pixels apart. Divided by
    # 2^s, the same slope of the disparity costs the same at every scale.
    return [
        each.loss + nan_if_broken + cfg.smoothness / 2**scale * small.smoothness(disparity)
        for each, scale, disparity, small in zip(reprojections, scales, disparities, pyramid, strict=True)
    ]


class _Level(NamedTuple):
    """Frames of one size with their cameras."""

    frames: Float[Tensor, "b views 3 h w"]
    K: Float[Tensor, "b 3 3"]
    lenses: Lenses | None
    part: tuple[int, int] | None = None

    def downscaled(self, scale: int, cfg: LossConfig) -> _Level:
        """Frames averaged over blocks of 2^scale x 2^scale pixels."""
        small = None if self.lenses is None else self.lenses.downscaled(scale, cfg.pixel_convention)
        return _Level(*downscale(self.frames, self.K, scale, cfg.pixel_convention), small, self.part)

    def reprojection(self, cfg: LossConfig) -> ReprojectionLevel:
        kind = FusedReprojectionLevel if can_fuse(self.frames, cfg) else TensorReprojectionLevel
        return kind.of(self.frames, self.K, cfg, self.lenses, self.part)

    def smoothness(self, disparity: Float[Tensor, "b 1 h w"]) -> Float[Tensor, ""]:
        return smoothness(disparity, self.frames[:, 0], None if self.lenses is None else self.lenses.seen)


def upsample(maps: Float[Tensor, "b c _h _w"], size: tuple[int, int]) -> Float[Tensor, "b c hl wl"]:
    """Maps at another, larger size (height, width), between the pixels bilinearly."""
    if maps.shape[-2:] == size:
        return maps
    # align_corners=False is the half-pixel rule of geometry/camera.py: a coarse pixel lies in the middle of its block.
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)
