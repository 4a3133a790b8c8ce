"""Cameras as users give them: numbers, a field of view, calibration files of three kinds."""

from __future__ import annotations

import dataclasses
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from selfdepth.data.readers.cameras import camera_to_yaml, is_camera_file, parse_camera
from selfdepth.data.readers.lens_checks import require_rays
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera, resize
from selfdepth.geometry.lens import Lens

OURS = "width: 640\nheight: 480\nfx: 500.5\nfy: 501.5\ncx: 319.5\ncy: 239.5\n"
OPENCV = """%YAML:1.0
---
calibration_time: "Mon 01 Jan 2024"
image_width: 640
image_height: 480
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 500.5, 0., 319.5, 0., 5.015e+02, 239.5, 0., 0., 1. ]
distortion_coefficients: !!opencv-matrix
   rows: 1
   cols: 5
   dt: d
   data: [ 0., 0., 0., 0., 0. ]
"""
ROS = """image_width: 640
image_height: 480
camera_name: front
camera_matrix:
  rows: 3
  cols: 3
  data: [500.5, 0.0, 319.5, 0.0, 501.5, 239.5, 0.0, 0.0, 1.0]
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0, 0, 0, 0, 0]}
rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}
projection_matrix: {rows: 3, cols: 4, data: [500.5, 0, 319.5, 0, 0, 501.5, 239.5, 0, 0, 0, 1, 0]}
"""
ROS_MESSAGE = """header: {seq: 1, frame_id: front}
height: 480
width: 640
distortion_model: plumb_bob
D: [0.0, 0.0, 0.0, 0.0, 0.0]
K: [500.5, 0.0, 319.5, 0.0, 501.5, 239.5, 0.0, 0.0, 1.0]
R: [1, 0, 0, 0, 1, 0, 0, 0, 1]
P: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
"""
ROWS = "image_width: 640\nimage_height: 480\nK: [[500.5, 0, 319.5], [0, 501.5, 239.5], [0, 0, 1]]\n"
FILES = {"ours": OURS, "opencv": OPENCV, "ros": ROS, "ros_message": ROS_MESSAGE, "rows": ROWS}
CAMERA = Camera(fx=500.5, fy=501.5, cx=319.5, cy=239.5, width=640, height=480)


def _file(folder: Path, text: str) -> str:
    path = folder / "camera.yaml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("kind", FILES)
