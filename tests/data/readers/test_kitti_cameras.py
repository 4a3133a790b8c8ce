"""The rectified cameras in KITTI's and KITTI-360's texts."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from selfdepth.data.kitti.calibration import camera_from_calibration
from selfdepth.data.readers.camera_files import read_camera_file
from selfdepth.data.readers.kitti_cameras import cameras_in_kitti, is_kitti
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera
from selfdepth.synthetic.drive import DriveSpec, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw

PERSPECTIVE = """calib_time: 01-Feb-2021 10:12:32
corner_dist: 9.950000e-02
S_00: 1408.0 376.0
K_00: 788.629315 0.000000 687.158398 0.000000 786.382230 317.752196 0.000000 0.000000 1.000000
D_00: -0.344441 0.141678 0.000414 -0.000222 -0.029608
S_rect_00: 1408.0 376.0
P_rect_00: 552.554261 0.000000 682.049453 0.000000 0.000000 552.554261 238.769549 0.000000 0.000000 0.000000 1.0 0.0
S_rect_01: 1408.0 376.0
P_rect_01: 552.554261 0.000000 682.049453 -328.318735 0.000000 552.554261 238.769549 0.0 0.000000 0.000000 1.0 0.0
"""
EXPECTED = Camera(fx=552.554261, fy=552.554261, cx=682.049453, cy=238.769549, width=1408, height=376)


def test_a_rectified_pair_is_one_camera(tmp_path: Path) -> None:
    path = tmp_path / "perspective.txt"
    path.write_text(PERSPECTIVE)
    assert read_camera_file(path).camera == EXPECTED
    assert read_camera_file(path, "image_01").camera == EXPECTED


RAW = """S_02: 1.392000e+03 5.120000e+02
K_02: 9.597910e+02 0.000000e+00 6.960217e+02 0.000000e+00 9.569251e+02 2.241806e+02 0.0 0.0 1.000000e+00
D_02: -3.691481e-01 1.968681e-01 1.353473e-03 5.677587e-04 -6.770705e-02
S_rect_02: 1.242000e+03 3.750000e+02
P_rect_02: 7.215377e+02 0.0 6.095593e+02 4.485728e+01 0.0 7.215377e+02 1.728540e+02 2.163791e-01 0.0 0.0 1.0 2.745e-03
"""


@pytest.mark.parametrize(
    ("frames", "fx", "model"),
    [
        ((1392, 512), 959.791, "brown"),
        ((696, 256), 959.791, "brown"),
        ((1242, 375), 721.5377, "pinhole"),
        ((640, 192), 721.5377, "pinhole"),
        (None, 721.5377, "pinhole"),
    ],
)
def test_frames_of_the_shape_before_rectification_have_the_camera_before_it(
    tmp_path: Path, frames: tuple[int, int] | None, fx: float, model: str
) -> None:
    path = tmp_path / "calib_cam_to_cam.txt"
    path.write_text(RAW)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        camera = read_camera_file(path, frames=frames).camera
    assert ["before rectification" in str(each.message) for each in said] == [True] * (model == "brown")
    assert (camera.fx, camera.lens.model) == (fx, model)
    if model == "brown":
        assert camera.lens.coefficients[:5] == (-0.3691481, 0.1968681, 0.001353473, 0.0005677587, -0.06770705)
        assert (camera.width, camera.height) == (1392, 512)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("D_02: -3.691481e-01", "D_02:", "D_02 with 5 numbers; got 4"),
        ("D_02: -3.691481e-01", "D_02: nan", "not numbers"),
        ("K_02: 9.597910e+02 0.000000e+00", "K_02: 9.597910e+02 9.0", "matrix is not that of a pinhole.*K_02"),
    ],
)
def test_a_camera_before_rectification_that_is_not_valid_is_refused(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    path = tmp_path / "calib_cam_to_cam.txt"
    path.write_text(RAW.replace(old, new))
    with pytest.raises(DataError, match=words):
        read_camera_file(path, frames=(1392, 512))


def test_kittis_own_calibration_gives_the_camera_that_its_reader_gives(tmp_path: Path) -> None:
    write_kitti_raw(render_drive(DriveSpec(seed=1, frames=3, width=64, height=32)), tmp_path, image_format="png")
    (file,) = tmp_path.glob("*/calib_cam_to_cam.txt")
    assert is_kitti(file.read_text())
    assert read_camera_file(file, "image_02").camera == camera_from_calibration(file.parent, "image_02")


def test_cameras_are_named_by_their_folders() -> None:
    assert list(cameras_in_kitti(PERSPECTIVE, Path("p.txt"))) == ["image_00", "image_01"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("S_rect_00: 1408.0 376.0\n", "", "lacks an entry: p.txt; expected S_rect_00 with 2 numbers"),
        ("S_rect_00: 1408.0", "S_rect_00: 1e12", "finite numbers"),
        ("P_rect_00: 552.554261", "P_rect_00: -5", "focal length.*P_rect_00 in p.txt"),
        ("P_rect_00: 552.554261 0.000000", "P_rect_00: 552.554261 30", "not that of a pinhole.*P_rect_00"),
        ("P_rect_00: 552.554261", "P_rect_00: wide", "not numbers"),
        ("P_rect_00: 552.554261", "P_rect_00: .nan", "finite numbers"),
        ("calib_time", "x" * 300_000, "too large"),
    ],
)
def test_a_damaged_text_is_refused_naming_the_entry(old: str, new: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        cameras_in_kitti(PERSPECTIVE.replace(old, new), Path("p.txt"))["image_00"]()
