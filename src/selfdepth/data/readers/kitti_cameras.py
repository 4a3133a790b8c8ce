"""KITTI's calib_cam_to_cam.txt and KITTI-360's perspective.txt: a camera for each folder of images, as it is rectified
and, for frames of that shape, as it was before."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path

from selfdepth.data.readers.camera_entries import number_of
from selfdepth.data.readers.naming import naming
from selfdepth.data.readers.stated_cameras import CameraFile
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import Lens
from selfdepth.limits import require_within

_RECTIFIED = re.compile(r"^P_rect_([0-9]{2}):", re.MULTILINE)
_ZERO = 1e-6
"""Share of the focal length up to which a number of P is the zero that a pinhole camera has there."""


def is_kitti(text: str) -> bool:
    """Whether a text has the rectified matrix of a camera of KITTI."""
    return bool(_RECTIFIED.search(text))


def cameras_in_kitti(
    text: str, path: Path, frames: tuple[int, int] | None = None
) -> dict[str, Callable[[], CameraFile]]:
    """Readers of the cameras by their folders, "image_00" and so on.

    The frames are assumed to be the rectified ones (KITTI's `sync`, KITTI-360's `data_rect`): K is that of P_rect, and
    the size is S_rect. If they have the shape of S and not of S_rect, they are those before rectification (KITTI's
    `extract`): the camera is K with the distortion D.

    Args:
        frames: their width and height.

    Raises:
        DataError: for a file that is too large; the readers, naming the entry, for one that is missing or not valid.
    """
    require_within("yaml_kilobytes", len(text) / 1000, what="the camera file is too large", where=path)
    entries = dict(line.partition(":")[::2] for line in text.splitlines())
    return {f"image_{number}": _reader(entries, number, path, frames) for number in _RECTIFIED.findall(text)}


def _reader(
    entries: dict[str, str], number: str, path: Path, frames: tuple[int, int] | None
) -> Callable[[], CameraFile]:
    def read() -> CameraFile:
        width, height = (round(size) for size in _numbers(entries, f"S_rect_{number}", 2, path))
        if frames is not None and all(f"{name}_{number}" in entries for name in "SKD"):
            sensor = _as_recorded(entries, number, path)
            if sensor.has_aspect_of(*frames) and not sensor.has_aspect_of(width, height):
                warnings.warn(
                    f"{path}: frames of {frames[0]}x{frames[1]} have the shape of those before rectification, "
                    f"{sensor.width}x{sensor.height}: their camera is K_{number} with the distortion D_{number}",
                    SelfDepthWarning,
                    stacklevel=5,
                )
                return CameraFile(camera=sensor, sensor_size=(sensor.width, sensor.height))
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


def _as_recorded(entries: dict[str, str], number: str, path: Path) -> Camera:
    """The camera before rectification."""
    width, height = (round(size) for size in _numbers(entries, f"S_{number}", 2, path))
    K = _numbers(entries, f"K_{number}", 9, path)
    where = f"K_{number} in {path}"
    if not all(abs(K[at]) <= _ZERO * abs(K[0]) for at in (1, 3, 6, 7)) or not abs(K[8] - 1) <= _ZERO:
        raise DataError("the matrix is not that of a pinhole camera", where=where, expected="fx 0 cx, 0 fy cy, 0 0 1")
    with naming(where):
        lens = Lens("brown", tuple(_numbers(entries, f"D_{number}", 5, path)))
        return Camera(fx=K[0], fy=K[4], cx=K[2], cy=K[5], width=width, height=height, lens=lens)


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