def test_every_kind_of_file_gives_the_same_camera_without_a_warning(tmp_path: Path, kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert parse_camera(_file(tmp_path, FILES[kind]), width=640, height=480) == CAMERA


@pytest.mark.parametrize("kind", FILES)
def test_a_file_for_another_size_is_scaled_like_an_image_of_that_size(tmp_path: Path, kind: str) -> None:
    _, expected = resize(np.zeros((480, 640, 3), np.uint8), CAMERA, width=320, height=240)
    assert parse_camera(_file(tmp_path, FILES[kind]), width=320, height=240) == expected


def test_a_file_for_another_aspect_ratio_is_refused_beyond_one_percent(tmp_path: Path) -> None:
    spec = _file(tmp_path, OURS)
    assert parse_camera(spec, width=640, height=478).cy == pytest.approx(240 * 478 / 480 - 0.5)
    with pytest.raises(DataError, match=r"another aspect ratio.*camera\.yaml.*1242x375; got 640x480"):
        parse_camera(spec, width=1242, height=375)


def test_numbers_are_taken_as_they_are() -> None:
    assert parse_camera("500.5, 501.5,319.5,239.5", width=640, height=480) == CAMERA


def test_a_field_of_view_gives_square_pixels_and_a_centred_principal_point() -> None:
    camera = parse_camera("fov:90", width=640, height=480)
    assert (camera.fx, camera.fy) == pytest.approx((320, 320))
    assert (camera.cx, camera.cy) == (319.5, 239.5)


@pytest.mark.parametrize(("width", "height"), [(1242, 375), (1226, 370), (640, 192)])
def test_the_papers_camera_is_in_fractions_of_the_frame(width: int, height: int) -> None:
    camera = parse_camera("paper", width=width, height=height)
    fractions = [camera.fx / width, camera.fy / height, camera.cx / width, camera.cy / height]
    assert fractions == pytest.approx([0.58, 1.92, 0.5, 0.5])
    assert (camera.width, camera.height) == (width, height)


def test_a_file_called_paper_is_a_camera_only_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("paper").write_text(OURS)
    assert parse_camera("paper", width=640, height=480).fx == pytest.approx(0.58 * 640)
    assert parse_camera("./paper", width=640, height=480) == CAMERA
    assert (is_camera_file("paper"), is_camera_file("./paper"), is_camera_file("fov:60")) == (False, True, False)


def test_without_a_camera_sixty_degrees_are_assumed_with_a_warning() -> None:
    with pytest.warns(SelfDepthWarning, match=r"60 degrees is ASSUMED.*--camera"):
        camera = parse_camera(None, width=640, height=480)
    assert 2 * math.degrees(math.atan(320 / camera.fx)) == pytest.approx(60)


@pytest.mark.parametrize(
    "text",
    [
        OPENCV.replace("data: [ 0., 0., 0., 0., 0. ]", "data: [ -0.28, 0.07, 0., 0., 0. ]"),
        ROS.replace("data: [0, 0, 0, 0, 0]", "data: [-0.28, 0.07, 0, 0, 0]"),
        ROS_MESSAGE.replace("D: [0.0, 0.0,", "D: [-0.28, 0.07,"),
        OURS + "distortion: [-0.28, 0.07]\n",
        OURS + "lens: brown\ncoefficients: [-0.28, 0.07]\n",
    ],
)
def test_distortion_is_the_cameras_lens_without_a_warning(tmp_path: Path, text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        camera = parse_camera(_file(tmp_path, text), width=320, height=240)
    assert camera == dataclasses.replace(CAMERA.resized(320, 240), lens=Lens("brown", (-0.28, 0.07)))


SEVERAL = "".join(f"cam{i}:\n  intrinsics: [50{i}, 501.5, 319.5, 239.5]\n  resolution: [640, 480]\n" for i in range(2))


def test_one_of_several_cameras_is_chosen_by_its_name_after_the_file(tmp_path: Path) -> None:
    file = _file(tmp_path, SEVERAL)
    assert is_camera_file(f"{file}:cam1")
    assert parse_camera(f"{file}:cam1", width=640, height=480).fx == 501
    with pytest.raises(DataError, match=rf"several cameras.*got cam0, cam1; give .*--camera {file}:cam0"):
        parse_camera(file, width=640, height=480)
    with pytest.raises(DataError, match=r"no such camera.*expected cam0, cam1; got front"):
        parse_camera(f"{file}:front", width=640, height=480)


@pytest.mark.parametrize("end", [":", ":cam:1", ".yaml:cam0"])
def test_a_name_after_no_file_is_no_camera(tmp_path: Path, end: str) -> None:
    spec = _file(tmp_path, SEVERAL) + end
    assert not is_camera_file(spec)
    with pytest.raises(DataError, match="no such file"):
        parse_camera(spec, width=640, height=480)


def test_a_file_whose_name_has_a_colon_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "camera.yaml").write_text("no camera")
    (tmp_path / "camera.yaml:1").write_text(OURS)
    assert parse_camera(str(tmp_path / "camera.yaml:1"), width=640, height=480) == CAMERA


def test_a_rectified_projection_that_differs_causes_a_warning_and_K_is_used(tmp_path: Path) -> None:
    text = ROS.replace("data: [500.5, 0, 319.5, 0,", "data: [450.0, 0, 319.5, 0,")
    with pytest.warns(SelfDepthWarning, match=r"P \(fx 450\).*K \(fx 500\.5\)"):
        assert parse_camera(_file(tmp_path, text), width=640, height=480) == CAMERA


@pytest.mark.parametrize("cx", ["-5", "700"])
def test_a_principal_point_outside_the_image_causes_a_warning(tmp_path: Path, cx: str) -> None:
    with pytest.warns(SelfDepthWarning, match="outside the image of 640x480"):
        parse_camera(f"500,500,{cx},240", width=640, height=480)
    with pytest.warns(SelfDepthWarning, match=r"outside the image of 640x480: .*camera\.yaml"):
        parse_camera(_file(tmp_path, OURS.replace("319.5", cx)), width=640, height=480)


@pytest.mark.parametrize(
    "spec",
    [
        "", "500", "500,500", "a,b,c,d", "500,500,320,240,0", "0,500,320,240", "-1,500,320,240", "nan,500,320,240",
        "500,inf,320,240", "500,500,nan,240", "fov:", "fov:wide", "fov:0", "fov:180", "fov:nan", "no/such/file.yaml",
    ],
)  # fmt: skip
def test_other_text_than_a_camera_is_refused(spec: str) -> None:
    with pytest.raises(DataError):
        parse_camera(spec, width=640, height=480)


@pytest.mark.parametrize("spec", ["learn", "learn:fov:70", "learn+distortion", "learn+distortion:fov:70"])
def test_only_training_learns_a_camera(spec: str) -> None:
    with pytest.raises(DataError, match=r"learned by a training run: --camera learn.*selfdepth train"):
        parse_camera(spec, width=640, height=480)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "just words",
        "- 1\n- 2\n",
        "width: [",
        "width: 640\n",
        OURS.replace("width: 640\n", ""),
        OURS.replace("width: 640", "width: 0"),
        OURS.replace("width: 640", "width: wide"),
        OURS.replace("fx: 500.5", "fx: 0"),
        OURS.replace("fx: 500.5", "fx: .nan"),
        OURS.replace("fx: 500.5", "fx: far"),
        OURS.replace("fx: 500.5", "fx:"),
        OURS.replace("fx: 500.5\n", ""),
        ROWS.replace("[0, 0, 1]", "[0, 0]"),
        ROWS.replace("[0, 0, 1]", "[0, 1, 1]"),
        "!!python/object/apply:os.getcwd []\n",
        OPENCV.replace("!!opencv-matrix\n   rows: 3", "!!opencv-matrix 3 #"),
        "\x00\x01",
    ],
)
def test_a_file_without_a_camera_is_refused_by_name(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match=r"camera\.yaml"):
        parse_camera(_file(tmp_path, text), width=640, height=480)


