"""KITTI's calibration of a date: intrinsics of the colour cameras, their baseline, and the pose of the LiDAR."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.readers.naming import naming
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera

CAMERAS = {"l": "image_02", "r": "image_03"}
ODOMETRY_CAMERAS = {"l": "image_2", "r": "image_3"}
"""Folders of the colour cameras in KITTI raw, and in KITTI odometry."""
CAMERA_FILE = "calib_cam_to_cam.txt"
VELODYNE_FILE = "calib_velo_to_cam.txt"
CALIBRATION_FILES = (CAMERA_FILE, VELODYNE_FILE)
"""The files of a date that are needed to project LiDAR scans into an image."""


def read_calibration(path: Path) -> dict[str, Float[ndarray, "_n"]]:
    """The entries of a KITTI calibration file by key, as flat float64 arrays; entries without numbers are left out.

    Raises:
        DataError: if the file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            "the calibration cannot be read",
            where=path,
            got=str(error),
            fix="put KITTI's calibration files of that date there, or give --camera",
        ) from error
    entries: dict[str, ndarray] = {}
    for line in lines:
        key, _, numbers = line.partition(":")
        try:
            entries[key.strip()] = np.array([float(number) for number in numbers.split()])
        except ValueError:
            continue  # calib_time is a date
    return entries


def camera_from_calibration(date_folder: Path, side: str) -> Camera:
    """The rectified colour camera of a date: "l" is camera 2, "r" camera 3. K comes from P_rect, the size from S_rect.

    Raises:
        DataError: naming file and key, for an entry that is missing or cannot be used.
    """
    path = date_folder / CAMERA_FILE
    index = CAMERAS[side][-2:]  # "02" or "03", as in the keys
    calibration = read_calibration(path)
    P = matrix_entry(calibration, path, f"P_rect_{index}", (3, 4))
    width, height = matrix_entry(calibration, path, f"S_rect_{index}", (2,))
    # S_rect holds the size as floats, as in 1.242000e+03.
    with naming(f"P_rect_{index} in {path}"):
        return Camera(fx=P[0, 0], fy=P[1, 1], cx=P[0, 2], cy=P[1, 2], width=int(width), height=int(height))


def stereo_translation_m(date_folder: Path) -> tuple[float, float, float]:
    """Translation (x, y, z) of T_right_left of a date's colour cameras, metres. See `translation_between_m`."""
    return translation_between_m(date_folder / CAMERA_FILE, left="P_rect_02", right="P_rect_03")


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
    P_left, P_right = (matrix_entry(calibration, path, key, (3, 4)) for key in (left, right))
    K = P_left[:, :3]
    if not np.allclose(K, P_right[:, :3], rtol=1e-6, atol=1e-6) or not np.linalg.det(K):
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
    T_cam0_velo, R_rect = np.eye(4), np.eye(4)
    T_cam0_velo[:3, :3] = matrix_entry(velo, velo_path, "R", (3, 3))
    T_cam0_velo[:3, 3] = matrix_entry(velo, velo_path, "T", (3,))
    R_rect[:3, :3] = matrix_entry(calibration, path, "R_rect_00", (3, 3))
    # The size of camera 2 for both cameras, as in the published ground truth.
    width, height = matrix_entry(calibration, path, "S_rect_02", (2,))
    P_rect = matrix_entry(calibration, path, f"P_rect_{index}", (3, 4))
    return P_rect @ R_rect @ T_cam0_velo, (int(height), int(width))


def matrix_entry(calibration: dict[str, ndarray], path: Path, key: str, shape: tuple[int, ...]) -> ndarray:
    """An entry of `read_calibration`, reshaped. Raises DataError if it is missing, of another size, or not finite."""
    count = int(np.prod(shape))
    numbers = calibration.get(key)
    if numbers is None or numbers.size != count or not np.isfinite(numbers).all():
        raise DataError(
            "the calibration cannot be used",
            where=path,
            expected=f"{key}: {count} numbers",
            got=f"no {key}" if numbers is None else f"{numbers.size} numbers: {np.array2string(numbers[:12])}",
            fix="copy KITTI's calibration files of that date again, or give --camera",
        )
    return numbers.reshape(shape)
