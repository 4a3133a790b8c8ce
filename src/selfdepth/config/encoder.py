"""The options of the networks, as plain values. Imports no torch, because --help imports this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from selfdepth.checks import check_numbers, require
from selfdepth.errors import ConfigError

POSE_ENCODER = "resnet18"
"""The paper's pose encoder, whichever ResNet the depth encoder is."""
LITE0 = "tf_efficientnet_lite0"
"""EfficientNet-Lite0: a third of ResNet-18's arithmetic, and its ImageNet weights are installed with the package."""

PoseNetworkName = Literal["separate", "shared", "posecnn"]
PoseInput = Literal["pairs", "all"]


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """The networks: which encoders, which pose network, and at which scales depth is learned."""

    name: str = "resnet18"
    """Depth encoder: any timm model with five feature levels."""
    pose_name: str | None = None
    """Encoder of the separate pose network, likewise any timm model. Predicting depth does not need it. Default:
    resnet18 beside any ResNet, as published; otherwise the depth encoder's."""
    pretrained: bool = True
    """Start both encoders from ImageNet weights: the paper's for ResNets (tag tv_in1k), the installed ones for
    tf_efficientnet_lite0."""
    pose_network: PoseNetworkName = "separate"
    """separate: has its own encoder. shared: uses the depth encoder's features. posecnn: seven plain convolutions."""
    pose_input: PoseInput = "pairs"
    """pairs: the target with one source at a time, in temporal order. all: the target with all sources at once."""
    scales: tuple[int, ...] = (0, 1, 2, 3)
    """Learn depth at 1/2^s of the training size for each of these s, from 0 to 3; predictions use the first."""

    def __post_init__(self) -> None:
        check_numbers(self, "encoder.")
        require(
            self.scales != () and list(self.scales) == sorted({*self.scales} & {0, 1, 2, 3}),
            "--encoder.scales",
            "one or more of 0 1 2 3, each once, in this order",
            self.scales,
        )
        # resnet18 is accepted: earlier versions wrote it into every config.json.
        if self.pose_network != "separate" and self.pose_name not in (None, POSE_ENCODER):
            raise ConfigError(
                f"the {self.pose_network} pose network has no encoder of its own",
                where="--encoder.pose-name",
                got=self.pose_name,
                fix="leave it out, or take --encoder.pose-network separate",
            )

    @property
    def pose_encoder(self) -> str:
        """The encoder of the separate pose network, with the default filled in."""
        if self.pose_name is not None:
            return self.pose_name
        return POSE_ENCODER if self.name.startswith("resnet") else self.name
