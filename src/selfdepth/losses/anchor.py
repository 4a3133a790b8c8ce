"""The anchor of a refinement: the distance of its depth from that of the model where it started."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selfdepth.geometry.depth_range import DepthRange


def anchor_loss(
    disparities: tuple[Float[Tensor, "b 1 _h _w"], ...], start: Float[Tensor, "b 1 h w"], depth_range: DepthRange
) -> Float[Tensor, ""]:
    """The mean of |log d - log d0| over pixels and scales, compared at the size of the images.

    Of depths or of disparities, which makes no difference; 0.1 is a tenth. The scale counts too: a model in metres must
    not drift away from them.

    Args:
        disparities: the sigmoids in (0, 1), finest first.
        start: 1 / d0, the scaled disparity of the starting model at the size of the images.
        depth_range: of both.
    """
    size = start.shape[-2:]
    # Their log once, not for each scale.
    log_start = start.log()
    upsampled = [
        each if each.shape[-2:] == size else F.interpolate(each, size, mode="bilinear", align_corners=False)
        for each in disparities
    ]
    return torch.stack([(depth_range.disparity(each).log() - log_start).abs().mean() for each in upsampled]).mean()
