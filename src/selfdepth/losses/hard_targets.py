"""Depth in bad conditions must be that of the same view in clear ones (after Saunders et al., arXiv 2307.08357)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from selfdepth.geometry.depth_range import DepthRange


def hard_target_loss(
    hard: tuple[Float[Tensor, "k 1 _h _w"], ...],
    clear: tuple[Float[Tensor, "k 1 _h _w"], ...],
    depths: DepthRange,
) -> Float[Tensor, ""]:
    """Mean |ln d_hard - ln d_clear| over the pixels, averaged over the scales: an error of 0.1 is one of 10 % in depth.

    The clear disparity is a fixed target: without that, the easiest agreement would be to spoil it too.

    Args:
        hard, clear: sigmoids of the same targets in bad and in clear conditions, in (0, 1), finest first.
        depths: what the sigmoids stand for.
    """
    per_scale = [
        (depths.disparity(bad).log() - depths.disparity(good.detach()).log()).abs().mean()
        for bad, good in zip(hard, clear, strict=True)
    ]
    return torch.stack(per_scale).mean()
