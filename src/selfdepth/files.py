"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
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


def require_writable(folder: Path, *, option: str) -> None:
    """Try to write to a folder before long work begins; whatever is made for that is removed again.

    Args:
        option: of the command line, which names the folder.

    Raises:
        OutputError: when the folder is a file, or can neither be made nor be written to.
    """
    fix = f"name another place with {option}"
    for place in (folder, *folder.parents):
        if place.exists() and not place.is_dir():
            what = "the output folder is a file" if place == folder else "the output folder would be in a file"
            raise OutputError(what, where=folder, got=f"{place} is a file", fix=fix)
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError("cannot write", where=folder, got=error.strerror or str(error), fix=fix) from error
    finally:
        for place in made:
            with contextlib.suppress(OSError):
                place.rmdir()


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
