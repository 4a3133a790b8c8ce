"""Writes a rendered drive in the layout of KITTI raw, so that everything that reads KITTI can read it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray
from PIL import Image

from selfdepth.errors import ConfigError
from selfdepth.geometry.camera import Camera
from selfdepth.synthetic.drive import BASELINE_M, CAMERA_HEIGHT_M, SyntheticDrive

LIDAR_RANGE_M = 110.0
LEFT_OF_CAMERA_0_M = 0.06
_EARTH_RADIUS_M = 6378137.0
_START_DEG = (49.0, 8.4)

# Camera x is the LiDAR's right (-y), camera y is down (-z), camera z is forward (x).
T_CAM0_VELO = np.array([[0, -1, 0, 0], [0, 0, -1, -0.08], [1, 0, 0, -0.27], [0, 0, 0, 1]], np.float64)
T_VELO_IMU = np.array([[1, 0, 0, -0.81], [0, 1, 0, 0.32], [0, 0, 1, -0.80], [0, 0, 0, 1]], np.float64)
T_CAM2_CAM0 = np.array([[1, 0, 0, LEFT_OF_CAMERA_0_M], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], np.float64)


def write_kitti_raw(
    drive: SyntheticDrive,
    root: Path,
    *,
    date: str = "2011_09_26",
    number: int = 1,
    scan_every: int = 1,
    scans: Sequence[int] | None = None,
    image_format: Literal["jpg", "png"] = "jpg",
) -> Path:
    """Write images, calibration, LiDAR scans, positions and times of a drive.

    Args:
        root: the data set's folder; made if it is not there. Calibration of the same date is replaced.
        date: YYYY_MM_DD.
        number: of the drive, 0 to 9999.
        scan_every: a LiDAR scan for every frame whose number it divides; 0 for none.
        scans: frame numbers that get a scan, instead of scan_every.
        image_format: "jpg" (quality 95, no chroma subsampling) or "png" (exact).

    Returns:
        The drive's folder, <root>/<date>/<date>_drive_<number>_sync.

    Raises:
        ConfigError: for a date, number or frame that cannot be.
    """
    start = _check(date, number, scan_every)
    chosen = _scan_frames(len(drive.images), scan_every, scans)
    folder = root / date / f"{date}_drive_{number:04d}_sync"
    _write_calibration(drive.camera, root / date, start)
    times = [start + timedelta(seconds=float(t)) for t in drive.timestamps]
    for name, images in (("image_02", drive.images), ("image_03", drive.partner)):
        if images is not None:
            _write_images(images, folder / name, times, image_format)
    _write_oxts(drive, folder / "oxts", times)
    data = folder / "velodyne_points" / "data"
    data.mkdir(parents=True, exist_ok=True)
    _write_times(data.parent, times)
    for frame in chosen:
        lidar_points(drive.depth[frame], drive.camera).tofile(data / f"{frame:010d}.bin")
    return folder


def lidar_points(depth: Float32[ndarray, "h w"], camera: Camera) -> Float32[ndarray, "p 4"]:
    """A scan that measures every second pixel of depth up to LIDAR_RANGE_M, as (forward, left, up, reflectance).

    KITTI's depth maps count pixels from 1: a point belongs to pixel round(u) - 1. So the point of pixel (0, 0) is
    placed to project to (1, 1), and a depth map made from the scan by that rule equals `depth` where it is known.
    """
    rows, columns = np.nonzero((depth > 0) & (depth < LIDAR_RANGE_M))
    # The first and the last column share a key where that rule merges points, so the last has none.
    kept = ((rows + columns) % 2 == 0) & (columns < camera.width - 1)
    rows, columns = rows[kept], columns[kept]
    z = depth[rows, columns].astype(np.float64)
    x, y = (columns + 1 - camera.cx) / camera.fx * z, (rows + 1 - camera.cy) / camera.fy * z
    T_velo_cam2 = np.linalg.inv(T_CAM2_CAM0 @ T_CAM0_VELO)
    points = np.stack([x, y, z, np.ones_like(z)], axis=-1) @ T_velo_cam2.T
    points[:, 3] = 0.3
    return np.asarray(points, np.float32)


def _check(date: str, number: int, scan_every: int) -> datetime:
    if not 0 <= number <= 9999:
        raise ConfigError("a drive cannot have this number", where="number", expected="0 to 9999", got=str(number))
    if scan_every < 0:
        raise ConfigError("scans cannot be spaced so", where="scan_every", expected="0 or more", got=str(scan_every))
    try:
        return datetime.strptime(date, "%Y_%m_%d") + timedelta(hours=13)
    except ValueError:
        raise ConfigError("a drive cannot have this date", where="date", expected="YYYY_MM_DD", got=date) from None


def _scan_frames(count: int, scan_every: int, scans: Sequence[int] | None) -> Sequence[int]:
    if scans is None:
        return range(0, count, scan_every) if scan_every else ()
    outside = [frame for frame in scans if not 0 <= frame < count]
    if outside:
        raise ConfigError(
            "a scan is asked for that the drive has no frame for",
            where="scans",
            expected=f"frame numbers from 0 to {count - 1}",
            got=str(outside[0]),
        )
    return scans


def _write_images(images: ndarray, folder: Path, times: list[datetime], image_format: str) -> None:
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    _write_times(folder, times)
    for frame, image in enumerate(images):
        path = data / f"{frame:010d}.{image_format}"
        if image_format == "jpg":
            Image.fromarray(image).save(path, quality=95, subsampling=0)
        else:
            Image.fromarray(image).save(path)


def _write_times(folder: Path, times: list[datetime]) -> None:
    lines = [f"{time:%Y-%m-%d %H:%M:%S}.{time.microsecond:06d}000\n" for time in times]
    (folder / "timestamps.txt").write_text("".join(lines))


def _write_calibration(camera: Camera, folder: Path, start: datetime) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    identity = np.eye(3)
    lines = [f"calib_time: {start:%d-%b-%Y %H:%M:%S}", "corner_dist: 9.950000e-02"]
    offsets = (0.0, -BASELINE_M, LEFT_OF_CAMERA_0_M, LEFT_OF_CAMERA_0_M - BASELINE_M)
    for index, offset in enumerate(offsets):
        P = np.concatenate([camera.matrix(), [[camera.fx * offset], [0], [0]]], axis=1)
        values = {
            "S": np.array([camera.width, camera.height]),
            "K": camera.matrix(),
            "D": np.zeros(5),
            "R": identity,
            "T": np.array([offset, 0, 0]),
            "S_rect": np.array([camera.width, camera.height]),
            "R_rect": identity,
            "P_rect": P,
        }
        lines += [f"{name}_{index:02d}: {_numbers(value)}" for name, value in values.items()]
    (folder / "calib_cam_to_cam.txt").write_text("\n".join(lines) + "\n")
    for name, T in (("velo_to_cam", T_CAM0_VELO), ("imu_to_velo", T_VELO_IMU)):
        text = f"calib_time: {start:%d-%b-%Y %H:%M:%S}\nR: {_numbers(T[:3, :3])}\nT: {_numbers(T[:3, 3])}\n"
        if name == "velo_to_cam":
            text += "delta_f: 0.000000e+00 0.000000e+00\ndelta_c: 0.000000e+00 0.000000e+00\n"
        (folder / f"calib_{name}.txt").write_text(text)


def _numbers(values: ndarray) -> str:
    # More digits than KITTI's own six, so that the intrinsics survive the trip through text.
    return " ".join(f"{value:.12e}" for value in np.ravel(values))


def _write_oxts(drive: SyntheticDrive, folder: Path, times: list[datetime]) -> None:
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    _write_times(folder, times)
    for frame, row in enumerate(oxts_rows(drive)):
        flags = "4 8 4 4 0"
        (data / f"{frame:010d}.txt").write_text(" ".join(f"{value:.12g}" for value in row) + f" {flags}\n")


def oxts_rows(drive: SyntheticDrive) -> Float[ndarray, "n 25"]:
    """KITTI's first 25 numbers of each frame: position, attitude, velocities, accelerations, turn rates, accuracies.

    East is the first camera's forward and north its left. The position is on KITTI's Mercator projection.
    """
    enu_camera = np.eye(4)
    enu_camera[:3, :3] = [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]
    T_enu_imu = enu_camera @ drive.T_world_camera @ T_CAM2_CAM0 @ T_CAM0_VELO @ T_VELO_IMU
    R, position = T_enu_imu[:, :3, :3], T_enu_imu[:, :3, 3]
    yaw = np.arctan2(R[:, 1, 0], R[:, 0, 0])
    pitch, roll = -np.arcsin(R[:, 2, 0]), np.arctan2(R[:, 2, 1], R[:, 2, 2])
    scale = np.cos(np.radians(_START_DEG[0])) * _EARTH_RADIUS_M
    north_0 = np.log(np.tan(np.pi / 4 + np.radians(_START_DEG[0]) / 2))
    lat = np.degrees(2 * np.arctan(np.exp(north_0 + position[:, 1] / scale)) - np.pi / 2)
    lon = _START_DEG[1] + np.degrees(position[:, 0] / scale)
    velocity = np.gradient(position, drive.timestamps, axis=0)
    acceleration = np.gradient(velocity, drive.timestamps, axis=0) + np.array([0, 0, 9.81])
    body_velocity = np.einsum("nji,nj->ni", R, velocity)
    body_acceleration = np.einsum("nji,nj->ni", R, acceleration)
    turn = np.gradient(np.unwrap(np.stack([roll, pitch, yaw]), axis=1), drive.timestamps, axis=1).T
    place = [lat, lon, 110.0 + CAMERA_HEIGHT_M + position[:, 2], roll, pitch, yaw, velocity[:, 1], velocity[:, 0]]
    accuracy = np.full((len(lat), 2), 0.02)
    turned = (body_velocity, body_acceleration, body_acceleration, turn, turn, accuracy)
    return np.concatenate([np.stack(place, axis=1), *turned], axis=1)
