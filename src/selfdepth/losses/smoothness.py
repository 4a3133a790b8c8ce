"""Edge-aware smoothness of the mean-normalised disparity (paper, equation 3)."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfdepth.geometry.lenses import mean_of_seen

_EPSILON = 1e-7
"""Part of the definition, and of the reference values: a disparity of 0 everywhere must not divide by 0."""


def smoothness(
    disparity: Float[Tensor, "b 1 h w"], image: Float[Tensor, "b 3 h w"], seen: Bool[Tensor, "b 1 h w"] | None = None
) -> Float[Tensor, ""]:
    """Equation 3: |dx d*| exp(-|dx I|) + |dy d*| exp(-|dy I|), each averaged over its own pairs of pixels.

    Args:
        disparity: the network's sigmoid, in (0, 1).
        image: the target at the same size, colours in [0, 1].
        seen: the pixels that count, those with a ray; None: all.
    """
    if seen is not None:
        count = seen.sum((2, 3), keepdim=True).clamp(min=1)
        mean = torch.where(seen, disparity, torch.zeros_like(disparity)).sum((2, 3), keepdim=True) / count
        return edge_aware_gradients(disparity / (mean + _EPSILON), image, seen)
    # d* = d / mean(d) of each image. Without it, shrinking every disparity would be the cheapest way to be smooth.
    normalised = disparity / (disparity.mean((2, 3), keepdim=True) + _EPSILON)
    return edge_aware_gradients(normalised, image)


def edge_aware_gradients(
    disparity: Float[Tensor, "b 1 h w"], image: Float[Tensor, "b 3 h w"], seen: Bool[Tensor, "b 1 h w"] | None = None
) -> Float[Tensor, ""]:
    """|dx d| exp(-|dx I|) + |dy d| exp(-|dy I|), each averaged over its own pairs of pixels; d as it is given."""
    return _along(disparity, image, seen, dim=3) + _along(disparity, image, seen, dim=2)


def _along(
    disparity: Float[Tensor, "b 1 h w"],
    image: Float[Tensor, "b 3 h w"],
    seen: Bool[Tensor, "b 1 h w"] | None,
    *,
    dim: int,
) -> Float[Tensor, ""]:
    # Depth may jump where the colour does, so an edge of the image lowers the weight of the disparity's step there.
    edges = image.diff(dim=dim).abs().mean(1, keepdim=True)
    steps = disparity.diff(dim=dim).abs() * (-edges).exp()
    if seen is None:
        return steps.mean()
    n = steps.shape[dim]
    return mean_of_seen(steps, seen.narrow(dim, 0, n) & seen.narrow(dim, 1, n))
