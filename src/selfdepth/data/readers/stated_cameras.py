"""The camera that the entries of a calibration file state: its size, its intrinsics, its lens."""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

from selfdepth.data.readers.camera_entries import Entries, number_of, whole_of
from selfdepth.data.readers.lens_names import family_of
from selfdepth.data.readers.lenses import lens_of
from selfdepth.data.readers.naming import naming
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera

MAX_FOCAL_ERROR = 0.01
"""Share by which the focal length of a rectified P may differ from that of K without a warning."""
MAX_SKEW = 1e-3
"""Share of the focal length up to which skew, and differences between two statements of K, are rounding."""
_MATRICES = ("camera_matrix", "K", "intrinsic_matrix", "camera_intrinsics", "mtx")
_SCALARS = (("fx", "fy", "cx", "cy"), ("gamma1", "gamma2", "u0", "v0"), ("mu", "mv", "u0", "v0"))
"""Names of the focal lengths and the principal point: the usual ones, and CamOdoCal's, which KITTI-360 has, too."""
_LEAD = {"ucm": 1, "eucm": 2}
"""Numbers that Kalibr writes before the focal lengths, by the family of the lens."""
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


def states_camera(entries: Entries) -> bool:
    """Whether the entries are those of a camera."""
    return entries.first("fx", "gamma1", "mu", "intrinsics", *_MATRICES) is not None


