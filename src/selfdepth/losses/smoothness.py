"""Edge-aware smoothness of the mean-normalised disparity (paper, equation 3)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

_EPSILON = 1e-7
"""Part of the definition, and of the reference values: a disparity of 0 everywhere must not divide by 0."""


def smoothness(disparity: Float[Tensor, "b 1 h w"], image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, ""]:
    """Equation 3: |dx d*| exp(-|dx I|) + |dy d*| exp(-|dy I|), each averaged over its own pairs of pixels.

    Args:
        disparity: the network's sigmoid, in (0, 1).
        image: the target at the same size, colours in [0, 1].
    """
    # d* = d / mean(d) of each image. Without it, shrinking every disparity would be the cheapest way to be smooth.
    normalised = disparity / (disparity.mean((2, 3), keepdim=True) + _EPSILON)
    return edge_aware_gradients(normalised, image)


def edge_aware_gradients(disparity: Float[Tensor, "b 1 h w"], image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, ""]:
    """|dx d| exp(-|dx I|) + |dy d| exp(-|dy I|), each averaged over its own pairs of pixels; d as it is given."""
    return _along(disparity, image, dim=3) + _along(disparity, image, dim=2)


def _along(disparity: Float[Tensor, "b 1 h w"], image: Float[Tensor, "b 3 h w"], *, dim: int) -> Float[Tensor, ""]:
    # Depth may jump where the colour does, so an edge of the image lowers the weight of the disparity's step there.
    edges = image.diff(dim=dim).abs().mean(1, keepdim=True)
    return (disparity.diff(dim=dim).abs() * (-edges).exp()).mean()
