"""MATLAB's files of version 5, as far as arrays of numbers go: no objects, nothing executed, sizes checked.

The format: "MAT-File Level 5 File Format", MathWorks. A header of 128 bytes, then elements: a tag of type and number of
bytes, and the bytes, filled up to a multiple of 8. An element may be other elements, compressed.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.errors import DataError

MAX_BYTES = 256 * 2**20
"""What is compressed may not be larger than this; a small file could otherwise fill the memory."""

_HEADER_BYTES = 128
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_MATRIX, _COMPRESSED = 14, 15
_NUMERIC_CLASSES = range(6, 16)
"""Double and single precision, and integers; below are cells, structures, objects, texts and sparse matrices."""
_COMPLEX = 0x0800


def read_mat_array(path: Path, name: str) -> Float[ndarray, "..."]:
    """The array of real numbers called `name`, as float64.

    Raises:
        DataError: for a file that cannot be read, is of another version, or has no such array.
    """
    expected = f"a MATLAB file of version 5 (not 7.3) with an array {name}"
    try:
        content = path.read_bytes()
        return _find(content, name)
    except (OSError, ValueError, struct.error, zlib.error) as error:
        got = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DataError("the file cannot be read", where=path, expected=expected, got=got) from error


def _find(content: bytes, name: str) -> Float[ndarray, "..."]:
    order = {b"IM": "<", b"MI": ">"}.get(content[126:_HEADER_BYTES])
    if order is None:
        raise ValueError(f"{len(content)} bytes without the header of such a file")
    (version,) = struct.unpack(f"{order}H", content[124:126])
    if version != 0x0100:
        raise ValueError(f"version {version >> 8}.{version & 255}")
    names = []
    for kind, data in _elements(content[_HEADER_BYTES:], order):
        if kind == _COMPRESSED:
            inside = list(_elements(_decompressed(data), order))
            kind, data = inside[0] if inside else (0, b"")
        if kind == _MATRIX:
            found, array = _matrix(data, order, name)
            if array is not None:
                return array
            names.append(found)
    raise ValueError(f"arrays called {', '.join(names[:5])}" if names else "no arrays")


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Type and bytes of each element."""
    at = 0
    while at < len(data):
        kind, size = struct.unpack_from(f"{order}II", data, at)
        if kind >> 16:  # up to four bytes are in the tag itself, in place of their number
            kind, size = kind & 0xFFFF, kind >> 16
            start, following = at + 4, at + 8
        else:
            start = at + 8
            following = start + size + (0 if kind == _COMPRESSED else -size % 8)
        if size > len(data) - start:
            raise ValueError(f"a file that ends within an element of {size} bytes")
        yield kind, data[start : start + size]
        at = following


def _decompressed(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    unpacked = unpacker.decompress(data, MAX_BYTES)
    if unpacker.unconsumed_tail:
        raise ValueError(f"more than {MAX_BYTES} bytes, compressed")
    return unpacked


def _matrix(data: bytes, order: str, name: str) -> tuple[str, Float[ndarray, "..."] | None]:
    """The name of an array; and its numbers, column by column in the file, where it is called `name`."""
    parts = list(_elements(data, order))
    if len(parts) < 3:
        raise ValueError("an array without its header")
    (_, flags), (_, dimensions), (_, letters) = parts[:3]
    found = letters.decode("latin-1")
    if found != name:
        return found, None
    (flag,) = struct.unpack(f"{order}I", flags[:4])
    if flag & 255 not in _NUMERIC_CLASSES or flag & _COMPLEX or len(parts) != 4 or parts[3][0] not in _NUMBERS:
        raise ValueError(f"{name} that is no array of real numbers")
    shape = tuple(np.frombuffer(dimensions, f"{order}i4").tolist())
    numbers = np.frombuffer(parts[3][1], order + _NUMBERS[parts[3][0]])
    if min(shape, default=-1) < 0 or math.prod(shape) != numbers.size:
        raise ValueError(f"{name} with {numbers.size} numbers for {'x'.join(map(str, shape))}")
    return found, numbers.reshape(shape, order="F").astype(np.float64)
