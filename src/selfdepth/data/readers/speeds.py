"""Speed logs from files: which kind a file is, by its contents, and its reader."""

from __future__ import annotations

from pathlib import Path

from selfdepth.data.readers.bag_speeds import bag_and_topic, read_bag_speeds
from selfdepth.data.readers.gpx import is_gpx, read_gpx
from selfdepth.data.readers.nmea import is_nmea, read_nmea
from selfdepth.data.readers.oxts_speeds import oxts_folder, read_oxts
from selfdepth.data.readers.speed_log import FORMATS, SpeedLog, not_a_log
from selfdepth.data.readers.speed_tables import read_table
from selfdepth.errors import DataError
from selfdepth.texts import read_text


def read_speed_log(path: Path) -> SpeedLog:
    """The speed log in a file, in KITTI's folder oxts (or the drive that holds it), or in a ROS bag.

    Args:
        path: of a bag, with the topic of BAG:/TOPIC where several tell a speed.

    Raises:
        DataError: naming file and line, for any other content, bad numbers, or a package that is missing.
    """
    bag = bag_and_topic(path)
    if bag is not None:
        return read_bag_speeds(*bag)
    if path.is_dir():
        folder = oxts_folder(path)
        if folder is None:
            raise not_a_log(path, "a folder without oxts/data", "give the file of the log, or a drive of KITTI raw")
        return read_oxts(folder)
    if not path.exists():
        raise DataError("the speed log does not exist", where=path, expected=FORMATS)
    text = read_text(path, what="the speed log cannot be read", expected=FORMATS)
    if not text.strip():
        raise not_a_log(path, "an empty file")
    if is_gpx(text):
        return read_gpx(text, path)
    return read_nmea(text, path) if is_nmea(text) else read_table(text, path)
