"""A point cloud for the browser: thinned to what it can turn smoothly, and written as binary glTF (GLB)."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, UInt8, UInt16
from numpy import ndarray

from selfdepth.files import whole_file
from selfdepth.geometry.ray_depth import points_of
from selfdepth.inference.pointcloud import PointCloud, no_camera_for_points
from selfdepth.structs import DepthPrediction

MOST_POINTS = 250_000
"""Points of a cloud on the page; a laptop without a graphics card turns as many."""

_JSON, _BINARY, _MAGIC, _VERSION = 0x4E4F534A, 0x004E4942, 0x46546C67, 2
_FLOAT, _USHORT, _ARRAY_BUFFER, _POINTS = 5126, 5123, 34962, 0


def thinned_cloud(
    prediction: DepthPrediction, image: UInt8[ndarray, "h w 3"], *, max_depth: float, most: int = MOST_POINTS
) -> PointCloud:
    """`point_cloud` of every n-th row and column, with the smallest n that leaves at most `most` pixels.

    Args:
        image: RGB, of the prediction's size; gives the colours.
        max_depth: in the unit of the depth; points with a larger one are left out.

    Raises:
        DataError: if the camera of the prediction is unknown.
    """
    height, width = prediction.depth.shape
    if prediction.camera is None:
        raise no_camera_for_points(width, height)
    step = max(1, math.ceil(math.sqrt(height * width / most)))
    chosen = np.zeros((height, width), dtype=bool)
    chosen[::step, ::step] = True
    chosen &= (prediction.depth > 0) & (prediction.depth <= max_depth)
    points, shown = points_of(prediction.depth, prediction.camera, prediction.depth_is, chosen)
    return PointCloud(points=points.astype(np.float32), colours=image[shown])


def write_glb(path: Path, cloud: PointCloud) -> None:
    """Write a cloud in the camera's frame (x right, y down, z forward) as glTF has it: x right, y up, z to the viewer.

    Positions are float, in the unit of the points; colours are linear, as glTF wants them, in 16 bits.

    Raises:
        OutputError: if the file cannot be written.
    """
    positions = np.ascontiguousarray(cloud.points * np.array([1, -1, -1], dtype=np.float32))
    colours = _linear(cloud.colours)
    n_bytes = positions.nbytes, colours.nbytes
    text = json.dumps(_description(positions, len(cloud.points), n_bytes)).encode("ascii")
    text += b" " * (-len(text) % 4)
    binary = positions.tobytes() + colours.tobytes()  # both are multiples of four bytes
    with whole_file(path) as temporary, temporary.open("wb") as file:
        file.write(struct.pack("<3I", _MAGIC, _VERSION, 12 + 8 + len(text) + 8 + len(binary)))
        file.write(struct.pack("<2I", len(text), _JSON) + text)
        file.write(struct.pack("<2I", len(binary), _BINARY) + binary)


def _description(positions: Float32[ndarray, "n 3"], count: int, n_bytes: tuple[int, int]) -> dict[str, object]:
    """The JSON of a scene with one mesh of points."""
    low, high = (positions.min(0), positions.max(0)) if count else (np.zeros(3), np.zeros(3))
    views = [
        {"buffer": 0, "byteOffset": 0, "byteLength": n_bytes[0], "target": _ARRAY_BUFFER},
        {"buffer": 0, "byteOffset": n_bytes[0], "byteLength": n_bytes[1], "target": _ARRAY_BUFFER},
    ]
    where = {"bufferView": 0, "componentType": _FLOAT, "count": count, "type": "VEC3"}
    where |= {"min": [float(value) for value in low], "max": [float(value) for value in high]}
    colour = {"bufferView": 1, "componentType": _USHORT, "normalized": True, "count": count, "type": "VEC4"}
    primitive = {"attributes": {"POSITION": 0, "COLOR_0": 1}, "mode": _POINTS, "material": 0}
    return {
        "asset": {"version": "2.0", "generator": "selfdepth"},
        "extensionsUsed": ["KHR_materials_unlit"],  # the photo holds its own light
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}],
        "materials": [{"extensions": {"KHR_materials_unlit": {}}}],
        "accessors": [where, colour],
        "bufferViews": views,
        "buffers": [{"byteLength": sum(n_bytes)}],
    }


def _linear(colours: UInt8[ndarray, "n 3"]) -> UInt16[ndarray, "n 4"]:
    """sRGB colours as linear ones, opaque."""
    levels: Float[ndarray, "256"] = np.arange(256) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    table = np.rint(65535 * linear).astype(np.uint16)
    opaque = np.full((len(colours), 1), 65535, dtype=np.uint16)
    return np.concatenate([table[colours], opaque], axis=1)
