"""One run at a time in a folder."""

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
except ImportError:  # Windows has no such locks: there, two runs in one folder are not noticed
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = ".lock"

_HALF_WRITTEN = re.compile(
    r"\.store\.\d+\.(partial|old)|\.step_\d+\.partial"
    r"|\.(config\.json|model\.safetensors|metrics\.jsonl|step_\d+\.png)\.\d+\.part"
)
"""Names of a run's own files while they are being written, and of none that a user would choose."""


@contextmanager
def sole_run(folder: Path) -> Iterator[None]:
    """Hold a run folder for this process; the system lets go of it if the process is killed.

    A folder that was made for this and is still empty at the end is removed.

    Raises:
        OutputError: when another process trains there, or the folder cannot be written.
    """
    require_writable(folder, option="--out")
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    path = folder / LOCK_FILE
    with writing_to(path):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        _lock(descriptor, folder)
        try:
            _tidy(folder)
            yield
        finally:
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)
        for place in made:
            with contextlib.suppress(OSError):  # it holds a run now
                place.rmdir()


def _tidy(folder: Path) -> None:
    """Remove what a killed process was about to write; nobody else is writing now."""
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
        return  # a file system without locks
