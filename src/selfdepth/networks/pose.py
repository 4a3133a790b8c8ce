"""The pose networks with an encoder: the motion between images, from the images alone (paper, supplementary A).

Every pose network is a `PoseNetwork`. The tables of `networks/pose_variants.py` choose the network of a run, and the
images that it takes in one pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from selfdepth.networks.encoder import ImageEncoder, stack_images

WIDTH = 256
"""Channels of the pose decoder."""
OUTPUT_SCALE = 0.01
"""Small outputs at the start: a large first motion would leave every warp outside the image."""


@dataclass(frozen=True, kw_only=True)
class DepthFeatures:
    """Results of the depth network that a pose network may use.

    Attributes:
        features: the depth encoder's coarsest features of the first `PoseNetwork.n_encoded` images, target first.
        mean_inverse_depth: of the target, over all pixels of its finest disparity; in 1 / the unit of the depth.
    """

    features: Float[Tensor, "b _n c _h _w"]
    mean_inverse_depth: Float[Tensor, " b"]


class PoseNetwork(nn.Module):
    """The interface of all pose networks. An instance of this class itself serves runs that learn no motion.

    It lets the training step treat all variants alike: `views` chooses what the network reads, `forward` predicts, and
    `scaled` brings the translation to the unit of the depth.
    """

    uses_depth: ClassVar[bool] = False
    """Whether `views` or `scaled` need the results of the depth network."""

    def n_encoded(self, n_images: int) -> int:
        """How many of a clip's n_images, target first, the depth encoder must encode for this network."""
        return 1  # the target, which the depth decoder needs in any case

    def views(
        self, images: Float[Tensor, "b n 3 h w"], depth_features: DepthFeatures | None
    ) -> Float[Tensor, "b n _c _h _w"]:
        """What the network reads, one entry per image of the clip (the target, then the temporal sources)."""
        return images

    def forward(self, views: Float[Tensor, "b n _c _h _w"]) -> tuple[Float[Tensor, "b k 3"], Float[Tensor, "b k 3"]]:
        """Axis-angle (radians) and translation of k motions between the n views of one pass."""
        raise NotImplementedError

    def scaled(
        self, translation: Float[Tensor, "b k 3"], depth_features: DepthFeatures | None
    ) -> Float[Tensor, "b k 3"]:
        """The translation in the unit of the depth. Most networks learn that unit themselves."""
        return translation

    def start_larger(self, factor: float) -> None:
        """Multiply the translations of the untrained network: for depths that begin so many times farther away.

        The published start suits a depth of about 0.2. From there, hundreds of steps would pass until a motion is as
        long as a metre.
        """
        for module in self.modules():
            output = getattr(module, "output", None)
            if isinstance(output, nn.Conv2d):
                with torch.no_grad():
                    for weight in output.parameters():  # and bias: six rows for each motion, the last three translate
                        torch.unflatten(weight, 0, (-1, 6))[:, 3:].mul_(factor)


class PoseDecoder(nn.Module):
    """Axis-angle and translation of k motions from the coarsest features of one or several images.

    Args:
        channels: channels of each image's features.
        n_motions: k.
        n_features: how many images' features are read together; the same convolution squeezes each of them.
    """

    def __init__(self, channels: int, *, n_motions: int, n_features: int = 1) -> None:
        super().__init__()
        self.n_motions = n_motions
        self.squeeze = nn.Conv2d(channels, WIDTH, 1)
        self.hidden = nn.ModuleList(nn.Conv2d(n * WIDTH, WIDTH, 3, padding=1) for n in (n_features, 1))
        self.output = nn.Conv2d(WIDTH, 6 * n_motions, 1)

    def forward(self, features: Float[Tensor, "b n c h w"]) -> tuple[Float[Tensor, "b k 3"], Float[Tensor, "b k 3"]]:
        """Axis-angle (radians) and translation of k motions."""
        x = F.relu(self.squeeze(features.flatten(0, 1)))
        x = x.reshape(features.shape[0], -1, *x.shape[2:])  # concatenated along the channels, in their order
        for layer in self.hidden:
            x = F.relu(layer(x))
        return split_motions(self.output, x, self.n_motions)


class PoseNet(PoseNetwork):
    """The paper's separate pose network: an encoder of its own on images stacked along the channels.

    Args:
        encoder_name: a timm model with five feature levels; the paper's is a ResNet-18.
        n_images: images in one pass.
        n_motions: k. Of a pair, the first is T_later_earlier and the second is unused, as published.
        pretrained: start the encoder from ImageNet weights.

    Raises:
        ConfigError: as `ImageEncoder`.
    """

    def __init__(
        self, encoder_name: str = "resnet18", *, n_images: int = 2, n_motions: int = 2, pretrained: bool = False
    ) -> None:
        super().__init__()
        self.encoder = ImageEncoder(encoder_name, n_images=n_images, pretrained=pretrained)
        self.decoder = PoseDecoder(self.encoder.channels[-1], n_motions=n_motions)

    def forward(self, views: Float[Tensor, "b n 3 h w"]) -> tuple[Float[Tensor, "b k 3"], Float[Tensor, "b k 3"]]:
        """Axis-angle (radians) and translation of k motions between images with colours in [0, 1]."""
        motions: tuple[Tensor, Tensor] = self.decoder(self.encoder(stack_images(views))[-1].unsqueeze(1))
        return motions


class SharedPoseNet(PoseNetwork):
    """A pose decoder on the features of the depth encoder (the paper's "shared" variant).

    The depth encoder sees one image at a time, so that here, unlike in `PoseNet`, the images meet in the decoder only.

    Args:
        channels: channels of the depth encoder's coarsest features.
        n_images: images in one pass; the motions are one fewer.
    """

    uses_depth = True

    def __init__(self, channels: int, *, n_images: int = 2) -> None:
        super().__init__()
        self.decoder = PoseDecoder(channels, n_motions=n_images - 1, n_features=n_images)

    def n_encoded(self, n_images: int) -> int:
        """All of them, in one pass of the depth encoder."""
        return n_images

    def views(
        self, images: Float[Tensor, "b n 3 h w"], depth_features: DepthFeatures | None
    ) -> Float[Tensor, "b n _c _h _w"]:
        """The depth encoder's features in place of the images."""
        assert depth_features is not None, "uses_depth is true"
        return depth_features.features

    def forward(self, views: Float[Tensor, "b n c h w"]) -> tuple[Float[Tensor, "b k 3"], Float[Tensor, "b k 3"]]:
        """Axis-angle (radians) and translation of k motions between the images of these features."""
        motions: tuple[Tensor, Tensor] = self.decoder(views)
        return motions


def split_motions(
    output: nn.Conv2d, features: Float[Tensor, "b c h w"], n_motions: int
) -> tuple[Float[Tensor, "b k 3"], Float[Tensor, "b k 3"]]:
    """Axis-angle (radians) and translation of each motion: the last convolution, averaged over the image."""
    # Motions are hundredths, and bf16 would round them to three digits.
    with torch.autocast(features.device.type, enabled=False):
        motions = OUTPUT_SCALE * output(features.to(output.weight.dtype)).mean((2, 3))
    axis_angle, translation = motions.unflatten(1, (n_motions, 6)).split(3, dim=-1)
    return axis_angle, translation
