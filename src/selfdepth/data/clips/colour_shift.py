"""The colour augmentation of Monodepth v1 (arXiv 1609.03677, section 4.1): gamma, brightness, and each colour alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from selfdepth.structs import Batch


@dataclass(frozen=True, kw_only=True, eq=False)
class ColourShift:
    """The draw for each clip of a batch, the same for all its views; 1 changes nothing.

    Attributes:
        gamma: exponent of the colours.
        factor: brightness times the factor of each colour: red, green, blue.
    """

    gamma: Float[Tensor, " b"]
    factor: Float[Tensor, "b 3"]

    def __getitem__(self, clips: slice) -> ColourShift:
        """The draw for a slice of the clips."""
        return ColourShift(gamma=self.gamma[clips], factor=self.factor[clips])


def draw_colour_shift(b: int, generator: torch.Generator) -> ColourShift:
    """Draw for `b` clips, half of them unchanged: gamma in [.8, 1.2], brightness in [.5, 2], each colour in [.8, 1.2].

    Args:
        generator: a CPU generator, so that the draw is the same for every device.
    """

    def uniform(*shape: int, low: float, high: float) -> Tensor:
        return torch.rand(*shape, generator=generator) * (high - low) + low

    chosen = uniform(b, low=0.0, high=1.0) < 0.5
    gamma = uniform(b, low=0.8, high=1.2)
    factor = uniform(b, 1, low=0.5, high=2.0) * uniform(b, 3, low=0.8, high=1.2)
    return ColourShift(gamma=gamma.where(chosen, torch.ones(())), factor=factor.where(chosen[:, None], torch.ones(())))


def shift_colours(batch: Batch, shift: ColourShift) -> Batch:
    """The batch with shifted `inputs`, in [0, 1]. The clean `frames`, which the loss compares, stay as they are."""
    device = batch.frames.device
    gamma, factor = (values.to(device, non_blocking=device.type == "cuda") for values in (shift.gamma, shift.factor))
    shifted = batch.frames.pow(gamma[:, None, None, None, None]) * factor[:, None, :, None, None]
    return replace(batch, inputs=shifted.clamp_(0, 1))
