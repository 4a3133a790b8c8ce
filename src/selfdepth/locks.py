"""Locks between processes: one at a time writes a run folder or a store."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from selfdepth.files import writing_to

try:
    import fcntl
except ImportError:  # Windows has no fcntl: two processes go unnoticed there
    fcntl = None  # type: ignore[assignment]


@contextmanager
def held(path: Path, *, on_busy: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of this name within the block. The file is made for it, and removed at the end.

    The lock belongs to the open file, so the operating system releases it even if the process is killed; a file with a
    process number would stay and block everybody.

    Args:
        path: the file; its folder exists.
        on_busy: called if another process holds the lock. It may raise an error; if it returns, the lock is waited for.

    Raises:
        OutputError: if the file cannot be made.
    """
    with writing_to(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        while not _is_locked(descriptor, path, on_busy):
            os.close(descriptor)
            with writing_to(path):
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            yield
        finally:
            # Removed while it is held: see _is_locked. Only our own: somebody may have emptied the folder, and
            # another process may have begun in it.
            if _is_named(descriptor, path):
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int, path: Path, on_busy: Callable[[], None]) -> bool:
    """Lock an open file. False if its name has gone to another file in the meantime.

    Whoever held the lock has removed the file. Its lock means nothing any more: a newcomer makes and locks a new file.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # Outside of any handler of OSError: what on_busy prints may fail, and that is no word on locks.
        on_busy()
        if not _waited_for(descriptor):
            return True
    except OSError:
        return True  # some network file systems have no locks; work without a lock is better than none
    return _is_named(descriptor, path)


def _waited_for(descriptor: int) -> bool:
    """Wait for the lock. False if the file system turns out to have none."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:
        return False
    return True


def _is_named(descriptor: int, path: Path) -> bool:
    """Whether an open file still is the one of this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False
