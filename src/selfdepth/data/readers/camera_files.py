"""Calibration files in YAML: ours, OpenCV's, Kalibr's and EuRoC's, and ROS's camera_info as a file or as a topic's echo
prints it."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfdepth.data.readers.camera_entries import Entries, number_of, read_documents, whole_of
from selfdepth.data.readers.lenses import distortion_of, is_distortion, refuse_other_lenses
from selfdepth.data.readers.naming import naming, warn_of_principal_point
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera

MAX_FOCAL_ERROR = 0.01
"""Share by which the focal length of a rectified P may differ from that of K without a warning."""
MAX_SKEW = 1e-3
"""Share of the focal length up to which skew, and differences between two statements of K, are rounding."""
_MATRICES = ("camera_matrix", "K", "intrinsic_matrix", "camera_intrinsics")
_Intrinsics = tuple[float, float, float, float]


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
    """Read a camera from YAML, for the image size stated in it: ours (`camera_to_yaml`), OpenCV's, Kalibr's camchain,
    EuRoC's sensor.yaml, or ROS's camera_info.

    Of several documents, as a topic's echo prints them, the first that is a camera is read, and the others must agree
    with it. K is read, never the rectified P of camera_info: the frames are assumed to be as the camera recorded them.
    K refers to the whole sensor; a region of interest and binning are applied. Nonzero distortion, a P that differs
    from K, a principal point outside the image, and documents that cannot be read beside one that can cause a warning.

    Raises:
        DataError: naming the file, if it cannot be parsed, lacks an entry, holds invalid numbers or several cameras,
            contradicts itself, or is of a lens that is no pinhole.
    """
    documents = [_camera_entries(document, path) for document in read_documents(path)]
    # Other documents may hold anything, such as the images of the same topic.
    first = next((entries for entries in documents if _states_camera(entries)), documents[0])
    read, sensor = _camera_file(first), _sensor(first)
    for entries in documents:
        if entries is not first and _states_camera(entries) and not _is_of(entries, sensor):
            raise DataError(
                "the cameras in the file differ",
                where=path,
                expected="one camera, or the same one several times",
                got=f"{len(documents)} documents, of which at least two disagree",
                fix="keep the document of these frames only",
            )
    _warn(first, read.camera)
    return read


def _is_of(entries: Entries, sensor: Camera) -> bool:
    """Whether a further document is of the same camera. One that states none, as when a print was stopped, is left out
    with a warning."""
    try:
        return _sensor(entries) == sensor
    except DataError as error:
        warnings.warn(f"a document is left out: {error}", SelfDepthWarning, stacklevel=4)
        return True


def _camera_entries(document: dict[str, Any], path: Path) -> Entries:
    """The entries of a document, those of the one camera in it included, as Kalibr writes them below `cam0`."""
    entries = Entries(document.items(), path)
    if _states_camera(entries):
        return entries
    cameras = {
        key: value
        for key, value in document.items()
        # In {model: radtan, k: [...]}, k is no matrix.
        if isinstance(value, dict) and not is_distortion(key) and _states_camera(Entries(value.items(), path))
    }
    if len(cameras) > 1:
        raise DataError(
            "the camera file holds several cameras",
            where=path,
            expected="one camera",
            got=", ".join(key[:40] for key in cameras),
            fix="copy the entry of the camera that recorded these frames to a file of its own, and give that",
        )
    items = ((key, value) for key, value in document.items() if key not in cameras)
    return Entries((*items, *(pair for camera in cameras.values() for pair in camera.items())), path)


def _states_camera(entries: Entries) -> bool:
    return entries.first("fx", "intrinsics", *_MATRICES) is not None


def _camera_file(entries: Entries) -> CameraFile:
    refuse_other_lenses(entries)
    path, sensor = entries.path, _sensor(entries)
    width, height = sensor.width, sensor.height
    left, top, roi_width, roi_height = _region(entries)
    if left + roi_width > width or top + roi_height > height:
        raise DataError(
            "the region of interest does not lie in the image",
            where=path,
            expected=f"within {width}x{height}",
            got=f"{roi_width}x{roi_height} at ({left}, {top})",
        )
    part = (roi_width or width - left, roi_height or height - top)
    across, down = (max(1, whole_of(entries.first(f"binning_{axis}"), path, default=1)) for axis in "xy")
    with naming(str(path)):
        camera = Camera(
            fx=sensor.fx, fy=sensor.fy, cx=sensor.cx - left, cy=sensor.cy - top, width=part[0], height=part[1]
        )
        if (across, down) != (1, 1):
            camera = camera.resized(max(1, part[0] // across), max(1, part[1] // down))
    return CameraFile(camera=camera, sensor_size=(width, height))


def _sensor(entries: Entries) -> Camera:
    """The camera of the whole sensor, as the file states it."""
    width, height = (_size(entries, name) for name in ("width", "height"))
    fx, fy, cx, cy = _intrinsics(entries)
    with naming(str(entries.path)):
        return Camera(fx=fx, fy=fy, cx=cx, cy=cy, width=width, height=height)


def _region(entries: Entries) -> tuple[int, int, int, int]:
    """Left, top, width and height of the region of interest in pixels of the sensor; a size of 0 is all the rest."""
    roi = entries.first("roi")
    if not isinstance(roi, dict):
        return 0, 0, 0, 0
    keys = ("x_offset", "y_offset", "width", "height")
    left, top, width, height = (whole_of(roi.get(key), entries.path) for key in keys)
    return left, top, width, height


def _warn(entries: Entries, camera: Camera) -> None:
    path = entries.path
    warn_of_principal_point(camera, str(path))
    distortion = distortion_of(entries)
    if any(distortion):
        warnings.warn(
            f"{path} has lens distortion ({', '.join(f'{value:g}' for value in distortion)}) and frames are NOT "
            "undistorted: the camera is treated as a pinhole; rectify the frames first if straight lines look bent",
            SelfDepthWarning,
            stacklevel=4,
        )
    rectified = entries.numbers("projection_matrix", "P")
    fx = _intrinsics(entries)[0]
    # An uncalibrated ROS driver publishes a P of zeros, which says nothing about the frames.
    if len(rectified) == 12 and rectified[0] > 0 and abs(rectified[0] / fx - 1) > MAX_FOCAL_ERROR:
        warnings.warn(
            f"{path} has a rectified projection P (fx {rectified[0]:g}) besides K (fx {fx:g}); K is used, which is "
            "right for unrectified frames; for rectified ones give --camera fx,fy,cx,cy from P",
            SelfDepthWarning,
            stacklevel=4,
        )


def _size(entries: Entries, name: str) -> int:
    value = entries.first(name, f"image_{name}")
    resolution = entries.first("resolution")
    if value is None and isinstance(resolution, list) and len(resolution) == 2:  # of Kalibr and EuRoC: [width, height]
        value = resolution[name == "height"]
    if not isinstance(value, str) or not re.fullmatch(r"\+?[0-9]{1,9}", value) or int(value) < 1:
        raise DataError(
            f"the camera file does not state the {name} of its images",
            where=entries.path,
            expected=f"{name} or image_{name}, in pixels, or resolution: [width, height]",
            got="none" if value is None else str(value)[:60],
        )
    return int(value)


def _intrinsics(entries: Entries) -> _Intrinsics:
    """fx, fy, cx, cy in pixels of the whole sensor. Raises DataError if there are none, or several that disagree."""
    stated = _stated_intrinsics(entries)
    if not stated:
        counts = [len(entries.numbers(name)) for name in ("intrinsics", *_MATRICES)]
        raise DataError(
            "the camera file has no intrinsics",
            where=entries.path,
            expected="fx, fy, cx, cy, or camera_matrix or K with 9 numbers, or intrinsics: [fx, fy, cx, cy]",
            got=f"{max(counts)} numbers",
        )
    (name, first), *others = stated.items()
    for other, numbers in others:
        if not all(abs(a - b) <= MAX_SKEW * abs(first[0]) for a, b in zip(first, numbers, strict=True)):
            raise DataError(
                "the camera file contradicts itself",
                where=entries.path,
                expected=f"the same camera as {name} and as {other}",
                got=f"{_text(first)} and {_text(numbers)}",
                fix="remove the one that is not of these frames",
            )
    skew = entries.first("skew")
    if skew is not None:
        _refuse_skew(number_of(skew, entries.path), first[0], entries.path)
    return first


def _stated_intrinsics(entries: Entries) -> dict[str, _Intrinsics]:
    """Every statement of the intrinsics, by its name in the file."""
    stated: dict[str, _Intrinsics] = {}
    scalars = [entries.first(name) for name in ("fx", "fy", "cx", "cy")]
    if None not in scalars:
        fx, fy, cx, cy = (number_of(value, entries.path) for value in scalars)
        stated["fx, fy, cx, cy"] = fx, fy, cx, cy
    for name in ("intrinsics", *_MATRICES):
        numbers = entries.numbers(name)
        if len(numbers) == 9:
            stated[name] = _of_matrix(numbers, entries.path)
        elif len(numbers) == 4 and name == "intrinsics":
            stated[name] = numbers[0], numbers[1], numbers[2], numbers[3]
    return stated


def _of_matrix(K: list[float], path: Path) -> _Intrinsics:
    if not all(abs(K[index]) <= 1e-6 for index in (3, 6, 7)) or not abs(K[8] - 1) <= 1e-6:
        raise DataError(
            "the camera matrix is not that of a pinhole camera",
            where=path,
            expected="fx 0 cx, 0 fy cy, 0 0 1",
            got=str(K),
        )
    _refuse_skew(K[1], K[0], path)
    return K[0], K[4], K[2], K[5]


def _refuse_skew(skew: float, fx: float, path: Path) -> None:
    if not abs(skew) <= MAX_SKEW * abs(fx):
        raise DataError(
            "the camera has skew, which is not modelled",
            where=path,
            expected=f"0, or at most {MAX_SKEW:g} of fx",
            got=f"{skew:g} at fx {fx:g}",
            fix="calibrate without skew, or rectify the frames and give the camera of the rectified ones",
        )


def _text(intrinsics: _Intrinsics) -> str:
    return ",".join(f"{number:g}" for number in intrinsics)
