"""Calibration files as drivers and tools write them: read as OpenCV reads them, or refused."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from selfdepth.data.readers.camera_files import read_camera_file
from selfdepth.data.readers.cameras import parse_camera
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import Lens

MESSAGE = """header: {seq: 1, frame_id: front}
height: 480
width: 640
distortion_model: MODEL
D: [0.0, 0.0, 0.0, 0.0]
K: [500.5, 0.0, 319.5, 0.0, 501.5, 239.5, 0.0, 0.0, 1.0]
binning_x: 0
binning_y: 0
roi: {x_offset: 0, y_offset: 0, height: 0, width: 0, do_rectify: False}
"""
PLAIN = MESSAGE.replace("MODEL", "plumb_bob")
SENSOR = Camera(fx=500.5, fy=501.5, cx=319.5, cy=239.5, width=640, height=480)


def _file(folder: Path, content: str | bytes) -> Path:
    path = folder / "camera.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("roi", "binning", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), SENSOR),
        ((0, 0, 0, 0), (1, 1), SENSOR),
        ((100, 40, 320, 240), (1, 1), Camera(fx=500.5, fy=501.5, cx=219.5, cy=199.5, width=320, height=240)),
        ((0, 0, 0, 0), (2, 2), SENSOR.resized(320, 240)),
        (
            (100, 40, 320, 240),
            (2, 2),
            Camera(fx=500.5, fy=501.5, cx=219.5, cy=199.5, width=320, height=240).resized(160, 120),
        ),
    ],
)
def test_region_of_interest_and_binning_are_applied(
    tmp_path: Path, roi: tuple[int, ...], binning: tuple[int, int], expected: Camera
) -> None:
    x, y, width, height = roi
    text = PLAIN.replace(
        "x_offset: 0, y_offset: 0, height: 0, width: 0",
        f"x_offset: {x}, y_offset: {y}, height: {height}, width: {width}",
    )
    text = text.replace("binning_x: 0\nbinning_y: 0", f"binning_x: {binning[0]}\nbinning_y: {binning[1]}")
    path = _file(tmp_path, text)
    assert parse_camera(str(path), width=expected.width, height=expected.height) == expected
    if expected != SENSOR:
        with pytest.raises(DataError, match="a part of the sensor, and the frames show the whole"):
            parse_camera(str(path), width=640, height=480)


def test_a_region_beyond_the_sensor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"region of interest.*within 640x480"):
        read_camera_file(
            _file(tmp_path, PLAIN.replace("x_offset: 0", "x_offset: 600").replace("width: 0,", "width: 99,"))
        )


@pytest.mark.parametrize("repeats", [2, 5000])
def test_what_a_topics_echo_prints_is_read(tmp_path: Path, repeats: int) -> None:
    assert read_camera_file(_file(tmp_path, (PLAIN + "---\n") * repeats)).camera == SENSOR


def test_documents_that_disagree_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the cameras in the file differ"):
        read_camera_file(_file(tmp_path, PLAIN + "---\n" + PLAIN.replace("500.5", "600.5")))


@pytest.mark.parametrize("model", ["plumb_bob", "rational_polynomial", "radial-tangential", "PINHOLE", "Brown-Conrady"])
def test_lenses_whose_zeros_are_a_pinhole_are_one(tmp_path: Path, model: str) -> None:
    assert read_camera_file(_file(tmp_path, MESSAGE.replace("MODEL", model))).camera == SENSOR


@pytest.mark.parametrize(
    "end",
    [
        "A message was lost!!!\n\ttotal count change:1\n\ttotal count: 1---\n" + PLAIN,
        "header: {seq: 2}\nheight: 480\nwidth: 640\nK:\n- 500.5\n- 0.0\n",
        "height: 480\nK: [500.5, 0",
    ],
)
def test_what_cannot_be_read_after_a_whole_message_is_left_out_with_a_warning(tmp_path: Path, end: str) -> None:
    with pytest.warns(SelfDepthWarning, match="left out"):
        assert read_camera_file(_file(tmp_path, PLAIN + "---\n" + end)).camera == SENSOR


EUROC = """sensor_type: camera
comment: VI-Sensor cam0 (MT9M034)
T_BS: {cols: 4, rows: 4, data: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]}
rate_hz: 20
resolution: [640, 480]
camera_model: pinhole
intrinsics: [500.5, 501.5, 319.5, 239.5] # fu, fv, cu, cv
distortion_model: radial-tangential
distortion_coefficients: [-0.283, 0.0739, 0.000193, 0.0000176]
"""
KALIBR = """cam0:
  camera_model: pinhole
  distortion_coeffs: [0, 0, 0, 0]
  distortion_model: radtan
  intrinsics: [500.5, 501.5, 319.5, 239.5]
  resolution: [640, 480]
  rostopic: /cam0/image_raw
