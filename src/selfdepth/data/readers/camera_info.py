"""The camera of a topic of images, from the sensor_msgs/CameraInfo beside it: size, K, distortion, region, binning."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

from selfdepth.data.readers.lens_checks import require_rays
from selfdepth.data.readers.lenses import lens_of_message
from selfdepth.data.readers.naming import naming, warn_of_principal_point
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import PINHOLE

TYPE = "sensor_msgs/msg/CameraInfo"
SAME = 0.01
"""Share of the focal length by which K may change in a bag, as it does with the focus."""
_MAX_SKEW = 1e-3
_FIX = "give the camera with --camera"
_Numbers = tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class CameraInfo:
    """What a message says.

    Attributes:
        size: width and height in pixels of the whole sensor, to which K and P refer; zeros if they are not stated.
        K: the camera of the images as they were recorded, 3 x 3 by rows; zeros if it is not calibrated.
        model: name of the distortion's model, such as "plumb_bob".
        D: its coefficients.
        P: the camera of rectified images, 3 x 4 by rows; zeros if it is not calibrated.
        binning: pixels of the sensor in one of the image, across and down, at least 1.
        region: left, top, width, height in pixels of the sensor; sizes of 0 are all the rest.
    """

    size: tuple[int, int]
    K: _Numbers
    model: str
    D: _Numbers
    P: _Numbers
    binning: tuple[int, int]
    region: tuple[int, int, int, int]

    @staticmethod
    def of_message(message: Any) -> CameraInfo:
        """The fields of a message, by the names of either generation of ROS."""

        def numbers(name: str) -> _Numbers:
            values = getattr(message, name, None)
            return tuple(float(value) for value in (getattr(message, name.upper()) if values is None else values))

        roi = message.roi
        return CameraInfo(
            size=(int(message.width), int(message.height)),
            K=numbers("k"),
            model=str(message.distortion_model),
            D=numbers("d"),
            P=numbers("p"),
            binning=(max(1, int(message.binning_x)), max(1, int(message.binning_y))),
            region=(int(roi.x_offset), int(roi.y_offset), int(roi.width), int(roi.height)),
        )

    def is_like(self, other: CameraInfo) -> bool:
        """Whether both are of one camera, but for what the focus changes."""
        fixed = ("size", "model", "D", "binning", "region")
        if any(getattr(self, name) != getattr(other, name) for name in fixed):
            return False
        pairs = zip((*self.K, *self.P), (*other.K, *other.P), strict=False)
        return all(abs(a - b) <= SAME * max(abs(self.K[0]), abs(self.P[0])) for a, b in pairs)


def camera_of_camera_info(info: CameraInfo, *, size: tuple[int, int], rectified: bool, where: str) -> Camera | None:
    """The camera of images of a size; None if the message is that of a driver without a calibration, K of zeros.

    Args:
        size: width and height of the images in pixels.
        rectified: whether they were rectified: their camera is then P, without distortion.
        where: topic, for errors.

    Raises:
        DataError: for a model of distortion that is not known, numbers that are no camera, or images of another shape.
    """
    matrix, columns = (info.P, 4) if rectified and info.P[0] else (info.K, 3)
    if not matrix[0]:
        return None
    _refuse_skew(matrix, columns, where)
    width, height = info.size if all(info.size) else (size[0] * info.binning[0], size[1] * info.binning[1])
    lens = PINHOLE if rectified else lens_of_message(info.model, _without_padding(info.D), where)
    with naming(where):
        camera = Camera(
            fx=matrix[0],
            fy=matrix[columns + 1],
            cx=matrix[2],
            cy=matrix[columns + 2],
            width=width,
            height=height,
            lens=lens,
        )
    camera = _of_size(_recorded(camera, info, where), size, where)
    warn_of_principal_point(camera, where)
    require_rays(camera, where)
    return camera


def _without_padding(D: _Numbers) -> _Numbers:
    """The coefficients without zeros that fill a list up, as some drivers do for every model: all have at most four, or
    more of which the last ones count."""
    return D[:4] if not any(D[4:]) else D


def _recorded(sensor: Camera, info: CameraInfo, where: str) -> Camera:
    """The camera of what is left of the sensor by its region of interest and binning."""
    left, top, across, down = info.region
    if left + across > sensor.width or top + down > sensor.height:
        raise DataError(
            "the region of interest does not lie in the image",
            where=where,
            expected=f"within {sensor.width}x{sensor.height}",
            got=f"{across}x{down} at ({left}, {top})",
            fix=_FIX,
        )
    width, height = across or sensor.width - left, down or sensor.height - top
    with naming(where):
        part = replace(sensor, cx=sensor.cx - left, cy=sensor.cy - top, width=width, height=height)
        if info.binning == (1, 1):
            return part
        return part.resized(max(1, width // info.binning[0]), max(1, height // info.binning[1]))


def _of_size(recorded: Camera, size: tuple[int, int], where: str) -> Camera:
    """The camera of the images, which may have been scaled since."""
    if not recorded.has_aspect_of(*size):
        raise DataError(
            "the camera_info is of images of another shape",
            where=where,
            expected=f"the shape of the images, {size[0]}x{size[1]}",
            got=f"{recorded.width}x{recorded.height}",
            fix=_FIX,
        )
    if size != (recorded.width, recorded.height):
        warnings.warn(
            f"{where} is of images of {recorded.width}x{recorded.height}, and these have {size[0]}x{size[1]}: its "
            "numbers are scaled",
            SelfDepthWarning,
            stacklevel=3,
        )
    return recorded.resized(*size)


def _refuse_skew(matrix: _Numbers, columns: int, where: str) -> None:
    skew, lower = matrix[1], (matrix[columns], matrix[2 * columns], matrix[2 * columns + 1])
    if not abs(skew) <= _MAX_SKEW * abs(matrix[0]) or any(lower) or matrix[2 * columns + 2] != 1:
        raise DataError(
            "the camera matrix is not that of a pinhole camera",
            where=where,
            expected="fx 0 cx, 0 fy cy, 0 0 1",
            got=str([f"{number:g}" for number in matrix]),
            fix=_FIX,
        )
