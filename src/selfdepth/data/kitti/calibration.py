"""KITTI's calibration of a date: intrinsics of the cameras, their baseline, and the pose of the LiDAR."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.readers.naming import naming
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera
from selfdepth.limits import require_within
from selfdepth.texts import read_text

CAMERAS = {"l": "image_02", "r": "image_03"}
ODOMETRY_CAMERAS = {"l": "image_2", "r": "image_3"}
"""Folders of the colour cameras in KITTI raw, and in KITTI odometry."""
GREY_CAMERAS = {"l": "image_00", "r": "image_01"}
"""Folders of the grey cameras in KITTI raw, which no published split lists."""
CAMERA_FILE = "calib_cam_to_cam.txt"
VELODYNE_FILE = "calib_velo_to_cam.txt"
CALIBRATION_FILES = (CAMERA_FILE, VELODYNE_FILE)
"""The files of a date that are needed to project LiDAR scans into an image."""
_ROTATION_ERROR = 1e-3
_LARGEST = 1e6
"""Pixels, and metres times pixels, above which no camera's matrix has a number."""


def read_calibration(path: Path) -> dict[str, Float[ndarray, "_n"]]:
    """The entries of a KITTI calibration file by key, as flat float64 arrays; entries without numbers are left out.

    Raises:
        DataError: if the file cannot be read.
    """
    text = read_text(
        path,
        what="the calibration cannot be read",
        fix="put KITTI's calibration files of that date there, or give --camera",
        name="calibration_kilobytes",
    )
    entries: dict[str, ndarray] = {}
    for line in text.splitlines():
        key, _, numbers = line.partition(":")
        try:
            entries[key.strip()] = np.array([float(number) for number in numbers.split()])
        except ValueError:
            continue  # calib_time is a date
    return entries


def camera_from_calibration(date_folder: Path, image: str) -> Camera:
    """A rectified camera of a date. K comes from P_rect, the size from S_rect.

    Args:
        image: folder of the camera's images, "image_00" to "image_03".

    Raises:
        DataError: naming file and key, for an entry that is missing or cannot be used.
    """
    path = date_folder / CAMERA_FILE
    index = image[-2:]  # "00" to "03", as in the keys
    calibration = read_calibration(path)
    P = projection_entry(calibration, path, f"P_rect_{index}")
    width, height = _size_entry(calibration, path, f"S_rect_{index}")
    with naming(f"P_rect_{index} in {path}"):
        return Camera(fx=P[0, 0], fy=P[1, 1], cx=P[0, 2], cy=P[1, 2], width=width, height=height)


def stereo_translation_m(date_folder: Path, sides: Mapping[str, str] = CAMERAS) -> tuple[float, float, float]:
    """Translation (x, y, z) of T_right_left of a date's colour cameras, metres. See `translation_between_m`.

    Args:
        sides: folders of another pair of cameras' images, by "l" and "r".
    """
    left, right = (f"P_rect_{sides[side][-2:]}" for side in "lr")
    return translation_between_m(date_folder / CAMERA_FILE, left=left, right=right)


def translation_between_m(path: Path, *, left: str, right: str) -> tuple[float, float, float]:
    """Translation (x, y, z) of T_right_left in metres: a point in the right camera's frame is the point in the left
    camera's frame plus it (x is about -0.53).

    Both cameras are rectified to the same orientation, so T_right_left has no rotation. y is not zero (3 mm), because
    KITTI rectified the grey cameras to each other, not the colour cameras.

    Args:
        path: calibration file.
        left, right: keys of the two projection matrices, each K [I | t] with the camera's own t.

    Raises:
        DataError: for a broken file, or cameras that differ in K: a clip has one K for all of its views.
    """
    calibration = read_calibration(path)
    P_left, P_right = (projection_entry(calibration, path, key) for key in (left, right))
    K = P_left[:, :3]
    if not np.allclose(K, P_right[:, :3], rtol=1e-6, atol=1e-6):
        raise DataError(
            "the cameras of the stereo pair do not agree",
            where=path,
            expected=f"the same focal lengths and principal point in {left} and {right}",
            got=f"{np.array2string(K[:2].ravel())} and {np.array2string(P_right[:2, :3].ravel())}",
            fix="copy KITTI's calibration again, or leave --stereo out",
        )
    # The fourth column is K t, so the difference of the two columns is K (t_right - t_left).
    x, y, z = np.linalg.solve(K, P_right[:, 3] - P_left[:, 3]).tolist()
    return x, y, z