def camera_of(entries: Entries) -> CameraFile:
    """The camera that the entries of a document state.

    K is read, never the rectified P of camera_info: the frames are assumed to be as the camera recorded them. K refers
    to the whole sensor; a region of interest and binning are applied.

    Raises:
        DataError: naming the file, for an entry that is missing or not valid, for entries that contradict each other,
            and for what no `Camera` can hold, such as skew.
    """
    path, sensor = entries.path, sensor_of(entries)
    left, top, roi_width, roi_height = _region(entries)
    if left + roi_width > sensor.width or top + roi_height > sensor.height:
        raise DataError(
            "the region of interest does not lie in the image",
            where=path,
            expected=f"within {sensor.width}x{sensor.height}",
            got=f"{roi_width}x{roi_height} at ({left}, {top})",
        )
    width, height = roi_width or sensor.width - left, roi_height or sensor.height - top
    across, down = (max(1, whole_of(entries.first(f"binning_{axis}"), path, default=1)) for axis in "xy")
    with naming(str(path)):
        camera = replace(sensor, cx=sensor.cx - left, cy=sensor.cy - top, width=width, height=height)
        if (across, down) != (1, 1):
            camera = camera.resized(max(1, width // across), max(1, height // down))
    return CameraFile(camera=camera, sensor_size=(sensor.width, sensor.height))


def sensor_of(entries: Entries) -> Camera:
    """The camera of the whole sensor, as the entries state it. Raises DataError as `camera_of`."""
    family = family_of(entries)
    (fx, fy, cx, cy), before = _intrinsics(entries, _LEAD.get(family, 0))
    with naming(str(entries.path)):
        lens = lens_of(entries, family, before)
        width, height = (_size(entries, name) for name in ("width", "height"))
        return Camera(fx=fx, fy=fy, cx=cx, cy=cy, width=width, height=height, lens=lens)


def warn_of_rectified(entries: Entries, camera: Camera) -> None:
    """Warn if the entries state a rectified P, too, that differs from the K of `camera`."""
    rectified = entries.numbers("projection_matrix", "P")
    # An uncalibrated ROS driver publishes a P of zeros, which says nothing about the frames.
    if len(rectified) == 12 and rectified[0] > 0 and abs(rectified[0] / camera.fx - 1) > MAX_FOCAL_ERROR:
        warnings.warn(
            f"{entries.path} has a rectified projection P (fx {rectified[0]:g}) besides K (fx {camera.fx:g}); K is "
            "used, which is right for unrectified frames; for rectified ones give --camera fx,fy,cx,cy from P",
            SelfDepthWarning,
            stacklevel=5,
        )


def _region(entries: Entries) -> tuple[int, int, int, int]:
    """Left, top, width and height of the region of interest in pixels of the sensor; a size of 0 is all the rest."""
    roi = entries.first("roi")
    if not isinstance(roi, dict):
        return 0, 0, 0, 0
    keys = ("x_offset", "y_offset", "width", "height")
    left, top, width, height = (whole_of(roi.get(key), entries.path) for key in keys)
    return left, top, width, height


def _size(entries: Entries, name: str) -> int:
    value = entries.first(name, f"image_{name}")
    resolution = entries.first("resolution", "image_size", "image_resolution")
    if value is None and isinstance(resolution, list) and len(resolution) == 2:  # of Kalibr and EuRoC: [width, height]
        value = resolution[name == "height"]
    whole = re.fullmatch(r"\+?([0-9]{1,9})(\.0*)?", value) if isinstance(value, str) else None
    if whole is None or int(whole[1]) < 1:
        raise DataError(
            f"the camera file does not state the {name} of its images",
            where=entries.path,
            expected=f"{name} or image_{name}, in pixels, or resolution: [width, height]",
            got="none" if value is None else str(value)[:60],
            fix="add image_width and image_height, the size of the images that were calibrated",
        )
    return int(whole[1])


def _intrinsics(entries: Entries, n_before: int) -> tuple[_Intrinsics, list[float]]:
    """fx, fy, cx, cy in pixels of the whole sensor, and the numbers that Kalibr writes before them, if there are any.

    Raises DataError if there are no intrinsics, or several that disagree.
    """
    numbers = entries.numbers("intrinsics")
    before = numbers[:n_before] if len(numbers) == n_before + 4 else []
    stated = _stated_intrinsics(entries, numbers[len(before) :])
    if not stated:
        counts = [len(entries.numbers(name)) for name in ("intrinsics", *_MATRICES)]
        raise DataError(
            "the camera file has no intrinsics",
            where=entries.path,
            expected="fx, fy, cx, cy, or camera_matrix or K with 9 numbers, or intrinsics: [fx, fy, cx, cy]",
            got=f"{max(counts)} numbers",
        )
    (name, first), *others = stated.items()
    for other, four in others:
        if not all(abs(a - b) <= MAX_SKEW * abs(first[0]) for a, b in zip(first, four, strict=True)):
            raise DataError(
                "the camera file contradicts itself",
                where=entries.path,
                expected=f"the same camera as {name} and as {other}",
                got=f"{_text(first)} and {_text(four)}",
                fix="remove the one that is not of these frames",
            )
    skew = entries.first("skew")
    if skew is not None:
        _refuse_skew(number_of(skew, entries.path), first[0], entries.path)
    return first, before


def _stated_intrinsics(entries: Entries, four: list[float]) -> dict[str, _Intrinsics]:
    """Every statement of the intrinsics, by its name in the file.

    Args:
        four: the numbers of `intrinsics`, without those that belong to the lens.
    """
    stated: dict[str, _Intrinsics] = {}
    for names in _SCALARS:
        scalars = [entries.first(name) for name in names]
        if None not in scalars:
            fx, fy, cx, cy = (number_of(value, entries.path) for value in scalars)
            stated[", ".join(names)] = fx, fy, cx, cy
    for name in ("intrinsics", *_MATRICES):
        numbers = four if name == "intrinsics" else entries.numbers(name)
        if len(numbers) == 9:
            stated[name] = _of_matrix(numbers, entries.path)
        elif len(numbers) == 4 and name == "intrinsics":
            stated[name] = numbers[0], numbers[1], numbers[2], numbers[3]
    return stated


def _of_matrix(K: list[float], path: Path) -> _Intrinsics:
    if not any(K):
        raise DataError(
            "the camera is not calibrated",
            where=path,
            expected="the camera matrix fx 0 cx, 0 fy cy, 0 0 1",
            got="zeros, as a driver without a calibration writes them",
            fix="calibrate the camera, or give --camera fov:DEGREES",
        )
    if any(K[index] for index in (6, 7)) and not any(K[index] for index in (1, 2, 5)):
        K = [K[index] for index in (0, 3, 6, 1, 4, 7, 2, 5, 8)]  # by columns, as Open3D and Record3D write it
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
    if math.isfinite(fx) and not abs(skew) <= MAX_SKEW * abs(fx):
        raise DataError(
            "the camera has skew, which is not modelled",
            where=path,
            expected=f"0, or at most {MAX_SKEW:g} of fx",
            got=f"{skew:g} at fx {fx:g}",
            fix="calibrate without skew, or rectify the frames and give the camera of the rectified ones",
        )


def _text(intrinsics: _Intrinsics) -> str:
    return ",".join(f"{number:g}" for number in intrinsics)
