"""Times of frames that a list beside them states: EuRoC's data.csv, whose rows are a time and the name of a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from selfdepth.data.readers.file_kinds import IMAGE_SUFFIXES
from selfdepth.data.readers.frame_names import FrameOrder, order_frames
from selfdepth.errors import DataError
from selfdepth.texts import read_text

TIMES_FILE = "data.csv"
"""Lies in the folder of the images, or in the one above."""


def order_with_list(files: Sequence[Path], order: FrameOrder) -> tuple[FrameOrder, tuple[str, ...]]:
    """The order of images by the times in a list beside them, where their names state none.

    Times in whole numbers may be in any unit, as in names. If the list names other files, but as many, its rows are
    those of the images in the order of their names: these were renamed.

    Returns:
        the order, which is the given one if there is no list or it cannot be used; and sentences on the list.
    """
    folder = files[0].parent if files else Path()
    path = next((each for each in (folder / TIMES_FILE, folder.parent / TIMES_FILE) if each.is_file()), None)
    if order.times_s is not None or not files or path is None:
        return order, ()
    try:
        times = _read(path)
    except DataError as error:
        return order, (f"the times in {path} are not used: {error}",)
    if not times:
        return order, ()
    found = [times[file.name] for file in files if file.name in times]
    renamed = not found and len(times) == len(files) and order.told
    if renamed:
        by_place = dict(zip(order.order, times.values(), strict=True))
        found = [by_place[i] for i in range(len(files))]
    if len(found) < len(files):
        return order, (f"the times in {path} are not used: it names {len(found)} of {len(files)} images",)
    timed = order_frames(found)
    if timed.times_s is None or (renamed and timed.order != order.order):
        return order, (f"the times in {path} are not used: they do not increase, or are no times",)
    says = f"the times are those in {path}, row by row, although it names other files, such as {next(iter(times))}"
    return timed, (says,) if renamed else ()


def _read(path: Path) -> dict[str, str]:
    """The time of each image, as it is written, by the name of its file. Other rows, such as a header, are left out."""
    times: dict[str, str] = {}
    for line in read_text(path, what="the list cannot be read").split("\n"):
        fields = [field.strip().strip('"') for field in line.replace(";", ",").split(",")]
        name = PurePosixPath(fields[1].replace("\\", "/")).name if len(fields) > 1 else ""
        if fields[0].replace(".", "", 1).isdecimal() and PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES:
            times[name] = fields[0]
    return times
