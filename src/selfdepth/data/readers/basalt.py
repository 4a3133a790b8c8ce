"""Basalt's calibration.json: cameras in `value0`, each with its model, its parameters by name, and its resolution."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from selfdepth.data.readers.camera_entries import UNREADABLE
from selfdepth.data.readers.naming import naming
from selfdepth.data.readers.stated_cameras import CameraFile
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import NAMES, Lens, LensModel
from selfdepth.limits import require_within
from selfdepth.texts import parse_json

BASALT_LENSES: dict[str, tuple[LensModel, tuple[str, ...]]] = {
    "pinhole": ("pinhole", ()),
    "pinhole-radtan8": ("brown", NAMES["brown"]),
    "kb4": ("kannala-brandt", NAMES["kannala-brandt"]),
    "eucm": ("eucm", NAMES["eucm"]),
}
"""Basalt's models that are read: the lens, and the names of its coefficients. ds, ucm and fov are not."""
_PINHOLE = ("fx", "fy", "cx", "cy")


def is_basalt(text: str) -> bool:
    """Whether a text is a calibration of Basalt's."""
    return text.lstrip()[:1] == "{" and '"camera_type"' in text and '"intrinsics"' in text


def cameras_in_basalt(text: str, path: Path) -> dict[str, Callable[[], CameraFile]]:
    """Readers of the cameras as "cam0", "cam1" and so on, in their order.

    Raises:
        DataError: for a file that is too large or states no cameras; the readers, for a model that is not read, and for
            an entry that is missing or not valid.
    """
    require_within("yaml_kilobytes", len(text) / 1000, what="the camera file is too large", where=path)
    values: Any = parse_json(text, what=UNREADABLE, where=path)
    values = values.get("value0", values)
    cameras = values.get("intrinsics") if isinstance(values, dict) else None
    sizes = values.get("resolution") if isinstance(values, dict) else None
    if not isinstance(cameras, list) or not cameras or not isinstance(sizes, list) or len(sizes) != len(cameras):
        raise _invalid(str(path), "value0 with intrinsics and resolution, one of each for a camera", "other entries")
    return {
        f"cam{number}": _reader(camera, size, f"{path}, cam{number}")
        for number, (camera, size) in enumerate(zip(cameras, sizes, strict=True))
    }


def _reader(camera: Any, size: Any, where: str) -> Callable[[], CameraFile]:
    def read() -> CameraFile:
        model, parameters = (
            (camera.get("camera_type"), camera.get("intrinsics")) if isinstance(camera, dict) else (None, None)
        )
        if model not in BASALT_LENSES:
            raise DataError(
                "the lens model is not known",
                where=where,
                expected=", ".join(BASALT_LENSES),
                got=str(model)[:40],
                fix="calibrate with one of these (basalt_calibrate --cam-types kb4), or undistort the frames and give "
                "the camera of the undistorted ones",
            )
        lens, names = BASALT_LENSES[model]
        fx, fy, cx, cy, *coefficients = (_number(parameters, name, where) for name in (*_PINHOLE, *names))
        if not isinstance(size, list) or len(size) != 2 or not all(type(side) is int and side > 0 for side in size):
            raise _invalid(where, "a resolution of [width, height] in pixels", str(size)[:60])
        width, height = size
        with naming(where):
            found = Lens(lens, tuple(coefficients)) if lens not in ("pinhole", "brown") or any(coefficients) else Lens()
            of_file = Camera(fx=fx, fy=fy, cx=cx, cy=cy, width=width, height=height, lens=found)
        return CameraFile(camera=of_file, sensor_size=(width, height))

    return read


def _number(parameters: Any, name: str, where: str) -> float:
    value = parameters.get(name) if isinstance(parameters, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e9:
        raise _invalid(where, f"a finite number for {name}", "none" if value is None else str(value)[:40])
    return float(value)


def _invalid(where: str, expected: str, got: str) -> DataError:
    return DataError("the calibration of Basalt cannot be used", where=where, expected=expected, got=got)
