"""What kind of data is at a path? Recognised by looking, in one place for the whole program."""

from __future__ import annotations

from pathlib import Path

from selfdepth.data.sources.folder import ImageFolders
from selfdepth.data.sources.kitti_odometry import KittiOdometry
from selfdepth.data.sources.kitti_raw import KittiRaw
from selfdepth.data.sources.make3d import Make3D
from selfdepth.data.sources.prepared import PreparedStore
from selfdepth.data.sources.rendered import RenderedDrives
from selfdepth.data.sources.source import DataSource
from selfdepth.data.sources.video import Videos
from selfdepth.errors import DataError

KINDS: list[type[DataSource]] = [KittiRaw, KittiOdometry, Make3D, RenderedDrives, ImageFolders, Videos]
"""In the order in which they are tried: the more particular first. A new kind of data is a line here, and a file."""


def recognise(path: Path) -> DataSource:
    """The data at a path, as a source that every verb can ask.

    Args:
        path: root of KITTI raw or odometry or of Make3D, rendered drive, folder of images, folder of such folders or of
            videos, video file, or store.

    Raises:
        DataError: for a path that is missing, or where nothing is recognised.
    """
    if not path.exists():
        raise DataError("there is no such data", where=path, fix="check --data")
    if PreparedStore.is_one(path):
        measured_kinds = frozenset(kind.kind for kind in KINDS if kind.measures_depth)
        return PreparedStore(path=path, reopen=recognise, measured_kinds=measured_kinds)
    for kind in KINDS:
        source = kind.recognise(path)
        if source is not None:
            return source
    raise DataError(
        "nothing was recognised in this folder",
        where=path,
        expected="a root of KITTI raw or odometry, images, folders of images, videos, or a store",
        got=_listing(path),
    )


def _listing(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    return f"{', '.join(names[:3])}{', ...' if len(names) > 3 else ''}" if names else "an empty folder"
