"""Writes a rendered drive in the layout of KITTI raw, so that tests can run every reader of KITTI without KITTI."""

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
"""Range of the rendered LiDAR; KITTI's reaches about as far."""
LEFT_OF_CAMERA_0_M = 0.06
"""How far the left colour camera stands left of camera 0, KITTI's left grey camera."""
_EARTH_RADIUS_M = 6378137.0
_START_DEG = (49.0, 8.4)
"""Latitude and longitude of the first frame: Karlsruhe, where KITTI was recorded."""

# LiDAR and IMU: x forward, y left, z up. Cameras: x right, y down, z forward. So camera x is the LiDAR's -y, camera y
# its -z, camera z its x. The offsets are KITTI's to a centimetre or so.
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
        root: folder of the data set, created if needed. A calibration of the same date is replaced.
        date: YYYY_MM_DD.
        number: number of the drive, 0 to 9999.
        scan_every: spacing of the frames with a LiDAR scan, from frame 0; 0 for no scans.
        scans: frames with a LiDAR scan, instead of scan_every.
        image_format: "jpg" (quality 95, no chroma subsampling) or "png" (exact).

    Returns:
        The drive's folder, <root>/<date>/<date>_drive_<number>_sync.

    Raises:
        ConfigError: for an invalid date or number, a scan of a frame that the drive does not have, or a drive that was
            not rendered through a pinhole: KITTI's images are rectified.
    """
    # Every argument is checked before the first file is written.
    require_pinhole(drive)
    start = _check(date, number, scan_every)
    scan_frames = _scan_frames(len(drive.images), scan_every, scans)
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
    for frame in scan_frames:
        lidar_points(drive.depth[frame], drive.camera).tofile(data / f"{frame:010d}.bin")
    return folder


def lidar_points(depth: Float32[ndarray, "h w"], camera: Camera) -> Float32[ndarray, "p 4"]:
    """A LiDAR scan of every second pixel with a depth below LIDAR_RANGE_M.

    The published rule for depth maps counts pixels from 1: a point belongs to pixel round(u) - 1. The point of pixel
    (0, 0) therefore projects to (1, 1), and a depth map made by that rule equals `depth` at the scanned pixels.

    Args:
        depth: along z, metres; 0 where there is none.

    Returns:
        Points in the LiDAR's frame: forward, left, up in metres, and a constant reflectance.
    """
    rows, columns = np.nonzero((depth > 0) & (depth < LIDAR_RANGE_M))
    # The published rule merges points of the last column with the first of the next row (data/kitti/lidar.py). Without
    # points in the last column, the depth map stays exact.
    scanned = ((rows + columns) % 2 == 0) & (columns < camera.width - 1)
    rows, columns = rows[scanned], columns[scanned]
    z = depth[rows, columns].astype(np.float64)
    x, y = (columns + 1 - camera.cx) / camera.fx * z, (rows + 1 - camera.cy) / camera.fy * z
    T_velo_cam2 = np.linalg.inv(T_CAM2_CAM0 @ T_CAM0_VELO)
    points = np.stack([x, y, z, np.ones_like(z)], axis=-1) @ T_velo_cam2.T
    points[:, 3] = 0.3
    return np.asarray(points, np.float32)


def require_pinhole(drive: SyntheticDrive) -> None:
    """Raise ConfigError for a drive through another lens than a pinhole, which KITTI's layout has no place for."""
    if not drive.camera.is_pinhole:
        raise ConfigError(
            "this drive cannot be written in KITTI's layout, whose images are rectified",
            where="lens",
            expected="a pinhole",
            got=drive.camera.lens.model,
            fix="write it with selfdepth.data.sources.rendered.write_drive",
        )


