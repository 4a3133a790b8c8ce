"""Geometry consistency: the depths of neighbouring frames must describe one scene (Bian et al., arXiv 1908.10553).

The photometric error fixes depth and motion only up to a common factor, and nothing ties the factor of one frame to
that of the next. Comparing their depths does. It helps trajectories, whose steps must all have one scale, and videos,
whose depth must not flicker.

The paper's weight 1 - D_diff for the photometric error is left out: the minimum over the sources and the auto-mask
already drop what moves and what is hidden, and the error would no longer be one pass.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfdepth.geometry.lenses import Lenses
from selfdepth.geometry.warp import MIN_Z, project_with_depth, sample


def consistency_loss(
    depth_target: Float[Tensor, "b 1 h w"],
    depth_sources: Float[Tensor, "b s 1 h w"],
    T_source_target: Float[Tensor, "b s 4 4"],
    K: Float[Tensor, "b 3 3"],
    lenses: Lenses | None = None,
) -> Float[Tensor, ""]:
    """L_GC of the paper: the mean of D_diff over the target's pixels that a source sees, over all sources; in [0, 1).

    The gradient reaches both depths and the motion. It is 0 if no source sees any pixel.

    Args:
        depth_target: along z, in the unit of the translations; with lenses, along the ray.
        depth_sources: the sources' own depth, in their cameras.
        T_source_target: target to source, one per source.
        K: intrinsics in pixels at the size of the depths.
        lenses: of all views; None for pinholes.
    """
    total = depth_target.new_zeros(())
    n_seen = depth_target.new_zeros(())
    for source in range(T_source_target.shape[1]):
        difference, seen = depth_difference(
            depth_target, depth_sources[:, source], T_source_target[:, source], K, lenses
        )
        total = total + torch.where(seen, difference, 0).sum()
        n_seen = n_seen + seen.sum()
    return total / n_seen.clamp(min=1)


def depth_difference(
    depth_target: Float[Tensor, "b 1 h w"],
    depth_source: Float[Tensor, "b 1 h w"],
    T_source_target: Float[Tensor, "b 4 4"],
    K: Float[Tensor, "b 3 3"],
    lenses: Lenses | None = None,
) -> tuple[Float[Tensor, "b 1 h w"], Bool[Tensor, "b 1 h w"]]:
    """D_diff = |D_ab - D'_b| / (D_ab + D'_b) per pixel of the target, and which of its pixels the source sees.

    D_ab is the target's depth moved into the source's camera, D'_b the source's own depth where the pixel is projected.
    Depths that differ by the factor s give |s - 1| / (s + 1), near or far alike.
    """
    pixels, z = project_with_depth(depth_target, T_source_target, K, lenses)
    height, width = depth_source.shape[-2:]
    u, v = pixels.unbind(1)
    # Beyond its border the source has no depth; what `sample` repeats there is of other pixels.
    seen = ((u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1)).unsqueeze(1) & (z > MIN_Z)
    # Behind the source's camera z is negative, and the sum could be 0; its gradient would be NaN even where masked.
    moved, own = z.clamp(min=MIN_Z), sample(depth_source, pixels)
    return (moved - own).abs() / (moved + own), seen
