"""Speed logs from files: which kind a file is, by its contents, and its reader; and which log is of which sequence."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache
from pathlib import Path

from selfdepth.config.known_scale import OXTS
from selfdepth.data.readers.bag_speeds import bag_and_topic, read_bag_speeds
from selfdepth.data.readers.file_kinds import TEXT, file_kind
from selfdepth.data.readers.gpx import is_gpx, read_gpx
from selfdepth.data.readers.nmea import is_nmea, read_nmea
from selfdepth.data.readers.oxts_speeds import oxts_folder, read_oxts
from selfdepth.data.readers.speed_log import FORMATS, SpeedLog, not_a_log
from selfdepth.data.readers.speed_tables import read_table
from selfdepth.errors import ConfigError, DataError
from selfdepth.places import path_of
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
    try:
        text = read_text(path, what="the speed log cannot be read", expected=FORMATS)
    except DataError as fault:
        kind = file_kind(path) if path.is_file() else None
        if kind is None or kind is TEXT:
            raise
        raise not_a_log(path, kind.name, "export the log (or the sheet of Excel) as CSV, GPX or NMEA") from fault
    if not text.strip():
        raise not_a_log(path, "an empty file")
    if is_gpx(text):
        return read_gpx(text, path)
    return read_nmea(text, path) if is_nmea(text) else read_table(text, path)


def logs_of_sequences(
    speed: str, sequences: Collection[str], oxts_of: Callable[[str], Path | None], data: str
) -> Callable[[str], SpeedLog]:
    """The log of each sequence, by its name: one file for all, or KITTI's own of each drive.

    Args:
        speed: a file for `read_speed_log`, or OXTS.
        sequences: names of all of them.
        oxts_of: the folder oxts of a sequence; None if it has none.
        data: for errors: what the sequences are.

    Raises:
        ConfigError: for one log without dates for several sequences.
        DataError: for a log that cannot be read. The function that is returned raises it too, and a ConfigError for
            OXTS of other data than KITTI raw.
    """
    if speed == OXTS:

        @cache
        def of_drive(folder: Path) -> SpeedLog:
            return read_oxts(folder)

        def measured(name: str) -> SpeedLog:
            folder = oxts_of(name)
            if folder is None:
                raise ConfigError(
                    "oxts are the measurements of KITTI raw",
                    where="--speed oxts",
                    expected=f"DATE/DRIVE/oxts/data of {name}",
                    got=data,
                    fix="unpack them with the drive, or give the file of a speed log",
                )
            return of_drive(folder)

        return measured
    log = read_speed_log(path_of(speed, "--speed", error=DataError))
    if log.clock == "relative" and len(sequences) > 1:
        raise ConfigError(
            "the speed log cannot tell the sequences apart",
            where=f"--speed {speed}",
            expected="times since 1970, in the log and of the frames",
            got=f"{len(sequences)} sequences",
            fix="give one sequence as --data, or a log with date and time",
        )
    return lambda name: log
