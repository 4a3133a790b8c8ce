"""From a message with an image to the fields of the one with its depth."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from helpers import ros2
from helpers.models import tiny_config, untrained
from selfdepth.config import ResolvedConfig
from selfdepth.errors import ConfigError, DataError
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import Lens
from selfdepth.inference.predictor import Predictor
from selfdepth.inference.ros_depth import RosDepth
from selfdepth.inference.ros_messages import camera_fields, robot_depth
from selfdepth.weights.files import LoadedWeights

PIXELS = np.random.default_rng(0).integers(0, 256, (32, 48, 3)).astype(np.uint8)
HEADER = SimpleNamespace(stamp=SimpleNamespace(sec=7, nanosec=9), frame_id="cam_optical")
FISHEYE = Camera(
    fx=20.0, fy=20.0, cx=23.5, cy=15.5, width=48, height=32, lens=Lens("kannala-brandt", (0.1, 0.0, 0.0, 0.0))
)


def predictor(**changes: Any) -> Predictor:
    """Of a small model with random weights, in metres."""
    config = ResolvedConfig.of(tiny_config(rectify="no"))
    known: dict[str, Any] = {"camera": None, "scale": "metric", "step": None, "folder": Path("model")}
    return Predictor(LoadedWeights(**{"state": untrained(config).state_dict(), "config": config, **known, **changes}))


def info_of(camera: Camera | None) -> SimpleNamespace:
    """The camera_info of a camera."""
    roi = SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0)
    return SimpleNamespace(**camera_fields(camera, 48, 32), binning_x=0, binning_y=0, roi=roi)


def values(fields: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(fields["data"], "<f4").reshape(fields["height"], fields["width"])


def test_depth_is_that_of_the_pixels() -> None:
    fields = RosDepth(predictor()).fields(ros2.image_of(PIXELS, HEADER))
    np.testing.assert_array_equal(values(fields), predictor().predict(PIXELS).depth)


def test_distances_along_the_ray_become_z_by_the_camera_that_is_told() -> None:
    along_rays = predictor(depth_is="ray")
    z = values(RosDepth(along_rays).fields(ros2.image_of(PIXELS, HEADER), info_of(FISHEYE)))
    np.testing.assert_array_equal(z, robot_depth(along_rays.predict(PIXELS, FISHEYE)))
    assert z[0, 0] < 0.8 * along_rays.predict(PIXELS).depth[0, 0]


@pytest.mark.parametrize(("info", "word"), [(None, "none yet"), (info_of(None), "a K of zeros")])
def test_distances_along_the_ray_wait_for_a_camera(info: Any, word: str) -> None:
    with pytest.raises(DataError, match=f"cam_optical.*{word}"):
        RosDepth(predictor(depth_is="ray")).fields(ros2.image_of(PIXELS, HEADER), info)


def test_relative_depth_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"relative.*selfdepth calibrate"):
        RosDepth(predictor(scale="relative"))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"encoding": "h264"}, "h264"),
        ({"width": 0}, "no pixels"),
        ({"height": 33}, "shorter"),
        ({"height": 2**31}, "too large"),
        ({"height": 8}, "too small"),
        ({"encoding": "32FC1"}, "depth"),
        ({"data": b""}, "no data"),
    ],
)
def test_an_image_that_cannot_be_used_is_refused_with_the_frame_of_its_camera(
    changes: dict[str, Any], word: str
) -> None:
    image = SimpleNamespace(**{**vars(ros2.image_of(PIXELS, HEADER)), **changes})
    with pytest.raises(DataError, match=f"(?s){word}.*cam_optical|cam_optical.*{word}"):
        RosDepth(predictor()).fields(image)
