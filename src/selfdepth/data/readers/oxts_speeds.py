"""The speed of a drive of KITTI raw: the velocities that its GPS/IMU measured (oxts)."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from selfdepth.data.readers.speed_log import SpeedLog
from selfdepth.errors import DataError
from selfdepth.limits import require_within
from selfdepth.texts import read_text

TIMES_FILE = "timestamps.txt"
_FORWARD, _LEFTWARD = 8, 9
"""Columns of vf and vl: velocities in m/s, parallel to the ground, in the direction of the car and to its left."""


def oxts_folder(path: Path) -> Path | None:
    """The folder oxts, given that, its folder data, the drive, or a camera of the drive; None for another folder."""
    of_camera = path.parent / "oxts" if path.name.startswith("image_") else path
    for each in (path, path / "oxts", path.parent, of_camera):
        if each.name == "oxts" and (each / "data").is_dir():
            return each
    return None


def read_oxts(folder: Path) -> SpeedLog:
    """The speed sqrt(vf^2 + vl^2) of each measurement, in seconds since the first line of timestamps.txt.

    Raises:
        DataError: for a file that is missing or cannot be used.
    """
    path = folder / TIMES_FILE
    text = read_text(path, what="the times of the measurements cannot be read", expected=f"{TIMES_FILE} beside data")
    lines = text.rstrip("\n").split("\n")
    require_within("trajectory_lines", len(lines), what="the file has too many lines", where=path)
    files = sorted(each for each in (folder / "data").glob("*.txt") if each.stem.isdecimal() and len(each.stem) <= 10)
    numbers = [int(each.stem) for each in files]  # of frames: KITTI measured at each of them
    if not files or numbers[-1] >= len(lines):
        expected = f"a line for each measurement in {folder / 'data'}: {numbers[-1] + 1 if files else 'at least 2'}"
        raise DataError("the times do not fit the measurements", where=path, expected=expected, got=str(len(lines)))
    times_us = np.array([_microseconds(line, path, i) for i, line in enumerate(lines, start=1)], np.int64)
    return SpeedLog(
        source=f"{folder.parent.name}/{folder.name}",
        times_s=(times_us - times_us[0])[numbers] / 1e6,
        speeds_m_s=np.array([_speed(each) for each in files]),
        clock="relative",
        places=("measurement", np.array(numbers)),
    )


def _microseconds(line: str, path: Path, number: int) -> int:
    """Since 1970, of a clock without a time zone."""
    try:
        # KITTI writes nanoseconds, datetime takes microseconds: the last three digits are cut off.
        time = datetime.fromisoformat(line.strip()[:26]).replace(tzinfo=None)
        return (time - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    except ValueError as fault:
        expected = "a time as in 2011-09-26 13:02:25.594360375"
        raise DataError("the time cannot be read", where=f"{path}, line {number}", expected=expected) from fault


def _speed(path: Path) -> float:
    what, expected = "the measurement cannot be used", "KITTI's 30 numbers"
    words = read_text(path, what=what, expected=expected, name="calibration_kilobytes").split()
    try:
        forward, leftward = float(words[_FORWARD]), float(words[_LEFTWARD])
    except (ValueError, IndexError) as fault:
        raise DataError(what, where=path, expected=expected, got=f"{len(words)} words") from fault
    return float(np.hypot(forward, leftward))
