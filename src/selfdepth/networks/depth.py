"""The depth network: disparity at up to four scales from one image (paper, section 3.3 and supplementary A)."""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from selfdepth.networks.encoder import ImageEncoder

_WIDTHS = (16, 32, 64, 128, 256)
"""Decoder channels from the finest level to the coarsest."""


class DepthDecoder(nn.Module):
    """A U-Net decoder: doubles the size of the features five times, with sigmoid outputs at up to four of the sizes.

    Level i turns features at 1/2^(i+1) of the input into features at 1/2^i; level 0 has no skip connection.

    Args:
        encoder_channels: channels of the encoder's five features, finest first.
        n_outputs: maps per scale: 1 for disparity, one per source for the predictive mask.
        scales: s for an output at 1/2^s of the input, finest first.
        confidence: also predict a log sigma per scale; see `with_log_sigma`.
        cascade: each scale also reads the maps of the next coarser one, enlarged, as in Monodepth v1: a finer map then
            corrects a coarser one instead of beginning anew.
    """

    def __init__(
        self,
        encoder_channels: list[int],
        *,
        n_outputs: int = 1,
        scales: tuple[int, ...] = (0, 1, 2, 3),
        confidence: bool = False,
        cascade: bool = False,
    ) -> None:
        super().__init__()
        self.scales = scales
        self.cascade = cascade
        # Level i reads level i + 1 (level 4 the encoder's coarsest features) and the encoder's features at its own
        # size, which do not exist at level 0: the encoder starts at half the size of the image.
        coarser = (*_WIDTHS[1:], encoder_channels[-1])
        skips = (0, *encoder_channels[:-1])
        maps = [n_outputs if cascade and i + 1 in scales else 0 for i in range(5)]
        self.reduce = nn.ModuleList(_conv3x3(coarser[i], _WIDTHS[i]) for i in range(5))
        self.fuse = nn.ModuleList(_conv3x3(_WIDTHS[i] + skips[i] + maps[i], _WIDTHS[i]) for i in range(5))
        self.outputs = nn.ModuleList(_conv3x3(_WIDTHS[s], n_outputs) for s in scales)
        self.log_sigmas = nn.ModuleList(_conv3x3(_WIDTHS[s], 1) for s in scales) if confidence else None
        # Published checkpoints hold the levels finer than the finest output too, so these are built. Nothing runs them:
        # frozen, they are not mistaken for parameters whose gradient got lost.
        self.reduce[: scales[0]].requires_grad_(False)
        self.fuse[: scales[0]].requires_grad_(False)

    def start_at(self, value: float) -> None:
        """Set the biases so that the untrained outputs lie around `value`, in (0, 1), instead of 0.5."""
        for head in self.outputs:
            bias = cast(nn.Conv2d, head).bias
            assert bias is not None
            nn.init.constant_(bias, math.log(value / (1 - value)))  # the sigmoid's inverse

    def forward(self, features: list[Float[Tensor, "b _c _h _w"]]) -> tuple[Float[Tensor, "b n _h _w"], ...]:
        """Maps in (0, 1) at 1/2^s of the input for each scale s, finest first.

        Args:
            features: five of the encoder, finest first.
        """
        _, maps = self._decode(features)
        return maps

    def with_log_sigma(
        self, features: list[Float[Tensor, "b _c _h _w"]]
    ) -> tuple[tuple[Float[Tensor, "b n _h _w"], ...], tuple[Float[Tensor, "b 1 _h _w"], ...]]:
        """The maps of `forward`, and log sigma of the scaled disparity at the same scales, unbounded."""
        assert self.log_sigmas is not None, "only for a decoder with confidence"
        levels, maps = self._decode(features)
        heads = zip(self.log_sigmas, self.scales, strict=True)
        return maps, tuple(_output(cast(nn.Conv2d, head), levels[s]) for head, s in heads)

    def _decode(
        self, features: list[Float[Tensor, "b _c _h _w"]]
    ) -> tuple[dict[int, Tensor], tuple[Float[Tensor, "b n _h _w"], ...]]:
        """The features of each level that is computed, by its number, and the maps, finest first."""
        heads = dict(zip(self.scales, self.outputs, strict=True))
        x = features[-1]
        levels: dict[int, Tensor] = {}
        maps: dict[int, Tensor] = {}
        for i in range(4, self.scales[0] - 1, -1):
            # Nearest neighbours, then a convolution: a transposed convolution would leave a checkerboard in the depth.
            x = F.interpolate(F.elu(self.reduce[i](x)), scale_factor=2.0, mode="nearest")
            if i > 0:
                x = torch.cat([x, features[i - 1]], dim=1)
            if self.cascade and i + 1 in maps:
                x = torch.cat([x, F.interpolate(maps[i + 1], scale_factor=2.0, mode="nearest").to(x.dtype)], dim=1)
            x = levels[i] = F.elu(self.fuse[i](x))
            if i in heads:
                maps[i] = torch.sigmoid(_output(cast(nn.Conv2d, heads[i]), x))
        return levels, tuple(maps[s] for s in self.scales)