"""


def test_the_files_of_euroc_and_kalibr_are_read(tmp_path: Path) -> None:
    lens = Lens("brown", (-0.283, 0.0739, 0.000193, 0.0000176))
    assert read_camera_file(_file(tmp_path, EUROC)).camera == dataclasses.replace(SENSOR, lens=lens)
    assert read_camera_file(_file(tmp_path, KALIBR)).camera == SENSOR


ORB = """%YAML:1.0
Camera.type: "PinHole"
Camera1.fx: 500.5
Camera1.fy: 501.5
Camera1.cx: 319.5
Camera1.cy: 239.5
Camera1.k1: -0.28
Camera1.k2: 0.07
Camera1.p1: 0.001
Camera1.p2: -0.002
Camera.width: 640
Camera.height: 480
Camera.fps: 30
ORBextractor.nFeatures: 1000
"""


@pytest.mark.parametrize("text", [ORB, ORB.replace("Camera1", "Camera")])
def test_the_settings_of_orb_slam_are_read(tmp_path: Path, text: str) -> None:
    expected = dataclasses.replace(SENSOR, lens=Lens("brown", (-0.28, 0.07, 0.001, -0.002)))
    assert read_camera_file(_file(tmp_path, text)).camera == expected


def test_a_lens_that_orb_slam_names_is_never_a_product(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the lens model is not known.*got Camera\.type: Foo"):
        read_camera_file(_file(tmp_path, ORB.replace("PinHole", "Foo")))


def test_of_orb_slams_two_cameras_one_is_chosen(tmp_path: Path) -> None:
    second = "".join(line.replace("Camera1", "Camera2") + "\n" for line in ORB.splitlines() if "Camera1" in line)
    path = _file(tmp_path, ORB + second.replace("500.5", "600.5"))
    with pytest.raises(DataError, match=r"several cameras.*got Camera1, Camera2"):
        read_camera_file(path)
    assert read_camera_file(path, "Camera2").camera.fx == 600.5


@pytest.mark.parametrize("names", [("cam0", "cam1"), ("left", "right")])
def test_a_file_of_several_cameras_is_refused_naming_them(tmp_path: Path, names: tuple[str, str]) -> None:
    text = KALIBR.replace("cam0:", f"{names[0]}:") + KALIBR.replace("cam0:", f"{names[1]}:").replace("500.5", "600.5")
    path = _file(tmp_path, text)
    with pytest.raises(DataError, match=rf"several cameras: .*got {names[0]}, {names[1]}; give the one.*:{names[0]}"):
        read_camera_file(path)
    assert [read_camera_file(path, name).camera.fx for name in names] == [500.5, 600.5]


def test_cameras_that_are_alike_need_no_choice(tmp_path: Path) -> None:
    text = KALIBR + KALIBR.replace("cam0:", "cam1:")
    assert read_camera_file(_file(tmp_path, text)).camera == SENSOR


def test_of_several_cameras_only_the_chosen_one_need_be_known(tmp_path: Path) -> None:
    path = _file(tmp_path, KALIBR + KALIBR.replace("cam0:", "cam1:").replace("pinhole", "ds"))
    assert read_camera_file(path, "cam0").camera == SENSOR
    with pytest.raises(DataError, match=r"not known.*camera_model: ds"):
        read_camera_file(path, "cam1")
    with pytest.raises(DataError, match="several cameras"):
        read_camera_file(path)


def test_a_file_of_one_camera_without_a_name_has_none_of_another(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such camera: --camera .*:cam0; expected no name: the file holds one"):
        read_camera_file(_file(tmp_path, EUROC), "cam0")


FOUR = "image_width: 640\nimage_height: 480\nfx: 500.5\nfy: 501.5\ncx: 319.5\ncy: 239.5\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PLAIN.replace("K: [500.5, 0.0,", "K: [500.5, 25,"), "skew, which is not modelled.*got 25 at fx 500.5"),
        (FOUR + "skew: -3\n", "skew, which is not modelled"),
        (FOUR + "camera_matrix: [300, 0, 319.5, 0, 301, 239.5, 0, 0, 1]\n", "contradicts itself.*500.5,.* and 300,"),
        (FOUR + "intrinsics: [500.5, 501.5, 300, 239.5]\n", "contradicts itself"),
        (PLAIN + "camera_matrix: [300, 0, 319.5, 0, 301, 239.5, 0, 0, 1]\n", "contradicts itself"),
        (PLAIN + "k: [300, 0, 319.5, 0, 301, 239.5, 0, 0, 1]\n", "two entries of one name.*K: .* and k: "),
        (EUROC.replace("[500.5, 501.5, 319.5, 239.5]", "[0.8, 500.5, 501.5, 319.5, 239.5]"), "no intrinsics.*5 numb"),
        (EUROC.replace("[640, 480]", "[640]"), "does not state the width"),
        (
            "camera_matrix: [[500.5, 0, 319.5], [0, 501.5, 239.5], [0, 0, 1]]\ndist_coeff: [[-0.28, 0.07, 0, 0, 0]]\n",
            "does not state the width.*add image_width and image_height",
        ),
        (ORB.replace("Camera.width: 640\nCamera.height: 480\n", ""), "does not state the width.*add image_width"),
    ],
)
def test_what_a_pinhole_camera_cannot_hold_and_contradictions_are_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_camera_file(_file(tmp_path, text))


@pytest.mark.parametrize(
    "text",
    [
        FOUR + "camera_matrix: [500.48, 0, 319.5, 0, 501.52, 239.5, 0, 0, 1]\n",
        FOUR + "skew: 0\n",
        "image_resolution: [640, 480]\nfx: 500.5\nfy: 501.5\ncx: 319.5\ncy: 239.5\n",
        # Open3D and Record3D write a matrix by columns.
        "width: 640\nheight: 480\nintrinsic_matrix: [500.5, 0, 0, 0, 501.5, 0, 319.5, 239.5, 1]\n",
        FOUR.replace("fx", "Fx").replace("image_width", "imageWidth"),
        "image_width: 640\nimage_height: 480\nprojection_parameters: {fx: 500.5, fy: 501.5, cx: 319.5, cy: 239.5}\n",
        FOUR + "camera_model: GoPro HERO9\nmodel: Intel RealSense D435\n",
    ],
)
def test_one_camera_in_other_spellings_is_read(tmp_path: Path, text: str) -> None:
    assert read_camera_file(_file(tmp_path, text)).camera == SENSOR


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf" + PLAIN.encode(), PLAIN.replace("\n", "\r\n").encode()])
def test_marks_and_line_ends_of_other_systems_are_read(tmp_path: Path, content: bytes) -> None:
    assert read_camera_file(_file(tmp_path, content)).camera == SENSOR


_NESTED = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 10))


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode("utf-16"),
        (PLAIN + "\nwidth: 320\n").encode(),
        (PLAIN + "\nroi: {width: 0, height: 0, width: 9}\n").encode(),
        (_NESTED + PLAIN).encode(),
        b"words: " + b"word " * 1_000_000,
        PLAIN.replace("500.5", "0x" + "f" * 400).encode(),
        PLAIN.replace("500.5", "9" * 5000).encode(),
        PLAIN.replace("640", "9" * 5000).encode(),
        PLAIN.replace("500.5", "!!int ''").encode(),
        PLAIN.replace("500.5", "!!float ''").encode(),
        PLAIN.replace("500.5", "!!bool x").encode(),
        PLAIN.replace("640", "!!timestamp x").encode(),
        PLAIN.replace("640", "!!binary x").encode(),
        PLAIN.replace("640", "!!python/object/apply:os.getcwd []").encode(),
        PLAIN.replace("640", "!own x").encode(),
        b"[" * 5000,
        b"a: [" + b"[]," * 80_000 + b"]",
        b"a: [" + b"x," * 120_000 + b"]",
        b"? " * 5000,
        b"{a: " * 3000,
        PLAIN.replace("500.5", "1e999").encode(),
        PLAIN.replace("500.5", "{a: b}").encode(),
        PLAIN.replace("640", "[640]").encode(),
        b"---\n[" * 20_000,
        b" \n" * 200_000,
        b"[1,\n" * 100_000,
        b"[" + b"1," * 200_000 + b"x",
        b"<<: 3\n" + PLAIN.replace("640", "x").encode(),
    ],
)
def test_hostile_files_are_refused_in_one_sentence_and_in_time(tmp_path: Path, content: bytes) -> None:
    started = time.process_time()
    with pytest.raises(DataError, match=r"camera\.yaml") as caught:
        read_camera_file(_file(tmp_path, content))
    assert len(str(caught.value)) < 1000
    assert time.process_time() - started < 10


# What OpenCV projects with the numbers of a file is what the camera read from it projects.

_BROWN = "-0.28, 0.07, 0.001, -0.002, -0.005"
_RATIONAL = "0.9, 0.11, -0.0002, 0.0003, 0.004, 1.25, 0.34, 0.02"
_FISHEYE = "0.05, -0.02, 0.004, -0.0006"
_OPENCV = """%YAML:1.0
---
image_width: 640
image_height: 480
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 500.5, 0., 319.5, 0., 501.5, 239.5, 0., 0., 1. ]
distortion_coefficients: !!opencv-matrix
   rows: 1
   cols: 5
   dt: d
   data: [ @ ]
