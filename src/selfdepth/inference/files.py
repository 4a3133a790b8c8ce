"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selfdepth.errors import OutputError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well, and disappears when not.

    Raises:
        OutputError: when the folder cannot be written to or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with writing_to(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):  # where nothing could be written, nothing is left to remove
            temporary.unlink(missing_ok=True)


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Turn what the operating system says about a place into one sentence.

    Raises:
        OutputError: for any OSError within the block.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(
            "cannot write",
            where=path,
            got=error.strerror or str(error),
            fix="check the place's permissions and free space, or write elsewhere",
        ) from error
