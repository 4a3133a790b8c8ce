"""KITTI's calib_cam_to_cam.txt and KITTI-360's perspective.txt: rectified cameras, one for each folder of images."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from selfdepth.data.readers.camera_entries import number_of
from selfdepth.data.readers.naming import naming
from selfdepth.data.readers.stated_cameras import CameraFile
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera
from selfdepth.limits import require_within

_RECTIFIED = re.compile(r"^P_rect_([0-9]{2}):", re.MULTILINE)
_ZERO = 1e-6
"""Share of the focal length up to which a number of P is the zero that a pinhole camera has there."""


def is_kitti(text: str) -> bool:
    """Whether a text has the rectified matrix of a camera of KITTI."""
    return bool(_RECTIFIED.search(text))


def cameras_in_kitti(text: str, path: Path) -> dict[str, Callable[[], CameraFile]]:
    """Readers of the rectified cameras by their folders, "image_00" and so on.

    The frames are assumed to be the rectified ones (KITTI's `sync`, KITTI-360's `data_rect`): K is that of P_rect, and
    the size is S_rect.

    Raises:
        DataError: for a file that is too large; the readers, naming the entry, for one that is missing or not valid.
    """
    require_within("yaml_kilobytes", len(text) / 1000, what="the camera file is too large", where=path)
    entries = dict(line.partition(":")[::2] for line in text.splitlines())
    return {f"image_{number}": _reader(entries, number, path) for number in _RECTIFIED.findall(text)}


def _reader(entries: dict[str, str], number: str, path: Path) -> Callable[[], CameraFile]:
    def read() -> CameraFile:
        width, height = (round(size) for size in _numbers(entries, f"S_rect_{number}", 2, path))
        P = _numbers(entries, f"P_rect_{number}", 12, path)
        where = f"P_rect_{number} in {path}"
        if not all(abs(P[at]) <= _ZERO * abs(P[0]) for at in (1, 4, 8, 9)) or not abs(P[10] - 1) <= _ZERO:
            raise DataError(
                "the matrix is not that of a pinhole camera", where=where, expected="fx 0 cx, 0 fy cy, 0 0 1"
            )
        with naming(where):
            camera = Camera(fx=P[0], fy=P[5], cx=P[2], cy=P[6], width=width, height=height)
        return CameraFile(camera=camera, sensor_size=(width, height))

    return read


def _numbers(entries: dict[str, str], key: str, n: int, path: Path) -> list[float]:
    words = entries.get(key, "").split()
    if len(words) != n:
        raise DataError(
            "the calibration lacks an entry", where=path, expected=f"{key} with {n} numbers", got=f"{len(words)}"
        )
    numbers = [number_of(word, path) for word in words]
    if not all(abs(number) < 1e9 for number in numbers):
        raise DataError("the calibration cannot be used", where=path, expected=f"{key} with finite numbers")
    return numbers
