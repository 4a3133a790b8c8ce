"""Camera trajectories from text files, as KITTI and TUM write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.errors import DataError
from selfdepth.geometry.quaternion import rotation_from_quaternion
from selfdepth.structs import Trajectory

POSES_FILE = "poses.txt"
"""True poses of a folder of images, beside them."""

KITTI_NUMBERS, TUM_NUMBERS = 12, 8
FORMATS = (
    "12 numbers a line (KITTI: three rows of T_world_camera), or 8 (TUM: timestamp tx ty tz qx qy qz qw); "
    "lines that begin with # are comments"
)
ROTATION_TOLERANCE = 1e-3
"""Rotations are written with six digits or so; what is farther from a rotation than this is something else."""


def read_trajectory(path: Path, *, timestamps: Float[ndarray, "n"] | None = None) -> Trajectory:
    """Poses T_world_camera from KITTI's or TUM's text, recognised by the count of numbers in a line.

    Args:
        timestamps: of the poses of a KITTI file, which has none; default: 0, 1, 2, ...

    Raises:
        DataError: naming file and line, for anything that is not such a text.
    """
    numbered = _numbers(path)
    rows = np.array([numbers for _, numbers in numbered])
    width = rows.shape[1]
    if width not in (KITTI_NUMBERS, TUM_NUMBERS):
        raise DataError("the file is no trajectory", where=path, expected=FORMATS, got=f"{width} numbers a line")
    T_world_camera = np.tile(np.eye(4), (len(rows), 1, 1))
    if width == KITTI_NUMBERS:
        if timestamps is not None and len(timestamps) != len(rows):
            raise DataError(
                "there is not one pose for each frame",
                where=path,
                expected=f"{len(timestamps)} lines",
                got=str(len(rows)),
            )
        T_world_camera[:, :3] = rows.reshape(-1, 3, 4)
        times = np.arange(len(rows), dtype=np.float64) if timestamps is None else timestamps
    else:
        lengths = np.linalg.norm(rows[:, 4:], axis=1)
        _refuse(path, numbered, np.abs(lengths - 1) > ROTATION_TOLERANCE, "a quaternion of length 1")
        T_world_camera[:, :3, :3] = rotation_from_quaternion(rows[:, 4:])
        T_world_camera[:, :3, 3], times = rows[:, 1:4], rows[:, 0]
    R = T_world_camera[:, :3, :3]
    skewed = np.abs(R @ np.swapaxes(R, 1, 2) - np.eye(3)).max((1, 2)) > ROTATION_TOLERANCE
    _refuse(path, numbered, skewed | (np.linalg.det(R) < 0), "a rotation in the first three columns")
    try:
        return Trajectory(T_world_camera=T_world_camera, timestamps=times)
    except DataError as error:
        raise DataError(error.what, where=path, expected=error.expected, got=error.got) from error


def read_times(path: Path) -> Float[ndarray, "n"]:
    """Seconds, one number a line, as KITTI odometry's times.txt. Raises DataError for anything else."""
    numbered = _numbers(path)
    if len(numbered[0][1]) != 1:
        raise DataError("the file holds no times", where=path, expected="one number a line, in seconds")
    return np.array([numbers[0] for _, numbers in numbered])


def _numbers(path: Path) -> list[tuple[int, list[float]]]:
    """(number of the line, its finite numbers) of every line; all lines have the same count."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else "not text"
        raise DataError("the file cannot be read", where=path, expected="a text file of numbers", got=reason) from error
    numbered: list[tuple[int, list[float]]] = []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            values = [float(word) for word in words]
        except ValueError:
            values = []
        count = len(numbered[0][1]) if numbered else len(values)
        if not values or len(values) != count or not np.isfinite(values).all():
            expected = f"{count} finite numbers, as in the lines before" if numbered else "finite numbers"
            raise DataError(
                "the line cannot be read", where=f"{path}, line {number}", expected=expected, got=f'"{line[:60]}"'
            )
        numbered.append((number, values))
    if not numbered:
        raise DataError("the file is empty", where=path, expected="lines of numbers")
    return numbered


def _refuse(path: Path, numbered: list[tuple[int, list[float]]], wrong: ndarray, expected: str) -> None:
    """Name the first line that is wrong."""
    if wrong.any():
        number, values = numbered[int(wrong.argmax())]
        got = " ".join(f"{value:g}" for value in values)
        raise DataError("the pose cannot be used", where=f"{path}, line {number}", expected=expected, got=got)
