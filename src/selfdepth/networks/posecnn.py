"""PoseCNN: the small pose network of earlier work (Zhou et al., 2017; the paper's Table 2, "pose network")."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from selfdepth.networks.encoder import stack_images
from selfdepth.networks.pose import WIDTH, DepthFeatures, PoseNetwork, split_motions

_KERNELS = (7, 5, 3, 3, 3, 3, 3)
_CHANNELS = (16, 32, 64, 128, WIDTH, WIDTH, WIDTH)


class PoseCNN(PoseNetwork):
    """Seven plain convolutions of stride 2 on images stacked along the channels, never pretrained.

    Its translation is multiplied by the mean inverse depth of the target's finest disparity, so that one clip has one
    motion. In the published method each scale multiplies by its own mean, which gives every scale another motion.

    Args:
        n_images: images in one pass; the motions are one fewer.
    """

    uses_depth = True

    def __init__(self, *, n_images: int = 2) -> None:
        super().__init__()
        self.n_motions = n_images - 1
        channels_in = (3 * n_images, *_CHANNELS[:-1])
        self.layers = nn.ModuleList(
            nn.Conv2d(c_in, c_out, kernel, stride=2, padding=kernel // 2)
            for c_in, c_out, kernel in zip(channels_in, _CHANNELS, _KERNELS, strict=True)
        )
        self.output = nn.Conv2d(WIDTH, 6 * self.n_motions, 1)

    def forward(self, views: Float[Tensor, "b n 3 h w"]) -> tuple[Float[Tensor, "b k 3"], Float[Tensor, "b k 3"]]:
        """Axis-angle (radians) and translation, before `scaled`, of k motions between images with colours in [0, 1]."""
        # Unlike the ResNets, it takes the colours as they are, without subtracting a mean.
        x = stack_images(views)
        for layer in self.layers:
            x = F.relu(layer(x))
        return split_motions(self.output, x, self.n_motions)

    def start_larger(self, factor: float) -> None:
        """As of `PoseNetwork`; twice, because `scaled` divides by the larger depth."""
        super().start_larger(factor**2)

    def scaled(
        self, translation: Float[Tensor, "b k 3"], depth_features: DepthFeatures | None
    ) -> Float[Tensor, "b k 3"]:
        """The translation times the mean inverse depth of the target."""
        assert depth_features is not None, "uses_depth is true"
        return translation * depth_features.mean_inverse_depth[:, None, None]
