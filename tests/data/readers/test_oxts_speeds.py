"""The speed of KITTI's drives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from selfdepth.data.readers.oxts_speeds import oxts_folder, read_oxts
from selfdepth.errors import DataError


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    """Four measurements at 3 m/s ahead and 4 m/s to the left: 5 m/s, then twice as fast, ..."""
    data = tmp_path / "drive_sync" / "oxts" / "data"
    data.mkdir(parents=True)
    for i in range(4):
        values = [49.0, 8.4, 112.0, 0, 0, 0, 99, 99, 3.0 * (i + 1), 4.0 * (i + 1), 99, *[0] * 19]
        (data / f"{i:010d}.txt").write_text(" ".join(map(str, values)))
    times = [f"2011-09-26 13:04:{32 + i / 10:012.9f}" for i in range(4)]
    (data.parent / "timestamps.txt").write_text("\n".join(times) + "\n")
    return tmp_path / "drive_sync"


def test_the_speed_is_that_ahead_and_to_the_side_together(drive: Path) -> None:
    log = read_oxts(drive / "oxts")
    np.testing.assert_allclose(log.speeds_m_s, [5, 10, 15, 20])
    np.testing.assert_allclose(log.times_s, [0, 0.1, 0.2, 0.3], atol=1e-9)
    assert (log.clock, log.source) == ("relative", "drive_sync/oxts")


@pytest.mark.parametrize("part", ["", "oxts", "oxts/data", "image_02"])
def test_the_folder_is_found_from_the_parts_of_a_drive(drive: Path, part: str) -> None:
    assert oxts_folder(drive / part) == drive / "oxts"


def test_another_folder_has_none(tmp_path: Path, drive: Path) -> None:
    assert oxts_folder(tmp_path) is None
    assert oxts_folder(drive / "velodyne_points") is None


def test_a_frame_without_a_measurement_is_left_to_interpolation(drive: Path) -> None:
    (drive / "oxts/data/0000000001.txt").unlink()
    log = read_oxts(drive / "oxts")
    np.testing.assert_allclose(log.times_s, [0, 0.2, 0.3], atol=1e-9)
    np.testing.assert_allclose(log.speeds_at(np.array([0.1]))[0], 10)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("data/0000000001.txt", "", ["0000000001.txt", "30 numbers"]),
        ("data/0000000001.txt", "x " * 30, ["0000000001.txt", "30 numbers"]),
        ("data/0000000001.txt", "nan " * 30, ["measurement 1", "finite"]),
        ("timestamps.txt", "2011-09-26 13:04:32.0\n", ["timestamps.txt", "4", "got 1"]),
        ("timestamps.txt", "x\n" * 4, ["timestamps.txt, line 1", "2011-09-26 13:02:25"]),
        ("timestamps.txt", "2011-09-26 13:04:32.000000000\n" * 4, ["measurement 1", "increase"]),
    ],
)
def test_files_that_cannot_be_used_are_refused_by_name(drive: Path, name: str, text: str, words: list[str]) -> None:
    (drive / "oxts" / name).write_text(text)
    with pytest.raises(DataError) as caught:
        read_oxts(drive / "oxts")
    assert [word for word in words if word not in str(caught.value)] == []


def test_missing_times_are_refused_by_name(drive: Path) -> None:
    (drive / "oxts/timestamps.txt").unlink()
    with pytest.raises(DataError, match=r"timestamps\.txt"):
        read_oxts(drive / "oxts")
