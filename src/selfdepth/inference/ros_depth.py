"""What a node of ROS 2 needs beside ROS: from a message with an image to the fields of the one with its depth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from selfdepth.data.readers.bag_images import RAW, picture_of
from selfdepth.data.readers.camera_info import CameraInfo, camera_of_camera_info
from selfdepth.data.readers.pixel_formats import rgb_of_raw
from selfdepth.errors import ConfigError, DataError
from selfdepth.inference.pixels import require_large_enough
from selfdepth.inference.predictor import Predictor
from selfdepth.inference.ros_messages import depth_fields, robot_depth


class RosDepth:
    """Depth in metres of the images of a camera, as messages of ROS 2 have them.

    Args:
        predictor: of a model that knows metres.

    Raises:
        ConfigError: for a model whose depth is relative: a robot would take it for metres.
    """

    def __init__(self, predictor: Predictor) -> None:
        if predictor.scale == "relative" and predictor.metres_per_unit is None:
            raise ConfigError(
                "a robot takes depth for metres, and this model's depth is relative",
                where="MODEL",
                expected="a model that knows metres",
                got="depth up to one unknown factor",
                fix="find the factor with selfdepth calibrate",
            )
        self._predictor, self._factor = predictor, predictor.metres_per_unit or 1.0

    @staticmethod
    def load(model: str) -> RosDepth:
        """Of any MODEL that `selfdepth.load` takes. Raises what that raises, and ConfigError as above."""
        return RosDepth(Predictor.load(model))

    def fields(self, image: Any, info: Any = None) -> dict[str, Any]:
        """The fields of sensor_msgs/Image, but for its header: 32FC1, metres along z, NaN where there is no depth.

        Args:
            image: a sensor_msgs/Image, or anything with its fields.
            info: the sensor_msgs/CameraInfo of the camera, which only a model that learned through a lens needs: the
                rays of its K and D turn the distances that it predicts into z. None: it has not come yet.

        Raises:
            DataError: for an image that cannot be read, or depth along the ray without a camera.
        """
        where = f"image of {image.header.frame_id or 'a camera without frame_id'}"
        pixels = _pixels(image, where)
        height, width = pixels.shape[:2]
        camera, through_lens = None, self._predictor.depth_is == "ray"
        if through_lens and info is not None:
            told = CameraInfo.of_message(info)
            camera = camera_of_camera_info(told, size=(width, height), rectified=False, where="camera_info")
        if through_lens and camera is None and self._predictor.training_camera(width=width, height=height) is None:
            raise DataError(
                "robots take depth along z, which needs a camera, and the model's does not fit these images",
                where=where,
                expected="a camera_info with a calibration",
                got="none yet" if info is None else "a K of zeros",
            )
        return depth_fields(robot_depth(self._predictor.predict(pixels, camera), self._factor))


def _pixels(image: Any, where: str) -> ndarray:
    picture_of(image, RAW, Path(where))
    size = int(image.width), int(image.height)
    require_large_enough(*size, where)
    return rgb_of_raw(
        np.frombuffer(image.data, np.uint8),
        encoding=image.encoding,
        size=size,
        step=int(image.step),
        big_endian=bool(image.is_bigendian),
        where=where,
    )
