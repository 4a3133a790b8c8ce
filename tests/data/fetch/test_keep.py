"""Beside a store is kept what it does not hold, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.mirror import DATE, DRIVES, packed, packed_calibration
from selfdepth.data.fetch.drive import DamagedArchiveError, opened_drive
from selfdepth.data.fetch.keep import has_calibration, keep_calibration, keep_of_drive

DRIVE = DRIVES[0]


def files_below(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_the_calibration_of_a_date_is_unpacked_whole(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(packed_calibration(tree, DATE))
    root = tmp_path / "root"
    assert not has_calibration(root, DATE)
    with opened_drive(tmp_path / "a.zip", DATE) as archive:
        keep_calibration(archive, root)
    assert has_calibration(root, DATE)
    assert files_below(root) == {
        name: data for name, data in files_below(tree).items() if name.startswith(f"{DATE}/calib")
    }


def test_an_archive_of_something_else_is_damaged(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(packed(tree, DRIVE))
    with (
        opened_drive(tmp_path / "a.zip", DATE) as archive,
        pytest.raises(DamagedArchiveError, match="of a calibration"),
    ):
        keep_calibration(archive, tmp_path / "root")
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize("scans", [(), (0, 5), (5, 999)])
def test_of_a_drive_times_positions_and_some_scans_are_kept(tree: Path, tmp_path: Path, scans: tuple[int, ...]) -> None:
    (tmp_path / "a.zip").write_bytes(packed(tree, DRIVE))
    with opened_drive(tmp_path / "a.zip", DRIVE) as archive:
        keep_of_drive(archive, tmp_path / "root", scans)
    kept = files_below(tmp_path / "root")
    all_files = files_below(tree)
    assert all(all_files[name] == data for name, data in kept.items())
    assert {name for name in kept if name.endswith(".bin")} == {
        f"{DRIVE}/velodyne_points/data/{n:010d}.bin" for n in scans if n < 8
    }
    assert {name for name in kept if "image" in name} == {f"{DRIVE}/image_0{n}/timestamps.txt" for n in (2, 3)}
    assert sum("oxts/data" in name for name in kept) == 8
