"""The networks of a published checkpoint, inferred from the names and shapes of its tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from selfdepth.config import POSE_ENCODER, EncoderConfig, LossConfig, PoseInput, ResolvedConfig
from selfdepth.errors import CheckpointError


class _ResNet(NamedTuple):
    """A ResNet, identified by its kind of block and the number of blocks in each of its four layers."""

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
_SCALE_OF_CHANNELS = {16: 0, 32: 1, 64: 2, 128: 3}
"""Scale of a disparity output by its input channels, which differ from level to level of the decoder."""
_FIRST_OUTPUT = 10
"""Position of the first disparity output in the published list, after two convolutions of each of five levels."""
_SQUEEZED = 256
"""Channels to which the shared pose network reduces the features of each image."""
_NEIGHBOURS = (-1, 1, -2, 2, -3, 3)
"""The usual offsets, nearest first: the files hold the number of sources, but not their times."""

Files = Mapping[str, Mapping[str, Any]]
"""Entries by file name and by their name in the file."""


def is_resnet(name: str) -> bool:
    """Whether a timm model name, with or without a tag, is a ResNet that the published format can hold."""
    return name.split(".")[0] in [resnet.name for resnet in _RESNETS]


def config_of(files: Files) -> ResolvedConfig:
    """The configuration of a run that would train this model. Frame offsets are not in the files; the usual ones are
    assumed.

    A stereo model has the paper's nominal baseline of 0.1, so its depth times 5.4 is in metres.

    Raises:
        CheckpointError, ConfigError: for networks that we do not have, or a size that they do not accept.
        KeyError, IndexError, AttributeError: for missing entries.
    """
    encoder, depth = files["encoder.pth"], files["depth.pth"]
    for name in ("width", "height"):
        if type(encoder[name]) is not int:
            raise CheckpointError(f"a {name} in encoder.pth that is not a whole number")
    if type(encoder["use_stereo"]) not in (bool, int):
        raise CheckpointError("a use_stereo in encoder.pth that is neither true nor false")
    stereo = bool(encoder["use_stereo"])
    # One output per learned scale, in the order of the scales.
    outputs = sorted(key for key in depth if re.fullmatch(r"decoder\.1\d\.conv\.weight", key))
    pose = _pose(files)
    n_images = pose.pop("n_images")
    n_sources = n_images - 1
    mask = files.get("predictive_mask.pth")
    if mask is not None and pose.get("pose_input") != "all":
        # The mask has one channel per source, the stereo partner included, which is no offset in time.
        n_sources = mask[f"decoder.{_FIRST_OUTPUT}.conv.weight"].shape[0] - stereo
    if stereo and "pose.pth" not in files:
        n_sources = 0  # stereo pairs alone need no pose network
    return ResolvedConfig(
        width=encoder["width"],
        height=encoder["height"],
        offsets=tuple(sorted(_NEIGHBOURS[:n_sources])),
        stereo="nominal" if stereo else "none",
        encoder=EncoderConfig(
            name=_resnet(encoder),
            scales=tuple(_SCALE_OF_CHANNELS[depth[key].shape[1]] for key in outputs),
            **pose,
        ),
        loss=LossConfig(predictive_mask=mask is not None, automask=mask is None),
    )


def _pose(files: Files) -> dict[str, Any]:
    """The pose network's fields of an EncoderConfig, and `n_images`: the images of a clip, target and sources."""
    decoder, encoder = files.get("pose.pth"), files.get("pose_encoder.pth")
    if decoder is None:
        return {"n_images": 3}
    # Images are stacked along the channels, so the first layer's input channels count the images of one pass.
    if encoder is not None:
        n_stacked = encoder["encoder.conv1.weight"].shape[1] // 3
        fields = {"pose_network": "separate", "pose_name": _resnet(encoder)}
    elif "pose_conv.weight" in decoder:
        n_stacked = decoder["net.0.weight"].shape[1] // 3
        fields = {"pose_network": "posecnn", "pose_name": POSE_ENCODER}
    else:
        n_stacked = decoder["net.1.weight"].shape[1] // _SQUEEZED
        fields = {"pose_network": "shared", "pose_name": POSE_ENCODER}
        if n_stacked < 2:  # the decoder of a separate network takes one set of features
            raise CheckpointError("a pose.pth that needs a pose_encoder.pth beside it")
    # Two images are a pair, whatever the clip; the usual clip has three.
    pose_input: PoseInput = "pairs" if n_stacked == 2 else "all"
    return {**fields, "pose_input": pose_input, "n_images": 3 if n_stacked == 2 else n_stacked}


def _resnet(entries: Mapping[str, Any]) -> str:
    block = "bottleneck" if "encoder.layer1.0.conv3.weight" in entries else "basic"
    layers = [f"encoder.layer{layer}." for layer in (1, 2, 3, 4)]
    counts = tuple(len({key.split(".")[2] for key in entries if key.startswith(layer)}) for layer in layers)
    for resnet in _RESNETS:
        if (resnet.block, resnet.counts) == (block, counts):
            return resnet.name
    raise CheckpointError(
        "an encoder that is not a ResNet of 18, 34, 50, 101 or 152 layers", got=f"{block} blocks {counts}"
    )
