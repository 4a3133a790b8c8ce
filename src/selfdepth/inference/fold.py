"""A network made ready for prediction alone: what training needed to keep apart is put together once."""

from __future__ import annotations

from typing import TypeGuard

import torch
from timm.models.resnet import BasicBlock, Bottleneck
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from selfdepth.networks.depth import DepthNet


def for_prediction(network: DepthNet, dtype: torch.dtype) -> DepthNet:
    """The same network, changed in place: batch normalisation folded into the convolutions, their weights in `dtype`.

    In evaluation a normalisation is one factor and one offset for each channel, which the convolution before it can
    take up: x -> g (W x - m) / s + o. Autocast would convert the weights of every layer for every batch.

    Args:
        network: in evaluation mode. Encoders other than ResNets keep their normalisations: where in them one follows
            a convolution is not for us to know.
        dtype: of the convolutions; the heads stay in float32, as in training.
    """
    backbone = network.encoder.backbone
    if any(isinstance(module, BasicBlock | Bottleneck) for module in backbone.modules()):
        _fold(backbone)
        for module in backbone.modules():
            if isinstance(module, BasicBlock | Bottleneck):
                _fold(module)
                if isinstance(module.downsample, nn.Sequential):
                    _fold_sequence(module.downsample)
    heads = set(network.decoder.outputs)
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module not in heads:
            module.to(dtype)
    return network


def _fold(block: nn.Module) -> None:
    """Fold bn1 into conv1, bn2 into conv2 and so on, among a block's own layers."""
    layers = dict(block.named_children())
    for name, layer in layers.items():
        norm_name = name.replace("conv", "bn")
        norm = layers.get(norm_name)
        if isinstance(layer, nn.Conv2d) and _is_plain(norm):
            setattr(block, name, fuse_conv_bn_eval(layer, norm))
            setattr(block, norm_name, nn.Identity())


def _fold_sequence(layers: nn.Sequential) -> None:
    for i in range(len(layers) - 1):
        layer, norm = layers[i], layers[i + 1]
        if isinstance(layer, nn.Conv2d) and _is_plain(norm):
            layers[i], layers[i + 1] = fuse_conv_bn_eval(layer, norm), nn.Identity()


def _is_plain(norm: nn.Module | None) -> TypeGuard[nn.BatchNorm2d]:
    return type(norm) is nn.BatchNorm2d
