"""Files and folders that are complete or absent, also after a power cut; and errors of the file system as sentences.

What is written gets a temporary name, is synchronised with the disk, and only then gets its own name: a rename may
reach the disk before the bytes that it names. The folder is synchronised after the rename, so that what is deleted next
is not deleted before its successor has its name.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selfdepth.errors import DiskFullError, OutputError
from selfdepth.streams import is_stream, streamed

_NOT_SYNCHRONISED = (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES, errno.EPERM)
"""What fsync or opening a folder says on file systems that cannot synchronise it. There is nothing more to be done."""
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@contextmanager
def whole_file(path: Path, *, needs_bytes: int | None = None) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to `path` when the block succeeds and deleted when it fails.

    A reader never sees half a file, and after a full disk, a signal or a power cut the file is the older or the newer.
    The temporary file lies in the same folder, because a rename is atomic only within one file system.

    Args:
        needs_bytes: as in `writing_to`.

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
        with writing_to(path, needs_bytes=needs_bytes):
            make_folder(path.parent)
            yield temporary
            sync_file(temporary)
            rename(temporary, path)
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


def put_in_place(partial: Path, folder: Path) -> None:
    """Give a complete folder its name. What had the name before is deleted, once its successor has it.

    After a kill or a power cut the folder is the older or the newer, once `recover` has been called.

    Args:
        partial: the new folder, `.NAME.partial` or `.NAME.PROCESS.partial` beside the other.
        folder: its name from now on.

    Raises:
        OSError: if the file system refuses; the older folder then keeps its name.
    """
    for place, _, names in os.walk(partial):
        for name in names:
            sync_file(Path(place, name))
        sync_folder(Path(place))
    if not folder.exists():
        rename(partial, folder)
        return
    if _exchange(partial, folder):
        old = partial
    else:
        old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
        rename(folder, old)
        try:
            rename(partial, folder)
        except BaseException:
            rename(old, folder)
            raise
    sync_folder(folder.parent)
    remove_tree(old)


def recover(folder: Path) -> None:
    """Clear away what killed processes left of attempts to write or replace a folder, and bring back an older one that
    was left without its name. Safe only while nobody else can be writing it."""
    left = re.compile(rf"\.{re.escape(folder.name)}(\.\d+)?\.(old|partial)")
    with contextlib.suppress(OSError):  # a folder that cannot be read holds nothing that could be recovered
        for path in sorted(folder.parent.iterdir()):
            found = left.fullmatch(path.name)
            if found and found[2] == "old" and not folder.exists():
                rename(path, folder)
            elif found:
                remove_tree(path)


def rename(old: Path, new: Path) -> None:
    """Give a file or folder another name in its folder, and wait until the disk knows it.

    Raises:
        OSError: if the file system refuses.
    """
    os.replace(old, new)  # noqa: PTH105  the tests cut the power around it
    sync_folder(new.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, as far as they are missing, and wait until the disk knows them.

    Raises:
        OSError: if the file system refuses.
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for place in reversed(missing):
        sync_folder(place.parent)


def remove_tree(path: Path) -> None:
    """Delete a folder, as far as that is possible. Of a link only the link is deleted; a file likewise."""
    if path.is_symlink() or path.is_file():
        with contextlib.suppress(OSError):
            path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def sync_file(path: Path) -> None:
    """Wait until the bytes of a file are on the disk."""
    _sync(path, os.O_RDONLY)


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk. Windows cannot, and does so by itself."""
    if sys.platform != "win32":
        _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits.

    Raises:
        OSError: if it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def require_writable(folder: Path, *, option: str) -> None:
    """Try to write to a folder, so that a run fails before hours of work and not after them. Leaves no trace.

    Args:
        folder: an existing folder or a new one.
        option: the command-line option that names the folder.

    Raises:
        OutputError: if the folder or one above it is a file, or the folder can neither be created nor written to.
    """
    fix = f"name another place with {option}"
    created: list[Path] = []
    try:
        for place in (folder, *folder.parents):
            if place.exists() and not place.is_dir():
                what = "the output folder is a file" if place == folder else "the output folder would be in a file"
                raise OutputError(what, where=folder, got=f"{place} is a file", fix=fix)
        created = [place for place in (folder, *folder.parents) if not place.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise OutputError("cannot write", where=folder, got=_words_of(error), fix=fix) from error
    finally:
        for place in created:
            with contextlib.suppress(OSError, ValueError):
                place.rmdir()


@contextmanager
def writing_to(path: Path, *, needs_bytes: int | None = None) -> Iterator[None]:
    """Turn an error of the file system into one sentence that names `path`.

    Args:
        needs_bytes: about how much is written, for the sentence about a full disk.

    Raises:
        DiskFullError: if the disk, or the user's share of it, is full.
        OutputError: for any other OSError in the block.
    """
    try:
        yield
    except OSError as error:
        kind = DiskFullError if error.errno in (errno.ENOSPC, errno.EDQUOT) else OutputError
        raise kind(
            "cannot write",
            where=path,
            expected=None if needs_bytes is None else f"{needs_bytes / 1e6:.1f} MB of space",
            got=_words_of(error),
            fix="check permissions and free space, or write elsewhere",
        ) from error


def _words_of(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _sync(path: Path, flags: int) -> None:
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno in _NOT_SYNCHRONISED:
            return
        raise
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_SYNCHRONISED:
            raise
    finally:
        os.close(descriptor)


def _exchange(a: Path, b: Path) -> bool:
    """Let two names change places in one step, so that neither is ever missing. False where that does not exist: on
    other systems than Linux, and on some network file systems."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    return renameat2 is not None and not renameat2(
        _AT_FDCWD, os.fsencode(a), _AT_FDCWD, os.fsencode(b), _RENAME_EXCHANGE
    )
