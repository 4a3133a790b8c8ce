"""The networks of the yardstick: torchvision's ResNet-18 and a decoder of plain layers.

They compute what selfdepth's networks compute, as a test checks, but stay as they are when those become faster.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import resnet18

CHANNELS = (64, 64, 128, 256, 512)
WIDTHS = (16, 32, 64, 128, 256)


class PlainEncoder(nn.Module):
    """ResNet-18 features at 1/2 to 1/32 of the size, of images stacked along the channels."""

    def __init__(self, n_images: int) -> None:
        super().__init__()
        self.resnet = resnet18(weights=None)
        del self.resnet.fc
        if n_images > 1:
            self.resnet.conv1 = nn.Conv2d(3 * n_images, 64, 7, stride=2, padding=3, bias=False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features, finest first."""
        net = self.resnet
        features = [net.relu(net.bn1(net.conv1((images - 0.45) / 0.225)))]
        x = net.maxpool(features[0])
        for layer in (net.layer1, net.layer2, net.layer3, net.layer4):
            x = layer(x)
            features.append(x)
        return features


def conv3x3(channels_in: int, channels_out: int) -> nn.Sequential:
    """A 3x3 convolution with reflection padding."""
    return nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(channels_in, channels_out, 3))


class PlainDepthNet(nn.Module):
    """Sigmoid disparities at four scales from one image."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = PlainEncoder(1)
        coarser, skips = (*WIDTHS[1:], CHANNELS[-1]), (0, *CHANNELS[:-1])
        self.reduce = nn.ModuleList(conv3x3(coarser[i], WIDTHS[i]) for i in range(5))
        self.fuse = nn.ModuleList(conv3x3(WIDTHS[i] + skips[i], WIDTHS[i]) for i in range(5))
        self.outputs = nn.ModuleList(conv3x3(WIDTHS[s], 1) for s in range(4))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Disparities in (0, 1), finest first."""
        features = self.encoder(images)
        x, disparities = features[-1], []
        for i in reversed(range(5)):
            x = F.interpolate(F.elu(self.reduce[i](x)), scale_factor=2, mode="nearest")
            if i > 0:
                x = torch.cat([x, features[i - 1]], 1)
            x = F.elu(self.fuse[i](x))
            if i < 4:
                disparities.append(torch.sigmoid(self.outputs[i](x)))
        return tuple(reversed(disparities))


class PlainPoseNet(nn.Module):
    """Axis-angle and translation between two images stacked along the channels, "b 3" each."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = PlainEncoder(2)
        self.squeeze = nn.Conv2d(512, 256, 1)
        self.hidden = nn.ModuleList(nn.Conv2d(256, 256, 3, padding=1) for _ in range(2))
        self.output = nn.Conv2d(256, 12, 1)

    def forward(self, pair: Tensor) -> tuple[Tensor, Tensor]:
        """The motion of points from the first image's camera to the second's."""
        x = F.relu(self.squeeze(self.encoder(pair)[-1]))
        for layer in self.hidden:
            x = F.relu(layer(x))
        motion = 0.01 * self.output(x).mean((2, 3))[:, :6]
        return motion[:, :3], motion[:, 3:]