def _check(date: str, number: int, scan_every: int) -> datetime:
    if not 0 <= number <= 9999:
        raise ConfigError("invalid number of a drive", where="number", expected="0 to 9999", got=str(number))
    if scan_every < 0:
        raise ConfigError("invalid spacing of scans", where="scan_every", expected="0 or more", got=str(scan_every))
    try:
        return datetime.strptime(date, "%Y_%m_%d") + timedelta(hours=13)
    except ValueError:
        raise ConfigError("invalid date of a drive", where="date", expected="YYYY_MM_DD", got=date) from None


def _scan_frames(count: int, scan_every: int, scans: Sequence[int] | None) -> Sequence[int]:
    if scans is None:
        return range(0, count, scan_every) if scan_every else ()
    outside = [frame for frame in scans if not 0 <= frame < count]
    if outside:
        raise ConfigError(
            "no frame for this scan",
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
    identity = np.eye(3)  # rendered images are rectified and free of distortion
    lines = [f"calib_time: {start:%d-%b-%Y %H:%M:%S}", "corner_dist: 9.950000e-02"]
    # Grey left, grey right, colour left, colour right. P_rect maps points of camera 0, so its last column is fx times
    # the shift to each camera.
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
    # More digits than KITTI's own six, so that the intrinsics survive the trip through a file.
    return " ".join(f"{value:.12e}" for value in np.ravel(values))


def _write_oxts(drive: SyntheticDrive, folder: Path, times: list[datetime]) -> None:
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    _write_times(folder, times)
    for frame, row in enumerate(oxts_rows(drive)):
        flags = "4 8 4 4 0"
        (data / f"{frame:010d}.txt").write_text(" ".join(f"{value:.12g}" for value in row) + f" {flags}\n")


def oxts_rows(drive: SyntheticDrive) -> Float[ndarray, "n 25"]:
    """The first 25 numbers of each frame in KITTI's oxts format.

    Latitude and longitude (degrees), altitude (m); roll, pitch, yaw (rad); velocities (m/s), accelerations (m/s^2) and
    turn rates (rad/s), in the world's and the IMU's frame; accuracies. East is forward in the first camera, north is
    left.
    """
    # East, north, up from the first camera's right, down, forward.
    enu_camera = np.eye(4)
    enu_camera[:3, :3] = [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]
    T_enu_imu = enu_camera @ drive.T_world_camera @ T_CAM2_CAM0 @ T_CAM0_VELO @ T_VELO_IMU
    R, position = T_enu_imu[:, :3, :3], T_enu_imu[:, :3, 3]
    yaw = np.arctan2(R[:, 1, 0], R[:, 0, 0])
    pitch, roll = -np.arcsin(R[:, 2, 0]), np.arctan2(R[:, 2, 1], R[:, 2, 2])
    # The inverse of the Mercator projection by which KITTI's tools turn latitude and longitude into metres.
    scale = np.cos(np.radians(_START_DEG[0])) * _EARTH_RADIUS_M
    north_0 = np.log(np.tan(np.pi / 4 + np.radians(_START_DEG[0]) / 2))
    lat = np.degrees(2 * np.arctan(np.exp(north_0 + position[:, 1] / scale)) - np.pi / 2)
    lon = _START_DEG[1] + np.degrees(position[:, 0] / scale)
    velocity = np.gradient(position, drive.timestamps, axis=0)
    acceleration = np.gradient(velocity, drive.timestamps, axis=0) + np.array([0, 0, 9.81])  # an IMU feels gravity
    body_velocity = np.einsum("nji,nj->ni", R, velocity)
    body_acceleration = np.einsum("nji,nj->ni", R, acceleration)
    turn = np.gradient(np.unwrap(np.stack([roll, pitch, yaw]), axis=1), drive.timestamps, axis=1).T
    place = [lat, lon, 110.0 + CAMERA_HEIGHT_M + position[:, 2], roll, pitch, yaw, velocity[:, 1], velocity[:, 0]]
    accuracy = np.full((len(lat), 2), 0.02)
    turned = (body_velocity, body_acceleration, body_acceleration, turn, turn, accuracy)
    return np.concatenate([np.stack(place, axis=1), *turned], axis=1)
