"""A lock on a run folder: two runs in one folder would overwrite each other's checkpoints."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selfdepth.errors import OutputError
from selfdepth.files import make_folder, recover, require_writable, writing_to
from selfdepth.locks import held

LOCK_FILE = ".lock"

_FOLDER_LEFT = re.compile(r"\.(store|step_\d+)(\.\d+)?\.(partial|old)")
_FILE_LEFT = re.compile(
    r"\.(config\.json|model\.safetensors|metrics\.jsonl|history\.jsonl|teacher(-[0-9a-f]{16})?\.json|step_\d+\.png)"
    r"\.\d+\.part"
)
"""Temporary names of a run's own files. Specific, because files that match are deleted, and a user's must not be."""


@contextmanager
def sole_run(folder: Path) -> Iterator[None]:
    """Lock a run folder for this process, and clear away what a killed run left half-written in it.

    Folders that were created here and are empty at the end are removed.

    Raises:
        OutputError: if another process trains there, or the folder cannot be written.
    """
    require_writable(folder, option="--out")
    created = [place for place in (folder, *folder.parents) if not place.exists()]

    def refuse() -> None:
        raise OutputError(
            "another process is training in this folder",
            where=folder,
            fix="wait for it, stop it, or name another folder with --out",
        )

    try:
        with writing_to(folder):
            make_folder(folder)
        with held(folder / LOCK_FILE, on_busy=refuse):
            _recover(folder)
            yield
    finally:
        for place in created:
            with contextlib.suppress(OSError):  # not empty: it holds a run
                place.rmdir()


def _recover(folder: Path) -> None:
    """Undo or delete what a killed process did not finish. Safe only under the lock: nobody else is writing now."""
    for path in (*folder.glob(".*"), *folder.glob("*/.*")):
        left = _FOLDER_LEFT.fullmatch(path.name)
        if left:
            recover(path.with_name(left[1]))
        elif _FILE_LEFT.fullmatch(path.name):
            path.unlink(missing_ok=True)
