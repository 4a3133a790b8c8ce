"""Ground-truth poses of a camera in KITTI raw, from the measurements of the GPS/IMU (OXTS)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.kitti.calibration import projection_entry, read_calibration, rigid_entries, rotation_entry
from selfdepth.errors import DataError
from selfdepth.geometry.rigid import inverse
from selfdepth.limits import require_within
from selfdepth.structs import Trajectory
from selfdepth.texts import read_text

EARTH_RADIUS_M = 6378137.0
"""Equatorial radius of WGS 84, as in KITTI's own tools."""
MIN_NUMBERS = 6
"""Latitude and longitude in degrees, altitude in metres, roll, pitch, yaw in radians. The other 24 are not needed."""
_NORTHERNMOST = 89
"""Degrees of latitude up to which the Mercator projection is of use."""


def camera_poses(root: Path, sequence: str, numbers: tuple[int, ...]) -> Trajectory | None:
    """Poses T_world_camera in metres at some frames of a KITTI raw drive.

    Args:
        sequence: like "2011_09_26/2011_09_26_drive_0005_sync/image_02".
        numbers: increasing frame numbers.

    Returns:
        The trajectory, whose world frame is the camera at the first of the frames; None if the drive has no oxts.

    Raises:
        DataError: for a file that is missing or cannot be used.
    """
    drive, image = sequence.rsplit("/", 1)
    folder = root / drive / "oxts" / "data"
    if not folder.is_dir():
        return None
    rows = np.stack([_read(folder / f"{number:010d}.txt") for number in numbers])
    T_world_imu = imu_poses(rows)
    T_camera_imu = _camera_from_imu(root / drive.split("/")[0], image[-2:])
    T_world_camera = T_world_imu @ inverse(T_camera_imu)
    times = read_timestamps(root / sequence / "timestamps.txt", numbers)
    # The origin of the map is thousands of kilometres away; KITTI odometry, too, starts each sequence at the identity.
    return Trajectory(T_world_camera=T_world_camera, timestamps=times).from_first()


def imu_poses(oxts: Float[ndarray, "n _m"]) -> Float[ndarray, "n 4 4"]:
    """Poses T_world_imu of the receiver in metres; x is east, y north, z up.

    The Mercator projection of KITTI's own tools: with s = cos(first latitude) and R the earth's radius,
    x = s R lon, y = s R ln tan(pi/4 + lat/2), z = altitude. It is true to scale at the latitude of the start. The
    rotation is Rz(yaw) Ry(pitch) Rx(roll), with yaw counted from east.

    Args:
        oxts: latitude, longitude (degrees), altitude (metres), roll, pitch, yaw (radians) in the first six columns.
    """
    lat, lon = np.radians(oxts[:, 0]), np.radians(oxts[:, 1])
    # Mercator stretches lengths by 1 / cos(latitude). One factor for the whole drive keeps its shape.
    scale_m = np.cos(lat[0]) * EARTH_RADIUS_M
    T_world_imu = np.tile(np.eye(4), (len(oxts), 1, 1))
    T_world_imu[:, 0, 3] = scale_m * lon
    T_world_imu[:, 1, 3] = scale_m * np.log(np.tan(np.pi / 4 + lat / 2))
    T_world_imu[:, 2, 3] = oxts[:, 2]
    roll, pitch, yaw = (_about(axis, oxts[:, 3 + axis]) for axis in range(3))
    T_world_imu[:, :3, :3] = yaw @ pitch @ roll
    return T_world_imu


def read_timestamps(path: Path, numbers: tuple[int, ...]) -> Float[ndarray, "n"]:
    """Seconds of some frames since the first frame of the drive; the frame numbers if there is no such file.

    Raises:
        DataError: for lines that are not timestamps, or too few lines.
    """
    if not path.is_file():
        return np.array(numbers, np.float64)
    text = read_text(path, what="the timestamps cannot be read")
    require_within("trajectory_lines", text.count("\n"), what="the file has too many lines", where=path)
    lines = text.split("\n")
    try:
        # KITTI writes nanoseconds, datetime takes microseconds: the last three digits are cut off.
        times = [datetime.fromisoformat(lines[number].strip()[:26]) for number in (0, *numbers)]
        # times[0] is the first frame of the drive, whether or not it was requested.
        seconds = [(time - times[0]).total_seconds() for time in times[1:]]
    # Times of which only some have a time zone cannot be subtracted: a TypeError.
    except (ValueError, IndexError, TypeError) as error:
        raise DataError(
            "the timestamps cannot be read",
            where=path,
            expected=f"a line for each of {max(numbers) + 1} frames, as in 2011-09-26 13:02:25.594360375",
            got=str(error),
        ) from error
    return np.array(seconds)


def _about(axis: int, angle_rad: Float[ndarray, "n"]) -> Float[ndarray, "n 3 3"]:
    """Rotation matrices about the axis x (0), y (1) or z (2)."""
    j, k = (axis + 1) % 3, (axis + 2) % 3  # the rotation turns axis j towards axis k
    R = np.tile(np.eye(3), (len(angle_rad), 1, 1))
    R[:, j, j] = R[:, k, k] = np.cos(angle_rad)
    R[:, k, j] = np.sin(angle_rad)
    R[:, j, k] = -R[:, k, j]
    return R


def _read(path: Path) -> Float[ndarray, "6"]:
    what, expected = "the position cannot be read", "KITTI's 30 numbers"
    words = read_text(path, what=what, expected=expected, name="calibration_kilobytes").split()
    try:
        numbers = np.array([float(word) for word in words[:MIN_NUMBERS]])
    except ValueError as error:
        raise DataError(what, where=path, expected=expected, got=str(error)) from error
    if len(numbers) < MIN_NUMBERS or not np.isfinite(numbers).all():
        raise DataError("the position cannot be used", where=path, expected="30 numbers", got=f"{len(words)} numbers")
    for name, number, most in zip(("latitude", "longitude"), numbers, (_NORTHERNMOST, 180), strict=False):
        if abs(number) > most:
            expected = f"a {name} from {-most} to {most} degrees"
            raise DataError("the position cannot be used", where=path, expected=expected, got=f"{number:g}")
    return numbers


def _camera_from_imu(date_folder: Path, index: str) -> Float[ndarray, "4 4"]:
    """T_camera_imu of a rectified camera ("02", "03"): T_camera_rect0 T_rect0_cam0 T_cam0_velo T_velo_imu."""
    camera_path = date_folder / "calib_cam_to_cam.txt"
    calibration = read_calibration(camera_path)
    P = projection_entry(calibration, camera_path, f"P_rect_{index}")
    T_camera_rect0, T_rect0_cam0 = np.eye(4), np.eye(4)
    T_camera_rect0[:3, 3] = np.linalg.solve(P[:, :3], P[:, 3])  # P_rect = K [I | t]
    T_rect0_cam0[:3, :3] = rotation_entry(calibration, camera_path, "R_rect_00")
    T_camera_imu = T_camera_rect0 @ T_rect0_cam0
    for name in ("calib_velo_to_cam.txt", "calib_imu_to_velo.txt"):
        path = date_folder / name
        T_camera_imu = T_camera_imu @ rigid_entries(read_calibration(path), path)
    return T_camera_imu
