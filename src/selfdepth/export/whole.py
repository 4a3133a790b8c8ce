"""Operations in forms that a small runtime takes whole, equal in value: padding, enlarging, ELU.

ExecuTorch hands what XNNPACK knows to it, and computes the rest itself, one slow operator after the other. XNNPACK
knows neither reflection nor nearest neighbours nor ELU, and each of them cuts the graph in two. It does know copies of
parts, joins, reshapes and exp, of which all three can be made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


def reflected(images: Float[Tensor, "b c h w"], padding: Sequence[int]) -> Float[Tensor, "b c _h _w"]:
    """Reflection padding, joined from slices: each added row is a copy of one.

    Args:
        padding: columns to add at the left and right, rows at the top and bottom.
    """
    left, right, top, bottom = padding
    for dim, before, after in ((2, top, bottom), (3, left, right)):
        size = images.shape[dim]
        first = [images.narrow(dim, i, 1) for i in range(before, 0, -1)]
        last = [images.narrow(dim, size - 2 - i, 1) for i in range(after)]
        images = torch.cat([*first, images, *last], dim=dim)
    return images


def _padded(images: Tensor, padding: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
    if mode == "reflect" and images.ndim == 4 and len(padding) == 4:
        return reflected(images, padding)
    if mode == "constant":
        return torch.ops.aten.constant_pad_nd.default(images, padding, 0 if value is None else value)
    return NotImplemented


def doubled(images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c _h _w"]:
    """Twice the height and the width by nearest neighbours, joined from copies."""
    b, c, h, w = images.shape
    # Beside each value its copy; then, below each row its copy. In three axes: of four, one of which has length 1, a
    # tracer takes the values for stored with the channels last, and turns them round.
    columns = images.reshape(b * c * h, w, 1)
    # The copies are products with 1, because XNNPACK does not take a join of a tensor with itself.
    rows = torch.cat([columns, columns * 1.0], dim=2).reshape(b * c * h, 1, 2 * w)
    return torch.cat([rows, rows * 1.0], dim=1).reshape(b, c, 2 * h, 2 * w)


def elu(values: Tensor, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Tensor:
    """ELU as the sum of its two branches, of which one is 0."""
    negative = torch.exp(input_scale * values.clamp(max=0)) - 1
    positive = torch.relu(values)
    if alpha == scale == 1:
        return positive + negative
    return scale * positive + scale * alpha * negative


def _nearest(images: Tensor, size: Sequence[int] | None, factors: Sequence[float] | None) -> Any:
    shape = (images.shape[2], images.shape[3])
    height, width = size or [int(n * factor) for n, factor in zip(shape, factors or (), strict=True)]
    if (height, width) == (2 * shape[0], 2 * shape[1]):
        return doubled(images)
    return NotImplemented


def whole_forms() -> dict[Any, Callable[..., Any]]:
    """These forms by the operator that each stands for, as a table for `run_decompositions`."""
    aten = torch.ops.aten
    return {
        aten.pad.default: _padded,
        aten.reflection_pad2d.default: reflected,
        aten.upsample_nearest2d.vec: _nearest,
        aten.elu.default: elu,
    }