class DepthNet(nn.Module):
    """Disparity from a single image: an encoder and a decoder with skip connections.

    Args:
        encoder_name: a timm model with five feature levels.
        pretrained: start the encoder from ImageNet weights.
        n_views: 1; 2 to predict the disparities of both views of a stereo pair (Monodepth v1), the image's own first.
        n_mask_sources: if not 0, a second decoder predicts a mask per source (the ablation after Zhou et al.).
        scales: s for a disparity at 1/2^s of the input, finest first.
        confidence: also predict the uncertainty of the disparity (`forward_with_log_sigma`).

    Raises:
        ConfigError: as `ImageEncoder`.
    """

    def __init__(
        self,
        encoder_name: str = "resnet18",
        *,
        pretrained: bool = False,
        n_views: int = 1,
        n_mask_sources: int = 0,
        scales: tuple[int, ...] = (0, 1, 2, 3),
        confidence: bool = False,
    ) -> None:
        super().__init__()
        self.n_views = n_views
        self.encoder = ImageEncoder(encoder_name, pretrained=pretrained)
        channels = self.encoder.channels
        self.decoder = DepthDecoder(
            channels, n_outputs=n_views, scales=scales, confidence=confidence, cascade=n_views == 2
        )
        self.mask_decoder = DepthDecoder(channels, n_outputs=n_mask_sources, scales=scales) if n_mask_sources else None

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> tuple[Float[Tensor, "b 1 _h _w"], ...]:
        """Sigmoid disparities of the images in (0, 1), one at 1/2^s of the input for each scale s, finest first.

        Args:
            images: colours in [0, 1]; width and height multiples of 32.
        """
        disparities: tuple[Tensor, ...] = self.decoder(self.encoder(images))
        return disparities if self.n_views == 1 else tuple(views[:, :1] for views in disparities)

    def forward_with_log_sigma(
        self, images: Float[Tensor, "b 3 h w"]
    ) -> tuple[tuple[Float[Tensor, "b 1 _h _w"], ...], tuple[Float[Tensor, "b 1 _h _w"], ...]]:
        """The disparities of `forward`, and log sigma: of the deviation that the network expects of the scaled
        disparity, 1 / depth, in its unit. Only for a network with confidence."""
        maps: tuple[tuple[Tensor, ...], tuple[Tensor, ...]] = self.decoder.with_log_sigma(self.encoder(images))
        return maps

    def encode(self, images: Float[Tensor, "b n 3 h w"]) -> list[Float[Tensor, "b n _c _h _w"]]:
        """Features of n images per clip, finest first. All images go through in one pass, each as a batch entry."""
        # One pass, as published: BatchNorm's statistics are those of all images of the clips together.
        clip = images.shape[:2]
        return [level.unflatten(0, clip) for level in self.encoder(images.flatten(0, 1))]

    def decode(
        self, features: list[Float[Tensor, "b _c _h _w"]]
    ) -> tuple[tuple[Float[Tensor, "b n _h _w"], ...], tuple[Float[Tensor, "b s _h _w"], ...] | None]:
        """Disparities as in `forward`, of all n views; and the predictive masks, also finest first (None without a mask
        decoder)."""
        masks = self.mask_decoder(features) if self.mask_decoder is not None else None
        return self.decoder(features), masks


def _conv3x3(channels_in: int, channels_out: int) -> nn.Conv2d:
    # Reflection instead of zero padding: fewer artefacts at the image border (paper, section 3.3).
    return nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, padding_mode="reflect")


def _output(head: nn.Conv2d, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b n h w"]:
    # In bf16 a disparity would come in steps of half a per cent, visible as terraces in the depth.
    with torch.autocast(features.device.type, enabled=False):
        logits: Tensor = head(features.to(head.weight.dtype))
        return logits
