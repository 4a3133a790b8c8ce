"""The folder that the page writes to, and nothing else: made at the start, gone at the end, a part for each visitor."""

from __future__ import annotations

import contextlib
import re
import secrets
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from selfdepth.errors import SelfDepthError
from selfdepth.files import remove_tree, writing_to
from selfdepth.limits import limit
from selfdepth.locks import held

PREFIX = "selfdepth-app-"
_LOCK = "lock"
_OWN = re.compile(rf"{PREFIX}\w+")
IDLE_S = 3600.0
"""Seconds after which the files of a visitor go who has done nothing: not every browser says that it is closed."""


class _Busy(Exception):  # noqa: N818  not an error: the other one lives
    """Another process holds the lock of its folder."""


@contextmanager
def own_folder() -> Iterator[Path]:
    """A new folder among the system's temporary ones, which only this user may enter; removed after the block.

    What a killed process left behind is removed first: each holds a lock in its folder for as long as it lives.

    Raises:
        OutputError: if there is no place for it.
    """
    place = Path(tempfile.gettempdir())
    remove_left_behind(place)
    with writing_to(place):
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    try:
        with held(folder / _LOCK, on_busy=_busy):
            yield folder
    finally:
        remove_tree(folder)


def remove_left_behind(place: Path) -> None:
    """Remove the folders of processes that were killed."""
    with contextlib.suppress(OSError):
        for folder in sorted(place.iterdir()):
            if not _OWN.fullmatch(folder.name) or folder.is_symlink():
                continue
            # Another user's folder cannot be entered. One that is being made just now has no lock yet: it is left.
            with contextlib.suppress(OSError, SelfDepthError, _Busy):
                if (folder / _LOCK).exists():
                    with held(folder / _LOCK, on_busy=_busy):
                        remove_tree(folder)


def _busy() -> None:
    raise _Busy


@dataclass(eq=False)
class Visit:
    """What a visitor has here: a folder, and flags that end work on it.

    Attributes:
        folder: of the visitor's upload and of what was made from it.
        stop: set when the visit is over, and its folder goes.
        halt: set to end the long work of the moment.
        filmed: the upload whose film has been begun.
        seen_s: when the visitor did something last, by `time.monotonic`.
    """

    folder: Path
    stop: threading.Event = field(default_factory=threading.Event)
    halt: threading.Event = field(default_factory=threading.Event)
    filmed: object = None
    seen_s: float = field(default_factory=time.monotonic)


class Visits:
    """The visits of all who have the page open, by the name of their session. Threads may share it.

    Args:
        root: the folder for theirs.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._of: dict[str, Visit] = {}
        self._lock = threading.Lock()

    def begin(self, session: str) -> Visit:
        """A new, empty visit in place of the visitor's last one, whose work ends and whose files go.

        So do those of visitors who have been idle for an hour, and of the one idle longest if there are too many.
        """
        folder = self.root / secrets.token_hex(16)  # a name that nobody can guess: files are fetched by it
        folder.mkdir(parents=True)
        with self._lock:
            gone = [self._of.pop(session)] if session in self._of else []
            gone += [self._of.pop(name) for name in self._idle()]
            visit = self._of[session] = Visit(folder=folder)
        for each in gone:
            _end(each)
        return visit

    def find(self, session: str) -> Visit | None:
        """The visit of a session, which counts as active now; None if there is none, or not any more."""
        with self._lock:
            visit = self._of.get(session)
            if visit is not None:
                visit.seen_s = time.monotonic()
            return visit

    def end(self, session: str) -> None:
        """Remove a visit; its work ends."""
        with self._lock:
            visit = self._of.pop(session, None)
        if visit is not None:
            _end(visit)

    def end_all(self) -> None:
        """Remove all of them."""
        for session in list(self._of):
            self.end(session)

    def _idle(self) -> list[str]:
        """The sessions that have to go before another begins; the lock is held."""
        longest_idle_first = sorted(self._of, key=lambda name: self._of[name].seen_s)
        too_many = max(0, len(self._of) + 1 - limit("app_visitors"))
        oldest_s = time.monotonic() - IDLE_S
        return [
            name
            for index, name in enumerate(longest_idle_first)
            if index < too_many or self._of[name].seen_s < oldest_s
        ]


def _end(visit: Visit) -> None:
    visit.stop.set()
    remove_tree(visit.folder)
