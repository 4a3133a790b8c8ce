"""Arrays of numpy in .npy and .npz files from anybody. Sizes are judged before anything is allocated, and nothing is
read through pickle."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from selfdepth.archives import judge, open_archive, require_sound
from selfdepth.errors import DataError
from selfdepth.limits import require_within
from selfdepth.texts import decoding, open_regular

_ENDING = ".npy"
_ZIP = b"PK"
_LEAST_HEADER = 64
"""Bytes of a .npy before its numbers."""
_LARGE_BYTES = 256 << 20
"""Members above this are read twice: a damaged one must not fill the memory before its checksum is compared."""
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_PICKLED = "Python objects, which are not read"

Wanted = Callable[[Collection[str]], Collection[str]]
"""Which arrays of a file to read, given the names of all."""


def read_arrays(
    path: Path, *, what: str, expected: str, fix: str | None = None, wanted: Wanted | None = None
) -> dict[str, ndarray]:
    """The arrays in a file by their names, in the order of writing; that of a .npy is called "data".

    Args:
        what, expected, fix: parts of the sentence if it cannot be read.
        wanted: chooses the arrays of a .npz to read; the others are not unpacked. None: all.

    Raises:
        DataError: for a file that cannot be read, is damaged, holds Python objects, or declares more than the limit.
    """

    def refusal(got: str) -> DataError:
        advice = "write one array of numbers per image: np.savez(path, *maps)" if got == _PICKLED else fix
        return DataError(what, where=path, expected=expected, got=got, fix=advice)

    with decoding(refusal), open_regular(path) as file:
        start = file.read(len(_ZIP))
        file.seek(0)
        if start != _ZIP:
            return {"data": _read_array(file, path.stat().st_size, path, refusal)}
    with open_archive(path, refusal) as archive:
        members = {member.filename.removesuffix(_ENDING): member for member in archive.infolist()}
        names = members if wanted is None else [name for name in wanted(members) if name in members]
        judge([members[name] for name in names], path, refusal)
        _require_size(sum(members[name].file_size - _LEAST_HEADER for name in names), path)
        return {name: _read_member(archive, members[name], path, refusal) for name in names}


def _read_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, refusal: Callable[[str], DataError]
) -> ndarray:
    if member.file_size > _LARGE_BYTES:
        require_sound(archive, member)
    with archive.open(member) as stream:
        array = _read_array(stream, member.file_size, path, refusal)
        stream.read()  # to the end: only there is the checksum compared
        return array


def _read_array(stream: Any, n_bytes: int, path: Path, refusal: Callable[[str], DataError]) -> ndarray:
    """The array in a stream of .npy. Its header is judged first.

    Args:
        stream: a binary file, or a member of an archive.
        n_bytes: length of the stream.
    """
    start = stream.tell()
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise refusal(f"format version {version[0]}.{version[1]} of numpy")
    shape, _, dtype = _HEADERS[version](stream)
    if dtype.hasobject:
        raise refusal(_PICKLED)
    if any(length < 0 for length in shape):
        raise refusal(f"an array of shape {shape}")
    size = math.prod(shape) * dtype.itemsize
    _require_size(size, path)
    left = n_bytes - (stream.tell() - start)
    if size > left:
        raise refusal(f"{left} bytes for an array of {'x'.join(map(str, shape))}, which has {size}")
    stream.seek(start)
    return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))


def _require_size(n_bytes: int, path: Path) -> None:
    require_within("array_megabytes", n_bytes / 1e6, what="the file has too large arrays", where=path)
