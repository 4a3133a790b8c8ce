"""COLMAP's cameras, whose pixels are counted from the corner of the image."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfdepth.data.readers.colmap import COLMAP_LENSES, cameras_in_colmap, is_colmap, refuse_model
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import PINHOLE, Lens

HERE = Path("cameras.txt")
HEADER = "# Camera list with one line of data per camera:\n#   CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]\n"


def _camera(line: str) -> Camera:
    (read,) = cameras_in_colmap(f"{HEADER}{line}\n", HERE).values()
    return read().camera


@pytest.mark.parametrize(
    ("model", "parameters", "lens"),
    [
        ("SIMPLE_PINHOLE", "500 320 240", PINHOLE),
        ("PINHOLE", "500 500 320 240", PINHOLE),
        ("SIMPLE_RADIAL", "500 320 240 0.1", Lens("brown", (0.1,))),
        ("RADIAL", "500 320 240 0.1 0.2", Lens("brown", (0.1, 0.2))),
        ("OPENCV", "500 500 320 240 0.1 0.2 0.3 0.4", Lens("brown", (0.1, 0.2, 0.3, 0.4))),
        ("FULL_OPENCV", "500 500 320 240 1 2 3 4 5 6 7 8", Lens("brown", (1, 2, 3, 4, 5, 6, 7, 8))),
        ("SIMPLE_FISHEYE", "500 320 240", Lens("kannala-brandt")),
        ("FISHEYE", "500 500 320 240", Lens("kannala-brandt")),
        ("SIMPLE_RADIAL_FISHEYE", "500 320 240 0.1", Lens("kannala-brandt", (0.1,))),
        ("RADIAL_FISHEYE", "500 320 240 0.1 0.2", Lens("kannala-brandt", (0.1, 0.2))),
        ("OPENCV_FISHEYE", "500 500 320 240 0.1 0.2 0.3 0.4", Lens("kannala-brandt", (0.1, 0.2, 0.3, 0.4))),
    ],
)
def test_every_model_that_is_read(model: str, parameters: str, lens: Lens) -> None:
    assert model in COLMAP_LENSES
    expected = Camera(fx=500, fy=500, cx=319.5, cy=239.5, width=640, height=480, lens=lens)
    assert _camera(f"1 {model} 640 480 {parameters}") == expected


def test_the_middle_of_the_image_in_colmaps_pixels_is_the_middle_in_ours() -> None:
    middle = Camera.from_fov(60, width=640, height=480)
    assert _camera(f"1 SIMPLE_PINHOLE 640 480 {middle.fx!r} {640 / 2} {480 / 2}") == middle


def test_cameras_have_their_numbers_as_names() -> None:
    text = HEADER + "# Number of cameras: 2\n7 SIMPLE_PINHOLE 64 48 50 32 24\n\n12 FOV 64 48 50 50 32 24 0.9\n"
    assert is_colmap(text)
    cameras = cameras_in_colmap(text, HERE)
    assert list(cameras) == ["7", "12"] and cameras["7"]().sensor_size == (64, 48)


@pytest.mark.parametrize("text", ["", "# nothing\n", "width: 640\n", "1 2 3\n", "1.0 PINHOLE 3\n", "[1, PINHOLE]\n"])
def test_other_texts_are_no_cameras_of_colmap(text: str) -> None:
    assert not is_colmap(text)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 FOV 640 480 500 500 320 240 0.9", "model is not known: cameras.txt, line 3; expected .*RADIAL.*got FOV"),
        ("1 THIN_PRISM_FISHEYE 640 480 1 1 1 1 0 0 0 0 0 0 0 0", "not known.*got THIN_PRISM_FISHEYE"),
        (
            "1 PINHOLE 640 480 500 320 240",
            "PINHOLE has other parameters.*4 after width .*: fx, fy, cx, cy; got 3",
        ),
        ("1 PINHOLE", "other parameters"),
        ("1 PINHOLE 640 480 500 x 320 240", "not numbers: cameras.txt, line 3"),
        ("1 PINHOLE 640 480 500 nan 320 240", "not numbers"),
        ("1 PINHOLE 640 -480 500 500 320 240", "not numbers.*line 3"),
        ("1 PINHOLE 0 480 500 500 320 240", "invalid image size.*line 3"),
        ("1 PINHOLE 640 480 0 500 320 240", "focal length.*line 3"),
        ("1 SIMPLE_RADIAL 640 480 500 320 240 .inf", "not finite.*line 3"),
        ("1 PINHOLE 64 48 50 50 32 24\n1 PINHOLE 64 48 50 50 32 24", "two cameras of one number: cameras.txt, line 4"),
        ("1 PINHOLE 64 48 50 50 32 24\n" + "# x\n" * 90_000, "too large"),
    ],
)
def test_a_line_that_is_no_camera_is_refused_by_its_number(line: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        _camera(line)


def test_an_unknown_model_is_refused_by_name() -> None:
    assert "EQUIRECTANGULAR" in str(refuse_model("EQUIRECTANGULAR", "a.json"))
