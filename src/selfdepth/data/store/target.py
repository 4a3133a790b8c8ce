"""Where a store may be built: what is there already must be nothing, or a store."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from selfdepth.data.store.index import FRAMES_FILE, INDEX_FILE
from selfdepth.data.store.store import is_store
from selfdepth.errors import OutputError
from selfdepth.locks import held

_TEACHER_FILE = re.compile(r"teacher-[0-9a-f]{16}\.(u16|json|part|sums|lock)|\.teacher-[0-9a-f]{16}\.json\.\d+\.part")
"""Files that `data/store/teacher_maps.py` puts beside the frames. They go with the store that they belong to."""


def check_target(folder: Path, needed_bytes: int) -> None:
    """Check that a folder may become a store: that it does not exist, is empty, or is a store, which is then replaced.

    Args:
        needed_bytes: size of the frames.

    Raises:
        OutputError: if it holds other files, another process needs the store there, or the disk is too small.
        OSError: if the folder cannot be read.
    """
    if folder.exists() and not _replaceable(folder, needed_bytes):
        raise OutputError(
            "the store's folder holds other files",
            where=folder,
            expected="a folder that does not exist yet, is empty, or holds nothing but a store",
            fix="name another folder for the store",
        )
    for lock in folder.glob("teacher-*.lock"):
        with held(lock, on_busy=_refuse_to_replace(folder)):
            pass  # a killed process has left it
    existing = next(parent for parent in folder.parents if parent.exists())  # the folder itself may not exist yet
    free_bytes = shutil.disk_usage(existing).free
    if free_bytes < needed_bytes:
        raise no_space(folder, needed_bytes, got=f"{free_bytes / 1e6:.0f} MB free")


def _replaceable(folder: Path, needed_bytes: int) -> bool:
    """Whether a folder is empty, or a store and nothing else. Of a damaged one the index may be empty or gone."""
    if not folder.is_dir():
        return False
    names = {path.name for path in folder.iterdir()}
    maps = {name for name in names if _TEACHER_FILE.fullmatch(name)}
    if names - maps - {FRAMES_FILE, INDEX_FILE}:
        return False
    if not names or maps or names == {FRAMES_FILE, INDEX_FILE} or is_store(folder):
        return True
    # One of two names that others may use too. Without an index, frames of just this size are those of a store.
    return FRAMES_FILE in names and (folder / FRAMES_FILE).stat().st_size == needed_bytes


def _refuse_to_replace(folder: Path) -> Callable[[], None]:
    def refuse() -> None:
        raise OutputError(
            "the store does not fit the data, and another process is asking a teacher for its frames",
            where=folder,
            fix="wait until it has done so, or name another folder with --store",
        )

    return refuse


def no_space(where: Path, needed_bytes: int, *, got: str) -> OutputError:
    """The error for a disk that is too small for a store."""
    return OutputError(
        "there is not enough disk space for the store",
        where=where,
        expected=f"{needed_bytes / 1e6:.0f} MB",
        got=got,
        fix="make room, name a folder on another disk for the store, or choose a smaller --width",
    )


@contextmanager
def writing_store(where: Path, needed_bytes: int) -> Iterator[None]:
    """Turn errors of the file system into an OutputError that says how much space is needed."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise no_space(where, needed_bytes, got=str(error)) from error
        raise OutputError(
            "the store cannot be written",
            where=where,
            expected=f"a folder to write {needed_bytes / 1e6:.0f} MB to",
            got=error.strerror or str(error),
            fix="name another folder for the store",
        ) from error
