"""transforms.json: one camera for all frames, or a refusal that names what differs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from selfdepth.data.readers.nerfstudio import camera_in_transforms, is_transforms
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import Lens

HERE = Path("transforms.json")
CAMERA = {"w": 640, "h": 480, "fl_x": 500.0, "fl_y": 501, "cx": 320.0, "cy": 240}
EXPECTED = Camera(fx=500, fy=501, cx=319.5, cy=239.5, width=640, height=480)
FRAMES = [{"file_path": f"{i}.png", "transform_matrix": [[1.0, 0, 0, 0]]} for i in range(3)]


def _camera(values: dict[str, Any], frames: tuple[int, int] | None = None) -> Camera:
    text = json.dumps(values)
    assert is_transforms(text)
    return camera_in_transforms(text, HERE, frames).camera


def test_the_fields_at_the_top_are_of_all_frames() -> None:
    assert _camera({**CAMERA, "frames": FRAMES}) == EXPECTED


def test_fields_in_the_frames_are_read_if_all_have_the_same() -> None:
    assert _camera({"frames": [{**frame, **CAMERA} for frame in FRAMES]}) == EXPECTED
    assert _camera({**CAMERA, "frames": [{**frame, "fl_x": 500.0} for frame in FRAMES]}) == EXPECTED


@pytest.mark.parametrize(
    ("values", "lens"),
    [
        ({"k1": 0.1, "k2": 0.2, "p1": 0.3, "p2": 0.4}, Lens("brown", (0.1, 0.2, 0.3, 0.4))),
        ({"camera_model": "OPENCV", "k1": 0.1, "k2": 0, "k3": 0.5}, Lens("brown", (0.1, 0, 0, 0, 0.5))),
        ({"camera_model": "OPENCV", "k1": 0, "k4": 0}, Lens()),
        ({"camera_model": "PINHOLE"}, Lens()),
        ({"camera_model": "OPENCV_FISHEYE", "k1": 1, "k2": 2, "k3": 3, "k4": 4}, Lens("kannala-brandt", (1, 2, 3, 4))),
        ({"camera_model": "OPENCV_FISHEYE"}, Lens("kannala-brandt")),
        ({"is_fisheye": True, "k1": 1}, Lens("kannala-brandt", (1,))),
        ({"camera_model": "SIMPLE_RADIAL", "k1": 0.1}, Lens("brown", (0.1,))),
        ({"distortion_params": [0.1, 0.2, 0.5, 0, 0.3, 0.4]}, Lens("brown", (0.1, 0.2, 0.3, 0.4, 0.5))),
        ({"frames": [{"distortion_params": [0.1, 0, 0, 0, 0, 0.4]}] * 2}, Lens("brown", (0.1, 0, 0, 0.4))),
        (
            {"camera_model": "OPENCV_FISHEYE", "distortion_params": [1, 2, 3, 4, 0, 0], "k1": 1},
            Lens("kannala-brandt", (1, 2, 3, 4)),
        ),
    ],
)
def test_the_lens_is_that_of_the_model(values: dict[str, Any], lens: Lens) -> None:
    assert _camera({**CAMERA, **values}).lens == lens


def test_an_angle_is_between_the_outer_edges_of_the_image() -> None:
    angles = {"camera_angle_x": math.radians(60), "frames": FRAMES}
    assert _camera({**angles, "w": 640.0, "h": 480.0}) == Camera.from_fov(60, width=640, height=480)
    assert _camera(angles, (640, 480)) == Camera.from_fov(60, width=640, height=480)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"camera_model": "EQUIRECTANGULAR"}, "not known: transforms.json.*OPENCV_FISHEYE; got EQUIRECTANGULAR"),
        ({"camera_model": ["x"]}, "not known"),
        ({"k4": 0.1}, "OPENCV has no such coefficient.*k4 of 0.1"),
        ({"camera_model": "PINHOLE", "k1": 0.1}, "PINHOLE has no such coefficient"),
        ({"camera_model": "OPENCV_FISHEYE", "p1": 0.1}, "p1 of 0.1"),
        ({"frames": [CAMERA, {**CAMERA, "fl_x": 501.0}]}, "several cameras.*fl_x 500.0 and 501.0 .frame 1"),
        ({"frames": [{"k1": 0.1}, {}]}, "several cameras.*k1 0.1 and none .frame 1"),
        ({"frames": [{}, {"k1": 0.1}]}, "several cameras.*one k1.*frame 1"),
        ({"frames": [{"distortion_params": [0.1] * 6}, {}]}, "several cameras.*one k1"),
        ({"distortion_params": [0.1, 0.2]}, "no valid distortion_params.*6 numbers .k1 k2 k3 k4 p1 p2."),
        ({"distortion_params": "x"}, "no valid distortion_params"),
        ({"distortion_params": [0, 0, 0, 0, None, 0]}, "no valid p1"),
        ({"distortion_params": [0.1, 0, 0, 0, 0, 0], "k1": 0.2}, "no valid k1.*the same as in distortion_params"),
        ({"cx": "320"}, 'no valid cx.*a finite number; got the text "320"'),
        ({"cx": True}, "no valid cx"),
        ({"fl_x": float("nan")}, "no valid fl_x"),
        ({"fl_x": 10**40}, "no valid fl_x"),
        ({"fl_x": -1}, "focal length"),
        ({"k1": None}, "no valid k1"),
        ({"w": 640.5}, "whole numbers of pixels"),
        ({"w": 0}, "whole numbers of pixels"),
    ],
)
def test_what_is_no_one_camera_is_refused_by_name(values: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _camera({**CAMERA, **values})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"frames": FRAMES}, "no valid w"),
        ({"fl_x": 500, "frames": FRAMES}, "no valid w"),
        ({"w": 640, "h": 480, "frames": FRAMES}, "no valid fl_x.*or camera_angle_x"),
        ({"w": 640, "h": 480, "camera_angle_x": 4}, "radians between 0 and pi; got 4"),
    ],
)
def test_a_file_that_lacks_the_camera_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _camera(values)


@pytest.mark.parametrize("text", ["", "fl_x: 5", "[]", '{"image_width": 640}', "{width: 640}"])
def test_other_texts_are_no_transforms(text: str) -> None:
    assert not is_transforms(text)


@pytest.mark.parametrize("text", ['{"fl_x": 1, ', '{"fl_x": 1, "fl_x": 2}', '{"frames": ' + "[" * 100_000])
def test_broken_json_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(DataError, match=r"cannot be read: transforms\.json"):
        camera_in_transforms(text, HERE, None)
