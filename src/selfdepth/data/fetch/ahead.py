"""Archives in their order, several of them downloaded ahead at a time, within a bound on the disk that they take."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from selfdepth.data.fetch.transfer import Patience, Stopped, Transfer
from selfdepth.download import DownloadSite
from selfdepth.files import writing_to

_LOOK_S = 0.2
"""Seconds between two looks at how much has come."""

_LAST_S = 1.0
"""Seconds for a thread to write what it has received, at the end."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """An archive to fetch.

    Attributes:
        name: as in `Transfer`.
        file: where to.
        n_bytes: its size; None: not known.
    """

    name: str
    file: Path
    n_bytes: int | None


class Ahead:
    """Downloads archives in threads while others are used, in their order. To be used in a `with` block.

    On the disk, or on their way to it, are at once no more archives than `most`, and together no more bytes than the
    largest of all has; an archive whose size is not known is there alone.

    Attributes:
        room_bytes: the bound on the bytes.
    """

    def __init__(
        self,
        site: DownloadSite,
        wanted: Sequence[Wanted],
        *,
        most: int,
        patience: Patience,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self.room_bytes = max((each.n_bytes or 0 for each in wanted), default=0)
        self._site, self._wanted, self._most, self._patience, self._progress = site, wanted, most, patience, progress
        self._stop, self._changed = threading.Event(), threading.Condition()
        # All of this under the lock of _changed.
        self._next = 0
        self._there: set[int] = set()  # whole, or on their way
        self._done: dict[int, BaseException | None] = {}
        self._came, self._told = 0, 0
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Ahead:
        for _ in range(min(self._most, len(self._wanted))):
            self._start(threading.Thread(target=self._work, daemon=True))
        return self

    def _start(self, thread: threading.Thread) -> None:
        # Daemons: a connection that hangs must not keep the program from ending.
        self._threads.append(thread)
        thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(_LAST_S)

    def archive(self, index: int) -> Path:
        """Wait for an archive. Raises the error of any download that has failed."""
        while True:
            with self._changed:
                came, self._told = self._came - self._told, self._came
                fault = next((each for each in self._done.values() if each is not None), None)
                is_here = index in self._done
                if fault is None and not is_here and came == 0:
                    self._changed.wait(_LOOK_S)
            if came and self._progress is not None:
                self._progress(came)
            if fault is not None:
                raise fault
            if is_here:
                return self._wanted[index].file

    def again(self, index: int) -> Path:
        """Fetch an archive once more, from its beginning, because what came is of no use."""
        self._wanted[index].file.unlink(missing_ok=True)
        with self._changed:
            del self._done[index]
        self._start(threading.Thread(target=self._fetch, args=(index,), daemon=True))
        return self.archive(index)

    def release(self, index: int) -> None:
        """Delete an archive, and let others come in its place."""
        with writing_to(self._wanted[index].file):
            self._wanted[index].file.unlink(missing_ok=True)
        with self._changed:
            self._there.discard(index)
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._stop.is_set() and self._next < len(self._wanted) and not self._has_room():
                    self._changed.wait()
                if self._stop.is_set() or self._next == len(self._wanted):
                    return
                index, self._next = self._next, self._next + 1
                self._there.add(index)
            self._fetch(index)

    def _has_room(self) -> bool:
        if not self._there:
            return True
        sizes = [self._wanted[index].n_bytes for index in (*self._there, self._next)]
        known = [size for size in sizes if size is not None]
        return len(sizes) <= self._most and len(known) == len(sizes) and sum(known) <= self.room_bytes

    def _fetch(self, index: int) -> None:
        each, fault = self._wanted[index], None
        transfer = Transfer(
            site=self._site,
            name=each.name,
            file=each.file,
            n_bytes=each.n_bytes,
            stop=self._stop,
            count=self._count,
            patience=self._patience,
        )
        try:
            transfer.run()
        except Stopped:
            return
        except BaseException as error:  # it is raised where the archive is waited for
            fault = error
        with self._changed:
            self._done[index] = fault
            self._changed.notify_all()

    def _count(self, n_bytes: int) -> None:
        with self._changed:
            self._came += n_bytes
            self._changed.notify_all()
