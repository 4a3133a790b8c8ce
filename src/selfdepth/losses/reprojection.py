"""Minimum reprojection and auto-mask at one resolution (paper, section 3.2, equations 4 and 5).

The unwarped ("static") error and the target's SSIM statistics depend on neither the scale nor the networks. A
`ReprojectionLevel` holds them: the full-resolution level is prepared once and serves all scales. This file implements
it in tensor operations; `fused/binding.py` computes the same in one pass on a CPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfdepth.config import LossConfig
from selfdepth.geometry.lenses import Lenses, mean_of_seen
from selfdepth.geometry.warp import project_with_depth, sample, synthesize
from selfdepth.losses.photometric import Target, photometric_error

_MASK_WEIGHT = 0.2
"""Weight of the predictive mask's penalty in the paper's ablation."""
_LOG_FLOOR = -100.0
"""ln 0 is -infinity; a mask of exactly 0 must still cost a finite amount."""


class ReprojectionLoss(NamedTuple):
    """The photometric error of the target rebuilt through one disparity.

    Attributes:
        loss: mean over the pixels of the error that counts (and the predictive mask's penalty).
        automask: mu of equation 5: 1 where a warped source explains the pixel best, else 0.
    """

    loss: Float[Tensor, ""]
    automask: Float[Tensor, "b h w"]


@runtime_checkable
class ReprojectionLevel(Protocol):
    """Frames at the resolution where they are compared, and everything that depends on neither depth nor motion."""

    def compare(
        self,
        disparities: tuple[Float[Tensor, "b 1 h w"], ...],
        T_source_target: Float[Tensor, "b s 4 4"],
        masks: tuple[Float[Tensor, "b s h w"], ...] | None = None,
    ) -> list[ReprojectionLoss]:
        """Rebuild the target from the sources through each disparity, and compare it with the target.

        Args:
            disparities: sigmoids in (0, 1), resized to this level's size.
            T_source_target: target to source, one per source.
            masks: predictive masks in (0, 1), one per disparity, resized to this level's size.

        Returns:
            One per disparity, in their order.
        """


@dataclass(frozen=True, kw_only=True)
class TensorReprojectionLevel:
    """A `ReprojectionLevel` in tensor operations, for any device and for `torch.compile`.

    Attributes:
        frames: the target, then the sources; colours in [0, 1].
        K: intrinsics in pixels at this level's size.
        target: the target with its SSIM statistics.
        static: photometric error of the unwarped sources (right-hand side of equation 5); None without auto-mask.
        lenses: at this level's size; None for pinholes.
    """

    frames: Float[Tensor, "b views 3 h w"]
    K: Float[Tensor, "b 3 3"]
    target: Target
    static: Float[Tensor, "b h w"] | None
    cfg: LossConfig
    lenses: Lenses | None = None

    @staticmethod
    def of(
        frames: Float[Tensor, "b views 3 h w"],
        K: Float[Tensor, "b 3 3"],
        cfg: LossConfig,
        lenses: Lenses | None = None,
        part: tuple[int, int] | None = None,
    ) -> TensorReprojectionLevel:
        """Prepare a level from frames of its size, which are the `part` of a step's (`Batch.part`)."""
        target = Target.of(frames[:, 0])
        static = static_error(photometric_error(frames[:, 1:], target, cfg), cfg, part) if cfg.automask else None
        return TensorReprojectionLevel(frames=frames, K=K, target=target, static=static, cfg=cfg, lenses=lenses)

    def compare(
        self,
        disparities: tuple[Float[Tensor, "b 1 h w"], ...],
        T_source_target: Float[Tensor, "b s 4 4"],
        masks: tuple[Float[Tensor, "b s h w"], ...] | None = None,
    ) -> list[ReprojectionLoss]:
        """As `ReprojectionLevel.compare`."""
        each_mask = masks if masks is not None else (None,) * len(disparities)
        return [
            self._compare(disparity, T_source_target, mask)
            for disparity, mask in zip(disparities, each_mask, strict=True)
        ]

    def _compare(
        self, disparity: Float[Tensor, "b 1 h w"], T_source_target: Float[Tensor, "b s 4 4"], mask: Tensor | None
    ) -> ReprojectionLoss:
        # Equation 2: rebuild the target from each source.
        depth = self.cfg.depth_range.depth(disparity)
        warped, seen = rebuilt(self.frames, depth, T_source_target, self.K, self.lenses)
        errors = photometric_error(warped, self.target, self.cfg)
        penalty = errors.new_zeros(())
        if mask is not None:
            errors = mask * errors
            # The ablation after Zhou et al. Without this cross-entropy towards one, a mask of zero would be the
            # cheapest explanation of everything.
            penalty = -_MASK_WEIGHT * mask.log().clamp(min=_LOG_FLOOR).mean()
        # Equation 4: the best source per pixel, since what one source hides the other usually sees. Or their mean,
        # which is equation 1 up to a factor.
        error = over_sources(errors, seen, self.cfg)
        if self.static is None:
            counted = None if seen is None else seen.any(1)
            kept = torch.ones_like(error) if counted is None else counted.to(error.dtype)
            return ReprojectionLoss(mean_of_seen(error, counted) + penalty, kept)
        # Equation 5: learn from a pixel only where warping explains it better than not warping. Strictly less: at a
        # stop both are equal, and the unwarped source wins. A masked pixel adds its static error, which has no
        # gradient.
        automask = error < self.static
        counted = None if self.lenses is None else self.lenses.seen[:, 0]
        loss = mean_of_seen(torch.where(automask, error, self.static), counted) + penalty
        return ReprojectionLoss(loss, automask.to(error.dtype))


def rebuilt(
    frames: Float[Tensor, "b views 3 h w"],
    depth: Float[Tensor, "b 1 h w"],
    T_source_target: Float[Tensor, "b s 4 4"],
    K: Float[Tensor, "b 3 3"],
    lenses: Lenses | None,
) -> tuple[Float[Tensor, "b s 3 h w"], Bool[Tensor, "b s h w"] | None]:
    """The target rebuilt from each source, and which of its pixels the source's lens sees; None for pinholes."""
    sources = range(T_source_target.shape[1])
    if lenses is None:
        warped = [synthesize(frames[:, 1 + source], depth, T_source_target[:, source], K) for source in sources]
        return torch.stack(warped, dim=1), None
    places = [project_with_depth(depth, T_source_target[:, source], K, lenses) for source in sources]
    warped = [sample(frames[:, 1 + source], pixels) for source, (pixels, _) in zip(sources, places, strict=True)]
    return torch.stack(warped, dim=1), torch.cat([distance > 0 for _, distance in places], dim=1)


def over_sources(
    errors: Float[Tensor, "b s h w"], seen: Bool[Tensor, "b s h w"] | None, cfg: LossConfig
) -> Float[Tensor, "b h w"]:
    """The minimum over the sources (equation 4), or their mean; of sources that see the pixel, where that is known.

    Infinite, without a gradient, where none does.
    """
    if seen is not None:
        if cfg.reprojection == "min":
            return errors.masked_fill(~seen, torch.inf).min(1).values
        mean = errors.masked_fill(~seen, 0).sum(1) / seen.sum(1).clamp(min=1)
        return mean.masked_fill(~seen.any(1), torch.inf)
    return errors.min(1).values if cfg.reprojection == "min" else errors.mean(1)


def static_error(
    errors: Float[Tensor, "b s h w"], cfg: LossConfig, part: tuple[int, int] | None = None
) -> Float[Tensor, "b h w"]:
    """The error of not warping, over the sources as the warped one (minimum or mean), plus noise that breaks ties.

    Args:
        errors: photometric error of each unwarped source against the target.
        part: as `Batch.part`.
    """
    if cfg.reprojection == "mean":
        errors = errors.mean(1, keepdim=True)
    if cfg.tie_break_noise > 0:
        # Seeded by the training loop from (seed, step), so that a resumed run draws the same noise.
        errors = errors + cfg.tie_break_noise * _noise(errors, part)
    return errors.amin(1)


def _noise(like: Float[Tensor, "b s h w"], part: tuple[int, int] | None) -> Float[Tensor, "b s h w"]:
    if part is None:
        return torch.randn_like(like)
    # Drawn for the clips of all processes, so that their number does not change the run.
    first, total = part
    return torch.randn((total, *like.shape[1:]), dtype=like.dtype, device=like.device)[first : first + len(like)]
