"""Coloured point clouds: of one frame, or of a whole drive along its trajectory; and a small PLY writer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, UInt8
from numpy import ndarray

from selfdepth.errors import DataError
from selfdepth.files import whole_file
from selfdepth.structs import DepthPrediction

MAX_DEPTH_IN_MEDIANS = 4.0
"""Farther points are left out by default: at a distance a small error of disparity is a large one of depth."""
VOXELS_PER_MAX_DEPTH = 400

_VERTEX = np.dtype([(axis, "<f4") for axis in "xyz"] + [(colour, "u1") for colour in ("red", "green", "blue")])
_KEY_BITS = 21
_SLACK_POINTS = 1_000_000
"""How many points may wait to be thinned together with those that are there."""


@dataclass(frozen=True, kw_only=True)
class PointCloud:
    """Points with colours. Their frame and unit are said where they are used."""

    points: Float32[ndarray, "n 3"]
    colours: UInt8[ndarray, "n 3"]


@dataclass(frozen=True, kw_only=True)
class CloudLimits:
    """What is kept of a cloud, in the unit of the depth.

    Attributes:
        max_depth: points farther along z are left out. None: four times the median depth of the first frame.
        voxel: edge of the cubes that hold one point each in a fused cloud. None: 1/400 of max_depth.
    """

    max_depth: float | None = None
    voxel: float | None = None

    def resolved(self, first: DepthPrediction) -> tuple[float, float]:
        """max_depth and voxel for a sequence that begins with this frame."""
        max_depth = self.max_depth or MAX_DEPTH_IN_MEDIANS * float(np.median(first.depth))
        return max_depth, self.voxel or max_depth / VOXELS_PER_MAX_DEPTH


def point_cloud(prediction: DepthPrediction, image: UInt8[ndarray, "h w 3"], max_depth: float) -> PointCloud:
    """One point for each pixel up to max_depth, in the camera's frame: x right, y down, z forward.

    Raises:
        DataError: if the prediction's camera is not known.
    """
    camera = prediction.camera
    if camera is None:
        raise no_camera_for_points(image.shape[1], image.shape[0])
    near = prediction.depth <= max_depth
    rows, columns = np.nonzero(near)
    z = prediction.depth[near]
    x, y = (columns - camera.cx) / camera.fx * z, (rows - camera.cy) / camera.fy * z
    return PointCloud(points=np.stack([x, y, z], axis=1).astype(np.float32), colours=image[near])


def no_camera_for_points(width: int, height: int) -> DataError:
    """The refusal of frames whose camera is not known."""
    return DataError(
        "points need a camera, and the model's does not fit these frames",
        where=f"frames of {width}x{height}",
        fix="give --camera fx,fy,cx,cy or fov:DEGREES, or leave --save ply out",
    )


class FusedCloud:
    """Clouds of many frames in one world, with one point in each voxel: the one that was seen first."""

    def __init__(self, voxel: float) -> None:
        self._voxel = voxel
        self._kept = PointCloud(points=np.zeros((0, 3), np.float32), colours=np.zeros((0, 3), np.uint8))
        self._waiting: list[PointCloud] = []
        self._n_waiting = 0

    def add(self, cloud: PointCloud, T_world_camera: Float[ndarray, "4 4"]) -> None:
        """Move a camera's points to the world and thin them.

        Raises:
            DataError: if the voxels are too small for so large a world.
        """
        moved = cloud.points @ T_world_camera[:3, :3].T + T_world_camera[:3, 3]
        thin = self._thinned(PointCloud(points=moved.astype(np.float32), colours=cloud.colours))
        self._waiting.append(thin)
        self._n_waiting += len(thin.points)
        # Thinning all of it for every frame would take longer with every frame.
        if self._n_waiting > max(_SLACK_POINTS, len(self._kept.points)):
            self.result()

    def result(self) -> PointCloud:
        """All points so far, in the order in which they were seen."""
        clouds = [self._kept, *self._waiting]
        self._kept = self._thinned(
            PointCloud(
                points=np.concatenate([cloud.points for cloud in clouds]),
                colours=np.concatenate([cloud.colours for cloud in clouds]),
            )
        )
        self._waiting, self._n_waiting = [], 0
        return self._kept

    def _thinned(self, cloud: PointCloud) -> PointCloud:
        cells = np.floor(cloud.points.astype(np.float64) / self._voxel)
        half = 1 << (_KEY_BITS - 1)
        if (np.abs(cells) >= half).any():
            raise DataError(
                "the voxels are too small for so large a drive",
                where="--voxel",
                expected=f"more than {np.abs(cloud.points).max() / half:.3g}",
                got=f"{self._voxel:g}",
            )
        x, y, z = (cells.astype(np.int64) + half).T
        _, first = np.unique((x << 2 * _KEY_BITS) | (y << _KEY_BITS) | z, return_index=True)
        first.sort()
        return PointCloud(points=cloud.points[first], colours=cloud.colours[first])


def write_ply(path: Path, cloud: PointCloud, *, unit: str, frame: str) -> None:
    """Write a binary little-endian PLY: x y z as float, red green blue as uchar.

    Args:
        unit: of the points, in words, for a comment.
        frame: what the axes are, in words, for another comment.

    Raises:
        OutputError: when the place cannot be written to.
    """
    vertices = np.empty(len(cloud.points), _VERTEX)
    for index, axis in enumerate("xyz"):
        vertices[axis] = cloud.points[:, index]
    for index, colour in enumerate(("red", "green", "blue")):
        vertices[colour] = cloud.colours[:, index]
    kinds = [("float", axis) for axis in "xyz"] + [("uchar", colour) for colour in ("red", "green", "blue")]
    header = [
        "ply",
        "format binary_little_endian 1.0",
        "comment written by selfdepth",
        f"comment unit: {unit}",
        f"comment frame: {frame}",
        f"element vertex {len(vertices)}",
        *(f"property {kind} {name}" for kind, name in kinds),
        "end_header",
    ]
    with whole_file(path) as temporary, temporary.open("wb") as file:
        file.write(("\n".join(header) + "\n").encode("ascii"))
        file.write(vertices.tobytes())
