"""Where KITTI's archives are, what they hold, and whose they are: the only file that knows."""

from __future__ import annotations

import re

from selfdepth.data.kitti.calibration import CAMERAS
from selfdepth.download import DownloadSite
from selfdepth.errors import DataError

SITE = DownloadSite(
    base="https://s3.eu-central-1.amazonaws.com/avg-kitti/raw_data",
    variable="",
    what="KITTI's archive",
    wrong="what came is not KITTI's archive",
    kind=DataError,
    option="--url",
)
"""The folder that the script `raw_data_downloader` of KITTI's own site downloads from (cvlibs.net/datasets/kitti, "Raw
Data"). A copy must have the same folders and names below it."""

LICENCE = (
    "KITTI is (c) Andreas Geiger, Philip Lenz, Christoph Stiller, Raquel Urtasun, licensed under CC BY-NC-SA 3.0: no "
    "commercial use, name the authors, share changes alike; its site asks users to register first "
    "(https://www.cvlibs.net/datasets/kitti). To cite: Vision meets Robotics: The KITTI Dataset, IJRR 2013"
)
"""As KITTI's site states it; said before anything is fetched."""

SCAN_MEGABYTES = 2
"""Of a LiDAR scan, about."""

_DRIVE = re.compile(r"(\d{4}_\d{2}_\d{2})/(\1_drive_\d{4})_sync")
_IMAGE = re.compile(rf"({'|'.join(CAMERAS.values())})/data/(\d{{10}})\.(?:png|jpg)")
_SMALL = re.compile(r"image_0[23]/timestamps\.txt|oxts/(?:timestamps\.txt|dataformat\.txt|data/\d{10}\.txt)")


def archive_of_drive(drive: str) -> str:
    """The address, below the site's, of the archive of DATE/DATE_drive_NNNN_sync.

    Raises:
        DataError: for a name that no archive of KITTI has.
    """
    match = _DRIVE.fullmatch(drive)
    if match is None:
        raise DataError(
            "the split lists a drive that KITTI has no archive of",
            where=drive,
            expected="DATE/DATE_drive_NNNN_sync, as in 2011_09_26/2011_09_26_drive_0005_sync",
            fix="take the frames of that drive out of the split, or unpack them yourself and use: selfdepth prepare",
        )
    return f"{match[2]}/{match[2]}_sync.zip"


def archive_of_calibration(date: str) -> str:
    """The address, below the site's, of the archive with the calibration of a date."""
    return f"{date}_calib.zip"


def image_in(member: str) -> tuple[str, int] | None:
    """Camera folder and frame number of an image of a colour camera, by its path in its drive; None for others."""
    match = _IMAGE.fullmatch(member)
    return None if match is None else (match[1], int(match[2]))


def is_small(member: str) -> bool:
    """Whether a file, by its path in its drive, is of the times or of the GPS/IMU, which are always kept."""
    return _SMALL.fullmatch(member) is not None


def scan_of(number: int) -> str:
    """The path, in its drive, of the LiDAR scan of a frame."""
    return f"velodyne_points/data/{number:010d}.bin"
