"""The camera as the user gives it: numbers, a field of view, or a calibration file."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera

ASSUMED_FOV_DEG = 60.0
MAX_FOCAL_ERROR = 0.01
"""Share by which the focal length of a rectified P may differ from that of K without a warning."""
PAPER = "paper"
ANY_CAMERA = "fov:60"
"""For frames whose camera is not used: nothing has to be known of it, and nothing is to be warned of."""
FORMS = "fx,fy,cx,cy in pixels, fov:DEGREES, a YAML file (ours, OpenCV, ROS camera_info), or paper (KITTI only)"


def parse_camera(spec: str | None, *, width: int, height: int) -> Camera:
    """The camera of frames of that size in pixels.

    Args:
        spec: "fx,fy,cx,cy" in pixels of these frames; "fov:DEGREES", horizontal; "paper", its one camera for all of
            KITTI, in fractions of the frame; or a YAML file, whose K refers to the size in the file and is scaled to
            the frames. None: 60 degrees are assumed, with a warning.

    Raises:
        DataError: for anything else, numbers that are no camera, or a file for another aspect.
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
        return Camera(fx=0.58 * width, fy=1.92 * height, cx=0.5 * width, cy=0.5 * height, width=width, height=height)
    where, path = f"--camera {spec}", Path(spec).expanduser()
    if spec.startswith("fov:"):
        with naming(where):
            return Camera.from_fov(_number(spec, spec[4:]), width=width, height=height)
    if spec.count(",") == 3 and not path.is_file():
        fx, fy, cx, cy = (_number(spec, part) for part in spec.split(","))
        with naming(where):
            camera = Camera(fx=fx, fy=fy, cx=cx, cy=cy, width=width, height=height)
        _warn_of_principal_point(camera, where)
        return camera
    if not path.is_file():
        raise DataError("the camera cannot be used", where=where, expected=FORMS, got="no such file")
    return _for_size(read_camera_file(path), width=width, height=height, where=spec)


def any_camera(width: int, height: int) -> Camera:
    """ANY_CAMERA for frames of this size."""
    return parse_camera(ANY_CAMERA, width=width, height=height)


def is_camera_file(spec: str | None) -> bool:
    """Whether a camera is given as a file, so that its place must be remembered."""
    return spec is not None and spec != PAPER and Path(spec).expanduser().is_file()


@contextmanager
def naming(where: str) -> Iterator[None]:
    """Let an error about numbers that are no camera's say where they were read."""
    try:
        yield
    except DataError as error:
        if error.where is not None:
            raise
        raise DataError(error.what, where=where, expected=error.expected, got=error.got, fix=error.fix) from error


def _for_size(camera: Camera, *, width: int, height: int, where: str) -> Camera:
    """A file's camera for frames of that size. Raises DataError if the aspects differ, as after a crop."""
    if not camera.has_aspect_of(width, height):
        raise DataError(
            "the camera file is for images of another shape",
            where=where,
            expected=f"the aspect of the frames, {width}x{height}",
            got=f"{camera.width}x{camera.height}",
            fix="give the calibration of these frames, e.g. --camera fx,fy,cx,cy in their pixels",
        )
    return camera.resized(width, height)


def read_camera_file(path: Path) -> Camera:
    """Read a YAML file for the image size that it names: ours (`camera_to_yaml`), OpenCV's or ROS's camera_info.

    Always K is read, never the rectified P of camera_info: frames are taken as the camera recorded them. Distortion
    that is not zero, a P that is another camera than K, and a principal point outside the image are warned of.

    Raises:
        DataError: naming the file, if it cannot be parsed, lacks an entry, or its numbers are no camera.
    """
    entries = _load_yaml(path)
    width, height = (_size(entries, name, path) for name in ("width", "height"))
    fx, fy, cx, cy = _intrinsics(entries, path)
    with naming(str(path)):
        camera = Camera(fx=fx, fy=fy, cx=cx, cy=cy, width=width, height=height)
    _warn_of_principal_point(camera, str(path))
    distortion = _numbers(_first(entries, "distortion_coefficients", "distortion", "D", "d"), path)
    if any(distortion):
        warnings.warn(
            f"{path} has lens distortion ({', '.join(f'{value:g}' for value in distortion)}) and frames are NOT "
            "undistorted: they are taken as a pinhole camera's; rectify them first if straight lines look bent",
            SelfDepthWarning,
            stacklevel=2,
        )
    rectified = _numbers(_first(entries, "projection_matrix", "P", "p"), path)
    if len(rectified) == 12 and rectified[0] > 0 and abs(rectified[0] / fx - 1) > MAX_FOCAL_ERROR:
        warnings.warn(
            f"{path} has a rectified projection P (fx {rectified[0]:g}) besides K (fx {fx:g}); K is used, as for "
            "frames that are not rectified; for rectified ones give --camera fx,fy,cx,cy from P",
            SelfDepthWarning,
            stacklevel=2,
        )
    return camera


