"""The pose networks with an encoder: the motion between images, from the images alone (paper, supplementary A).

Every pose network is a `PoseNetwork`. Which one a run has, and which images it looks at together, is looked up in
`networks/pose_variants.py`.
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
OUTPUT_SCALE = 0.01
"""Small outputs at the start: a large first motion would leave every warp outside the image."""


@dataclass(frozen=True, kw_only=True)
class DepthFeatures:
    """What the depth network found in a clip, as far as it can help to find the motion.

    Attributes:
        features: the depth encoder's coarsest ones, of as many images as the pose network asks for, target first.
        mean_inverse_depth: of the target, over all pixels of its finest disparity.
    """

    features: Float[Tensor, "b _n c _h _w"]
    mean_inverse_depth: Float[Tensor, " b"]


class PoseNetwork(nn.Module):
    """The one interface of all pose networks; bare, it is that of a run without motion to learn."""

    uses_depth: ClassVar[bool] = False
    """Whether the depth network has to run first."""

    def n_encoded(self, n_images: int) -> int:
        """Of how many of a clip's images, target first, the depth encoder is to make features."""
        return 1

    def views(self, images: Float[Tensor, "b n 3 h w"], seen: DepthFeatures | None) -> Float[Tensor, "b n _c _h _w"]:
        """What the network looks at, one entry for each image of the clip (target, then the sources in time)."""
        return images

    def forward(self, views: Float[Tensor, "b n _c _h _w"]) -> tuple[Float[Tensor, "b k 3"], Float[Tensor, "b k 3"]]:
        """Axis-angle (radians) and translation of k motions between some of the views."""
        raise NotImplementedError

    def scaled(self, translation: Float[Tensor, "b k 3"], seen: DepthFeatures | None) -> Float[Tensor, "b k 3"]:
        """The translation in the unit of the depth."""
        return translation


class PoseDecoder(nn.Module):
    """Axis-angle and translation of k motions from the coarsest features of one or several images.

    Args:
        channels: of the features of each image.
        n_features: how many are seen together; each is squeezed by the same convolution.
    """

    def __init__(self, channels: int, *, n_motions: int, n_features: int = 1) -> None:
        super().__init__()
        self.n_motions = n_motions
        self.squeeze = nn.Conv2d(channels, WIDTH, 1)
        self.hidden = nn.ModuleList(nn.Conv2d(n * WIDTH, WIDTH, 3, padding=1) for n in (n_features, 1))
        self.output = nn.Conv2d(WIDTH, 6 * n_motions, 1)

    def forward(self, features: Float[Tensor, "b n c h w"]) -> tuple[Float[Tensor, "b k 3"], Float[Tensor, "b k 3"]]:
        """Axis-angle (radians) and translation, k of each."""
        x = F.relu(self.squeeze(features.flatten(0, 1)))
        x = x.reshape(len(features), -1, *x.shape[2:])  # side by side along the channels, in their order
        for layer in self.hidden:
            x = F.relu(layer(x))
        return split_motions(self.output, x, self.n_motions)


class PoseNet(PoseNetwork):
    """The paper's separate pose network: an encoder of its own on images stacked along the channels.

    Args:
        encoder_name: a timm model with five feature levels; the paper's is a ResNet-18.
        n_images: seen together.
        n_motions: given out; of a pair the first one is T_later_earlier and the second is not used, as published.
        pretrained: start the encoder from ImageNet weights.
    """

    def __init__(
        self, encoder_name: str = "resnet18", *, n_images: int = 2, n_motions: int = 2, pretrained: bool = False
    ) -> None:
        super().__init__()
        self.encoder = ImageEncoder(encoder_name, n_images=n_images, pretrained=pretrained)
        self.decoder = PoseDecoder(self.encoder.channels[-1], n_motions=n_motions)

    def forward(self, views: Float[Tensor, "b n 3 h w"]) -> tuple[Float[Tensor, "b k 3"], Float[Tensor, "b k 3"]]:
        """Axis-angle (radians) and translation of k motions between images in [0, 1]."""
        motions: tuple[Tensor, Tensor] = self.decoder(self.encoder(stack_images(views))[-1].unsqueeze(1))
        return motions


class SharedPoseNet(PoseNetwork):
    """A pose decoder alone, on features that the depth encoder made of each image on its own.

    Args:
        channels: of the depth encoder's coarsest features.
        n_images: seen together; the motions are one fewer.
    """

    uses_depth = True

    def __init__(self, channels: int, *, n_images: int = 2) -> None:
        super().__init__()
        self.decoder = PoseDecoder(channels, n_motions=n_images - 1, n_features=n_images)

    def n_encoded(self, n_images: int) -> int:
        """All of them: one pass of the depth encoder for the whole clip."""
        return n_images

    def views(self, images: Float[Tensor, "b n 3 h w"], seen: DepthFeatures | None) -> Float[Tensor, "b n _c _h _w"]:
        """The depth encoder's features in the images' place."""
        assert seen is not None, "uses_depth asks for it"
        return seen.features

    def forward(self, views: Float[Tensor, "b n c h w"]) -> tuple[Float[Tensor, "b k 3"], Float[Tensor, "b k 3"]]:
        """Axis-angle (radians) and translation of k motions between features."""
        motions: tuple[Tensor, Tensor] = self.decoder(views)
        return motions


def split_motions(
    output: nn.Conv2d, features: Float[Tensor, "b c h w"], n_motions: int
) -> tuple[Float[Tensor, "b k 3"], Float[Tensor, "b k 3"]]:
    """Axis-angle and translation from the last convolution's mean over the image."""
    with torch.autocast(features.device.type, enabled=False):  # motions are hundredths: too fine for bf16
        motions = OUTPUT_SCALE * output(features.to(output.weight.dtype)).mean((2, 3))
    axis_angle, translation = motions.unflatten(1, (n_motions, 6)).split(3, dim=-1)
    return axis_angle, translation
