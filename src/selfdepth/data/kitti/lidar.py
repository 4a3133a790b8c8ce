"""LiDAR scans as depth maps, projected as in the published KITTI evaluation.

The projection keeps two peculiarities of the published one, because the ground truth of all published figures has
them: pixels are rounded coordinates minus one, and the key that groups the points of a pixel is row (W - 1) + col - 1,
which puts the last pixel of a row and the first of the next into one group.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray

from selfdepth.errors import DataError
from selfdepth.texts import read_bytes

BYTES_PER_POINT = 16
"""Four float32: x, y, z and reflectance."""


def read_scan(path: Path) -> Float32[ndarray, "n 4"]:
    """Points of a velodyne `.bin` file: x forward, y left, z up in metres, and reflectance in [0, 1].

    Raises:
        DataError: if the file cannot be read, is empty, or does not hold whole points.
    """
    data = read_bytes(path, what="the scan cannot be read", name="scan_megabytes")
    if not data or len(data) % BYTES_PER_POINT:
        raise DataError(
            "the scan is truncated",
            where=path,
            expected=f"one or more points of {BYTES_PER_POINT} bytes",
            got=f"{len(data)} bytes",
            fix="copy or download it again",
        )
    return np.frombuffer(data, dtype="<f4").reshape(-1, 4).astype(np.float32)


def project_scan(
    points: Float[ndarray, "n c"], P_image_velo: Float[ndarray, "3 4"], shape: tuple[int, int]
) -> Float[ndarray, "h w"]:
    """Depth map of a scan: metres along the camera's z, 0 where no point falls.

    Args:
        points: x, y, z in metres in the LiDAR's frame (x forward); further columns are ignored.
        P_image_velo: homogeneous LiDAR coordinates to homogeneous pixels, P_rect_0c R_rect_00 T_cam0_velo.
        shape: (height, width) of the depth map.
    """
    height, width = shape
    xyz = points[:, :3].astype(np.float64)
    # Points behind the LiDAR would project into the image upside down.
    xyz = xyz[xyz[:, 0] >= 0]
    uvz = xyz @ P_image_velo[:, :3].T + P_image_velo[:, 3]
    z = uvz[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        # `np.round` rounds halves to even, as the published projection does.
        column, row = np.round(uvz[:, 0] / z) - 1, np.round(uvz[:, 1] / z) - 1
    inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
    column, row, z = column[inside].astype(np.int64), row[inside].astype(np.int64), z[inside]

    depth = np.zeros(shape, dtype=np.float64)
    depth[row, column] = z  # of several points in a pixel, the last one in the file wins
    _nearest_of_each_group(depth, row, column, z)
    return np.maximum(depth, 0)  # points in front of the LiDAR but behind the camera have negative depth


def _nearest_of_each_group(depth: ndarray, row: ndarray, column: ndarray, z: ndarray) -> None:
    """Set the pixel of the first point of each group of 2 or more to the smallest depth of its group, in place.

    The nearest point occludes the others. The group of (row, W - 1) and (row + 1, 0) mixes two pixels, as published.
    """
    if not z.size:
        return
    key = row * (depth.shape[1] - 1) + column - 1
    order = np.argsort(key, kind="stable")
    _, start, count = np.unique(key[order], return_index=True, return_counts=True)
    nearest = np.minimum.reduceat(z[order], start)
    first = order[start][count > 1]
    depth[row[first], column[first]] = nearest[count > 1]
