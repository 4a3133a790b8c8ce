"""A lock on a run folder: two runs in one folder would overwrite each other's checkpoints."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

from selfdepth.engine.checkpoint import STATE_FILE
from selfdepth.engine.run_config import CHECKPOINTS_FOLDER
from selfdepth.errors import OutputError
from selfdepth.files import make_folder, recover, remove_tree, rename, require_writable, writing_to
from selfdepth.locks import held

LOCK_FILE = ".selfdepth.lock"
"""A name of our own: the file is deleted at the end."""
_STARTS = 3

_FILES_LEFT = {
    ".": r"\.(config\.json|metrics\.jsonl|history\.jsonl|teacher\.json)\.\d+\.part",
    "best": r"\.(config\.json|model\.safetensors)\.\d+\.part",
    "last": r"\.(config\.json|model\.safetensors)\.\d+\.part",
    "previews": r"\.step_\d+\.png\.\d+\.part",
    "skipped/step_*": r"\.(clip_\d+\.png|clips\.json)\.\d+\.part",
}
"""By place in the run folder: temporary names of a run's own files. Specific, because what matches is deleted, and a
user's or another process's must not be. The maps of a teacher are cleared away under a lock of their own."""
_CHECKPOINT_LEFT = re.compile(r"\.step_\d+(\.\d+)?\.(partial|old)")
_OLD_CHECKPOINT = re.compile(r"\.(step_\d+)\.\d+\.old")
_STORE = "store"
_STORE_LEFT = re.compile(r"\.store\.\d+\.(partial|old)")


@contextmanager
def sole_run(folder: Path) -> Iterator[None]:
    """Lock a run folder for this process. A checkpoint that a killed run left without its name gets it back.

    Nothing is deleted before it is known that the run may go on here: see `clear_leftovers`. Folders that were created
    here and are empty at the end are removed.

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
        with _held_in_new(folder, refuse):
            _bring_back_checkpoints(folder / CHECKPOINTS_FOLDER)
            yield
    finally:
        for place in created:
            with contextlib.suppress(OSError):  # not empty: it holds a run
                place.rmdir()


@contextmanager
def _held_in_new(folder: Path, refuse: Callable[[], None]) -> Iterator[None]:
    """Make the folder and hold its lock, also if somebody removes the empty folder in between, as another start does
    that finds that it may not run there."""
    with contextlib.ExitStack() as stack:
        for start in range(1, _STARTS + 1):
            with writing_to(folder):
                make_folder(folder)
            try:
                stack.enter_context(held(folder / LOCK_FILE, on_busy=refuse))
                break
            except OutputError:
                if folder.exists() or start == _STARTS:
                    raise
        yield


def clear_leftovers(folder: Path) -> None:
    """Delete what a killed run left half-written, in the places and under the names of a run and nowhere else.

    Safe only in a folder that is this run's, and under its lock: nobody else is writing these files now. A store has a
    lock of its own, and another process may be building it with --store: then it is left alone. Links are not followed.
    """
    folder = folder.resolve()  # that itself may be a link
    for place, names in _FILES_LEFT.items():
        for path in _within(folder, *Path(place).parts):
            if re.fullmatch(names, path.name):
                with contextlib.suppress(OSError):  # it takes up space, and does no harm
                    path.unlink()
    for path in _within(folder, CHECKPOINTS_FOLDER):
        if _CHECKPOINT_LEFT.fullmatch(path.name):
            remove_tree(path)
    if any(_STORE_LEFT.fullmatch(path.name) for path in _within(folder)):
        with contextlib.suppress(_Busy), held(folder / f".{_STORE}.lock", on_busy=_leave_alone):
            recover(folder / _STORE)


class _Busy(Exception):  # noqa: N818  no error: there is nothing to do
    """Another process holds the lock."""


def _leave_alone() -> None:
    raise _Busy


def _bring_back_checkpoints(folder: Path) -> None:
    """Give checkpoints their names back that were about to be replaced, where the successor did not get it."""
    for path in _within(folder):
        old = _OLD_CHECKPOINT.fullmatch(path.name)
        if old and (path / STATE_FILE).is_file() and not (folder / old[1]).exists():
            with writing_to(folder):
                rename(path, folder / old[1])


def _within(folder: Path, *names: str) -> list[Path]:
    """What the folders of these names hold, each within the one before. Links and what cannot be read hold nothing."""
    found: list[Path] = []
    with contextlib.suppress(OSError):
        found = [] if folder.is_symlink() else sorted(folder.iterdir())
    if not names:
        return found
    return [path for inner in found if fnmatch(inner.name, names[0]) for path in _within(inner, *names[1:])]
