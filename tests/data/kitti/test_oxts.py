"""Poses from the positions of KITTI raw."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from selfdepth.data.kitti.oxts import camera_poses, imu_poses, read_timestamps
from selfdepth.errors import DataError
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw

DRIVE = "2011_09_26/2011_09_26_drive_0001_sync"


@pytest.fixture(scope="module")
def drive() -> SyntheticDrive:
    return render_drive(DriveSpec(seed=1, frames=12, width=64, height=32, stops=False))


@pytest.fixture
def root(drive: SyntheticDrive, tmp_path: Path) -> Path:
    write_kitti_raw(drive, tmp_path, scan_every=0)
    return tmp_path


def test_the_cameras_poses_are_those_that_were_driven(root: Path, drive: SyntheticDrive) -> None:
    found = camera_poses(root, f"{DRIVE}/image_02", tuple(range(12)))
    assert found is not None
    np.testing.assert_allclose(found.T_world_camera, drive.T_world_camera, atol=1e-4)
    np.testing.assert_allclose(found.timestamps, drive.timestamps, atol=1e-6)


def test_the_world_is_the_camera_at_the_first_requested_frame(root: Path, drive: SyntheticDrive) -> None:
    found = camera_poses(root, f"{DRIVE}/image_02", (3, 5, 9))
    assert found is not None
    expected = np.linalg.inv(drive.T_world_camera[3]) @ drive.T_world_camera[[3, 5, 9]]
    np.testing.assert_allclose(found.T_world_camera, expected, atol=1e-4)
    np.testing.assert_allclose(found.timestamps, [0.3, 0.5, 0.9])


def test_one_arc_second_to_the_north_is_31_metres() -> None:
    poses = imu_poses(np.array([[49, 8.4, 110, 0, 0, 0], [49 + 1 / 3600, 8.4, 110, 0, 0, 0]]))
    np.testing.assert_allclose(poses[1, :3, 3] - poses[0, :3, 3], [0, np.radians(1 / 3600) * 6378137, 0], rtol=1e-4)


def test_yaw_is_counted_from_east_to_north_and_pitch_lowers_the_nose() -> None:
    (north,) = imu_poses(np.array([[49, 8.4, 110, 0, 0, np.pi / 2]]))
    np.testing.assert_allclose(north[:3, :3] @ [1, 0, 0], [0, 1, 0], atol=1e-12)
    (down,) = imu_poses(np.array([[49, 8.4, 110, 0, 0.1, 0]]))
    assert (down[:3, :3] @ [1, 0, 0])[2] == pytest.approx(-np.sin(0.1))


def test_a_real_drive_is_driven_forward_at_its_speed(shared: Path) -> None:
    root, drive = shared / "kitti-mini/kitti_raw", "2011_09_26/2011_09_26_drive_0002_sync"
    numbers = tuple(sorted(int(path.stem) for path in (root / drive / "oxts/data").glob("*.txt")))
    found = camera_poses(root, f"{drive}/image_02", numbers)
    assert found is not None
    forward_mps = [float((root / drive / f"oxts/data/{n:010d}.txt").read_text().split()[8]) for n in numbers]
    steps = np.linalg.inv(found.T_world_camera[:-1]) @ found.T_world_camera[1:]
    speed_mps = steps[:, 2, 3] / np.diff(found.timestamps)
    np.testing.assert_allclose(speed_mps.mean(), np.mean(forward_mps), rtol=0.05)
    assert np.abs(steps[:, :2, 3]).max() < 0.3 * steps[:, 2, 3].max()


def test_a_drive_without_positions_has_none_and_missing_times_are_the_numbers(root: Path) -> None:
    (root / DRIVE / "image_02/timestamps.txt").unlink()
    found = camera_poses(root, f"{DRIVE}/image_02", (2, 4))
    assert found is not None and found.timestamps.tolist() == [2, 4]
    shutil.rmtree(root / DRIVE / "oxts")
    assert camera_poses(root, f"{DRIVE}/image_02", (2, 4)) is None


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        (f"{DRIVE}/oxts/data/0000000001.txt", "1 2 3", "got 3 numbers"),
        (f"{DRIVE}/oxts/data/0000000001.txt", "1 2 3 4 5 nan", "cannot be used"),
        (f"{DRIVE}/oxts/data/0000000001.txt", "north", "cannot be read"),
        (f"{DRIVE}/oxts/data/0000000001.txt", None, "cannot be read"),
        (f"{DRIVE}/image_02/timestamps.txt", "2011-09-26 13:02:25.5\n", "the timestamps cannot be read"),
        (f"{DRIVE}/image_02/timestamps.txt", "noon\nnoon\n", "the timestamps cannot be read"),
        (f"{DRIVE}/image_02/timestamps.txt", "2011-09-26T13:02:25Z\n2011-09-26T13:02:26\n", "cannot be read.*naive"),
        (f"{DRIVE}/image_02/timestamps.txt", "2011-09-26 13:02\n2011-09-26 13:03+02:00\n", "cannot be read.*naive"),
        ("2011_09_26/calib_imu_to_velo.txt", "R: 1\n", "R: 9 numbers"),
    ],
)
def test_a_broken_file_is_refused_by_name(root: Path, file: str, text: str | None, sentence: str) -> None:
    (root / file).unlink()
    if text is not None:
        (root / file).write_text(text)
    with pytest.raises(DataError, match=sentence) as refusal:
        camera_poses(root, f"{DRIVE}/image_02", (0, 1))
    assert file in str(refusal.value)


def test_endless_files_are_refused_before_they_are_parsed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    position = root / DRIVE / "oxts/data/0000000001.txt"
    position.write_text("1 " * 200_000)
    with pytest.raises(DataError, match=r"0000000001\.txt; expected at most 256 kilobytes; got 400"):
        camera_poses(root, f"{DRIVE}/image_02", (0, 1))
    monkeypatch.setenv("SELFDEPTH_LIMITS", "trajectory_lines=3")
    with pytest.raises(DataError, match=r"too many lines: .*timestamps\.txt; expected at most 3 lines"):
        read_timestamps(root / DRIVE / "image_02/timestamps.txt", (0, 1))


def test_times_that_all_have_a_time_zone_are_read(tmp_path: Path) -> None:
    (tmp_path / "timestamps.txt").write_text("2011-09-26T13:02:25Z\n2011-09-26T15:02:27+02:00\n")
    assert read_timestamps(tmp_path / "timestamps.txt", (0, 1)).tolist() == [0, 2]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\xff\xfe", "got text in UTF-16"),
        (b"49 8 100 0 0 \xff", "no UTF-8"),
        (b"49 8 100 0 0", "expected 30 numbers; got 5 numbers"),
        (b"49 8 100 0 0 nan", "position cannot be used"),
        (b"90 8 100 0 0 0", "a latitude from -89 to 89 degrees; got 90"),
        (b"49 500 100 0 0 0", "a longitude from -180 to 180 degrees; got 500"),
        (b"49 8 100 0 0 x", "expected KITTI's 30 numbers; got could not convert"),
    ],
)
def test_a_position_that_cannot_be_is_one_sentence(root: Path, content: bytes, sentence: str) -> None:
    (root / DRIVE / "oxts/data/0000000001.txt").write_bytes(content)
    with pytest.raises(DataError, match=rf"0000000001\.txt; .*{sentence}|{sentence}"):
        camera_poses(root, f"{DRIVE}/image_02", (0, 1))


def test_positions_and_times_are_read_whatever_system_wrote_them(root: Path) -> None:
    expected = camera_poses(root, f"{DRIVE}/image_02", (0, 1))
    for path in (root / DRIVE / "oxts/data/0000000001.txt", root / DRIVE / "image_02/timestamps.txt"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    found = camera_poses(root, f"{DRIVE}/image_02", (0, 1))
    assert expected is not None and found is not None
    np.testing.assert_array_equal(found.T_world_camera, expected.T_world_camera)
    np.testing.assert_array_equal(found.timestamps, expected.timestamps)


def test_an_unreadable_list_of_times_is_one_sentence(root: Path) -> None:
    (root / DRIVE / "image_02/timestamps.txt").write_bytes(b"2011-09-26 13:02:25\xff")
    with pytest.raises(DataError, match=r"timestamps\.txt; .*no UTF-8"):
        camera_poses(root, f"{DRIVE}/image_02", (0, 1))


def test_an_altitude_beyond_all_numbers_is_one_sentence(root: Path) -> None:
    (root / DRIVE / "oxts/data/0000000001.txt").write_text("49 8 1e308 0 0 0")
    (root / DRIVE / "oxts/data/0000000000.txt").write_text("49 8 -1e308 0 0 0")
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(DataError, match="not finite"):
        camera_poses(root, f"{DRIVE}/image_02", (0, 1))
