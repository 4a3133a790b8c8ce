"""The camera as the user gives it: numbers, a field of view, or a calibration file."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

from selfdepth.config.learned_camera import is_learned, learning_of
from selfdepth.data.readers.camera_files import read_camera_file
from selfdepth.data.readers.naming import naming, warn_of_principal_point
from selfdepth.data.readers.stated_cameras import CameraFile
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import PINHOLE
from selfdepth.limits import limit
from selfdepth.places import path_of

ASSUMED_FOV_DEG = 60.0
"""Horizontal field of view without --camera."""
PAPER = "paper"
ANY_CAMERA = "fov:60"
"""A camera for frames whose intrinsics are not used, as in prediction. Given explicitly, it causes no warning."""
_SHOWN = 200
FORMS = (
    "fx,fy,cx,cy in pixels, fov:DEGREES, a calibration file (ours, OpenCV, ROS camera_info, Kalibr, Basalt, EuRoC, "
    "COLMAP, nerfstudio, KITTI-360), FILE:NAME for one camera of several in it, or paper (KITTI only)"
)


def parse_camera(spec: str | None, *, width: int, height: int) -> Camera:
    """The camera of frames of a size in pixels.

    Args:
        spec: "fx,fy,cx,cy" in pixels of these frames; "fov:DEGREES", the horizontal field of view; "paper", the one
            camera that the paper uses for all of KITTI, in fractions of the frame; or a calibration file, with ":NAME"
            after it for one of several cameras, whose K refers to the image size in the file and is scaled to the
            frames. None: 60 degrees are assumed, with a warning.

    Raises:
        DataError: for any other text, invalid numbers, or a file for another aspect ratio.
    """
    if spec is None:
        warnings.warn(
            f"no camera given: a horizontal field of view of {ASSUMED_FOV_DEG:g} degrees is ASSUMED for frames of "
            f"{width}x{height}; depth will be distorted if that is wrong; give --camera {FORMS}",
            SelfDepthWarning,
            stacklevel=2,
        )
        return Camera.from_fov(ASSUMED_FOV_DEG, width=width, height=height)
    if spec == PAPER:
        # The published K: fractions of the frame, the same for every date although KITTI's calibrations differ.
        return Camera(fx=0.58 * width, fy=1.92 * height, cx=0.5 * width, cy=0.5 * height, width=width, height=height)
    where = f"--camera {spec}"
    if is_learned(spec):
        raise DataError(
            "a camera is learned by a training run",
            where=where,
            expected=FORMS,
            got=str(learning_of(spec)),
            fix="give it to selfdepth train; of footage that was prepared, train learns it as well",
        )
    if spec.startswith("fov:"):
        with naming(where):
            return Camera.from_fov(_number(spec, spec[4:]), width=width, height=height)
    if in_pixels(spec):
        fx, fy, cx, cy = (_number(spec, part) for part in spec.split(","))
        with naming(where):
            camera = Camera(fx=fx, fy=fy, cx=cx, cy=cy, width=width, height=height)
        warn_of_principal_point(camera, where)
        return camera
    file = _file_and_name(spec)
    if file is None:
        raise DataError("the camera cannot be used", where=where[:_SHOWN], expected=FORMS, got=_no_form(spec))
    return _for_size(read_camera_file(*file, frames=(width, height)), width=width, height=height, where=spec)


def any_camera(width: int, height: int) -> Camera:
    """ANY_CAMERA for frames of this size in pixels."""
    return parse_camera(ANY_CAMERA, width=width, height=height)


def or_models(camera: Camera, models: Camera | None) -> Camera:
    """A camera; for a stand-in (`ANY_CAMERA`), a model's own, if frames of that size can be its own."""
    size = (camera.width, camera.height)
    if models is None or camera != any_camera(*size) or not models.has_aspect_of(*size):
        return camera
    return models.resized(*size)


def in_pixels(spec: str | None) -> bool:
    """Whether a camera is given as four numbers in pixels, which are right for frames of one size only."""
    # A file name may contain commas, too.
    return spec is not None and spec.count(",") == 3 and not is_camera_file(spec)


def is_camera_file(spec: str | None) -> bool:
    """Whether a camera is given as a file, whose path must be made absolute before it is recorded."""
    return spec is not None and spec != PAPER and _file_and_name(spec) is not None


def _file_and_name(spec: str) -> tuple[Path, str | None] | None:
    """The file that a camera is given as, and which camera of it; None if it is not given as a file."""
    path = path_of(spec, "--camera", error=DataError)
    if path.is_file():
        return path, None
    file, _, name = spec.rpartition(":")
    path = path_of(file, "--camera", error=DataError)
    return (path, name) if file and name and path.is_file() else None


def _for_size(read: CameraFile, *, width: int, height: int, where: str) -> Camera:
    """A file's camera, scaled to frames of this size. Raises DataError if the aspect ratios differ."""
    camera = read.camera
    if (width, height) == read.sensor_size != (camera.width, camera.height):
        raise DataError(
            "the camera file describes a part of the sensor, and the frames show the whole",
            where=where,
            expected=f"frames of {camera.width}x{camera.height}, after its region of interest and binning",
            got=f"{width}x{height}",
            fix="remove roi and binning from the file if the driver did not apply them",
        )
    # With another aspect ratio the frames were cropped, and K cannot be scaled without knowing where.
    if not camera.has_aspect_of(width, height):
        raise DataError(
            "the camera file is for images of another aspect ratio",
            where=where,
            expected=f"the aspect ratio of the frames, {width}x{height}",
            got=f"{camera.width}x{camera.height}",
            fix="give the calibration of these frames, e.g. --camera fx,fy,cx,cy in their pixels",
        )
    return camera.resized(width, height)


def camera_to_yaml(camera: Camera) -> str:
    """A camera in our own format, which `parse_camera` reads back unchanged: a line for each field in pixels and, if
    the camera is no pinhole, the name of its lens and its coefficients in the order of `geometry.lens.NAMES`."""
    values = {name: getattr(camera, name) for name in ("width", "height", "fx", "fy", "cx", "cy")}
    # `repr` writes as many digits as a float needs to be read back unchanged.
    text = "".join(f"{name}: {value!r}\n" for name, value in values.items())
    if camera.lens == PINHOLE:
        return text
    return f"{text}lens: {camera.lens.model}\ncoefficients: {list(camera.lens.coefficients)!r}\n"


def _no_form(spec: str) -> str:
    """What a text is that is no camera, for people."""
    words = re.split(r"[\s,;]+", spec.strip())
    if all(re.fullmatch(r"[-+.0-9eE]+", word) for word in words):
        return f"{len(words)} number{'s' if len(words) > 1 else ''}" + ("" if "," in spec else " without commas")
    path = path_of(spec, "--camera", error=DataError)
    return "a folder" if path.is_dir() else "no regular file" if path.exists() else "no such file"


def _number(spec: str, text: str) -> float:
    try:
        # Python refuses thousands of digits with a sentence of its own.
        if len(text) <= limit("digits"):
            return float(text)
    except ValueError:
        pass
    raise DataError("the camera cannot be used", where=f"--camera {spec[:80]}", expected=FORMS, got=f'"{text[:80]}"')
