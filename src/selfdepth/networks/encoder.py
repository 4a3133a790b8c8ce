"""Image encoders with five feature levels, from timm."""

from __future__ import annotations

import difflib
from typing import Any

import timm
import torch
from jaxtyping import Float
from torch import Tensor, nn

from selfdepth.errors import ConfigError
from selfdepth.networks.pretrained import require_weights

_MEAN, _STD = 0.45, 0.225
"""One mean and deviation for all channels, as published; what the reference values were made with."""

_REDUCTIONS = [2, 4, 8, 16, 32]


class ImageEncoder(nn.Module):
    """Features of n images stacked along the channels, at 1/2, 1/4, 1/8, 1/16 and 1/32 of their size.

    Args:
        name: a timm model. Bare ResNet names mean the paper's weights, torchvision's first ImageNet ones.
        n_images: images seen together; the pretrained first kernel is repeated n times and divided by n.
        pretrained: start from ImageNet weights.

    Raises:
        ConfigError: for a name timm does not know or a model without these five levels.
    """

    def __init__(self, name: str = "resnet18", *, n_images: int = 1, pretrained: bool = False) -> None:
        super().__init__()
        self.n_images = n_images
        self.backbone = _create(name, 3 * n_images, pretrained)
        self.channels: list[int] = _feature_info(self.backbone).channels()

    def forward(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _c _h _w"]]:
        """Features of images in [0, 1], finest first."""
        features: list[Tensor] = self.backbone((images - _MEAN) / _STD)
        return features


def weights_name(name: str) -> str:
    """The timm model whose weights the paper started from: torchvision's first ImageNet ones for ResNets."""
    return f"{name}.tv_in1k" if name in ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152") else name


def _create(name: str, channels: int, pretrained: bool) -> nn.Module:
    if not timm.is_model(name):
        close = difflib.get_close_matches(name, timm.list_models(), n=3)
        raise ConfigError(
            "no such encoder",
            where=_option(channels),
            expected="the name of a timm model",
            got=name,
            fix=f"did you mean {' or '.join(close)}" if close else "try resnet18",
        )
    tagged = weights_name(name)
    if pretrained:
        require_weights(tagged)
    try:
        model: nn.Module = timm.create_model(tagged, pretrained=pretrained, features_only=True, in_chans=channels)
    except (RuntimeError, AttributeError, TypeError, KeyError) as error:
        raise _unsuitable(name, channels, f"timm: {error}") from error
    reductions: list[int] = _feature_info(model).reduction()
    if reductions != _REDUCTIONS:
        raise _unsuitable(name, channels, f"levels at 1/{', 1/'.join(map(str, reductions))}")
    return model


def _feature_info(backbone: nn.Module) -> Any:
    return backbone.feature_info  # timm's own description of the levels, not a tensor or module


def _option(channels: int) -> str:
    return "--encoder.name" if channels == 3 else "--encoder.pose-name"  # only motion needs several images


def _unsuitable(name: str, channels: int, got: str) -> ConfigError:
    return ConfigError(
        f"the encoder {name} cannot be used",
        where=_option(channels),
        expected="a model with features at 1/2, 1/4, 1/8, 1/16 and 1/32",
        got=got,
        fix="try resnet18, resnet50 or mobilenetv3_large_100",
    )


def stack_images(images: Float[Tensor, "b n 3 h w"]) -> Float[Tensor, "b _c h w"]:
    """Several images as the channels of one, in their order."""
    return torch.flatten(images, 1, 2)
