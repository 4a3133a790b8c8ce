"""The objectives of a run's first steps: the motion alone, then both without the auto-mask (ours, not the paper's).

Depth cannot be learned before the motion. While the predicted motion is still wrong, most pixels are explained better
by not warping, so the auto-mask hides them, and the motion with them. Here nothing is masked, and one constant depth
leaves the motion no wrong shape of the scene to fit. The images are compared at a quarter of their size, where a
displacement of many pixels is one of few: the error then falls all the way to the right motion (coarse to fine, as in
direct image alignment). `engine/motion_first.py` decides how long this lasts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selfdepth.config import LossConfig
from selfdepth.geometry.camera import downscale
from selfdepth.geometry.lenses import Lenses, mean_of_seen
from selfdepth.losses.objective import Objective, self_supervised_loss
from selfdepth.losses.photometric import Target, photometric_error
from selfdepth.losses.reprojection import over_sources, rebuilt

_SCALE = 2
"""Images are compared at 1/2^2 of their size."""
_TIE = 1e-5
"""Errors closer than this differ by rounding: a motion of zero explains nothing better than no motion."""


class MotionLoss(NamedTuple):
    """The photometric error of the target rebuilt at constant depth.

    Attributes:
        loss: mean over all pixels of the small images that a source sees, none of them masked.
        explained: 1 where a warped source explains the pixel better than every unwarped one, else 0.
    """

    loss: Float[Tensor, ""]
    explained: Float[Tensor, "b h w"]


def motion_loss(
    depth: float,
    T_source_target: Float[Tensor, "b s 4 4"],
    frames: Float[Tensor, "b views 3 h w"],
    K: Float[Tensor, "b 3 3"],
    cfg: LossConfig,
    lenses: Lenses | None = None,
) -> MotionLoss:
    """Rebuild small targets from small sources, and compare them: equations 2 and 4, without the auto-mask (5).

    Args:
        depth: constant, in the unit of the translations.
        T_source_target: target to source, one per source.
        frames: the target, then the s sources; colours in [0, 1].
        K: intrinsics in pixels at the frames' size.
        cfg: of the photometric error.
        lenses: at the frames' size; None for pinholes.
    """
    size = frames.shape[-2:]
    frames, K = downscale(frames, K, _SCALE, cfg.pixel_convention)
    lenses = None if lenses is None else lenses.downscaled(_SCALE, cfg.pixel_convention)
    target, flat = Target.of(frames[:, 0]), torch.full_like(frames[:, 0, :1], depth)
    warped, seen = rebuilt(frames, flat, T_source_target, K, lenses)
    errors = photometric_error(warped, target, cfg)
    if seen is None:
        loss = (errors.amin(1) if cfg.reprojection == "min" else errors.mean(1)).mean()
    else:
        loss = mean_of_seen(over_sources(errors, seen, cfg), seen.any(1))
        errors = errors.masked_fill(~seen, torch.inf)
    with torch.no_grad():
        unwarped = photometric_error(frames[:, 1:], target, cfg).amin(1)
        explained = (errors.amin(1) < unwarped - _TIE).to(loss.dtype)
        explained = F.interpolate(explained.unsqueeze(1), size, mode="nearest").squeeze(1)
    return MotionLoss(loss, explained)


def unmasked_loss(
    disparities: tuple[Float[Tensor, "b 1 _h _w"], ...],
    T_source_target: Float[Tensor, "b s 4 4"],
    frames: Float[Tensor, "b views 3 h w"],
    K: Float[Tensor, "b 3 3"],
    cfg: LossConfig,
    masks: tuple[Float[Tensor, "b s _h _w"], ...] | None = None,
    lenses: Lenses | None = None,
    part: tuple[int, int] | None = None,
) -> Objective:
    """As `self_supervised_loss`, but every pixel counts; `automask` is what the mask would be, at the finest scale."""
    unmasked = replace(cfg, automask=False)
    objective = self_supervised_loss(disparities, T_source_target, frames, K, unmasked, masks, lenses, part)
    with torch.no_grad():
        finest = masks[:1] if masks is not None else None
        masked = self_supervised_loss(disparities[:1], T_source_target, frames, K, cfg, finest, lenses, part)
    return replace(objective, automask=masked.automask)