def camera_to_yaml(camera: Camera) -> str:
    """A camera in our own form, which `parse_camera` reads back unchanged: six lines, in pixels."""
    values = {name: getattr(camera, name) for name in ("width", "height", "fx", "fy", "cx", "cy")}
    return "".join(f"{name}: {value!r}\n" for name, value in values.items())


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which also knows OpenCV's matrices: mappings with rows, cols, data."""


def _opencv_matrix(loader: yaml.SafeLoader, node: yaml.Node) -> dict[Any, Any]:
    if not isinstance(node, yaml.MappingNode):
        raise yaml.YAMLError("an !!opencv-matrix is not a mapping")
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:opencv-matrix", _opencv_matrix)


def _load_yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        # OpenCV writes "%YAML:1.0", which no YAML parser takes for a directive.
        lines = [line for line in text.splitlines() if not line.startswith("%YAML")]
        entries = yaml.load("\n".join(lines), Loader=_Loader)
    except (OSError, UnicodeDecodeError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise DataError(
            "the camera file cannot be read",
            where=path,
            expected="YAML (ours, OpenCV, ROS camera_info)",
            got=str(error),
        ) from error
    if not isinstance(entries, dict):
        raise DataError("the camera file has no entries", where=path, expected="width, height, fx, fy, cx, cy")
    return entries


def _first(entries: dict[str, Any], *names: str) -> Any:
    return next((entries[name] for name in names if entries.get(name) is not None), None)


def _size(entries: dict[str, Any], name: str, path: Path) -> int:
    value = _first(entries, name, f"image_{name}", f"image_{name.capitalize()}")
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise DataError(
            f"the camera file does not say the {name} of the images that it is for",
            where=path,
            expected=f"{name} or image_{name}, in pixels",
            got="none" if value is None else str(value),
        )
    return value


def _intrinsics(entries: dict[str, Any], path: Path) -> tuple[float, float, float, float]:
    if all(name in entries for name in ("fx", "fy", "cx", "cy")):
        numbers = _numbers([entries[name] for name in ("fx", "fy", "cx", "cy")], path)
        return numbers[0], numbers[1], numbers[2], numbers[3]
    K = _numbers(_first(entries, "camera_matrix", "Camera_Matrix", "K", "k"), path)
    if len(K) != 9:
        raise DataError(
            "the camera file has no intrinsics",
            where=path,
            expected="fx, fy, cx, cy, or camera_matrix or K with 9 numbers",
            got=f"{len(K)} numbers",
        )
    if any(abs(K[index]) > 1e-6 for index in (3, 6, 7)) or abs(K[8] - 1) > 1e-6:
        raise DataError(
            "the camera matrix is not a pinhole camera's", where=path, expected="fx 0 cx, 0 fy cy, 0 0 1", got=str(K)
        )
    return K[0], K[4], K[2], K[5]


def _numbers(value: Any, path: Path) -> list[float]:
    """The numbers of a list, a list of rows, or a {rows, cols, data} mapping; none for None."""
    if isinstance(value, dict):
        value = value.get("data")
    if value is None:
        return []
    flat = (
        [item for row in value for item in (row if isinstance(row, list) else [row])]
        if isinstance(value, list)
        else [value]
    )
    try:
        return [float(item) for item in flat]
    except (TypeError, ValueError) as error:
        raise DataError("the camera file holds something else than numbers", where=path, got=str(value)) from error


def _number(spec: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise DataError(
            "the camera cannot be used", where=f"--camera {spec}", expected=FORMS, got=f'"{text}"'
        ) from error


def _warn_of_principal_point(camera: Camera, where: str) -> None:
    if not camera.principal_point_inside or not math.isfinite(camera.cx + camera.cy):
        warnings.warn(
            f"the principal point ({camera.cx:g}, {camera.cy:g}) lies outside the image of {camera.width}x"
            f"{camera.height}: {where}; check the order fx,fy,cx,cy and the size that the numbers are for",
            SelfDepthWarning,
            stacklevel=3,
        )
