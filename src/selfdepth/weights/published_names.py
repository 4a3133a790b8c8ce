"""The names of tensors in published checkpoint folders, and how ours map to them.

A published folder holds `encoder.pth`, `depth.pth` and, with a pose network, `pose_encoder.pth` and `pose.pth`. The
names are facts of the file format; the code that reads it is ours.
"""

from __future__ import annotations

import re

_DECODER_LEVELS = 5

FILES = ("encoder.pth", "depth.pth", "pose_encoder.pth", "pose.pth", "predictive_mask.pth")
"""The files of a published model. The first two are always present."""


def published_key(name: str) -> tuple[str, str]:
    """File and key of a tensor of our learner ("depth_net.*", "pose_net.*") in a published checkpoint.

    Raises:
        KeyError: for a tensor that published checkpoints do not contain.
    """
    network, _, key = name.partition(".")
    return {"depth_net": published_depth_key, "pose_net": published_pose_key}[network](key)


def published_depth_key(key: str) -> tuple[str, str]:
    """File and key of a tensor of our DepthNet in a published checkpoint.

    Raises:
        KeyError: for a tensor that published checkpoints do not contain.
    """
    if key.startswith("encoder.backbone."):
        return "encoder.pth", key.replace("encoder.backbone.", "encoder.", 1)
    match = re.fullmatch(r"(mask_)?decoder\.(reduce|fuse|outputs)\.(\d+)\.(weight|bias)", key)
    if match is None:
        raise KeyError(key)
    mask, part, index, kind = match.groups()
    file = "predictive_mask.pth" if mask else "depth.pth"
    if part == "outputs":
        return file, f"decoder.{2 * _DECODER_LEVELS + int(index)}.conv.{kind}"
    # The published list runs from the coarsest level to the finest, with two convolutions per level; the outputs come
    # after them, finest first.
    position = 2 * (_DECODER_LEVELS - 1 - int(index)) + (part == "fuse")
    return file, f"decoder.{position}.conv.conv.{kind}"


def published_pose_key(key: str) -> tuple[str, str]:
    """File and key of a tensor of one of our pose networks in a published checkpoint.

    Raises:
        KeyError: for a tensor that published checkpoints do not contain.
    """
    if key.startswith("encoder.backbone."):
        return "pose_encoder.pth", key.replace("encoder.backbone.", "encoder.", 1)
    match = re.fullmatch(r"(decoder\.squeeze|decoder\.hidden|decoder\.output|layers|output)(?:\.(\d+))?\.(\w+)", key)
    if match is None:
        raise KeyError(key)
    part, index, kind = match.groups()
    name = {
        "decoder.squeeze": "net.0",
        "decoder.hidden": f"net.{1 + int(index or 0)}",
        "decoder.output": "net.3",
        "layers": f"net.{index}",  # PoseCNN
        "output": "pose_conv",  # PoseCNN
    }[part]
    return "pose.pth", f"{name}.{kind}"
