"""Zoom and stretch: clips as a longer lens, or one with other proportions, would have shown them.

A network that has seen a single camera at a single aspect ratio takes both for granted (Spencer et al., "Kick Back &
Relax", ICCV 2023). All views of a clip and its camera are changed together, and the loss compares the changed frames.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selfdepth.config.augment import AugmentConfig
from selfdepth.geometry.zoom import zoom
from selfdepth.structs import Batch


@dataclass(frozen=True, kw_only=True, eq=False)
class Zoom:
    """The draw for each clip of a batch, on the host.

    Attributes:
        chosen: whether the clip is changed.
        scale: along x and y, at least 1.
        place: of the part that is kept along x and y, as in `geometry.zoom`.
    """

    chosen: Bool[Tensor, "b"]
    scale: Float[Tensor, "b 2"]
    place: Float[Tensor, "b 2"]

    def __getitem__(self, clips: slice) -> Zoom:
        """The draw for a slice of the clips."""
        return Zoom(**{name: values[clips] for name, values in vars(self).items()})


def draw_zoom(b: int, config: AugmentConfig, generator: torch.Generator) -> Zoom:
    """Draw for `b` clips. Half of them are changed; factors are uniform in their logarithm.

    The smaller of a clip's two scales is its zoom, and their quotient its stretch.

    Args:
        generator: a CPU generator, so that the draw is the same for every device.
    """
    random = torch.rand(b, 5, generator=generator)
    factor = torch.exp(random[:, 1] * math.log(config.zoom))
    stretch = torch.exp((2 * random[:, 2] - 1) * math.log(config.stretch))
    scale = factor[:, None] * torch.stack([stretch, 1 / stretch], dim=1).clamp(min=1)
    return Zoom(chosen=random[:, 0] < 0.5, scale=scale, place=random[:, 3:])


def apply_zoom(batch: Batch, drawn: Zoom) -> Batch:
    """Zoom the chosen clips: frames, inputs, K and the rays of the lenses together.

    The stereo partner stands where it stood, so T_stereo_target stays. The argument is not changed.
    """
    if not drawn.chosen.any():
        return batch
    device = batch.frames.device
    clips = drawn.chosen.nonzero().squeeze(1)
    # Drawn on the host and sent without blocking, as in `augment`.
    scale, place, at = (
        values.to(device, non_blocking=device.type == "cuda")
        for values in (drawn.scale[clips], drawn.place[clips], clips)
    )
    frames, K = zoom(batch.frames.index_select(0, at), batch.K.index_select(0, at), scale, place)
    frames = batch.frames.index_copy(0, at, frames)
    teacher = batch.teacher
    if teacher is not None:
        known = (teacher > 0).to(teacher.dtype)
        maps = torch.cat([teacher, known, known], dim=1).unsqueeze(1).index_select(0, at)  # as a view of three channels
        zoomed, _ = zoom(maps, batch.K.index_select(0, at), scale, place)
        disparity, share = zoomed[:, 0, :1], zoomed[:, 0, 1:2]
        # Between known and unknown pixels a map knows nothing.
        teacher = teacher.index_copy(0, at, torch.where(share > 1 - 1e-4, disparity, 0))
    lenses = batch.lenses
    if lenses is not None:
        lenses = lenses.replaced(at, lenses.select(at).with_rays_of(K))
    K = batch.K.index_copy(0, at, K)
    return replace(batch, frames=frames, inputs=frames, K=K, teacher=teacher, lenses=lenses)
