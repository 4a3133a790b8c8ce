"""Image encoders from timm, with features at five scales."""

from __future__ import annotations

import difflib
from types import MethodType
from typing import Any

import timm
import torch
from jaxtyping import Float
from torch import Tensor, nn

from selfdepth.errors import ConfigError
from selfdepth.networks.pretrained import pretrained_options

_MEAN, _STD = 0.45, 0.225
"""One mean and one deviation for all channels, as published: published checkpoints and reference values need them."""

_REDUCTIONS = [2, 4, 8, 16, 32]
"""Factors by which the five levels are smaller than the image; the decoder doubles the size five times."""


class ImageEncoder(nn.Module):
    """Features of n images stacked along the channels, at 1/2, 1/4, 1/8, 1/16 and 1/32 of their size.

    Args:
        name: a timm model. A ResNet's bare name stands for the paper's weights, torchvision's first ImageNet ones.
        n_images: images to stack. The pretrained first kernel is repeated n times and divided by n, so that n copies of
            one image give the features of that image.
        pretrained: start from ImageNet weights.

    Raises:
        ConfigError: for a name that timm does not know, a model without these five levels, or weights out of reach.
    """

    def __init__(self, name: str = "resnet18", *, n_images: int = 1, pretrained: bool = False) -> None:
        super().__init__()
        self.n_images = n_images
        self.backbone = _create(name, 3 * n_images, pretrained)
        for module in self.backbone.modules():
            if isinstance(module, nn.Conv2d) and module.groups > 1:
                module.forward = MethodType(_depthwise_forward, module)  # type: ignore[method-assign]
        self.channels: list[int] = _feature_info(self.backbone).channels()

    def forward(self, images: Float[Tensor, "b c h w"]) -> list[Float[Tensor, "b _c _h _w"]]:
        """Features of images with colours in [0, 1], finest first. Width and height are multiples of 32."""
        features: list[Tensor] = self.backbone((images - _MEAN) / _STD)
        return features


def _depthwise_forward(conv: nn.Conv2d, images: Tensor) -> Tensor:
    """A grouped convolution; on a CPU in float32 even where the network computes in bf16.

    CPUs compute the gradients of depthwise convolutions in bf16 up to five times more slowly than in float32, and all
    others faster: so a training step of Lite0 takes 1.3 times as long in float32, and 1.5 times as long in bf16
    throughout (benchmarks/results/README.md). Weights that were converted to bf16 for prediction stay so: there are
    no gradients then.
    """
    original = type(conv).forward
    converted = conv.weight.dtype != torch.float32
    if images.device.type != "cpu" or converted or not torch.is_autocast_enabled("cpu"):
        return original(conv, images)
    with torch.autocast("cpu", enabled=False):
        return original(conv, images.float()).to(images.dtype)


def weights_name(name: str) -> str:
    """The timm name with the tag of the paper's weights."""
    # For ResNets: torchvision's first ImageNet weights. timm's default tags stand for newer training recipes.
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
    options = pretrained_options(tagged) if pretrained else {}
    try:
        # features_only drops the classifier; in_chans repeats the first kernel for several images.
        model: nn.Module = timm.create_model(tagged, features_only=True, in_chans=channels, **options)
    except (RuntimeError, AttributeError, TypeError, KeyError) as error:  # what timm raises depends on the model
        raise _unsuitable(name, channels, f"timm: {error}") from error
    # Some models start at 1/4, or have a single resolution: their features would not fit the decoder's levels.
    reductions: list[int] = _feature_info(model).reduction()
    if reductions != _REDUCTIONS:
        raise _unsuitable(name, channels, f"levels at 1/{', 1/'.join(map(str, reductions))}")
    return model


def _feature_info(backbone: nn.Module) -> Any:
    # timm's description of the levels. nn.Module types every attribute as a tensor or a module, so Any it is.
    return backbone.feature_info


def _option(channels: int) -> str:
    # The depth encoder takes one image, the pose encoder always several.
    return "--encoder.name" if channels == 3 else "--encoder.pose-name"


def _unsuitable(name: str, channels: int, got: str) -> ConfigError:
    return ConfigError(
        f"the encoder {name} cannot be used",
        where=_option(channels),
        expected="a model with features at 1/2, 1/4, 1/8, 1/16 and 1/32",
        got=got,
        fix="try resnet18, resnet50 or mobilenetv3_large_100",
    )


def stack_images(images: Float[Tensor, "b n 3 h w"]) -> Float[Tensor, "b _c h w"]:
    """Stack n images along the channels, in their order."""
    return torch.flatten(images, 1, 2)
