"""The pose network: the motion between images, from the images alone (paper, section 4.1 and supplementary A)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from selfdepth.networks.encoder import ImageEncoder, stack_images

_WIDTH = 256
_OUTPUT_SCALE = 0.01
"""Small outputs at the start: a large first motion would leave every warp outside the image."""


class PoseDecoder(nn.Module):
    """Axis-angle and translation of k motions from the coarsest features."""

    def __init__(self, channels: int, *, n_motions: int) -> None:
        super().__init__()
        self.n_motions = n_motions
        self.squeeze = nn.Conv2d(channels, _WIDTH, 1)
        self.hidden = nn.ModuleList(nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1) for _ in range(2))
        self.output = nn.Conv2d(_WIDTH, 6 * n_motions, 1)

    def forward(self, features: Float[Tensor, "b c h w"]) -> tuple[Float[Tensor, "b k 3"], Float[Tensor, "b k 3"]]:
        """Axis-angle (radians) and translation, k of each."""
        x = F.relu(self.squeeze(features))
        for layer in self.hidden:
            x = F.relu(layer(x))
        with torch.autocast(x.device.type, enabled=False):  # motions are hundredths: too fine for bf16
            motions = _OUTPUT_SCALE * self.output(x.to(self.output.weight.dtype)).mean((2, 3))
        axis_angle, translation = motions.unflatten(1, (self.n_motions, 6)).split(3, dim=-1)
        return axis_angle, translation


class PoseNet(nn.Module):
    """The paper's separate pose network: an encoder of its own on images stacked along the channels.

    Args:
        encoder_name: a timm model with five feature levels; the paper's is a ResNet-18.
        n_images: seen together, in temporal order.
        n_motions: given out; for a pair the first one is T_later_earlier and the second is not used, as published.
        pretrained: start the encoder from ImageNet weights.
    """

    def __init__(
        self, encoder_name: str = "resnet18", *, n_images: int = 2, n_motions: int = 2, pretrained: bool = False
    ) -> None:
        super().__init__()
        self.encoder = ImageEncoder(encoder_name, n_images=n_images, pretrained=pretrained)
        self.decoder = PoseDecoder(self.encoder.channels[-1], n_motions=n_motions)

    def forward(self, images: Float[Tensor, "b n 3 h w"]) -> tuple[Float[Tensor, "b k 3"], Float[Tensor, "b k 3"]]:
        """Axis-angle (radians) and translation of k motions between images in [0, 1]."""
        motions: tuple[Tensor, Tensor] = self.decoder(self.encoder(stack_images(images))[-1])
        return motions
