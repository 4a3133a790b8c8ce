"""The names of KITTI's archives, and of what is in them."""

from __future__ import annotations

import pytest

from selfdepth.data.fetch.official import (
    LICENCE,
    SITE,
    archive_of_calibration,
    archive_of_drive,
    image_in,
    is_small,
    scan_of,
)
from selfdepth.errors import DataError


def test_archives_have_the_addresses_that_kittis_own_script_has() -> None:
    base = "https://s3.eu-central-1.amazonaws.com/avg-kitti/raw_data"
    drive = archive_of_drive("2011_09_26/2011_09_26_drive_0005_sync")
    assert SITE.url(drive) == f"{base}/2011_09_26_drive_0005/2011_09_26_drive_0005_sync.zip"
    assert SITE.url(archive_of_calibration("2011_09_26")) == f"{base}/2011_09_26_calib.zip"


@pytest.mark.parametrize(
    "drive",
    [
        "2011_09_26/2011_09_26_drive_0005_extract",
        "2011_09_26/2011_09_28_drive_0005_sync",
        "2011_09_26/2011_09_26_drive_0005_sync/..",
        "2011_09_26/mine",
        "../etc/passwd",
    ],
)
def test_a_drive_that_is_not_kittis_has_no_archive(drive: str) -> None:
    with pytest.raises(DataError, match="KITTI has no archive of"):
        archive_of_drive(drive)


def test_the_licence_is_named() -> None:
    for piece in ("CC BY-NC-SA 3.0", "Geiger", "register", "IJRR 2013"):
        assert piece in LICENCE


def test_only_files_of_kittis_layout_are_known() -> None:
    assert image_in("image_02/data/0000000012.png") == ("image_02", 12)
    assert image_in("image_03/data/0000000012.jpg") == ("image_03", 12)
    assert is_small("oxts/data/0000000003.txt") and is_small("image_03/timestamps.txt")
    assert scan_of(3) == "velodyne_points/data/0000000003.bin"
    for name in (
        "image_00/data/0000000012.png",
        "image_02/data/12.png",
        "image_02/data/0000000012.png/x",
        "../image_02/data/0000000012.png",
        "image_02/data/0000000012.exe",
        "oxts/data/../../0000000003.txt",
        "oxts/data/0000000003.txt\n",
        "velodyne_points/timestamps.txt",
    ):
        assert image_in(name) is None and not is_small(name), name
