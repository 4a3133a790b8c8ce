"""Depth for robots: a bag of ROS 2 in MCAP, with depth images of 32FC1 and their camera_info, as `predict --save bag`
writes it.

Stamps and frame_id are those of the input's images, so that depth is found by the time of its image, and in the
camera's coordinate frame. Depth is in metres. Relative depth is refused, or goes on request into topics of another
name, which nothing that expects metres listens to.
"""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from selfdepth.data.readers.bag_topics import TRANSPORTS
from selfdepth.data.readers.bags import Header
from selfdepth.errors import ConfigError, DataError, OutputError, SelfDepthWarning
from selfdepth.files import make_folder, put_in_place, remove_tree, writing_to
from selfdepth.geometry.camera import Camera
from selfdepth.inference.inputs import PredictionInput
from selfdepth.inference.predictor import Predictor
from selfdepth.inference.ros_messages import camera_fields, depth_fields, distortion_of, robot_depth
from selfdepth.structs import DepthPrediction

BAG_NAME = "bag"
BAG_FILES = ("bag.mcap", "metadata.yaml")
IMAGE, INFO = "sensor_msgs/msg/Image", "sensor_msgs/msg/CameraInfo"
FRAME_ID = "camera_optical_frame"
"""frame_id of frames that come from no bag. REP 103: an optical frame has x right, y down, z forward, as ours."""
_NAMESPACE = "/camera"
_MARK = "written_by_selfdepth"
_LAST_S = 2**31 - 1
"""Stamps hold seconds in 32 bits with a sign: until 2038."""


@dataclass(frozen=True, kw_only=True)
class Topics:
    """The two topics of a bag of depth.

    Attributes:
        image: `.../depth/image_rect`, or `image_raw` where a lens or an unknown camera forbids to call it rectified;
            of relative depth `.../relative_depth/...`.
        info: the camera_info beside it.
    """

    image: str
    info: str

    @staticmethod
    def of(source: PredictionInput, camera: Camera | None, *, relative: bool) -> Topics:
        """Those of an input: beside the topic that its images come from."""
        space = _NAMESPACE if source.bag is None else TRANSPORTS.sub("", source.bag.topic).rpartition("/")[0]
        space += "/relative_depth" if relative else "/depth"
        rectified = camera is not None and camera.is_pinhole
        return Topics(image=f"{space}/image_{'rect' if rectified else 'raw'}", info=f"{space}/camera_info")


def bag_factor(predictor: Predictor, given: float | None, *, allow_relative: bool, model: str) -> float | None:
    """The factor from a model's depth to metres; None if they are unknown, and that is allowed.

    Args:
        given: value of --factor, which takes precedence.
        model: its name, for the error.

    Raises:
        ConfigError: for relative depth that is not allowed.
    """
    factor = given or predictor.metres_per_unit or (None if predictor.scale == "relative" else 1.0)
    if factor is None and not allow_relative:
        raise ConfigError(
            "a robot takes depth for metres, and this model's depth is relative",
            where=f"--save bag, {model}",
            expected="a model that knows metres",
            got="depth up to one unknown factor",
            fix="find the factor with selfdepth calibrate, or give it with --factor; --allow-relative writes the depth "
            "as it is, in topics called relative_depth",
        )
    return factor


def camera_of(source: PredictionInput, predictor: Predictor) -> Camera | None:
    """The camera that goes into camera_info: the given one, else that of the data, else the model's where it fits."""
    width, height = source.first_size
    given, own = source.camera_for(width, height), source.own_camera
    # Depth along the ray becomes z by the rays of the model's own camera: another one would contradict it.
    if given is None and own is not None and predictor.depth_is == "z" and (own.width, own.height) == (width, height):
        return own
    return given or predictor.training_camera(width=width, height=height)


def check_bag(source: PredictionInput, folder: Path, predictor: Predictor) -> None:
    """Refuse what cannot be written, before any frame is predicted.

    Warns:
        SelfDepthWarning: if camera_info will say "not calibrated".

    Raises:
        DataError: for frames whose times are not known or do not fit into stamps, for depth along the ray without a
            camera, or if the package `rosbags` is missing.
        OutputError: if something else has the place of the bag.
    """
    if importlib.util.find_spec("rosbags") is None:
        raise DataError(
            "writing ROS bags needs the package rosbags",
            where="--save bag",
            fix="install it with: pip install 'selfdepth[ros]'",
        )
    headers_of(source)
    _require_place(folder / BAG_NAME)
    camera, (width, height) = camera_of(source, predictor), source.first_size
    if camera is None and predictor.depth_is == "ray":
        raise DataError(
            "robots take depth along z, which needs a camera, and the model's does not fit these frames",
            where=f"{source.name}, {width}x{height}",
            fix="give it with --camera, or leave --save bag out",
        )
    if camera is None or distortion_of(camera.lens) is None:
        why = "its camera is not known" if camera is None else f"ROS has no name for the lens {camera.lens.model}"
        warnings.warn(
            f"{source.name}: {why}, so camera_info has a K of zeros, which stands for a camera without calibration",
            SelfDepthWarning,
            stacklevel=2,
        )