@pytest.mark.parametrize(
    ("spec", "got"),
    [
        ("500,500,320", "3 numbers"),
        ("500,500,320,240,0", "5 numbers"),
        ("500;500;320;240", "4 numbers without commas"),
        ("70", "1 number without commas"),
        ("fov=70", "no such file"),
        ("/", "a folder"),
        ("/dev/null", "no regular file"),
    ],
)
def test_what_was_given_instead_of_a_camera_is_said(spec: str, got: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_camera(spec, width=640, height=480)
    assert str(caught.value).endswith(f"got {got}")


def test_a_folder_or_binary_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "camera.yaml").write_bytes(bytes(range(256)))
    for path in (tmp_path, tmp_path / "camera.yaml"):
        with pytest.raises(DataError):
            parse_camera(str(path), width=640, height=480)


_focal, _centre, _small = st.floats(1, 1e5), st.floats(0, 99), st.floats(0, 1e-3)
_LENSES = st.one_of(
    st.just(Lens()),
    st.builds(lambda c: Lens("brown", tuple(c)), st.lists(_small, max_size=8)),
    st.builds(lambda c: Lens("kannala-brandt", tuple(c)), st.lists(_small, max_size=4)),
    st.builds(lambda xi, c: Lens("ucm", (xi, *c)), st.floats(0, 3), st.lists(_small, max_size=4)),
    st.builds(lambda alpha, beta: Lens("eucm", (alpha, beta)), st.floats(0, 1), st.floats(0.5, 2)),
)


@settings(max_examples=60, deadline=None)
@given(fx=_focal, fy=_focal, cx=_centre, cy=_centre, lens=_LENSES)
def test_our_form_is_read_back_unchanged(
    tmp_path_factory: pytest.TempPathFactory, fx: float, fy: float, cx: float, cy: float, lens: Lens
) -> None:
    camera = Camera(fx=fx, fy=fy, cx=cx, cy=cy, width=100, height=100, lens=lens)
    try:
        require_rays(camera, Path("camera.yaml"))
    except DataError:  # a view so wide that the lens ends within it
        reject()
    spec = _file(tmp_path_factory.mktemp("camera"), camera_to_yaml(camera))
    assert parse_camera(spec, width=100, height=100) == camera
