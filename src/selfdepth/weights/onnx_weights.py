"""A MODEL in an ONNX file: one that `selfdepth export` wrote, which says all of itself, or anybody's depth network."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from numpy import ndarray

from selfdepth.config.network_input import OPTION, NetworkInput
from selfdepth.config.quantity import SHIFTED, Quantity, stored
from selfdepth.config.teacher import ONNX, TeacherConfig
from selfdepth.device import Precision, resolve_device
from selfdepth.errors import CheckpointError, ConfigError, DataError
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.crop import NO_CROP
from selfdepth.geometry.crop_resize import CropResize
from selfdepth.geometry.depth_range import DepthRange
from selfdepth.geometry.ray_depth import DepthIs
from selfdepth.geometry.shifted_disparity import lifted
from selfdepth.networks.onnx_model import AS_MODEL, OnnxModel, open_onnx
from selfdepth.structs import MetricScale
from selfdepth.weights.exported import METADATA_KEY, ExportedModel

_DEPTHS = 1000.0
"""The farthest depth of an image over its nearest, at most: the range of our own networks. A disparity of 0 is no
place, and a stranger's network may give even less."""
_SIZES = ((672, 224), (896, 448), (672, 448), (448, 448), (448, 672), (448, 896), (224, 672))
"""Sizes for a network that takes any and states none: multiples of both 14 and 32, which such networks ask for."""


@dataclass(frozen=True, kw_only=True)
class OnnxWeights:
    """A depth network in an ONNX file, ready to be asked.

    Attributes:
        path: the file.
        network: the opened model.
        gives: what its maps hold.
        fit: crop, resize and rectification that turn a frame into its input.
        camera: intrinsics of its training frames at their original size; None if unknown.
        scale: "metric" if its depth is in metres, else "relative"; of a calibrated model `MetricScale.word`.
        metric: the witness of the metres of a calibrated model; its factor is in the numbers already.
        metres_per_unit: metres in one unit of its depth; None if unknown.
        depth_range: the depths that it can give, in that unit; None if unknown.
        depth_is: along "z", the camera's axis, or along the "ray".
        exported: what our export wrote of it; None for other people's networks.
    """

    path: Path
    network: OnnxModel
    gives: Quantity
    fit: CropResize
    camera: Camera | None = None
    scale: str = "relative"
    metric: MetricScale | None = None
    metres_per_unit: float | None = None
    depth_range: DepthRange | None = None
    depth_is: DepthIs = "z"
    exported: ExportedModel | None = None

    @property
    def folder(self) -> Path:
        """Where the model is, for people: the file."""
        return self.path

    def for_frames(self, width: int, height: int) -> OnnxWeights:
        """The same network, at a size with about the aspect of these frames if it takes any size and states none."""
        if self.network.size is not None:
            return self
        size = min(_SIZES, key=lambda each: abs(math.log(each[0] / each[1] * height / width)))
        return replace(self, fit=replace(self.fit, width=size[0], height=size[1]))

    def disparity(self, image: UInt8[ndarray, "h w 3"]) -> Float32[ndarray, "_h _w"]:
        """The disparity of an image that was brought to its size, at the size of the network's output; above 0.

        Of one that is known up to a shift, with a shift that lifts it above 0.

        Raises:
            DataError: if the network fails on it, or what it gives cannot be what it is said to be.
        """
        values = self.network(image).astype(np.float32)
        if self.gives == SHIFTED:
            if not np.isfinite(values).all():
                raise self._unusable(values[~np.isfinite(values)])
            return lifted(values)
        as_depth = stored(self.gives) == "depth"
        bad = np.isnan(values) | ((values <= 0) if as_depth else np.isinf(values))
        if bad.any() or not values.max() > 0:
            raise self._unusable(values[bad] if bad.any() else values)
        with np.errstate(over="ignore"):
            disparity = np.float32(1) / values if as_depth else values
        disparity = np.minimum(disparity, np.finfo(np.float32).max)
        return np.asarray(np.maximum(disparity, disparity.max() / np.float32(_DEPTHS)))

    def _unusable(self, bad: Float32[ndarray, "..."]) -> DataError:
        other = "disparity" if stored(self.gives) == "depth" else "depth"
        expected = "depths above 0" if other == "disparity" else "finite numbers, some of them above 0"
        expected = "finite numbers" if self.gives == SHIFTED else expected
        return DataError(
            f"what the ONNX model gives cannot be {stored(self.gives)}",
            where=self.path,
            expected=expected,
            got=f"{bad.ravel()[0]:g} in {bad.size} pixels",
            fix="export it again" if self.exported is not None else f"if it gives {other}, say so: {_OPTION} {other}",
        )


