"""Coloured point clouds of single frames, or of a sequence fused along its trajectory, and a PLY writer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8
from numpy import ndarray

from selfdepth.errors import DataError
from selfdepth.files import whole_file
from selfdepth.geometry.ray_depth import points_of
from selfdepth.structs import DepthPrediction

MAX_DEPTH_IN_MEDIANS = 4.0
"""Default of --max-depth. Depth errors grow with the square of the depth for the same error in disparity, so far points
would surround the scene with noise."""
VOXELS_PER_MAX_DEPTH = 400
"""Default of --voxel, as a share of max_depth: cubes of 10 cm for points up to 40 m."""

_VERTEX = np.dtype([(axis, "<f4") for axis in "xyz"] + [(colour, "u1") for colour in ("red", "green", "blue")])
_KEY_BITS = 21
"""Bits per axis of a voxel's key: three axes fit into the 63 bits of a positive int64."""
_REMEMBERED_VOXELS = 500_000
_SLACK_POINTS = 1_000_000
"""Points that may accumulate before they are merged into the fused cloud."""


@dataclass(frozen=True, kw_only=True)
class PointCloud:
    """Points with colours, RGB. The functions that return them state frame and unit."""

    points: Float32[ndarray, "n 3"]
    colours: UInt8[ndarray, "n 3"]

    def moved(self, T_world_camera: Float[ndarray, "4 4"]) -> PointCloud:
        """The points in the world that the pose belongs to, in the same unit."""
        points = self.points @ T_world_camera[:3, :3].T + T_world_camera[:3, 3]
        return PointCloud(points=points.astype(np.float32), colours=self.colours)

    def __getitem__(self, chosen: Int[ndarray, "m"]) -> PointCloud:
        """The points with these indices, in their order."""
        return PointCloud(points=self.points[chosen], colours=self.colours[chosen])


@dataclass(frozen=True, kw_only=True)
class CloudLimits:
    """Limits of a point cloud, in the unit of the depth.

    Attributes:
        max_depth: points with a larger depth are left out. None: four times the median depth of the first frame.
        voxel: edge of the cubes that hold one point each in a fused cloud. None: 1/400 of max_depth.
    """

    max_depth: float | None = None
    voxel: float | None = None

    def resolved(self, first: DepthPrediction) -> tuple[float, float]:
        """max_depth and voxel for a sequence that begins with this frame.

        Multiples of its median depth, since the unit of a relative depth can be anything.
        """
        max_depth = self.max_depth or MAX_DEPTH_IN_MEDIANS * float(np.median(first.depth[first.depth > 0]))
        return max_depth, self.voxel or max_depth / VOXELS_PER_MAX_DEPTH


def point_cloud(prediction: DepthPrediction, image: UInt8[ndarray, "h w 3"], max_depth: float) -> PointCloud:
    """One point per pixel up to max_depth, along its ray: X = depth K^-1 (u, v, 1) for a pinhole.

    Pixels without a depth have none. Camera frame: x right, y down, z forward.

    Args:
        image: RGB, of the prediction's size; gives the colours.
        max_depth: in the unit of the depth.

    Raises:
        DataError: if the camera of the prediction is unknown.
    """
    camera = prediction.camera
    if camera is None:
        raise no_camera_for_points(image.shape[1], image.shape[0])
    near = (prediction.depth <= max_depth) & (prediction.depth > 0)
    points, shown = points_of(prediction.depth, camera, prediction.depth_is, near)
    return PointCloud(points=points.astype(np.float32), colours=image[shown])


def no_camera_for_points(width: int, height: int) -> DataError:
    """The error for frames of this size, in pixels, whose camera is unknown."""
    return DataError(
        "points need a camera, and the model's does not fit these frames",
        where=f"frames of {width}x{height}",
        fix="give --camera fx,fy,cx,cy or fov:DEGREES, or leave --save ply out",
    )


