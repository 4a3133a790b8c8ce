"""Self-teaching: a disparity and its uncertainty, learned from a frozen teacher (Poggi et al., CVPR 2020, "Self")."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selfdepth.geometry.depth_range import DepthRange

LEAST_RELATIVE_SIGMA = 1e-3
"""Added to sigma, as a share of the disparity. Where student and teacher agree exactly, as in a blank sky, sigma would
otherwise fall without end, and the gradient of the next deviation there, 1 / sigma, would outweigh all others."""


def self_teaching_loss(
    disparities: tuple[Float[Tensor, "b 1 _h _w"], ...],
    log_sigmas: tuple[Float[Tensor, "b 1 _h _w"], ...],
    taught: Float[Tensor, "b 1 h w"],
    depth_range: DepthRange,
) -> tuple[Float[Tensor, ""], ...]:
    """The loss of each scale: the mean of |d - d_T| / sigma + log sigma, compared at the size of the images.

    It is the negative logarithm of a Laplace distribution, up to a constant: with its minimum where sigma is the mean
    deviation |d - d_T| that pixels of this appearance have. The photometric error has no part in it.

    Args:
        disparities: the student's sigmoids in (0, 1), finest first.
        log_sigmas: of the same sizes; log sigma of the scaled disparity d = 1 / depth, in its unit.
        taught: d_T, the teacher's scaled disparity at the size of the images.
        depth_range: of both.
    """
    size = taught.shape[-2:]
    losses = []
    for sigmoid, log_sigma in zip(disparities, log_sigmas, strict=True):
        disparity = depth_range.disparity(_upsample(sigmoid, size))
        log_sigma = bounded_log_sigma(_upsample(log_sigma, size), disparity)
        losses.append(((disparity - taught).abs() * (-log_sigma).exp() + log_sigma).mean())
    return tuple(losses)


def bounded_log_sigma(
    log_sigma: Float[Tensor, "b 1 h w"], disparity: Float[Tensor, "b 1 h w"]
) -> Float[Tensor, "b 1 h w"]:
    """The log of sigma + LEAST_RELATIVE_SIGMA d, finite for every output of the network."""
    return torch.logaddexp(log_sigma, (LEAST_RELATIVE_SIGMA * disparity.detach()).log())


def confidence_of(log_sigma: Float[Tensor, "b 1 h w"], disparity: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"]:
    """The confidence of a depth, 1 / (1 + sigma / d), in (0, 1).

    sigma / d is the expected deviation of the disparity as a share of it, which is also that of the depth, to first
    order: a confidence of 0.9 stands for 11 %, and 0.5 for as much as the depth itself. It has no unit.

    Args:
        log_sigma: of the scaled disparity.
        disparity: the scaled disparity d = 1 / depth.
    """
    return torch.sigmoid(disparity.log() - bounded_log_sigma(log_sigma, disparity))


def _upsample(maps: Float[Tensor, "b 1 _h _w"], size: torch.Size) -> Float[Tensor, "b 1 h w"]:
    return maps if maps.shape[-2:] == size else F.interpolate(maps, size, mode="bilinear", align_corners=False)
