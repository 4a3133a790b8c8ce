"""Zip archives from anybody: what a member declares is judged before anything of it is unpacked."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from selfdepth.errors import DataError, SelfDepthError
from selfdepth.limits import require_within
from selfdepth.texts import decoding

_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The methods that numpy, torch and the usual zip programs write. Others have decoders of their own, rarely tried."""
_MOST_NAMES_BYTES = 16_000_000
"""Of the names and places of all members: those of 100,000 arrays have 7 MB."""
_CHUNK = 1 << 20


@contextmanager
def open_archive(path: Path, refusal: Callable[[str], SelfDepthError]) -> Iterator[zipfile.ZipFile]:
    """An archive. Whatever is raised on damaged bytes within the block becomes one refusal.

    Args:
        refusal: makes the error, given what is wrong.
    """
    with decoding(refusal), _Bounded(path.open("rb", buffering=0)) as file, zipfile.ZipFile(file) as archive:
        file.most = None
        yield archive


class _Bounded(io.BufferedReader):
    """A file of which no more is read at once than `most` bytes: zipfile makes objects of all names of an archive, and
    reads them in one piece, before anybody can count them."""

    most: int | None = _MOST_NAMES_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        if self.most is not None and size is not None and size > self.most:
            raise zipfile.BadZipFile(f"{size / 1e6:,.0f} MB of names")
        return super().read(size)


def judge(
    members: Iterable[zipfile.ZipInfo],
    where: str | Path,
    refusal: Callable[[str], SelfDepthError],
    error: type[SelfDepthError] = DataError,
) -> None:
    """Refuse members that are encrypted, compressed in an unusual way, or larger together than the limit.

    Args:
        members: those that will be read.
        refusal: as in `open_archive`.
        error: what to raise for the size.
    """
    total = 0
    for member in members:
        if member.flag_bits & _ENCRYPTED:
            raise refusal(f"an encrypted member, {member.filename[:80]}")
        if member.compress_type not in _METHODS:
            raise refusal(f"compression {member.compress_type} in {member.filename[:80]}")
        total += member.file_size
    require_within(
        "archive_megabytes", total / 1e6, what="the archive is too large when unpacked", where=where, error=error
    )


def require_sound(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Read a member to its end in pieces and keep none, so that a damaged one is found before it fills the memory.

    Raises:
        zipfile.BadZipFile and others: if its bytes are not those that were written; `open_archive` turns them into a
            refusal.
    """
    with archive.open(member) as stream:
        while stream.read(_CHUNK):
            pass
