"""Edge-aware smoothness of the mean-normalised disparity (paper, equation 3)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

_EPSILON = 1e-7


def smoothness(disparity: Float[Tensor, "b 1 h w"], image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, ""]:
    """|dx d*| exp(-|dx I|) + |dy d*| exp(-|dy I|), each averaged over its own pairs of pixels.

    d* = d / mean(d) over each image: without it the term would be smallest for disparity zero everywhere.

    Args:
        disparity: the network's sigmoid, in (0, 1).
        image: the target at the same size, colours in [0, 1].
    """
    normalised = disparity / (disparity.mean((2, 3), keepdim=True) + _EPSILON)
    return _along(normalised, image, dim=3) + _along(normalised, image, dim=2)


def _along(disparity: Float[Tensor, "b 1 h w"], image: Float[Tensor, "b 3 h w"], *, dim: int) -> Float[Tensor, ""]:
    edges = image.diff(dim=dim).abs().mean(1, keepdim=True)
    return (disparity.diff(dim=dim).abs() * (-edges).exp()).mean()
