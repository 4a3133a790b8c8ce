"""Calibration files in YAML: ours, OpenCV's, and ROS's camera_info as a file or as a topic's echo prints it."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from selfdepth.data.readers.naming import naming, warn_of_principal_point
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera
from selfdepth.limits import VARIABLE, limit
from selfdepth.texts import read_text

MAX_FOCAL_ERROR = 0.01
"""Share by which the focal length of a rectified P may differ from that of K without a warning."""
_PINHOLES = """
plumb_bob rational_polynomial rational thin_prism radtan radial_tangential radialtangential pinhole simple_pinhole
perspective opencv full_opencv radial simple_radial brown brown_conrady inverse_brown_conrady modified_brown_conrady
none no_distortion undistorted rectified
"""
"""Names of lens models that are a pinhole camera where all of their coefficients are zero. Of others, such as
equidistant, zeros are a fisheye: no numbers make them a pinhole."""

_KIND = "YAML (ours, OpenCV, ROS camera_info)"
_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("opencv-matrix", "map", "seq", "str", "int", "float"))
_MODEL_KEYS = ("distortion_model", "camera_model", "model_type", "lens_model", "projection_model", "model")
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_NOT_FINITE = {".nan": "nan", ".inf": "inf", "+.inf": "inf", "-.inf": "-inf"}
_SEPARATOR = re.compile(r"^(---|\.\.\.)([ \t].*)?$", re.MULTILINE)
_MAX_DEPTH = 20
_MAX_NODES, _MAX_NODES_READ = 5_000, 20_000
"""Entries of a document, of which a camera has a hundred, and of all documents: what comes later is not read."""


@dataclass(frozen=True, kw_only=True)
class CameraFile:
    """What a calibration file says.

    Attributes:
        camera: of the frames: for a region of interest and binning, of the size that these leave.
        sensor_size: width and height of the whole sensor, to which the file's numbers refer.
    """

    camera: Camera
    sensor_size: tuple[int, int]


def read_camera_file(path: Path) -> CameraFile:
    """Read a camera from YAML, for the image size stated in it: ours (`camera_to_yaml`), OpenCV's or ROS's camera_info.

    Of several documents, as a topic's echo prints them, the first that is a camera is read, and the others must agree
    with it. K is read, never the rectified P of camera_info: the frames are assumed to be as the camera recorded them.
    K refers to the whole sensor; a region of interest and binning are applied. Nonzero distortion, a P that differs
    from K, and a principal point outside the image cause a warning.

    Raises:
        DataError: naming the file, if it cannot be parsed, lacks an entry, holds invalid numbers, or is of a lens that
            is no pinhole.
    """
    documents = [entries for entries in _documents(path) if entries]
    if not documents:
        raise DataError("the camera file has no entries", where=path, expected="width, height, fx, fy, cx, cy")
    # Other documents may hold anything, such as the images of the same topic.
    first = next((entries for entries in documents if _states_camera(entries)), documents[0])
    read = _camera_file(first, path)
    for entries in documents:
        if entries is not first and _states_camera(entries) and _sensor(entries, path) != _sensor(first, path):
            raise DataError(
                "the cameras in the file differ",
                where=path,
                expected="one camera, or the same one several times",
                got=f"{len(documents)} documents, of which at least two disagree",
                fix="keep the document of these frames only",
            )
    _warn(first, read.camera, path)
    return read


def _camera_file(entries: dict[str, Any], path: Path) -> CameraFile:
    _refuse_other_lenses(entries, path)
    sensor = _sensor(entries, path)
    width, height = sensor.width, sensor.height
    left, top, roi_width, roi_height = _region(entries, path)
    if left + roi_width > width or top + roi_height > height:
        raise DataError(
            "the region of interest does not lie in the image",
            where=path,
            expected=f"within {width}x{height}",
            got=f"{roi_width}x{roi_height} at ({left}, {top})",
        )
    part = (roi_width or width - left, roi_height or height - top)
    across, down = (max(1, _whole(entries.get(f"binning_{axis}"), path, default=1)) for axis in "xy")
    with naming(str(path)):
        camera = Camera(
            fx=sensor.fx, fy=sensor.fy, cx=sensor.cx - left, cy=sensor.cy - top, width=part[0], height=part[1]
        )
        if (across, down) != (1, 1):
            camera = camera.resized(max(1, part[0] // across), max(1, part[1] // down))
    return CameraFile(camera=camera, sensor_size=(width, height))


def _sensor(entries: dict[str, Any], path: Path) -> Camera:
    """The camera of the whole sensor, as the file states it."""
    width, height = (_size(entries, name, path) for name in ("width", "height"))
    fx, fy, cx, cy = _intrinsics(entries, path)
    with naming(str(path)):
        return Camera(fx=fx, fy=fy, cx=cx, cy=cy, width=width, height=height)


def _region(entries: dict[str, Any], path: Path) -> tuple[int, int, int, int]:
    """Left, top, width and height of the region of interest in pixels of the sensor; a size of 0 is all the rest."""
    roi = entries.get("roi")
    if not isinstance(roi, dict):
        return 0, 0, 0, 0
    left, top, width, height = (_whole(roi.get(key), path) for key in ("x_offset", "y_offset", "width", "height"))
    return left, top, width, height


def _refuse_other_lenses(entries: dict[str, Any], path: Path) -> None:
    for key in _MODEL_KEYS:
        name = entries.get(key)
        if isinstance(name, str) and name and re.sub(r"[ -]+", "_", name.strip().casefold()) not in _PINHOLES.split():
            raise DataError(
                "the lens is no pinhole, whatever its coefficients",
                where=path,
                expected=f"{key} of a pinhole camera, such as plumb_bob",
                got=f"{key}: {name[:40]}",
                fix="undistort the frames, and give the camera of the undistorted ones",
            )


def _warn(entries: dict[str, Any], camera: Camera, path: Path) -> None:
    warn_of_principal_point(camera, str(path))
    # The same entry has a name of its own in OpenCV's files, ROS's files, ROS's messages and ours.
    distortion = _numbers(_first(entries, "distortion_coefficients", "distortion", "D", "d"), path)
    if any(distortion):
        warnings.warn(
            f"{path} has lens distortion ({', '.join(f'{value:g}' for value in distortion)}) and frames are NOT "
            "undistorted: the camera is treated as a pinhole; rectify the frames first if straight lines look bent",
            SelfDepthWarning,
            stacklevel=4,
        )
    rectified = _numbers(_first(entries, "projection_matrix", "P", "p"), path)
    fx = _intrinsics(entries, path)[0]
    # An uncalibrated ROS driver publishes a P of zeros, which says nothing about the frames.
    if len(rectified) == 12 and rectified[0] > 0 and abs(rectified[0] / fx - 1) > MAX_FOCAL_ERROR:
        warnings.warn(
            f"{path} has a rectified projection P (fx {rectified[0]:g}) besides K (fx {fx:g}); K is used, which is "
            "right for unrectified frames; for rectified ones give --camera fx,fy,cx,cy from P",
            SelfDepthWarning,
            stacklevel=4,
        )


class _Loader(yaml.BaseLoader):
    """Text, lists and mappings, and nothing else: numbers are read from the text, where their length can be judged."""

    depth = nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases, which a calibration does not need")
        self.depth += 1
        self.nodes += 1
        if self.nodes > _MAX_NODES:
            raise yaml.YAMLError(f"more than {_MAX_NODES:,} entries")
        if self.depth > _MAX_DEPTH:
            raise yaml.YAMLError("lists in lists, too deep")
        node = super().compose_node(parent, index)
        self.depth -= 1
        if node is not None and node.tag not in _TAGS:
            raise yaml.YAMLError(f"the tag {node.tag[:60]}")
        if isinstance(node, yaml.MappingNode):
            _refuse_twins(node)
        return node


def _refuse_twins(node: yaml.MappingNode) -> None:
    """Refuse a name that comes twice: the parser would take the last in silence."""
    names = [name.value for name, _ in node.value if isinstance(name, yaml.ScalarNode)]
    if len(set(names)) < len(names):
        twin, _ = Counter(names).most_common(1)[0]
        raise yaml.YAMLError(f"{twin[:60]!r} twice, so that it is not clear which one holds")


def _documents(path: Path) -> Iterator[dict[str, Any]]:
    """The documents of a YAML file, each a mapping."""
    what = "the camera file cannot be read"
    # Read whole only within the limit; of the long echo of a topic, the documents that begin within it.
    text = _beginning(read_text(path, what=what, expected=_KIND), path)
    # OpenCV writes "%YAML:1.0". The directive would be "%YAML 1.0", and parsers reject the colon.
    text = "\n".join(line for line in text.splitlines() if not line.startswith("%YAML"))
    try:
        loader, n_read = _Loader(text), 0
        while n_read < _MAX_NODES_READ and loader.check_data():  # type: ignore[no-untyped-call]
            entries = loader.get_data()
            n_read, loader.nodes = n_read + loader.nodes, 0
            if isinstance(entries, dict):
                yield entries
            elif entries not in (None, ""):
                raise DataError("the camera file has no entries", where=path, expected="width, height, fx, fy, cx, cy")
    except (ValueError, TypeError, RecursionError, yaml.YAMLError) as error:
        got = " ".join(str(error).split())[:200]
        raise DataError(what, where=path, expected=_KIND, got=got) from error


def _beginning(text: str, path: Path) -> str:
    most = limit("yaml_kilobytes") * 1000
    if len(text) <= most:
        return text
    whole = [match.start() for match in _SEPARATOR.finditer(text, 1, most)]
    if not whole:
        raise DataError(
            "the camera file is too large",
            where=path,
            expected=f"at most {most // 1000} kilobytes",
            got=f"{len(text) / 1000:.0f} kilobytes",
            fix=f"if you trust the file, set {VARIABLE}=yaml_kilobytes={len(text) // 1000 + 1}",
        )
    return text[: whole[-1]]


def _states_camera(entries: dict[str, Any]) -> bool:
    return _first(entries, "fx", "camera_matrix", "Camera_Matrix", "K", "k") is not None


def _first(entries: dict[str, Any], *names: str) -> Any:
    return next((entries[name] for name in names if entries.get(name) not in (None, "")), None)


def _size(entries: dict[str, Any], name: str, path: Path) -> int:
    value = _first(entries, name, f"image_{name}", f"image_{name.capitalize()}")
    if not isinstance(value, str) or not re.fullmatch(r"\+?[0-9]{1,9}", value) or int(value) < 1:
        raise DataError(
            f"the camera file does not state the {name} of its images",
            where=path,
            expected=f"{name} or image_{name}, in pixels",
            got="none" if value is None else str(value)[:60],
        )
    return int(value)


def _whole(value: Any, path: Path, default: int = 0) -> int:
    """A whole number of pixels of at least 0; an absent one is the default."""
    if value in (None, ""):
        return default
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,9}", value):
        raise _no_number(value, path)
    return int(value)


def _intrinsics(entries: dict[str, Any], path: Path) -> tuple[float, float, float, float]:
    if all(name in entries for name in ("fx", "fy", "cx", "cy")):
        numbers = [_number(entries[name], path) for name in ("fx", "fy", "cx", "cy")]
        return numbers[0], numbers[1], numbers[2], numbers[3]
    K = _numbers(_first(entries, "camera_matrix", "Camera_Matrix", "K", "k"), path)
    if len(K) != 9:
        raise DataError(
            "the camera file has no intrinsics",
            where=path,
            expected="fx, fy, cx, cy, or camera_matrix or K with 9 numbers",
            got=f"{len(K)} numbers",
        )
    if not all(abs(K[index]) <= 1e-6 for index in (3, 6, 7)) or not abs(K[8] - 1) <= 1e-6:
        raise DataError(
            "the camera matrix is not that of a pinhole camera",
            where=path,
            expected="fx 0 cx, 0 fy cy, 0 0 1",
            got=str(K),
        )
    return K[0], K[4], K[2], K[5]


def _numbers(value: Any, path: Path) -> list[float]:
    """The numbers of a list, a list of rows, or a {rows, cols, data} mapping; an empty list for None."""
    if isinstance(value, dict):
        value = value.get("data")
    if value in (None, "", "null", "~"):
        return []
    rows = value if isinstance(value, list) else [value]
    return [_number(item, path) for row in rows for item in (row if isinstance(row, list) else [row])]


def _number(value: Any, path: Path) -> float:
    if not isinstance(value, str):
        raise _no_number(value, path)
    if value.casefold() in _NOT_FINITE:
        return float(_NOT_FINITE[value.casefold()])
    if len(value) > limit("digits") or not _NUMBER.fullmatch(value):
        raise _no_number(value, path)
    return float(value)


def _no_number(value: Any, path: Path) -> DataError:
    got = value if isinstance(value, str) else f"a {'mapping' if isinstance(value, dict) else 'list'}"
    return DataError(
        "the camera file has entries that are not numbers",
        where=path,
        expected=f"numbers of at most {limit('digits')} digits",
        got=f'"{got[:60]}{"..." if len(got) > 60 else ""}"',
    )
