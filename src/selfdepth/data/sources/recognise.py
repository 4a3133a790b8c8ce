"""Recognise the kind of data at a path, in one place for the whole program."""

from __future__ import annotations

import re
from pathlib import Path

from selfdepth.data.readers.folders import survey
from selfdepth.data.sources.bag import Bags
from selfdepth.data.sources.chunks import Chunks
from selfdepth.data.sources.folder import ImageFolders
from selfdepth.data.sources.kitti_odometry import KittiOdometry
from selfdepth.data.sources.kitti_raw import KittiRaw
from selfdepth.data.sources.make3d import Make3D
from selfdepth.data.sources.prepared import PreparedStore
from selfdepth.data.sources.rendered import RenderedDrives
from selfdepth.data.sources.source import DataSource
from selfdepth.data.sources.video import Videos
from selfdepth.data.store.chunked import is_chunks
from selfdepth.data.store.store import is_store
from selfdepth.errors import DataError

KINDS: list[type[DataSource]] = [KittiRaw, KittiOdometry, Make3D, RenderedDrives, ImageFolders, Bags, Videos]
"""The kinds of data, in the order in which they are tried: the most specific first, because a root of KITTI is a folder
of folders of images, too; and videos last, because they claim any file. A new kind of data is a file and a line here.
"""


def recognise(path: Path, stream: int | None = None, topic: str | None = None) -> DataSource:
    """The data at a path, as a source that every verb can use.

    Args:
        path: root of KITTI raw or odometry or of Make3D, rendered drive, folder of images, folder of such folders, of
            videos or of ROS bags, video file, ROS bag, or store.
        stream: number of the video stream to take; None: chosen by the reader.
        topic: name of the topic of a bag to read; None: that of its only camera.

    Raises:
        DataError: for a path that does not exist, or holds no data of a known kind.
        ConfigError: for a stream of anything but videos, or a topic of anything but bags.
    """
    return _recognised(path).at(stream=stream, topic=topic)


def _recognised(path: Path) -> DataSource:
    if re.match("(s3|gs|azure):/", str(path)):  # a path has no two slashes in a row
        what, fix = "only train reads chunks from a bucket", "give the data that they were made from"
        raise DataError(what, where=path, fix=fix)
    if not path.exists():
        if path.is_symlink():
            raise DataError("the link leads nowhere", where=path, got=f"a link to {path.readlink()}", fix="mend it")
        raise DataError("there is no such data", where=path, fix="check --data")
    if is_chunks(path):
        return Chunks(path=path, place=str(path))
    # A store is not in KINDS: it needs this function itself, to open the data that it was made from.
    if is_store(path):
        measured_kinds = frozenset(kind.kind for kind in KINDS if kind.measures_depth)
        return PreparedStore(path=path, reopen=recognise, measured_kinds=measured_kinds)
    for kind in KINDS:
        source = kind.recognise(path)
        if source is not None:
            return source
    raise DataError(
        "nothing was recognised in this folder",
        where=path,
        expected="a root of KITTI raw or odometry, images, folders of images, videos, ROS bags, or a store",
        got="; ".join((_listing(path), *survey(path).left_out)),
    )


def _listing(folder: Path) -> str:
    """The first three names in a folder, for an error message."""
    names = sorted(path.name for path in folder.iterdir())
    return f"{', '.join(names[:3])}{', ...' if len(names) > 3 else ''}" if names else "an empty folder"
