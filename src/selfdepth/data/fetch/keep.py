"""What a store does not hold and is kept beside it, in KITTI's layout: calibration, times, GPS/IMU, LiDAR scans."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from selfdepth.data.fetch.drive import DamagedArchiveError, DriveArchive
from selfdepth.data.fetch.official import is_small, scan_of
from selfdepth.data.kitti.calibration import CALIBRATION_FILES
from selfdepth.files import sync_file, sync_folder, writing_to

_NEEDED = (*CALIBRATION_FILES, "calib_imu_to_velo.txt")
"""The calibration of a date: for the cameras and the LiDAR; the last one for true poses."""


def has_calibration(root: Path, date: str) -> bool:
    """Whether the calibration of a date is there."""
    return all((root / date / name).is_file() for name in _NEEDED)


def keep_calibration(archive: DriveArchive, root: Path) -> None:
    """Unpack the calibration of a date.

    Raises:
        DamagedArchiveError: if the archive lacks a file of it.
        OutputError: if a file cannot be written.
    """
    missing = [name for name in _NEEDED if name not in archive.members]
    if missing:
        raise DamagedArchiveError(
            "the archive is not that of a calibration",
            where=archive.archive.filename,
            expected=f"{archive.folder}/{missing[0]}",
            got=f"{len(archive.archive.namelist())} other files",
            fix="give --url the address of KITTI's own archives",
        )
    _unpack(archive, _NEEDED, root)


def keep_of_drive(archive: DriveArchive, root: Path, scans: Iterable[int]) -> None:
    """Unpack times and GPS/IMU of a drive, and the scans of these frames, of which some frames have none.

    Raises as `DriveArchive.unpack`.
    """
    names = [name for name in archive.members if is_small(name)]
    names += [name for name in map(scan_of, scans) if name in archive.members]
    _unpack(archive, names, root)


def _unpack(archive: DriveArchive, names: Iterable[str], root: Path) -> None:
    """Unpack these files, and wait until they are on the disk."""
    paths = [archive.unpack(name, root) for name in sorted(names)]
    with writing_to(root):
        for path in paths:
            sync_file(path)
        for folder in sorted({path.parent for path in paths}):
            sync_folder(folder)
