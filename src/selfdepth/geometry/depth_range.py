"""The range of depths that the network can express, and the conversions between its sigmoid, disparity and depth.

A plain value: the configuration holds one, so this file does not import torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

from selfdepth.checks import require


@runtime_checkable
class Arithmetic(Protocol):
    """The arithmetic that numbers, arrays and tensors share: scaling, shifting and inverting with floats."""

    def __radd__(self: Numbers, other: float, /) -> Numbers: ...
    def __rmul__(self: Numbers, other: float, /) -> Numbers: ...
    def __rtruediv__(self: Numbers, other: float, /) -> Numbers: ...
    def __sub__(self: Numbers, other: float, /) -> Numbers: ...
    def __truediv__(self: Numbers, other: float, /) -> Numbers: ...


MAX_DISPARITY = 0.3
"""Monodepth v1's largest disparity, as a share of the image's width (Godard et al. 2017, section 4.1)."""

Numbers = TypeVar("Numbers", bound=Arithmetic)
"""A float, an array or a tensor; the result is of the same kind and shape."""


@dataclass(frozen=True)
class DepthRange:
    """Depths from near to far, in the unit of the translations (paper, section 3.3).

    1 / depth = 1 / far + (1 / near - 1 / far) * sigmoid: linear in the disparity, with 0 at far and 1 at near. Pixels
    shift in proportion to disparity, so that equal steps of the network's output are equally visible in the images.

    Raises:
        ConfigError: unless 0 < near < far. Only Monodepth v1 reaches to infinity.
    """

    near: float
    far: float

    def __post_init__(self) -> None:
        in_order = 0 < self.near < self.far and self.near < math.inf
        require(in_order, "--loss.near, --loss.far", "0 < near < far", f"{self.near}, {self.far}")

    @staticmethod
    def of_pair(focal_baseline: float) -> DepthRange:
        """The depths of Monodepth v1, whose disparity is d = 0.3 sigmoid, as a share of the image's width.

        Args:
            focal_baseline: focal length in image widths times the stereo baseline, so that depth = focal_baseline / d.
        """
        return DepthRange(focal_baseline / MAX_DISPARITY, math.inf)

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
        """The scaled disparity 1 / depth of a sigmoid in [0, 1]: 1/far + (1/near - 1/far) * sigmoid."""
        return self.inverse_far + self.disparity_span * sigmoid

    def depth(self, sigmoid: Numbers) -> Numbers:
        """The depth, in [near, far], of a sigmoid in [0, 1]."""
        return 1 / self.disparity(sigmoid)

    def sigmoid(self, depth: Numbers) -> Numbers:
        """The sigmoid of a depth: the inverse of `depth`."""
        return (1 / depth - self.inverse_far) / self.disparity_span
