"""Writes a rendered drive in the layout of KITTI odometry, so that tests can run its readers without KITTI."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from selfdepth.errors import ConfigError
from selfdepth.structs import Trajectory
from selfdepth.synthetic.drive import BASELINE_M, SyntheticDrive
from selfdepth.synthetic.kitti import LEFT_OF_CAMERA_0_M, T_CAM2_CAM0, require_pinhole


def write_kitti_odometry(
    drive: SyntheticDrive, root: Path, *, number: int = 0, image_format: Literal["jpg", "png"] = "png"
) -> Path:
    """Write images, calibration, times and ground-truth poses of a drive.

    Args:
        root: folder of the data set, created if needed.
        number: number of the sequence, 0 to 99.
        image_format: "jpg" (quality 95, no chroma subsampling) or "png" (exact).

    Returns:
        The sequence's folder, <root>/sequences/<number>.

    Raises:
        ConfigError: for an invalid number, or a drive that was not rendered through a pinhole.
    """
    if not 0 <= number <= 99:
        raise ConfigError("invalid number of a sequence", where="number", expected="0 to 99", got=str(number))
    require_pinhole(drive)
    folder = root / "sequences" / f"{number:02d}"
    for name, images in (("image_2", drive.images), ("image_3", drive.partner)):
        if images is None:
            continue
        (folder / name).mkdir(parents=True, exist_ok=True)
        for frame, image in enumerate(images):
            # PNG ignores quality and subsampling.
            Image.fromarray(image).save(folder / name / f"{frame:06d}.{image_format}", quality=95, subsampling=0)
    offsets = (0.0, -BASELINE_M, LEFT_OF_CAMERA_0_M, LEFT_OF_CAMERA_0_M - BASELINE_M)
    lines = []
    for index, offset in enumerate(offsets):
        P = np.concatenate([drive.camera.matrix(), [[drive.camera.fx * offset], [0], [0]]], axis=1)
        lines.append(f"P{index}: {' '.join(f'{value:.12e}' for value in P.ravel())}\n")
    (folder / "calib.txt").write_text("".join(lines))
    (folder / "times.txt").write_text("".join(f"{time:e}\n" for time in drive.timestamps))
    poses = root / "poses"
    poses.mkdir(exist_ok=True)
    # KITTI's poses are those of camera 0; the drive's are those of the left colour camera.
    camera_0 = Trajectory(T_world_camera=drive.T_world_camera @ T_CAM2_CAM0, timestamps=drive.timestamps)
    (poses / f"{number:02d}.txt").write_text(camera_0.from_first().to_kitti())
    return folder