_OPTION = "--predictions-are"


def open_onnx_weights(
    path: Path, predictions_are: Quantity | None = None, takes: NetworkInput | None = None
) -> OnnxWeights:
    """Open a MODEL that is an ONNX file.

    Args:
        predictions_are: what a network of other people gives; None for one that `selfdepth export` wrote.
        takes: the images that such a network takes, where its file does not say it.

    Raises:
        ConfigError: if what it gives is not said, or said of one that says it itself; or without onnxruntime.
        CheckpointError: for a pose network, or a description that cannot be read.
        DataError: for a file that is no such network.
    """
    network, about = open_network(path, takes)
    if about is None and predictions_are is None:
        raise ConfigError(
            "nobody says what this ONNX model gives",
            where=path,
            expected=f"{_OPTION} {' or '.join(get_args(Quantity))}",
            got="a file that selfdepth export did not write",
            fix="add the option",
        )
    if about is None:
        assert predictions_are is not None, "refused above"
        return _of_others(network, predictions_are)
    if takes is not None:
        raise ConfigError(
            "the ONNX model says itself what it takes",
            where=OPTION,
            got=f"{path}, which selfdepth export wrote",
            fix="leave the option out",
        )
    if predictions_are is not None:
        raise ConfigError(
            "the ONNX model says itself what it gives",
            where=f"{_OPTION} {predictions_are}",
            got=f"{path}, which selfdepth export wrote",
            fix="leave the option out",
        )
    return _of_export(network, about)


def open_network(path: Path, takes: NetworkInput | None = None) -> tuple[OnnxModel, ExportedModel | None]:
    """A file, opened, and what our export wrote into it; None for other people's.

    Args:
        takes: what the user says of its images; None: nothing.

    Raises:
        CheckpointError: for a pose network, or a description that cannot be read.
        ConfigError: without onnxruntime.
        DataError: for a file that is no such network.
    """
    said = None if takes is None else TeacherConfig(path=f"model{ONNX}", size=takes.size, colours=takes.colours)
    network = open_onnx(path, use=AS_MODEL) if said is None or _is_ours(path) else open_onnx(path, said, use=AS_MODEL)
    text = network.about.get(METADATA_KEY)
    if text is None:
        return network, None
    about = ExportedModel.from_json(text, where=path)
    if about.kind != "depth":
        raise CheckpointError(
            "the ONNX file holds a pose network, which gives no depth",
            where=path,
            got=f"one of kind {about.kind}",
            fix="give the depth network that was exported with it",
        )
    return network, about


def _is_ours(path: Path) -> bool:
    return METADATA_KEY in open_onnx(path, use=AS_MODEL).about


def _of_others(network: OnnxModel, gives: Quantity) -> OnnxWeights:
    width, height = network.size or _SIZES[2]
    in_metres = gives == "depth-metres"
    return OnnxWeights(
        path=network.path,
        network=network,
        gives=gives,
        # A stranger's network has learned from pictures without distortion, as nearly all have.
        fit=CropResize(width=width, height=height, crop=NO_CROP, rectify=True),
        scale="metric" if in_metres else "relative",
        metres_per_unit=1.0 if in_metres else None,
    )


def _of_export(network: OnnxModel, about: ExportedModel) -> OnnxWeights:
    return OnnxWeights(
        path=network.path,
        network=network,
        gives="disparity",
        fit=CropResize(width=about.width, height=about.height, crop=about.crop, rectify=about.rectify),
        camera=about.camera,
        scale=about.scale,
        metric=about.metric,
        metres_per_unit=about.metres_per_unit,
        depth_range=about.depth_range,
        depth_is=about.depth_is,
        exported=about,
    )


def device_of_onnx(weights: OnnxWeights, device: str, precision: Precision) -> torch.device:
    """The device on which the network runs from now on.

    Args:
        device: "auto": a GPU if onnxruntime has one, else the CPU.

    Raises:
        ConfigError: for a device that the machine or onnxruntime does not have, or another precision than the file's.
    """
    if precision == "bf16":
        fix = "leave it out; selfdepth export --precision chooses that of a file"
        raise ConfigError("an ONNX model has its own precision", where="--precision", got=precision, fix=fix)
    wanted = resolve_device(device)
    if weights.network.runs_on_gpu and wanted.type != "cpu":
        return wanted
    if device not in ("auto", "cpu"):
        raise ConfigError(
            "this onnxruntime computes on the CPU alone",
            where=f"--device {device}",
            got=str(weights.path),
            fix="pip install onnxruntime-gpu, or leave the option out",
        )
    weights.network.use_cpu()
    return torch.device("cpu")
