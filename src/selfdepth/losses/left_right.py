"""The objective of Monodepth v1 (Godard, Mac Aodha and Brostow, CVPR 2017, arXiv 1609.03677, section 3.3).

One image gives the disparities of both views of a rectified stereo pair. Each view is rebuilt from the other, and each
disparity must agree with the other one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selfdepth.config import LossConfig
from selfdepth.geometry.warp import pixel_grid, sample
from selfdepth.losses.photometric import Target, photometric_error
from selfdepth.losses.smoothness import edge_aware_gradients

_CONSISTENCY = 1.0
"""Weight of the left-right consistency (alpha_lr in the paper)."""


@dataclass(frozen=True, kw_only=True)
class LeftRightScale:
    """The three terms of C_s at one scale, each the sum of the two views' means over the pixels, without weights.

    Attributes:
        appearance: C_ap: the photometric error of the rebuilt views.
        smoothness: C_ds: the steps of the disparities where the image has none.
        consistency: C_lr: the difference between the two disparities of a point, as a share of the width.
        scale: s; the disparity has 1/2^s of the images' size.
    """

    appearance: Float[Tensor, ""]
    smoothness: Float[Tensor, ""]
    consistency: Float[Tensor, ""]
    scale: int

    def loss(self, cfg: LossConfig) -> Float[Tensor, ""]:
        """C_s, equation 1: C_ap + alpha_ds / 2^s C_ds + C_lr."""
        # Disparities are shares of the width, so from one scale to the next the steps between neighbours double.
        smoothness_weight = cfg.smoothness / float(2**self.scale)
        return self.appearance + smoothness_weight * self.smoothness + _CONSISTENCY * self.consistency


def left_right_terms(
    disparities: tuple[Float[Tensor, "b 2 _h _w"], ...],
    views: Float[Tensor, "b 2 3 h w"],
    cfg: LossConfig,
) -> tuple[LeftRightScale, ...]:
    """The terms of every scale, in the order of the disparities. The paper's objective is the sum of their losses.

    Args:
        disparities: of the left and the right view, as shares of the width; finest first. The scale of each follows
            from its size.
        views: the left and the right image; clean colours in [0, 1].
        cfg: `ssim` and `ssim_weight` of the photometric error.
    """
    return tuple(_terms(disparity, views, cfg) for disparity in disparities)


def shift(images: Float[Tensor, "n c h w"], share: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n c h w"]:
    """Sample images along their rows, bilinearly: pixel u becomes what lies at u + share * width.

    Outside the image its border is repeated.
    """
    height, width = images.shape[-2:]
    u, v, _ = pixel_grid(height, width, dtype=images.dtype, device=images.device)
    shifted = u + share[:, 0] * width
    return sample(images, torch.stack([shifted, v.expand_as(shifted)], dim=1))


def from_other_view(
    other: Float[Tensor, "b 2 *c h w"], disparity: Float[Tensor, "b 2 h w"]
) -> Float[Tensor, "b 2 *c h w"]:
    """The left and the right view, each rebuilt from the other through its own disparity.

    A point lies further left in the right image: at u - d w, if d is the disparity of the left view's pixel u.

    Args:
        other: for the left view the right one's image (or disparity), and for the right view the left one's.
        disparity: of the left and the right view, as shares of the width.
    """
    towards_other = disparity * disparity.new_tensor([-1.0, 1.0])[:, None, None]
    flat = other.flatten(0, 1)
    maps = flat if flat.dim() == 4 else flat.unsqueeze(1)
    return shift(maps, towards_other.flatten(0, 1).unsqueeze(1)).reshape(other.shape)


def _terms(disparity: Float[Tensor, "b 2 _h _w"], views: Float[Tensor, "b 2 3 h w"], cfg: LossConfig) -> LeftRightScale:
    block = views.shape[-2] // disparity.shape[-2]
    images = views.flatten(0, 1)
    small = F.avg_pool2d(images, block) if block > 1 else images
    others = small.reshape(*views.shape[:3], *small.shape[-2:]).flip(1)
    rebuilt = from_other_view(others, disparity)
    errors = photometric_error(rebuilt.flatten(0, 1).unsqueeze(1), Target.of(small), cfg)
    # Equation 4: the disparity of one view, and the other's at the point where it leads.
    difference = (disparity - from_other_view(disparity.flip(1), disparity)).abs()
    # Both views have the same number of pixels: twice the mean of all is the sum of the two means.
    return LeftRightScale(
        appearance=2 * errors.mean(),
        smoothness=2 * edge_aware_gradients(disparity.flatten(0, 1).unsqueeze(1), small),
        consistency=2 * difference.mean(),
        scale=block.bit_length() - 1,
    )
