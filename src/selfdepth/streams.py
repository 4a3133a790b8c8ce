"""Results that go to what is no regular file: a pipe, a device, an open descriptor. Those are written to, never
replaced."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_DESCRIPTOR = re.compile(r"/dev/fd/(\d{1,6})|/proc/self/fd/(\d{1,6})")
_STANDARD = {"/dev/stdout": 1, "/dev/stderr": 2}


def is_stream(path: Path) -> bool:
    """Whether the path is, or leads to, something that exists and is neither a regular file nor a folder; or names an
    open descriptor, whatever that leads to."""
    if _descriptor(path) is not None:
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


@contextmanager
def streamed(path: Path) -> Iterator[Path]:
    """A temporary path, whose contents are copied to a stream when the block succeeds.

    Some formats are written out of order, which a pipe does not allow.

    Raises:
        OSError: if the stream cannot be written to.
    """
    with tempfile.TemporaryDirectory(prefix="selfdepth.") as folder:
        temporary = Path(folder) / (path.name or "result")
        yield temporary
        with temporary.open("rb") as source, _opened(path) as target:
            shutil.copyfileobj(source, target)


def _opened(path: Path) -> BinaryIO:
    number = _descriptor(path)
    # Opened anew, a regular file behind a descriptor would be cut: what the shell wrote there before would be gone.
    return path.open("wb") if number is None else os.fdopen(os.dup(number), "wb")


def _descriptor(path: Path) -> int | None:
    found = _DESCRIPTOR.fullmatch(str(path))
    return int(found[1] or found[2]) if found else _STANDARD.get(str(path))
