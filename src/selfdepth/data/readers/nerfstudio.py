"""The transforms.json of nerfstudio, Instant NGP and Blender's NeRF data: one camera for all frames.

Pixels are counted from the outer corner of the image, as COLMAP does: the first pixel's centre lies at (0.5, 0.5).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from selfdepth.data.readers.camera_entries import UNREADABLE
from selfdepth.data.readers.colmap import COLMAP_LENSES, CORNER_TO_CENTRE_PX, refuse_model
from selfdepth.data.readers.naming import naming
from selfdepth.data.readers.stated_cameras import CameraFile
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import NAMES, Lens, LensModel
from selfdepth.limits import require_within
from selfdepth.texts import parse_json

_DISTORTION = "distortion_params"
_IN_LIST = ("k1", "k2", "k3", "k4", "p1", "p2")
"""The coefficients of `distortion_params`, in nerfstudio's order."""
_COEFFICIENTS = ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2")
_INTRINSICS = ("camera_model", "is_fisheye", "w", "h", "fl_x", "fl_y", "cx", "cy", "camera_angle_x", "camera_angle_y")
_FIELDS = (*_INTRINSICS, *_COEFFICIENTS)
_USUAL_LENGTHS: dict[LensModel, tuple[str, ...]] = {
    "pinhole": (),
    "brown": ("k1", "k2", "p1", "p2", "k3"),
    "kannala-brandt": NAMES["kannala-brandt"],
}
"""The coefficients of nerfstudio's lenses. A k4 beside tangential ones is no k4 of OpenCV, and must be 0."""


def is_transforms(text: str) -> bool:
    """Whether a text is a transforms.json."""
    return text.lstrip()[:1] == "{" and any(f'"{name}"' in text for name in ("fl_x", "camera_angle_x", "frames"))


def camera_in_transforms(text: str, path: Path, frames: tuple[int, int] | None) -> CameraFile:
    """The camera of all frames.

    Args:
        frames: width and height of the frames, for a file that states an angle, and no size.

    Raises:
        DataError: naming the file, for a lens that is not known, for an entry that is missing or not valid, and for
            frames of several cameras.
    """
    require_within("json_megabytes", len(text) / 1e6, what="the camera file is too large", where=path)
    values = _of_all_frames(parse_json(text, what=UNREADABLE, where=path), path)
    width, height = _size(values, path, frames)
    fx, fy = _focal_lengths(values, width, height, path)
    cx, cy = (
        _number(values, name, path, size / 2) + CORNER_TO_CENTRE_PX for name, size in (("cx", width), ("cy", height))
    )
    with naming(str(path)):
        lens = _lens(values, path)
        camera = Camera(fx=fx, fy=fy, cx=cx, cy=cy, width=width, height=height, lens=lens)
    return CameraFile(camera=camera, sensor_size=(width, height))


def _of_all_frames(values: dict[str, Any], path: Path) -> dict[str, Any]:
    """The fields of the camera. Those of single frames must be those of all."""
    camera = _fields(values, path)
    at_top: set[str] = set()
    frames = values.get("frames")
    for number, frame in enumerate(frames if isinstance(frames, list) else []):
        own = _fields(frame, path) if isinstance(frame, dict) else {}
        if number == 0:
            at_top, camera = set(camera), {**own, **camera}
        differing = next((name for name in own if own[name] != camera.get(name)), None)
        lacking = next((name for name in camera if name not in own and name not in at_top), None)
        name = differing or lacking
        if name is not None:
            raise DataError(
                "the frames in the file are of several cameras",
                where=path,
                expected=f"one {name} for all frames",
                got=f"{name} {camera.get(name)!s:.40} and {own.get(name, 'none')!s:.40} (frame {number})",
                fix="give the frames of one camera on their own, with its camera as a file",
            )
    return camera


def _fields(values: dict[str, Any], path: Path) -> dict[str, Any]:
    """What an object says of a camera, with the coefficients of `distortion_params` under their own names."""
    fields = {name: values[name] for name in _FIELDS if name in values}
    listed = values.get(_DISTORTION)
    if listed is None:
        return fields
    if not isinstance(listed, list) or len(listed) != len(_IN_LIST):
        raise _invalid(
            _DISTORTION, path, f"a list of {len(_IN_LIST)} numbers ({' '.join(_IN_LIST)})", f"{listed!s:.60}"
        )
    named = dict(zip(_IN_LIST, listed, strict=True))
    differing = next((name for name in named if fields.get(name, named[name]) != named[name]), None)
    if differing is not None:
        raise _invalid(differing, path, f"the same as in {_DISTORTION}", f"{fields[differing]!s:.40}")
    return {**fields, **named}


def _size(values: dict[str, Any], path: Path, frames: tuple[int, int] | None) -> tuple[int, int]:
    if "w" not in values and "h" not in values and "fl_x" not in values and frames is not None:
        return frames
    width, height = (_number(values, name, path) for name in "wh")
    if not (width == int(width) and height == int(height) and min(width, height) >= 1 and max(width, height) < 1e9):
        raise _invalid("w and h", path, "whole numbers of pixels", f"{width:g} and {height:g}")
    return int(width), int(height)


def _focal_lengths(values: dict[str, Any], width: int, height: int, path: Path) -> tuple[float, float]:
    """fx and fy in pixels: as they are, or from the angles between the outer edges of the image."""
    found: list[float | None] = []
    for axis, size in (("x", width), ("y", height)):
        if f"fl_{axis}" in values:
            found.append(_number(values, f"fl_{axis}", path))
        elif f"camera_angle_{axis}" in values:
            angle_rad = _number(values, f"camera_angle_{axis}", path)
            if not 0 < angle_rad < math.pi:
                raise _invalid(f"camera_angle_{axis}", path, "radians between 0 and pi", f"{angle_rad:g}")
            found.append(size / 2 / math.tan(angle_rad / 2))
        else:
            found.append(None)
    fx, fy = found
    if fx is None:
        raise _invalid("fl_x", path, "fl_x, fl_y, cx, cy, w, h; or camera_angle_x", "none")
    return fx, fx if fy is None else fy


def _lens(values: dict[str, Any], path: Path) -> Lens:
    model = values.get("camera_model", "OPENCV_FISHEYE" if values.get("is_fisheye") in (True, 1) else "OPENCV")
    if not isinstance(model, str) or model not in COLMAP_LENSES:
        raise refuse_model(str(model), str(path))
    lens, _ = COLMAP_LENSES[model]
    given = {name: _number(values, name, path, 0.0) for name in _COEFFICIENTS}
    names = NAMES["brown"] if model == "FULL_OPENCV" else _USUAL_LENGTHS[lens]
    stray = next((name for name, value in given.items() if value != 0 and name not in names), None)
    if stray is not None:
        raise DataError(
            f"the lens model {model} has no such coefficient",
            where=path,
            expected=f"zeros but for {', '.join(names) or 'none'}",
            got=f"{stray} of {given[stray]:g}",
            fix="name the model of the coefficients in camera_model",
        )
    coefficients = tuple(given[name] for name in names)
    return Lens(lens, coefficients) if lens == "kannala-brandt" or any(coefficients) else Lens()


def _number(values: dict[str, Any], name: str, path: Path, default: float | None = None) -> float:
    value = values.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        got = "none" if value is None else f'the text "{value[:40]}"' if isinstance(value, str) else str(value)[:40]
        raise _invalid(name, path, "a finite number", got)
    return float(value)


def _invalid(name: str, path: Path, expected: str, got: str) -> DataError:
    return DataError(f"the camera file has no valid {name}", where=path, expected=expected, got=got)
