"""Small depth networks in ONNX files: other people's, and such as `selfdepth export` describes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from selfdepth.geometry.camera import Camera
from selfdepth.weights.exported import DISPARITY, IMAGE, METADATA_KEY, ExportedModel, Port

PORT = Port(what="x", unit="1", layout="n", range="any")


def write_onnx(
    path: Path,
    *,
    scale: float = -0.2,
    shift: float = 0.3,
    power: float = 1.0,
    shape: Sequence[int | str] = (1, 3, 32, 64),
    about: dict[str, str] | None = None,
    shrink: int = 1,
    channels: int = 3,
) -> Path:
    """A network that gives (shift + scale * brightness) ** power, with colours from 0 to 1.

    Sky is bright, so by default what is dark is near. Every `shrink`-th pixel of either direction is left.
    The brightness is the mean of the first `channels` colours.
    """
    given = onnx.helper.make_tensor_value_info("picture", onnx.TensorProto.FLOAT, shape)
    made = onnx.helper.make_tensor_value_info("map", onnx.TensorProto.FLOAT, None)
    constants = {"scale": scale, "shift": shift, "power": power}
    values = [onnx.numpy_helper.from_array(np.float32(value).reshape(1), name) for name, value in constants.items()]
    ends = {"starts": [0, 0], "ends": [10**6, 10**6], "axes": [2, 3], "steps": [shrink, shrink]}
    ends |= {"zero": [0], "channels": [channels], "one": [1]}
    values += [onnx.numpy_helper.from_array(np.array(value, np.int64), name) for name, value in ends.items()]
    nodes = [
        onnx.helper.make_node("Slice", ["picture", "zero", "channels", "one"], ["seen"]),
        onnx.helper.make_node("ReduceMean", ["seen"], ["mean"], axes=[1], keepdims=1),
        onnx.helper.make_node("Slice", ["mean", "starts", "ends", "axes", "steps"], ["thin"]),
        onnx.helper.make_node("Mul", ["thin", "scale"], ["scaled"]),
        onnx.helper.make_node("Add", ["scaled", "shift"], ["shifted"]),
        onnx.helper.make_node("Pow", ["shifted", "power"], ["map"]),
    ]
    graph = onnx.helper.make_graph(nodes, "brightness", [given], [made], initializer=values)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    onnx.helper.set_model_props(model, {"colours": "unit", **(about or {})})
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


def description(**changes: Any) -> ExportedModel:
    """What our export says of a small network."""
    values: dict[str, Any] = {
        "kind": "depth",
        "width": 64,
        "height": 32,
        "near": 0.1,
        "far": 100.0,
        "scale": "relative",
        "metric": None,
        "metres_per_unit": None,
        "depth_is": "z",
        "camera": Camera.from_fov(90, width=128, height=64),
        "rectify": True,
        "precision": "fp32",
        "inputs": {IMAGE: PORT},
        "outputs": {DISPARITY: PORT},
        "selfdepth": "0.2.0",
    }
    return ExportedModel(**{**values, **changes})


def write_exported(path: Path, *, described: ExportedModel | None = None, **options: Any) -> Path:
    """As `write_onnx`, with a description in it."""
    text = (described or description()).to_json()
    return write_onnx(path, about={METADATA_KEY: text, "size": "64x32"}, **options)
