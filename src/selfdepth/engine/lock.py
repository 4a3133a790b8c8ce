"""A lock on a run folder: two runs in one folder would overwrite each other's checkpoints."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selfdepth.errors import OutputError
from selfdepth.files import require_writable, writing_to

try:
    import fcntl
except ImportError:  # Windows has no fcntl: two runs in one folder go unnoticed there
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = ".lock"

_HALF_WRITTEN = re.compile(
    r"\.store\.\d+\.(partial|old)|\.step_\d+\.partial"
    r"|\.(config\.json|model\.safetensors|metrics\.jsonl|teacher(-[0-9a-f]{16})?\.json|step_\d+\.png)\.\d+\.part"
)
"""Temporary names of a run's own files. Specific, because files that match are deleted, and a user's must not be."""


@contextmanager
def sole_run(folder: Path) -> Iterator[None]:
    """Lock a run folder for this process, and delete what a killed run left half-written in it.

    The lock belongs to the open file, so the operating system releases it even if the process is killed; a file with a
    process number would stay and block every resume. Folders that were created here and are empty at the end are
    removed.

    Raises:
        OutputError: if another process trains there, or the folder cannot be written.
    """
    require_writable(folder, option="--out")
    created = [place for place in (folder, *folder.parents) if not place.exists()]
    path = folder / LOCK_FILE
    with writing_to(path):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        _lock(descriptor, folder)
        try:
            _remove_half_written(folder)
            yield
        finally:
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)
        for place in created:
            with contextlib.suppress(OSError):  # not empty: it holds a run
                place.rmdir()


def _remove_half_written(folder: Path) -> None:
    """Delete files that a killed process did not finish. Safe only under the lock: nobody else is writing now."""
    for path in (*folder.glob(".*"), *folder.glob("*/.*")):
        if _HALF_WRITTEN.fullmatch(path.name):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _lock(descriptor: int, folder: Path) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OutputError(
            "another process is training in this folder",
            where=folder,
            fix="wait for it, stop it, or name another folder with --out",
        ) from error
    except OSError:
        return  # some network file systems have no locks; a run without a lock is better than none
