"""Trajectories as text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from helpers.trajectories import drive
from selfdepth.data.readers.trajectories import read_times, read_trajectory
from selfdepth.errors import DataError
from selfdepth.structs import Trajectory

EYE = "1 0 0 0 0 1 0 0 0 0 1 0"


@pytest.fixture
def path() -> Trajectory:
    return Trajectory(T_world_camera=drive(30), timestamps=np.arange(30) / 10)


def test_a_trajectory_survives_the_trip_through_kittis_text(path: Trajectory, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(path.to_kitti())
    found = read_trajectory(tmp_path / "a.txt")
    np.testing.assert_allclose(found.T_world_camera, path.T_world_camera, atol=1e-11)
    assert found.timestamps.tolist() == list(range(30))
    timed = read_trajectory(tmp_path / "a.txt", timestamps=path.timestamps)
    assert timed.timestamps.tolist() == path.timestamps.tolist()


def test_a_trajectory_survives_the_trip_through_tums_text(path: Trajectory, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("# a comment\n\n" + path.to_tum())
    found = read_trajectory(tmp_path / "a.txt")
    np.testing.assert_allclose(found.T_world_camera, path.T_world_camera, atol=1e-11)
    np.testing.assert_allclose(found.timestamps, path.timestamps, atol=1e-6)


def test_both_texts_are_what_evo_reads(path: Trajectory, tmp_path: Path) -> None:
    file_interface = pytest.importorskip("evo.tools.file_interface", reason="evo is not installed")
    (tmp_path / "kitti.txt").write_text(path.to_kitti())
    (tmp_path / "tum.txt").write_text(path.to_tum())
    kitti = file_interface.read_kitti_poses_file(str(tmp_path / "kitti.txt"))
    tum = file_interface.read_tum_trajectory_file(str(tmp_path / "tum.txt"))
    for found in (kitti, tum):
        np.testing.assert_allclose(np.stack(found.poses_se3), path.T_world_camera, atol=1e-9)
    np.testing.assert_allclose(tum.timestamps, path.timestamps, atol=1e-6)


def test_the_first_line_is_the_identity_where_the_world_is_the_first_camera(path: Trajectory) -> None:
    turned = Trajectory(T_world_camera=drive(3, seed=5)[1:], timestamps=np.arange(2.0)).from_first()
    assert [float(word) for word in turned.to_kitti().split("\n")[0].split()] == pytest.approx(
        [float(word) for word in EYE.split()]
    )


BAD_FILES = {
    "empty": ("# nothing\n", "is empty"),
    "words": (f"{EYE}\nfive six\n", "line 2"),
    "short": (f"{EYE}\n\n1 2 3\n", "line 3"),
    "columns": ("1 2 3\n", "3 numbers a line"),
    "endless": ("1 " * 5000, "line 1; expected finite numbers, at most 100 a line"),
    "of four rows": ("1 " * 16, "got 16 numbers a line"),
    "nan": (EYE.replace("1 0", "nan 0", 1), "finite"),
    "scaled": (EYE.replace("1 0", "2 0", 1), "a rotation"),
    "mirrored": (EYE.replace("1 0", "-1 0", 1), "a rotation"),
    "quaternion": ("0 1 2 3 0 0 0 0\n", "quaternion of length 1"),
    "backwards": ("1 0 0 0 0 0 0 1\n0 0 0 0 0 0 0 1\n", "do not increase"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_is_not_a_trajectory_is_refused_by_name(name: str, tmp_path: Path) -> None:
    text, sentence = BAD_FILES[name]
    (tmp_path / "bad.txt").write_text(text)
    with pytest.raises(DataError, match=sentence) as refusal:
        read_trajectory(tmp_path / "bad.txt")
    assert "bad.txt" in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    for name in ("gone.txt", "binary.txt"):
        with pytest.raises(DataError, match=f"cannot be read: .*{name}"):
            read_trajectory(tmp_path / name)


def test_times_are_one_number_a_line(tmp_path: Path) -> None:
    (tmp_path / "times.txt").write_text("0.0e+00\n1.036224e-01\n")
    assert read_times(tmp_path / "times.txt").tolist() == [0.0, 0.1036224]
    (tmp_path / "poses.txt").write_text(EYE)
    with pytest.raises(DataError, match="not a list of times"):
        read_times(tmp_path / "poses.txt")


def test_another_number_of_timestamps_than_of_poses_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"{EYE}\n{EYE}\n")
    with pytest.raises(DataError, match=r"one pose for each frame: .*a\.txt; expected 3 lines; got 2"):
        read_trajectory(tmp_path / "a.txt", timestamps=np.arange(3.0))
    with pytest.raises(DataError, match="timestamps of the trajectory differ in number"):
        Trajectory(T_world_camera=drive(3), timestamps=np.arange(2.0))


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf0.1\n0.2\n", b"0.1\r\n0.2\r\n", b"# s\n0.1\n\n0.2"])
def test_marks_and_line_ends_of_other_systems_are_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "times.txt").write_bytes(content)
    assert read_times(tmp_path / "times.txt").tolist() == [0.1, 0.2]


def test_another_encoding_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "poses.txt").write_bytes("1 0 0 0 0 0 0 1\n".encode("utf-16"))
    with pytest.raises(DataError, match=r"poses\.txt.*UTF-16"):
        read_trajectory(tmp_path / "poses.txt")


def test_endless_lists_are_refused_before_they_are_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFDEPTH_LIMITS", "trajectory_lines=10")
    (tmp_path / "times.txt").write_text("0\n" * 11)
    with pytest.raises(DataError, match=r"too many lines: .*times\.txt; expected at most 10 lines; got 12"):
        read_times(tmp_path / "times.txt")
