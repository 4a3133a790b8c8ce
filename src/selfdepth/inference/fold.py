"""Prepare a depth network for prediction: fold batch normalisation into the convolutions, convert the weights once."""

from __future__ import annotations

from typing import TypeGuard

import torch
from timm.models.resnet import BasicBlock, Bottleneck
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from selfdepth.networks.depth import DepthNet


def for_prediction(network: DepthNet, dtype: torch.dtype) -> DepthNet:
    """Fold the batch normalisations of a network into its convolutions, and convert their weights to `dtype`, in place.

    In evaluation mode a batch normalisation is one factor and one offset per channel, g (W x - m) / s + o, which the
    convolution before it can absorb; the result is the same up to rounding. Autocast would convert the weights of every
    layer anew for every batch. Together the two were measured to save one seventh of the time of a prediction on a CPU
    (benchmarks/results/README.md).

    Args:
        network: in evaluation mode. Encoders other than ResNets keep their normalisations: the names of their layers do
            not tell which convolution one follows.
        dtype: of the convolutions. The output heads stay in float32, as in training: in bf16 a disparity would come in
            steps of half a per cent, visible as terraces in the depth.

    Returns:
        The same network.
    """
    backbone = network.encoder.backbone
    if any(isinstance(module, BasicBlock | Bottleneck) for module in backbone.modules()):
        _fold(backbone)
        for module in backbone.modules():
            if isinstance(module, BasicBlock | Bottleneck):
                _fold(module)
                if isinstance(module.downsample, nn.Sequential):
                    _fold_sequence(module.downsample)
    heads = {*network.decoder.outputs, *(network.decoder.log_sigmas or ())}
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module not in heads:
            module.to(dtype)
    return network


def _fold(block: nn.Module) -> None:
    """Fold bn1 into conv1, bn2 into conv2 and so on, among the direct children of a block."""
    layers = dict(block.named_children())
    for name, layer in layers.items():
        norm_name = name.replace("conv", "bn")
        norm = layers.get(norm_name)
        if isinstance(layer, nn.Conv2d) and _is_plain(norm):
            setattr(block, name, fuse_conv_bn_eval(layer, norm))
            setattr(block, norm_name, nn.Identity())


def _fold_sequence(layers: nn.Sequential) -> None:
    """Fold each batch normalisation into the convolution right before it."""
    for i in range(len(layers) - 1):
        layer, norm = layers[i], layers[i + 1]
        if isinstance(layer, nn.Conv2d) and _is_plain(norm):
            layers[i], layers[i + 1] = fuse_conv_bn_eval(layer, norm), nn.Identity()


def _is_plain(norm: nn.Module | None) -> TypeGuard[nn.BatchNorm2d]:
    # Not isinstance: timm derives classes from it that also contain the activation, which folding would lose.
    return type(norm) is nn.BatchNorm2d
