"""Camera trajectories from text files, as KITTI and TUM write them."""

from __future__ import annotations

import math
import re
from array import array
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from selfdepth.errors import DataError
from selfdepth.geometry.quaternion import rotation_from_quaternion
from selfdepth.limits import require_within
from selfdepth.structs import Trajectory
from selfdepth.texts import read_text

POSES_FILE = "poses.txt"
"""Name of the file with ground-truth poses beside a folder's images."""

KITTI_NUMBERS, TUM_NUMBERS = 12, 8
"""Numbers in a line, by which the format is recognised."""
FORMATS = (
    "12 numbers a line (KITTI: three rows of T_world_camera), or 8 (TUM: timestamp tx ty tz qx qy qz qw); "
    "lines that begin with # are comments"
)
_MOST_NUMBERS = 100
"""Numbers in a line of a file that is read far enough to say how many it has."""
_FINITE = f"finite numbers, at most {_MOST_NUMBERS} a line"
ROTATION_TOLERANCE = 1e-3
"""Files hold about six digits. A matrix that deviates more than this from a rotation is something else."""


def read_trajectory(path: Path, *, timestamps: Float[ndarray, "n"] | None = None) -> Trajectory:
    """Read poses T_world_camera in KITTI's or TUM's format, recognised by the number of columns.

    Args:
        timestamps: seconds of the poses of a KITTI file, which holds none; default: 0, 1, 2, ...

    Raises:
        DataError: naming file and line, for a file in neither format.
    """
    lines, rows = _numbers(path)
    width = rows.shape[1]
    if width not in (KITTI_NUMBERS, TUM_NUMBERS):
        raise DataError("the file is not a trajectory", where=path, expected=FORMATS, got=f"{width} numbers a line")
    T_world_camera = np.tile(np.eye(4), (len(rows), 1, 1))
    if width == KITTI_NUMBERS:
        if timestamps is not None and len(timestamps) != len(rows):
            raise DataError(
                "the file does not have one pose for each frame",
                where=path,
                expected=f"{len(timestamps)} lines",
                got=str(len(rows)),
            )
        T_world_camera[:, :3] = rows.reshape(-1, 3, 4)
        times = np.arange(len(rows), dtype=np.float64) if timestamps is None else timestamps
    else:
        lengths = np.linalg.norm(rows[:, 4:], axis=1)
        _refuse(path, (lines, rows), np.abs(lengths - 1) > ROTATION_TOLERANCE, "a quaternion of length 1")
        T_world_camera[:, :3, :3] = rotation_from_quaternion(rows[:, 4:])
        T_world_camera[:, :3, 3], times = rows[:, 1:4], rows[:, 0]
    R = T_world_camera[:, :3, :3]
    skewed = np.abs(R @ np.swapaxes(R, 1, 2) - np.eye(3)).max((1, 2)) > ROTATION_TOLERANCE
    # An orthonormal matrix with a negative determinant is a reflection, as from a left-handed frame.
    _refuse(path, (lines, rows), skewed | (np.linalg.det(R) < 0), "a rotation in the first three columns")
    try:
        return Trajectory(T_world_camera=T_world_camera, timestamps=times)
    except DataError as error:
        raise DataError(error.what, where=path, expected=error.expected, got=error.got) from error


def read_times(path: Path) -> Float[ndarray, "n"]:
    """Seconds from a text file with one number a line, as KITTI odometry's times.txt.

    Raises:
        DataError: naming file and line, for any other content.
    """
    _, rows = _numbers(path)
    if rows.shape[1] != 1:
        raise DataError("the file is not a list of times", where=path, expected="one number a line, in seconds")
    return np.asarray(rows[:, 0])


def _numbers(path: Path) -> tuple[Int[ndarray, "n"], Float[ndarray, "n k"]]:
    """Line numbers, and the finite numbers of every line with content. All lines have the same count of numbers.

    Raises:
        DataError: naming the first bad line, or an empty or unreadable file.
    """
    text = read_text(path, what="the file cannot be read", expected="a text file of numbers")
    n_lines = text.count("\n") + 1
    require_within("trajectory_lines", n_lines, what="the file has too many lines", where=path)
    # Arrays, and one line at a time: lists of numbers would take twenty times the memory of the file.
    flat, lines, count = array("d"), array("q"), 0
    for number, match in enumerate(re.finditer(r"[^\n]*\n?", text), start=1):
        words = match.group().split(None, _MOST_NUMBERS)
        if not words or words[0].startswith("#"):
            continue
        try:
            values = [float(word) for word in words] if len(words) <= _MOST_NUMBERS else []
        except ValueError:
            values = []
        count = count or len(values)
        if not values or len(values) != count or not all(map(math.isfinite, values)):
            expected = f"{count} finite numbers, as in the lines before" if lines else _FINITE
            # Shortened: what is not a trajectory at all may be one endless line.
            got = f'"{match.group()[:60].rstrip()}"'
            raise DataError("the line cannot be read", where=f"{path}, line {number}", expected=expected, got=got)
        flat.extend(values)
        lines.append(number)
    if not lines:
        raise DataError("the file is empty", where=path, expected="lines of numbers")
    return np.array(lines, np.int64), np.array(flat).reshape(len(lines), count)


def _refuse(path: Path, numbered: tuple[ndarray, ndarray], wrong: ndarray, expected: str) -> None:
    """Raise DataError for the first line marked in `wrong`, if there is one."""
    if wrong.any():
        first = int(wrong.argmax())
        got = " ".join(f"{value:g}" for value in numbered[1][first])
        raise DataError(
            "the pose cannot be used", where=f"{path}, line {numbered[0][first]}", expected=expected, got=got
        )