class FusedCloud:
    """Clouds of many frames in one world, with one point per voxel: the one that came first.

    Args:
        voxel: edge of a voxel, in the unit of the points.
    """

    def __init__(self, voxel: float) -> None:
        self._voxel = voxel
        self._kept = PointCloud(points=np.zeros((0, 3), np.float32), colours=np.zeros((0, 3), np.uint8))
        self._pending: list[PointCloud] = []
        self._n_pending = 0

    def add(self, cloud: PointCloud, T_world_camera: Float[ndarray, "4 4"]) -> None:
        """Move a camera's points to the world, and keep one per voxel.

        Raises:
            DataError: if the voxels are too small for the extent of the world.
        """
        thin = self._thinned(cloud.moved(T_world_camera))
        self._pending.append(thin)
        self._n_pending += len(thin.points)
        # Merging after each frame would sort the whole cloud each time, quadratic in the number of frames. Merging
        # whenever the cloud may have doubled keeps the work linear, and the memory at twice the result.
        if self._n_pending > max(_SLACK_POINTS, len(self._kept.points)):
            self.result()

    def result(self) -> PointCloud:
        """All points so far, in the order of their frames."""
        clouds = [self._kept, *self._pending]
        self._kept = self._thinned(
            PointCloud(
                points=np.concatenate([cloud.points for cloud in clouds]),
                colours=np.concatenate([cloud.colours for cloud in clouds]),
            )
        )
        self._pending, self._n_pending = [], 0
        return self._kept

    def _thinned(self, cloud: PointCloud) -> PointCloud:
        """The first point of each voxel, in order."""
        return cloud[_first_of_each(_voxel_keys(cloud.points, self._voxel))]


class NewPoints:
    """The points that each frame adds to a fused cloud, for a file that is written while the camera moves.

    Memory is bounded: the voxels of the last million points are remembered, so a place that the camera comes back to
    much later has its points twice.

    Args:
        voxel: edge of a voxel, in the unit of the points.
    """

    def __init__(self, voxel: float) -> None:
        self._voxel = voxel
        self._recent = self._before = np.zeros(0, np.int64)  # keys of voxels, sorted

    def of(self, cloud: PointCloud, T_world_camera: Float[ndarray, "4 4"]) -> PointCloud:
        """A camera's points in the world: those in voxels that have none yet, the first in each.

        Raises:
            DataError: if the voxels are too small for the extent of the world.
        """
        moved = cloud.moved(T_world_camera)
        keys = _voxel_keys(moved.points, self._voxel)
        first = _first_of_each(keys)
        new = first[~(_are_in(keys[first], self._recent) | _are_in(keys[first], self._before))]
        self._recent = np.sort(np.concatenate([self._recent, keys[new]]), kind="stable")
        if len(self._recent) > _REMEMBERED_VOXELS:
            self._before, self._recent = self._recent, np.zeros(0, np.int64)
        return moved[new]


def _voxel_keys(points: Float[ndarray, "n 3"], voxel: float) -> Int[ndarray, "n"]:
    """One integer per voxel: unique rows would take far longer to find. Raises DataError for too small voxels."""
    # In float64: float32 would put points far from the origin into a neighbouring voxel.
    cells = np.floor(points.astype(np.float64) / voxel)
    half = 1 << (_KEY_BITS - 1)
    if (np.abs(cells) >= half).any():
        raise DataError(
            "the voxels are too small for a scene of this extent",
            where="--voxel",
            expected=f"more than {np.abs(points).max() / half:.3g}",
            got=f"{voxel:g}",
        )
    x, y, z = (cells.astype(np.int64) + half).T
    return np.asarray((x << 2 * _KEY_BITS) | (y << _KEY_BITS) | z)


def _are_in(keys: Int[ndarray, "n"], known: Int[ndarray, "m"]) -> Bool[ndarray, "n"]:
    """Which keys are among sorted ones. `np.isin` hashes, and keys of voxels in a row collide."""
    if not len(known):
        return np.zeros(len(keys), np.bool_)
    return np.asarray(known[np.searchsorted(known, keys).clip(max=len(known) - 1)] == keys)


def _first_of_each(keys: Int[ndarray, "n"]) -> Int[ndarray, "m"]:
    """The index of the first of each key, in order."""
    # unique sorts by key; sorting the indices restores the order of the frames.
    return np.sort(np.unique(keys, return_index=True)[1])


def write_ply(path: Path, cloud: PointCloud, *, unit: str, frame: str) -> None:
    """Write a binary little-endian PLY: x y z as float, red green blue as uchar.

    Args:
        unit: of the points, for a comment in the file.
        frame: origin and axes of the points, for another comment.

    Raises:
        OutputError: if the file cannot be written.
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
        # A witness of the scale may be a file, and its name in any alphabet.
        file.write(("\n".join(header) + "\n").encode("ascii", "backslashreplace"))
        file.write(vertices.tobytes())
