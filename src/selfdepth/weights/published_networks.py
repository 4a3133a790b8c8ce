"""Which networks a published checkpoint is of: read from the names and shapes of its tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from selfdepth.config import POSE_ENCODER, EncoderConfig, LossConfig, PoseInput, ResolvedConfig
from selfdepth.errors import CheckpointError


class _ResNet(NamedTuple):
    """One of the ResNets by its kind of block, and how many of them each of its four layers has."""

    name: str
    block: Literal["basic", "bottleneck"]
    counts: tuple[int, int, int, int]


_RESNETS = (
    _ResNet("resnet18", "basic", (2, 2, 2, 2)),
    _ResNet("resnet34", "basic", (3, 4, 6, 3)),
    _ResNet("resnet50", "bottleneck", (3, 4, 6, 3)),
    _ResNet("resnet101", "bottleneck", (3, 4, 23, 3)),
    _ResNet("resnet152", "bottleneck", (3, 8, 36, 3)),
)
_SCALE_OF_WIDTH = {16: 0, 32: 1, 64: 2, 128: 3}
_FIRST_OUTPUT = 10
_SQUEEZED = 256
_NEIGHBOURS = (-1, 1, -2, 2, -3, 3)

Files = Mapping[str, Mapping[str, Any]]
"""Entries by file and name."""


def is_resnet(name: str) -> bool:
    """Whether a timm model, with a tag or without, is one of the ResNets that published checkpoints are of."""
    return name.split(".")[0] in [resnet.name for resnet in _RESNETS]


def config_of(files: Files) -> ResolvedConfig:
    """The run that such a model would come from. Frame offsets are not in the files: the usual ones are assumed.

    A stereo model is one of the paper's nominal baseline of 0.1: its depth is metres after a factor of 5.4.

    Raises:
        CheckpointError, ConfigError: for networks that are none of ours, or a size that they cannot take.
        KeyError, IndexError, AttributeError: for entries that are not there.
    """
    encoder, depth = files["encoder.pth"], files["depth.pth"]
    for name in ("width", "height"):
        if type(encoder[name]) is not int:
            raise CheckpointError(f"a {name} in encoder.pth that is no whole number")
    if type(encoder["use_stereo"]) not in (bool, int):
        raise CheckpointError("a use_stereo in encoder.pth that is no truth value")
    stereo = bool(encoder["use_stereo"])
    outputs = sorted(key for key in depth if re.fullmatch(r"decoder\.1\d\.conv\.weight", key))
    pose = _pose(files)
    n_images = pose.pop("n_images")
    n_sources = n_images - 1
    mask = files.get("predictive_mask.pth")
    if mask is not None and pose.get("pose_input") != "all":
        n_sources = mask[f"decoder.{_FIRST_OUTPUT}.conv.weight"].shape[0] - stereo
    if stereo and "pose.pth" not in files:
        n_sources = 0
    return ResolvedConfig(
        width=encoder["width"],
        height=encoder["height"],
        offsets=tuple(sorted(_NEIGHBOURS[:n_sources])),
        stereo="nominal" if stereo else "none",
        encoder=EncoderConfig(
            name=_resnet(encoder),
            scales=tuple(_SCALE_OF_WIDTH[depth[key].shape[1]] for key in outputs),
            **pose,
        ),
        loss=LossConfig(predictive_mask=mask is not None, automask=mask is None),
    )


def _pose(files: Files) -> dict[str, Any]:
    """The pose network's fields of an EncoderConfig, and `n_images`: how many make up a clip."""
    decoder, encoder = files.get("pose.pth"), files.get("pose_encoder.pth")
    if decoder is None:
        return {"n_images": 3}
    if encoder is not None:
        n_seen = encoder["encoder.conv1.weight"].shape[1] // 3
        found = {"pose_network": "separate", "pose_name": _resnet(encoder)}
    elif "pose_conv.weight" in decoder:
        n_seen = decoder["net.0.weight"].shape[1] // 3
        found = {"pose_network": "posecnn", "pose_name": POSE_ENCODER}
    else:
        n_seen = decoder["net.1.weight"].shape[1] // _SQUEEZED
        found = {"pose_network": "shared", "pose_name": POSE_ENCODER}
        if n_seen < 2:
            raise CheckpointError("a pose.pth that needs a pose_encoder.pth beside it")
    pose_input: PoseInput = "pairs" if n_seen == 2 else "all"
    return {**found, "pose_input": pose_input, "n_images": 3 if n_seen == 2 else n_seen}


def _resnet(entries: Mapping[str, Any]) -> str:
    block = "bottleneck" if "encoder.layer1.0.conv3.weight" in entries else "basic"
    layers = [f"encoder.layer{layer}." for layer in (1, 2, 3, 4)]
    counts = tuple(len({key.split(".")[2] for key in entries if key.startswith(layer)}) for layer in layers)
    for resnet in _RESNETS:
        if (resnet.block, resnet.counts) == (block, counts):
            return resnet.name
    raise CheckpointError("an encoder that is no ResNet of 18, 34, 50, 101 or 152 layers", got=f"blocks {counts}")
