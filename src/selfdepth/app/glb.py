"""What the browser turns: each point as a small flat square on its surface, written as binary glTF (GLB).

A browser draws a mere point one pixel wide, or not at all. A square as large as what its pixels see leaves no gaps.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, UInt8, UInt16
from numpy import ndarray

from selfdepth.files import whole_file
from selfdepth.inference.pointcloud import no_camera_for_points
from selfdepth.structs import DepthPrediction

MOST_SQUARES = 80_000
"""Of a frame on the page: a laptop without a graphics card turns as many."""

_JSON, _BINARY, _MAGIC, _VERSION = 0x4E4F534A, 0x004E4942, 0x46546C67, 2
_FLOAT, _USHORT, _UINT, _VERTICES, _INDICES = 5126, 5123, 5125, 34962, 34963
_TWO_TRIANGLES = (0, 1, 2, 0, 2, 3)
_CORNERS = ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))
"""(u, v) of the corners around the middle of a square, in sides."""
_MOST_SLOPE = 0.25
"""Change of the disparity from the middle of a square to its corner, at most, as a share of the middle's."""


@dataclass(frozen=True, kw_only=True)
class Squares:
    """Squares in the camera's frame (x right, y down, z forward), in the unit of the depth; colours are RGB."""

    corners: Float32[ndarray, "n 4 3"]
    colours: UInt8[ndarray, "n 3"]


def squares_of(
    prediction: DepthPrediction, image: UInt8[ndarray, "h w 3"], *, max_depth: float, most: int = MOST_SQUARES
) -> Squares:
    """A square for every n-th row and column, n pixels wide, with the smallest n that leaves at most `most` of them.

    Each lies on the surface that its neighbours show: on a plane the squares meet at their corners. At the edge of an
    object they do not reach across.

    Args:
        image: RGB, of the prediction's size; gives the colours.
        max_depth: in the unit of the depth; squares with a larger one are left out.

    Raises:
        DataError: if the camera of the prediction is unknown.
    """
    height, width = prediction.depth.shape
    camera = prediction.camera
    if camera is None:
        raise no_camera_for_points(width, height)
    step = max(1, math.floor(math.sqrt(height * width / most)))
    while math.ceil(height / step) * math.ceil(width / step) > most:
        step += 1
    disparity = prediction.disparity[::step, ::step].astype(np.float64)
    shown = (disparity > 0) & (disparity * max_depth >= 1)
    rows, columns = (place * step for place in np.nonzero(shown))
    middle, slope_u, slope_v = disparity[shown], _slope(disparity, 1)[shown], _slope(disparity, 0)[shown]
    corners, seen = np.empty((len(middle), 4, 3)), np.ones(len(middle), dtype=bool)
    for index, (right, down) in enumerate(_CORNERS):
        change = np.clip((right * slope_u + down * slope_v) / middle, -_MOST_SLOPE, _MOST_SLOPE)
        rays, has_ray = camera.unproject(np.stack([columns + right * step, rows + down * step], -1).astype(np.float64))
        if prediction.depth_is == "z":
            has_ray &= rays[:, 2] > 0
            rays = rays / np.where(has_ray, rays[:, 2], 1)[:, None]
        corners[:, index] = rays / (middle * (1 + change))[:, None]
        seen &= has_ray
    return Squares(corners=corners[seen].astype(np.float32), colours=image[rows, columns][seen])


def _slope(values: Float[ndarray, "h w"], axis: int) -> Float[ndarray, "h w"]:
    """The change from one value to the next: of the changes before and after it the smaller one, 0 if they differ in
    sign. So the edge of an object slopes as the object does."""
    steps = np.diff(values, axis=axis)
    if steps.shape[axis] == 0:
        return np.zeros_like(values)
    first, last = np.take(steps, [0], axis=axis), np.take(steps, [-1], axis=axis)
    before, after = np.concatenate([first, steps], axis=axis), np.concatenate([steps, last], axis=axis)
    smaller = np.where(np.abs(before) < np.abs(after), before, after)
    return np.where(before * after > 0, smaller, 0)


def write_glb(path: Path, squares: Squares, *, shown_size: float) -> None:
    """Write squares in glTF's axes: x right, y up, z to the viewer.

    Positions are float, in the unit of the squares; colours are linear, as glTF wants them, in 16 bits.

    Args:
        shown_size: this length has length 1 on the screen, by the scale of the scene's only node: a browser's camera
            stands where it is told, in no unit.

    Raises:
        OutputError: if the file cannot be written.
    """
    positions = np.ascontiguousarray(squares.corners.reshape(-1, 3) * np.array([1, -1, -1], dtype=np.float32))
    colours = np.repeat(_linear(squares.colours), 4, axis=0)
    firsts = 4 * np.arange(len(squares.corners), dtype=np.uint32)
    indices = (firsts[:, None] + np.array(_TWO_TRIANGLES, dtype=np.uint32)).ravel()
    blocks = [array.tobytes() for array in (positions, colours, indices)]  # each a multiple of four bytes
    text = json.dumps(_description(positions, 1 / shown_size, len(indices), [len(block) for block in blocks])).encode(
        "ascii"
    )
    text += b" " * (-len(text) % 4)
    binary = b"".join(blocks)
    with whole_file(path) as temporary, temporary.open("wb") as file:
        file.write(struct.pack("<3I", _MAGIC, _VERSION, 12 + 8 + len(text) + 8 + len(binary)))
        file.write(struct.pack("<2I", len(text), _JSON) + text)
        file.write(struct.pack("<2I", len(binary), _BINARY) + binary)


def _description(
    positions: Float32[ndarray, "n 3"], scale: float, n_indices: int, n_bytes: list[int]
) -> dict[str, object]:
    """The JSON of a scene with one mesh."""
    count = len(positions)
    low, high = (positions.min(0), positions.max(0)) if count else (np.zeros(3), np.zeros(3))
    starts = [0, n_bytes[0], n_bytes[0] + n_bytes[1]]
    views = [
        {"buffer": 0, "byteOffset": start, "byteLength": length, "target": target}
        for start, length, target in zip(starts, n_bytes, (_VERTICES, _VERTICES, _INDICES), strict=True)
    ]
    where: dict[str, object] = {"bufferView": 0, "componentType": _FLOAT, "count": count, "type": "VEC3"}
    where |= {"min": [float(value) for value in low], "max": [float(value) for value in high]}
    colour = {"bufferView": 1, "componentType": _USHORT, "normalized": True, "count": count, "type": "VEC4"}
    index = {"bufferView": 2, "componentType": _UINT, "count": n_indices, "type": "SCALAR"}
    primitive = {"attributes": {"POSITION": 0, "COLOR_0": 1}, "indices": 2, "material": 0}
    # The photo holds its own light.
    material = {"doubleSided": True, "extensions": {"KHR_materials_unlit": {}}}
    return {
        "asset": {"version": "2.0", "generator": "selfdepth"},
        "extensionsUsed": ["KHR_materials_unlit"],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "scale": [scale] * 3}],
        "meshes": [{"primitives": [primitive]}],
        "materials": [material],
        "accessors": [where, colour, index],
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
