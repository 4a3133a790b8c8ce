"""The range of depths that the network can express, and the conversions from and to its sigmoid.

A plain value: the configuration gives one, so nothing here imports torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

from selfdepth.checks import require


@runtime_checkable
class Arithmetic(Protocol):
    """What a number, an array and a tensor have in common: they can be scaled, shifted and inverted by floats."""

    def __radd__(self: Numbers, other: float, /) -> Numbers: ...
    def __rmul__(self: Numbers, other: float, /) -> Numbers: ...
    def __rtruediv__(self: Numbers, other: float, /) -> Numbers: ...
    def __sub__(self: Numbers, other: float, /) -> Numbers: ...
    def __truediv__(self: Numbers, other: float, /) -> Numbers: ...


Numbers = TypeVar("Numbers", bound=Arithmetic)
"""A float, an array or a tensor; the result is of the same kind and shape."""


@dataclass(frozen=True)
class DepthRange:
    """Depths from near to far, in the unit of the translations (paper, section 3.3).

    The network's sigmoid in [0, 1] is linear in the disparity 1 / depth: 0 stands for far, 1 for near.

    Raises:
        ConfigError: unless 0 < near < far < infinity.
    """

    near: float
    far: float

    def __post_init__(self) -> None:
        in_order = 0 < self.near < self.far < math.inf
        require(in_order, "--loss.near, --loss.far", "0 < near < far", f"{self.near}, {self.far}")

    def __str__(self) -> str:
        return f"{self.near:g} to {self.far:g}"

    @property
    def inverse_far(self) -> float:
        """The smallest disparity, 1 / far."""
        return 1 / self.far

    @property
    def disparity_span(self) -> float:
        """The largest disparity less the smallest: 1 / near - 1 / far."""
        return 1 / self.near - 1 / self.far

    def disparity(self, sigmoid: Numbers) -> Numbers:
        """The scaled disparity, 1 / depth, that a sigmoid stands for: 1/far + (1/near - 1/far) * sigmoid."""
        return self.inverse_far + self.disparity_span * sigmoid

    def depth(self, sigmoid: Numbers) -> Numbers:
        """The depth in [near, far] that a sigmoid stands for."""
        return 1 / self.disparity(sigmoid)

    def sigmoid(self, depth: Numbers) -> Numbers:
        """The sigmoid that stands for a depth: the inverse of `depth`."""
        return (1 / depth - self.inverse_far) / self.disparity_span
