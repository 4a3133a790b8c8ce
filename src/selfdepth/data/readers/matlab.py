"""One array of numbers from a MATLAB file of anybody. Its declared size is judged before the array is unpacked."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy import ndarray

from selfdepth.errors import DataError
from selfdepth.limits import require_within
from selfdepth.texts import decoding, open_regular

_ITEM_BYTES = {"double": 8, "single": 4, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4}
_ITEM_BYTES |= {"int64": 8, "uint64": 8}
_HEADER_BYTES = 128
_COMPRESSED = 15
"""Kind of an element of version 5 that is compressed as a whole."""
_CHUNK = 1 << 20
_SLACK_BYTES = 1 << 16
"""Room for the headers within an element."""


def read_matrix(path: Path, name: str, *, expected: str, fits: Callable[[tuple[int, ...]], bool]) -> ndarray:
    """The array with this name, of the type that it has in the file. Other arrays are not unpacked.

    Args:
        expected: what the file should hold, for errors.
        fits: whether a shape is acceptable.

    Raises:
        DataError: for a file that cannot be read, without such an array of numbers or with several, or with one that
            is larger than the limit or than its own shape.
    """
    from scipy.io import loadmat, whosmat  # slow to import, and few kinds of data need it

    def refusal(got: str) -> DataError:
        return DataError("the file cannot be read", where=path, expected=expected, got=got)

    with decoding(refusal), open_regular(path):
        found = [(shape, kind) for each, shape, kind in whosmat(path, appendmat=False) if each == name]
    if len(found) != 1 or found[0][1] not in _ITEM_BYTES or not fits(found[0][0]):
        kind = f"{found[0][1]}, {'x'.join(map(str, found[0][0]))}" if found else "no such array"
        got = f"{len(found)} such arrays" if len(found) > 1 else kind
        raise DataError("the file does not hold the array", where=path, expected=expected, got=got)
    shape, kind = found[0]
    n_bytes = math.prod(shape) * 8  # scipy returns what is stored in fewer bytes as what it is declared to be
    require_within("array_megabytes", n_bytes / 1e6, what="the array is too large", where=path)
    with decoding(refusal):
        _refuse_bombs(path, name.encode(), n_bytes + _SLACK_BYTES, refusal)
        array = loadmat(path, variable_names=[name], appendmat=False).get(name)
    if not isinstance(array, ndarray) or array.dtype.kind not in "iuf":
        raise refusal(f"numbers of type {array.dtype}" if isinstance(array, ndarray) else "no such array")
    return np.asarray(array)


def _refuse_bombs(path: Path, name: bytes, most_bytes: int, refusal: Callable[[str], DataError]) -> None:
    """Refuse a compressed element with this name that unpacks to more than its shape needs."""
    with path.open("rb") as file:
        for packed in _compressed(file):
            unpacker, done = zlib.decompressobj(), 0
            start = unpacker.decompress(packed, 1024)
            if name not in start:
                continue
            done = len(start)
            while unpacker.unconsumed_tail and done <= most_bytes:
                done += len(unpacker.decompress(unpacker.unconsumed_tail, _CHUNK))
            if done > most_bytes:
                raise refusal(f"more than {most_bytes} bytes in {name.decode()}, which its shape does not need")


def _compressed(file: BinaryIO) -> Iterator[bytes]:
    """The contents of the compressed elements of a file of version 5; nothing for another version."""
    header = file.read(_HEADER_BYTES)
    order = {b"IM": "<", b"MI": ">"}.get(header[126:128])
    while order is not None:
        tag = file.read(8)
        if len(tag) < 8:
            return
        kind, length = struct.unpack(f"{order}II", tag)
        if kind == _COMPRESSED:
            yield file.read(length)
        else:
            file.seek(length, 1)