def projection_from_velodyne(date_folder: Path, index: str) -> tuple[Float[ndarray, "3 4"], tuple[int, int]]:
    """The matrix from LiDAR points to pixels of a camera ("02", "03"), and the (height, width) of its depth map.

    Returns:
        P_rect R_rect_00 T_cam0_velo: homogeneous metres in the LiDAR's frame to homogeneous pixels.

    Raises:
        DataError: naming file and key, for an entry that is missing or cannot be used.
    """
    path, velo_path = date_folder / CAMERA_FILE, date_folder / VELODYNE_FILE
    calibration, velo = read_calibration(path), read_calibration(velo_path)
    R_rect = np.eye(4)
    R_rect[:3, :3] = rotation_entry(calibration, path, "R_rect_00")
    # The size of camera 2 for both cameras, as in the published ground truth.
    width, height = _size_entry(calibration, path, "S_rect_02")
    P_rect = projection_entry(calibration, path, f"P_rect_{index}")
    return P_rect @ R_rect @ rigid_entries(velo, velo_path), (height, width)


def rigid_entries(calibration: dict[str, ndarray], path: Path) -> Float[ndarray, "4 4"]:
    """The rigid motion of the entries R and T, metres. Raises DataError for entries that are none."""
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = rotation_entry(calibration, path, "R"), matrix_entry(calibration, path, "T", (3,))
    return T


def rotation_entry(calibration: dict[str, ndarray], path: Path, key: str) -> Float[ndarray, "3 3"]:
    """An entry that is a rotation. Raises DataError for any other matrix."""
    R = matrix_entry(calibration, path, key, (3, 3))
    # KITTI writes seven digits.
    is_rotation = np.abs(R).max() < 2 and np.allclose(R @ R.T, np.eye(3), atol=_ROTATION_ERROR)
    if not is_rotation or np.linalg.det(R) < 0:
        raise _unusable(path, f"{key}: a rotation", np.array2string(R.ravel()))
    return R


def projection_entry(calibration: dict[str, ndarray], path: Path, key: str) -> Float[ndarray, "3 4"]:
    """An entry that is K [I | t], a rectified camera without skew. Raises DataError for any other matrix."""
    P = matrix_entry(calibration, path, key, (3, 4))
    shape = np.array([[P[0, 0], 0, P[0, 2]], [0, P[1, 1], P[1, 2]], [0, 0, 1]])
    if not np.allclose(P[:, :3], shape, rtol=0, atol=1e-6) or min(P[0, 0], P[1, 1]) < 1 or np.abs(P).max() > _LARGEST:
        raise _unusable(path, f"{key}: fx 0 cx . 0 fy cy . 0 0 1 .", np.array2string(P.ravel()))
    return P


def _size_entry(calibration: dict[str, ndarray], path: Path, key: str) -> tuple[int, int]:
    """An entry that is the width and height of an image, which KITTI writes as in 1.242000e+03."""
    width, height = matrix_entry(calibration, path, key, (2,)).tolist()
    if min(width, height) < 1 or not (width.is_integer() and height.is_integer()):
        raise _unusable(path, f"{key}: width and height in pixels", f"{width:g} {height:g}")
    what = f"the image of {key} is too large"
    require_within("image_megapixels", width * height / 1e6, what=what, where=path)
    return int(width), int(height)


def matrix_entry(calibration: dict[str, ndarray], path: Path, key: str, shape: tuple[int, ...]) -> ndarray:
    """An entry of `read_calibration`, reshaped. Raises DataError if it is missing, of another size, or not finite."""
    count = int(np.prod(shape))
    numbers = calibration.get(key)
    if numbers is None or numbers.size != count or not np.isfinite(numbers).all():
        got = f"no {key}" if numbers is None else f"{numbers.size} numbers: {np.array2string(numbers[:12])}"
        raise _unusable(path, f"{key}: {count} numbers", got)
    return numbers.reshape(shape)


def _unusable(path: Path, expected: str, got: str) -> DataError:
    return DataError(
        "the calibration cannot be used",
        where=path,
        expected=expected,
        got=got,
        fix="copy KITTI's calibration files of that date again, or give --camera",
    )
