"""Files that are complete or absent, and errors of the file system as sentences."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selfdepth.errors import OutputError
from selfdepth.streams import is_stream, streamed


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to `path` when the block succeeds and deleted when it fails.

    A reader never sees half a file, and after a full disk or a signal the older file is still there. The temporary file
    lies in the same folder, because a rename is atomic only within one file system.

    A link is written through: what it leads to is replaced. What is no regular file, such as a pipe or a device, is
    written to and never replaced.

    Raises:
        OutputError: if the folder cannot be written to, or the disk is full.
    """
    if is_stream(path):
        with writing_to(path), streamed(path) as temporary:
            yield temporary
        return
    path = target_of(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with writing_to(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):  # the folder may not exist; the first error is the one to report
            temporary.unlink(missing_ok=True)


def target_of(path: Path) -> Path:
    """The file that a path leads to, whether it exists or not; the path itself if it is no link.

    Raises:
        OutputError: for links that lead in a circle.
    """
    try:
        return path.resolve() if path.is_symlink() else path
    except (OSError, RuntimeError) as error:
        raise OutputError("cannot write", where=path, got="links in a circle", fix="name another file") from error


def require_writable_file(path: Path, *, option: str) -> None:
    """As `require_writable`, for a file that will be written with `whole_file`: asks for its folder.

    Raises:
        OutputError: as there, or if the path is a folder.
    """
    fix = f"name another file with {option}"
    if path.is_dir():
        raise OutputError("cannot write", where=path, expected="a file", got="a folder", fix=fix)
    if not is_stream(path):
        require_writable(target_of(path).parent, option=option)
    elif not os.access(path, os.W_OK):
        raise OutputError("cannot write", where=path, got="no permission", fix=fix)


def require_writable(folder: Path, *, option: str) -> None:
    """Try to write to a folder, so that a run fails before hours of work and not after them. Leaves no trace.

    Args:
        folder: an existing folder or a new one.
        option: the command-line option that names the folder.

    Raises:
        OutputError: if the folder or one above it is a file, or the folder can neither be created nor written to.
    """
    fix = f"name another place with {option}"
    for place in (folder, *folder.parents):
        if place.exists() and not place.is_dir():
            what = "the output folder is a file" if place == folder else "the output folder would be in a file"
            raise OutputError(what, where=folder, got=f"{place} is a file", fix=fix)
    created = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError("cannot write", where=folder, got=error.strerror or str(error), fix=fix) from error
    finally:
        for place in created:
            with contextlib.suppress(OSError):
                place.rmdir()


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Turn an error of the file system into one sentence that names `path`.

    Raises:
        OutputError: for any OSError in the block.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(
            "cannot write",
            where=path,
            got=error.strerror or str(error),
            fix="check permissions and free space, or write elsewhere",
        ) from error