def headers_of(source: PredictionInput) -> Sequence[Header]:
    """Stamp, time of recording and frame_id of every frame.

    A video's times count from its start. 0 is "no time" in ROS, so times that begin at or before it are moved to begin
    at one nanosecond.

    Raises:
        DataError: if the times are not known, or are beyond what a stamp can hold.
    """
    if source.bag is not None:
        headers: Sequence[Header] = source.bag.headers
    elif source.times_s is None:
        raise DataError(
            "the times of these frames are not known, and a message in a bag needs one",
            where=source.name,
            expected="a ROS bag, a video, or a folder whose images have times in their names or in a list",
            got="images without times",
            fix="give such an input, or leave --save bag out",
        )
    else:
        first_ns = round(source.times_s[0] * 1e9)
        shift = max(0, 1 - first_ns)
        times = [round(time * 1e9) + shift for time in source.times_s]
        headers = [Header(time, time, FRAME_ID) for time in times]
    last = max(headers, key=lambda each: each.stamp_ns)
    if last.stamp_ns // 10**9 > _LAST_S:
        raise DataError(
            "the time of a frame does not fit into a stamp of ROS",
            where=source.name,
            expected=f"at most {_LAST_S} seconds",
            got=f"{last.stamp_ns / 1e9:.0f}",
            fix="give the times in seconds",
        )
    return headers


def describe_bag(predictor: Predictor, given: float | None) -> str:
    """A sentence for the user: what the numbers in the bag are. Arguments as for `bag_factor`."""
    metres_per_unit = bag_factor(predictor, given, allow_relative=True, model="")
    if metres_per_unit is None:
        return "for robots: relative depth along z, NOT metres, in topics called relative_depth"
    times = "" if metres_per_unit == 1 else f", times {metres_per_unit:g}"
    return f"for robots: metres along z{times}, NaN where there is no depth"


class DepthBag:
    """Writes depth images and their camera_info, frame by frame in the order of the input. See `create_bag`."""

    def __init__(self, writer: Any, source: PredictionInput, camera: Camera | None, metres_per_unit: float | None):
        from rosbags.typesys import Stores, get_typestore

        self._writer, self._types = writer, get_typestore(Stores.ROS2_HUMBLE)
        self._headers, self._camera, self._name = headers_of(source), camera, source.name
        self._size, self._metres_per_unit = source.first_size, 1.0 if metres_per_unit is None else metres_per_unit
        topics = Topics.of(source, camera, relative=metres_per_unit is None)
        self._image, self._info = (
            writer.add_connection(topic, kind, typestore=self._types)
            for topic, kind in ((topics.image, IMAGE), (topics.info, INFO))
        )

    def write(self, prediction: DepthPrediction, index: int) -> None:
        """Append the depth of a frame, given its position in the input.

        Raises:
            DataError: for a frame of another size than the first.
        """
        depth = robot_depth(prediction, self._metres_per_unit)
        height, width = depth.shape
        if (width, height) != self._size:
            raise DataError(
                "the frames have two sizes, and a camera_info is of one",
                where=self._name,
                expected=f"{self._size[0]}x{self._size[1]}, as the first frame",
                got=f"{width}x{height}",
                fix="give the frames of each size by themselves",
            )
        header = self._headers[index]
        image = depth_fields(depth)
        image["data"] = np.frombuffer(image["data"], np.uint8)
        self._append(self._image, header, image)
        fields = camera_fields(self._camera, width, height)
        arrays = {name: np.array(fields[name], np.float64) for name in ("d", "k", "r", "p")}
        region = self._types.types["sensor_msgs/msg/RegionOfInterest"](
            x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
        )
        self._append(self._info, header, fields | arrays | {"binning_x": 0, "binning_y": 0, "roi": region})

    def _append(self, connection: Any, header: Header, fields: dict[str, Any]) -> None:
        types = self._types.types
        seconds, nanoseconds = divmod(header.stamp_ns, 10**9)
        stamp = types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds)
        head = types["std_msgs/msg/Header"](stamp=stamp, frame_id=header.frame_id)
        message = types[connection.msgtype](header=head, **fields)
        data = self._types.serialize_cdr(message, connection.msgtype)
        self._writer.write(connection, header.log_ns, data)


@contextmanager
def create_bag(
    folder: Path, source: PredictionInput, camera: Camera | None, metres_per_unit: float | None
) -> Iterator[DepthBag]:
    """A bag in `folder/bag`, complete when the block succeeds and absent when it fails. One of an earlier run is
    replaced.

    Args:
        camera: of all frames; None if it is not known.
        metres_per_unit: factor from the depths to metres; None: the depth is relative, and its topics say so.

    Raises:
        OutputError: if it cannot be written, or something else has its place.
    """
    from rosbags.interfaces import Qos  # noqa: F401  imported first: the modules below import each other
    from rosbags.rosbag2 import StoragePlugin, Writer

    place = folder / BAG_NAME
    _require_place(place)
    partial = folder / f".{BAG_NAME}.{os.getpid()}.partial"
    try:
        with writing_to(place):
            remove_tree(partial)  # what a killed process of this number has left
            make_folder(partial)
            # Version 8, because ROS 2 Humble and Iron do not read the metadata of 9.
            writer = Writer(partial / BAG_NAME, version=8, storage_plugin=StoragePlugin.MCAP)
            writer.set_custom_data(_MARK, "relative depth" if metres_per_unit is None else "depth in metres")
            with writer:
                yield DepthBag(writer, source, camera, metres_per_unit)
            put_in_place(partial / BAG_NAME, place)
    finally:
        remove_tree(partial)


def _require_place(place: Path) -> None:
    """Refuse to replace anything but a bag that an earlier run has written: it may be somebody's recording."""
    if not place.exists():
        return
    metadata = place / "metadata.yaml"
    names = sorted(path.name for path in place.iterdir()) if place.is_dir() else [place.name]
    if names != sorted(BAG_FILES) or _MARK not in metadata.read_text("utf-8", "replace"):
        raise OutputError(
            "something else has the place of the bag",
            where=place,
            expected="nothing, or a bag that selfdepth has written",
            got=", ".join(names[:4]) or "an empty folder",
            fix="move it away, or name another folder with --out",
        )
