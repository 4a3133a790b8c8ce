"""A trained depth network that is only looked at: the teacher of self-teaching, the start of a refinement."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selfdepth.geometry.depth_range import DepthRange
from selfdepth.networks.depth import DepthNet


@dataclass(frozen=True, kw_only=True)
class FrozenDepth:
    """A depth network in evaluation mode, without gradients. Not a module: its weights are no part of the learner's.

    Attributes:
        network: in evaluation mode, on the device of the images.
        depth_range: of the network.
        dtype: its arithmetic.
    """

    network: DepthNet
    depth_range: DepthRange
    dtype: torch.dtype = torch.float32

    @torch.no_grad()
    def disparity(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 h w"]:
        """The scaled disparity 1 / depth at the size of the images, whose colours are in [0, 1]."""
        with torch.autocast(images.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32):
            finest: Tensor = self.network(images)[0]
        if finest.shape[-2:] != images.shape[-2:]:  # only coarser scales were learned
            finest = F.interpolate(finest, images.shape[-2:], mode="bilinear", align_corners=False)
        return self.depth_range.disparity(finest.float())
