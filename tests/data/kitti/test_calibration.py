"""KITTI's calibration of a date: cameras, the translation of the stereo pair, and the projection of LiDAR points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from selfdepth.data.kitti.calibration import (
    camera_from_calibration,
    matrix_entry,
    projection_from_velodyne,
    read_calibration,
    stereo_translation_m,
    translation_between_m,
)
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera

CALIBRATION = """calib_time: 09-Jan-2012 13:57:47
R_rect_00: 1 0 0 0 1 0 0 0 1
S_rect_02: 2.4e+01 8
S_rect_03: 24 8
P_rect_02: 20 0 11 10 0 21 3 0 0 0 1 0
P_rect_03: 20 0 12 -2 0 21 3 0 0 0 1 0
"""
VELO = "calib_time: 15-Mar-2012 11:37:16\nR: 0 -1 0 0 0 -1 1 0 0\nT: 0 0 -0.5\n"


@pytest.fixture
def date(tmp_path: Path) -> Path:
    (tmp_path / "calib_cam_to_cam.txt").write_text(CALIBRATION)
    (tmp_path / "calib_velo_to_cam.txt").write_text(VELO)
    return tmp_path


def test_each_camera_has_the_numbers_of_its_own_keys(date: Path) -> None:
    left, right = (camera_from_calibration(date, image) for image in ("image_02", "image_03"))
    assert left == Camera(fx=20.0, fy=21.0, cx=11.0, cy=3.0, width=24, height=8)
    assert right == Camera(fx=20.0, fy=21.0, cx=12.0, cy=3.0, width=24, height=8)
    (date / "calib_cam_to_cam.txt").write_text(CALIBRATION.replace("_02", "_00"))
    assert camera_from_calibration(date, "image_00") == left


def test_a_calibration_holds_numbers_by_key(date: Path) -> None:
    calibration = read_calibration(date / "calib_velo_to_cam.txt")
    assert set(calibration) == {"R", "T"}
    np.testing.assert_array_equal(calibration["T"], [0, 0, -0.5])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("P_rect_02", "P_02", r"calib_cam_to_cam\.txt; expected P_rect_02: 12 numbers; got no P_rect_02"),
        ("S_rect_02", "S_02", r"calib_cam_to_cam\.txt; expected S_rect_02: 2 numbers; got no S_rect_02"),
        ("0 0 1 0\nP_rect_03", "0 0\nP_rect_03", "P_rect_02: 12 numbers; got 10 numbers"),
        ("20 0 11", "nan 0 11", "P_rect_02"),
        ("20 0 11", "-20 0 11", "-20"),
    ],
)
def test_a_broken_calibration_is_refused_naming_file_and_key(date: Path, old: str, new: str, message: str) -> None:
    (date / "calib_cam_to_cam.txt").write_text(CALIBRATION.replace(old, new))
    with pytest.raises(DataError, match=message):
        camera_from_calibration(date, "image_02")


def test_the_translation_of_the_pair_undoes_the_intrinsics(date: Path) -> None:
    path = date / "calib_cam_to_cam.txt"
    K = np.array([[20, 0, 11], [0, 21, 3], [0, 0, 1]])
    moved = np.array([-0.5, 0.003, 0.002])
    place = np.array([0.06, 0.0, 0.003])
    left, right = (np.column_stack([K, K @ t]) for t in (place, place + moved))
    numbers = {"P_rect_02": left, "P_rect_03": right}
    path.write_text("".join(f"{key}: {' '.join(map(repr, P.ravel().tolist()))}\n" for key, P in numbers.items()))
    assert stereo_translation_m(date) == pytest.approx(tuple(moved))
    path.write_text(path.read_text().replace("_02", "_00").replace("_03", "_01"))
    assert stereo_translation_m(date, {"l": "image_00", "r": "image_01"}) == pytest.approx(tuple(moved))


def test_a_point_of_a_scan_falls_on_its_pixel(date: Path) -> None:
    P_image_velo, shape = projection_from_velodyne(date, "02")
    u, v, z = P_image_velo @ (8, 2, 1, 1)  # 8 m ahead, 2 m left, 1 m up of the LiDAR; 7.5 m before the camera
    assert shape == (8, 24)
    assert (u / z, v / z, z) == pytest.approx(((20 * -2 + 10) / 7.5 + 11, 21 * -1 / 7.5 + 3, 7.5))


@pytest.mark.parametrize("file", ["calib_cam_to_cam.txt", "calib_velo_to_cam.txt"])
def test_a_missing_file_is_refused_by_name(date: Path, file: str) -> None:
    (date / file).unlink()
    with pytest.raises(DataError, match=f"calibration cannot be read: .*{file}"):
        projection_from_velodyne(date, "02")


@pytest.mark.parametrize("text", ["P: " + "1 " * 200_000, "a:\x0b" * 200_000])
def test_an_endless_calibration_is_refused_before_it_is_parsed(date: Path, text: str) -> None:
    (date / "calib_velo_to_cam.txt").write_text(text)
    with pytest.raises(DataError, match=r"velo_to_cam\.txt; expected at most 256 kilobytes; .*calibration_kilobytes="):
        read_calibration(date / "calib_velo_to_cam.txt")


def test_a_file_that_is_no_text_is_refused_by_name(date: Path) -> None:
    (date / "calib_cam_to_cam.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"calibration cannot be read: .*calib_cam_to_cam\.txt"):
        camera_from_calibration(date, "image_02")


def test_a_pair_whose_cameras_differ_in_their_intrinsics_is_refused_with_both(date: Path) -> None:
    with pytest.raises(
        DataError, match=r"do not agree: .*txt; expected the same .* in P_rect_02 and P_rect_03; got .*11"
    ):
        stereo_translation_m(date)


def test_any_two_projection_matrices_of_a_file_make_a_pair(tmp_path: Path) -> None:
    path = tmp_path / "calib.txt"
    path.write_text("P2: 20 0 11 4 0 20 3 0 0 0 1 0\nP3: 20 0 11 -8 0 20 3 0 0 0 1 0\n")
    assert translation_between_m(path, left="P2", right="P3") == pytest.approx((-0.6, 0, 0))
    assert translation_between_m(path, left="P3", right="P2") == pytest.approx((0.6, 0, 0))


def test_an_entry_is_reshaped_and_must_have_the_size(tmp_path: Path) -> None:
    entries = {"R": np.arange(9.0)}
    assert matrix_entry(entries, tmp_path, "R", (3, 3))[1].tolist() == [3, 4, 5]
    with pytest.raises(DataError, match="expected R: 12 numbers; got 9 numbers"):
        matrix_entry(entries, tmp_path, "R", (3, 4))


@pytest.mark.parametrize(
    ("file", "old", "new", "sentence"),
    [
        ("calib_velo_to_cam.txt", "R: 0 -1 0 0 0 -1 1 0 0", "R: 0 0 0 0 0 0 0 0 0", "R: a rotation"),
        ("calib_velo_to_cam.txt", "R: 0 -1 0", "R: 0 1 0", "R: a rotation"),
        ("calib_velo_to_cam.txt", "R: 0 -1 0", "R: 0 -1e200 0", "R: a rotation"),
        ("calib_velo_to_cam.txt", "T: 0 0 -0.5", "T: 0 0 inf", "T: 3 numbers"),
        ("calib_cam_to_cam.txt", "R_rect_00: 1", "R_rect_00: 2", "R_rect_00: a rotation"),
        ("calib_cam_to_cam.txt", "S_rect_02: 2.4e+01 8", "S_rect_02: 1e9 1e9", "image of S_rect_02 is too large"),
        ("calib_cam_to_cam.txt", "S_rect_02: 2.4e+01 8", "S_rect_02: 24.5 8", "width and height in pixels; got 24.5 8"),
        ("calib_cam_to_cam.txt", "S_rect_02: 2.4e+01 8", "S_rect_02: -24 8", "width and height in pixels"),
        ("calib_cam_to_cam.txt", "0 0 1 0\nP_rect_03", "0 0 0 0\nP_rect_03", "P_rect_02: fx 0 cx"),
        ("calib_cam_to_cam.txt", "20 0 11 10", "1e-300 0 11 10", "P_rect_02: fx 0 cx"),
        ("calib_cam_to_cam.txt", "20 0 11 10", "20 0 11 1e300", "P_rect_02: fx 0 cx"),
    ],
)
def test_numbers_that_are_no_calibration_are_refused(date: Path, file: str, old: str, new: str, sentence: str) -> None:
    projection_from_velodyne(date, "02")
    text = (date / file).read_text()
    (date / file).write_text(text.replace(old, new, 1))
    assert old in text
    with pytest.raises(DataError, match=f"{file}|S_rect") as refusal:
        projection_from_velodyne(date, "02")
    assert sentence in str(refusal.value)


def test_a_calibration_is_read_whatever_system_wrote_it_and_another_encoding_refused(date: Path) -> None:
    path, expected = date / "calib_cam_to_cam.txt", camera_from_calibration(date, "image_02")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert camera_from_calibration(date, "image_02") == expected
    path.write_bytes(CALIBRATION.encode("utf-16"))
    with pytest.raises(DataError, match=r"calib_cam_to_cam.txt; .*got text in UTF-16"):
        camera_from_calibration(date, "image_02")