"""
_XML = """<?xml version="1.0"?>
<opencv_storage>
<image_width>640</image_width>
<image_height>480</image_height>
<camera_matrix type_id="opencv-matrix">
  <rows>3</rows>
  <cols>3</cols>
  <dt>d</dt>
  <data>
    500.5 0. 319.5 0. 501.5 239.5 0. 0. 1.</data></camera_matrix>
<distortion_coefficients type_id="opencv-matrix">
  <rows>1</rows>
  <cols>5</cols>
  <dt>d</dt>
  <data>@</data></distortion_coefficients>
</opencv_storage>
"""
_STORAGE_OF_FISHEYE = "<opencv_storage><fisheye_model>1</fisheye_model>"
_ROS = MESSAGE.replace("D: [0.0, 0.0, 0.0, 0.0]", "D: [@]")
_CHAIN = KALIBR.replace("[0, 0, 0, 0]", "[@]")
_COLMAP = "# Camera list\n1 MODEL 640 480 500.5 501.5 320 240 @\n"
_JSON = (
    '{"w": 640, "h": 480, "fl_x": 500.5, "fl_y": 501.5, "cx": 320.0, "cy": 240.0, "camera_model": "MODEL", @, '
    '"frames": []}'
)


@pytest.mark.parametrize("suffix", ["yml", "json", "xml"])
def test_the_points_that_opencvs_program_saw_do_not_count(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"camera.{suffix}"
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write("image_points", np.full((60, 54, 2), 123.456, np.float32))
    storage.write("image_width", 640)
    storage.write("image_height", 480)
    storage.write("camera_matrix", np.array([[500.5, 0, 319.5], [0, 501.5, 239.5], [0, 0, 1]]))
    storage.release()
    assert read_camera_file(path).camera == SENSOR


def test_points_in_lists_of_lists_are_too_many_and_what_to_do_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="more than 5,000 entries; leave out all but the camera"):
        read_camera_file(_file(tmp_path, FOUR + "points: [" + "[1.5, 2.5], " * 3000 + "]\n"))


def test_a_file_that_is_too_large_is_called_so_whatever_marks_begin_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"too large.*yaml_kilobytes="):
        read_camera_file(_file(tmp_path, "%YAML:1.0\n---\n" + "words: [" + "word, " * 60_000 + "]\n" + FOUR))


def _named(numbers: str, names: str) -> str:
    return ", ".join(f'"{name}": {number}' for name, number in zip(names.split(), numbers.split(", "), strict=True))


AGREEING = {
    "OpenCV": (_OPENCV, _BROWN, False),
    "OpenCV, rational": (_OPENCV, _RATIONAL, False),
    "OpenCV, no prism": (_OPENCV, _RATIONAL + ", 0, 0, 0, 0", False),
    "OpenCV, fisheye": (_OPENCV + "fisheye_model: 1\n", _FISHEYE, True),
    "OpenCV, XML": (_XML, _BROWN, False),
    "OpenCV, XML, fisheye": (_XML.replace("<opencv_storage>", _STORAGE_OF_FISHEYE), _FISHEYE, True),
    "ROS, plumb_bob": (_ROS.replace("MODEL", "plumb_bob"), _BROWN, False),
    "ROS, rational_polynomial": (_ROS.replace("MODEL", "rational_polynomial"), _RATIONAL, False),
    "ROS, equidistant": (_ROS.replace("MODEL", "equidistant"), _FISHEYE, True),
    "ROS, fisheye": (_ROS.replace("MODEL", "fisheye"), _FISHEYE, True),
    "Kalibr, radtan": (_CHAIN, "-0.28, 0.07, 0.001, -0.002", False),
    "Kalibr, equidistant": (_CHAIN.replace("radtan", "equidistant"), _FISHEYE, True),
    "EuRoC": (EUROC.replace("-0.283, 0.0739, 0.000193, 0.0000176", "@"), "-0.28, 0.07, 0.001, -0.002", False),
    "COLMAP, OPENCV": (_COLMAP.replace("MODEL", "OPENCV"), "-0.28, 0.07, 0.001, -0.002", False),
    "COLMAP, FULL_OPENCV": (_COLMAP.replace("MODEL", "FULL_OPENCV"), _RATIONAL, False),
    "COLMAP, OPENCV_FISHEYE": (_COLMAP.replace("MODEL", "OPENCV_FISHEYE"), _FISHEYE, True),
    "nerfstudio, OPENCV": (_JSON.replace("MODEL", "OPENCV"), _BROWN, False),
    "nerfstudio, OPENCV_FISHEYE": (_JSON.replace("MODEL", "OPENCV_FISHEYE"), _FISHEYE, True),
}  # fmt: skip


@pytest.mark.parametrize("kind", AGREEING)
def test_a_file_projects_as_opencv_does_with_its_numbers(tmp_path: Path, kind: str) -> None:
    text, numbers, is_fisheye = AGREEING[kind]
    D = np.array([float(number) for number in numbers.split(", ")])
    if "nerfstudio" in kind:
        numbers = _named(numbers, "k1 k2 k3 k4" if is_fisheye else "k1 k2 p1 p2 k3")
    written = text.replace("@", numbers.replace(",", "") if "XML" in kind or "COLMAP" in kind else numbers)
    camera = read_camera_file(_file(tmp_path, written)).camera
    rays, seen = camera.rays()
    points = rays[seen][::97]
    points = points[points[:, 2] > 0.05] * 3.0
    project: Callable[..., tuple[np.ndarray, object]] = cv2.fisheye.projectPoints if is_fisheye else cv2.projectPoints
    theirs, _ = project(points[:, None], np.zeros(3), np.zeros(3), SENSOR.matrix(), D)
    ours, in_view = camera.project(points)
    assert in_view.all() and len(points) > 3000
    np.testing.assert_allclose(ours, theirs[:, 0], atol=1e-6)
