"""Fields of ROS's messages for depth: sensor_msgs/Image in 32FC1 (REP 118) and the sensor_msgs/CameraInfo beside it.

Plain values: `depth_bag.py` puts them into messages of `rosbags`, a node into those of rclpy.
"""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import Lens
from selfdepth.geometry.ray_depth import converted
from selfdepth.structs import DepthPrediction

ENCODING = "32FC1"
"""Of depth along z in metres, one float for each pixel; NaN where it is not known."""


def robot_depth(prediction: DepthPrediction, metres_per_unit: float = 1.0) -> Float32[ndarray, "h w"]:
    """Depth as robots take it: along z, and NaN where it is not known.

    Args:
        prediction: of depth along the ray, with a camera, whose rays turn it into z.
        metres_per_unit: what the depth is multiplied by.
    """
    depth = prediction.depth
    if prediction.depth_is == "ray":
        assert prediction.camera is not None, "refused before the first frame"
        depth = converted(depth, prediction.camera, "ray", "z")
    metres = depth.astype(np.float32) * np.float32(metres_per_unit)
    return np.asarray(np.where(depth > 0, metres, np.float32(np.nan)))


def depth_fields(depth: Float32[ndarray, "h w"]) -> dict[str, Any]:
    """The fields of sensor_msgs/Image but for its header; `data` is little-endian.

    It is an array.array of bytes: rclpy looks at every single one of bytes in any other form.
    """
    height, width = depth.shape
    return {
        "height": height,
        "width": width,
        "encoding": ENCODING,
        "is_bigendian": 0,
        "step": 4 * width,
        "data": array("B", np.ascontiguousarray(depth, "<f4").tobytes()),
    }


def camera_fields(camera: Camera | None, width: int, height: int) -> dict[str, Any]:
    """The fields of sensor_msgs/CameraInfo but for header, binning and region, by their names in ROS 2.

    A camera that is not known, or whose lens ROS has no name for, has a K of zeros: ROS's way to say "not calibrated".

    Args:
        camera: of images of this width and height.
    """
    distortion = None if camera is None else distortion_of(camera.lens)
    fields: dict[str, Any] = {"height": height, "width": width}
    if camera is None or distortion is None:
        return fields | {"distortion_model": "", "d": [], "k": [0.0] * 9, "r": [0.0] * 9, "p": [0.0] * 12}
    model, coefficients = distortion
    matrix = camera.matrix().astype(np.float64)
    return fields | {
        "distortion_model": model,
        "d": list(coefficients),
        "k": matrix.ravel().tolist(),
        "r": np.eye(3).ravel().tolist(),
        "p": np.hstack([matrix, np.zeros((3, 1))]).ravel().tolist(),
    }


def distortion_of(lens: Lens) -> tuple[str, tuple[float, ...]] | None:
    """ROS's name of a lens model with its coefficients D; None for one that ROS has no name for (ucm, eucm)."""
    if lens.is_pinhole:
        return "plumb_bob", (0.0,) * 5
    if lens.model == "brown":
        rational = any(lens.coefficients[5:])
        return ("rational_polynomial", lens.coefficients) if rational else ("plumb_bob", lens.coefficients[:5])
    return ("equidistant", lens.coefficients) if lens.model == "kannala-brandt" else None
