"""Minimum reprojection and auto-mask at one resolution (paper, section 3.2, equations 4 and 5).

The unwarped ("static") error and the target's SSIM statistics depend on neither the scale nor the networks: a
`ReprojectionLevel` holds them, and the full-resolution level is prepared once and serves all scales. Here it is
written in tensor operations; `fused/binding.py` computes the same in one pass on a CPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from selfdepth.config import LossConfig
from selfdepth.geometry.warp import synthesize
from selfdepth.losses.photometric import Target, photometric_error

_MASK_WEIGHT = 0.2
_LOG_FLOOR = -100.0


class ReprojectionLoss(NamedTuple):
    """How badly the target is rebuilt through one disparity.

    Attributes:
        loss: the photometric error that counts, a mean over the pixels.
        keep: 1 where a warped source won the pixel, else 0.
    """

    loss: Float[Tensor, ""]
    keep: Float[Tensor, "b h w"]


@runtime_checkable
class ReprojectionLevel(Protocol):
    """Frames at the resolution where they are compared, with all that does not depend on depth or motion."""

    def compare(
        self,
        disparities: tuple[Float[Tensor, "b 1 h w"], ...],
        T_source_target: Float[Tensor, "b s 4 4"],
        masks: tuple[Float[Tensor, "b s h w"], ...] | None = None,
    ) -> list[ReprojectionLoss]:
        """Rebuild the target from the sources through each disparity, and see how badly it fits.

        Args:
            disparities: sigmoids, and masks: their predictive masks, brought to this level's size.
        """


@dataclass(frozen=True, kw_only=True)
class TensorReprojectionLevel:
    """A `ReprojectionLevel` in tensor operations, for any device and for `torch.compile`.

    Attributes:
        frames: target, then the sources.
        static: the error of not warping, None without auto-mask.
    """

    frames: Float[Tensor, "b views 3 h w"]
    K: Float[Tensor, "b 3 3"]
    target: Target
    static: Float[Tensor, "b h w"] | None
    cfg: LossConfig

    @staticmethod
    def of(
        frames: Float[Tensor, "b views 3 h w"], K: Float[Tensor, "b 3 3"], cfg: LossConfig
    ) -> TensorReprojectionLevel:
        """Prepare a level."""
        target = Target.of(frames[:, 0])
        static = static_error(photometric_error(frames[:, 1:], target, cfg), cfg) if cfg.automask else None
        return TensorReprojectionLevel(frames=frames, K=K, target=target, static=static, cfg=cfg)

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
        depth = self.cfg.depth_range.depth(disparity)
        warped = torch.stack(
            [
                synthesize(self.frames[:, 1 + source], depth, T_source_target[:, source], self.K)
                for source in range(T_source_target.shape[1])
            ],
            dim=1,
        )
        errors = photometric_error(warped, self.target, self.cfg)
        penalty = errors.new_zeros(())
        if mask is not None:
            errors = mask * errors
            # Without this cross-entropy towards one, a mask of zero would be the cheapest explanation of everything.
            penalty = -_MASK_WEIGHT * mask.log().clamp(min=_LOG_FLOOR).mean()
        # Equation 4: the best source per pixel (occluded in one, visible in the other), or the mean.
        error = errors.min(1).values if self.cfg.reprojection == "min" else errors.mean(1)
        if self.static is None:
            return ReprojectionLoss(error.mean() + penalty, torch.ones_like(error))
        # Equation 5: keep a pixel only where warping explains it better than not warping. Static wins ties.
        keep = error < self.static
        return ReprojectionLoss(torch.where(keep, error, self.static).mean() + penalty, keep.to(error.dtype))


def static_error(errors: Float[Tensor, "b s h w"], cfg: LossConfig) -> Float[Tensor, "b h w"]:
    """The error of not warping, over the sources like the warped one, with the noise that breaks ties."""
    if cfg.reprojection == "mean":
        errors = errors.mean(1, keepdim=True)
    if cfg.tie_break_noise > 0:
        errors = errors + cfg.tie_break_noise * torch.randn_like(errors)
    return errors.amin(1)
