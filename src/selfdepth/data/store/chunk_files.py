"""A chunk: a file of litdata's format with one item, a run of neighbouring frames.

An item is one blob of bytes, so nothing of it passes litdata's serializers, one of which is pickle: the length of a
header (uint32, little-endian), the header as JSON, and the frames (uint8, frames x 3 x height x width) as the local
store holds them. The header says what they are: of each sequence the numbers, times, camera, and stereo partner. Chunks
are read here, byte by byte, by their checksum; no code of litdata runs on them.
"""

from __future__ import annotations

import contextlib
import io
import json
import mmap
import re
import struct
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from selfdepth.data.store.index import StoredSequence
from selfdepth.data.store.run_plan import Piece
from selfdepth.errors import DataError
from selfdepth.files import checksum

ITEM_FORMAT = "selfdepth-run"
_BEFORE = 16
"""Bytes before an item in a chunk of one: number of items, where the item begins and ends, and its length."""
_NAME = re.compile(r"chunk-0-(\d+)-([0-9a-f]{64})\.bin")


def item_header(
    pieces: Sequence[Piece], sequences: Sequence[StoredSequence], times_s: Float[ndarray, "n"], size: tuple[int, int]
) -> bytes:
    """What comes before the frames of an item: it does not depend on their pixels.

    Args:
        sequences: of the store.
        times_s: time of each row of the store in seconds; NaN where it is not known.
        size: width and height of the frames in pixels.
    """
    entries: list[dict[str, Any]] = []
    for piece in pieces:
        of = sequences[piece.sequence]
        numbers = of.numbers[piece.first - of.start : piece.stop - of.start]
        times = times_s[piece.first : piece.stop]
        entries.append(
            {
                "sequence": of.name,
                "first_row": piece.first,
                "numbers": numbers,
                "times_s": None if np.isnan(times).any() else times.tolist(),
                "camera": of.camera.to_json(),
                "K": of.K.tolist(),
                "partner": None if of.partner is None else asdict(of.partner),
            }
        )
    shape = {"width": size[0], "height": size[1]}
    text = json.dumps({"format": ITEM_FORMAT, "version": 1, **shape, "frames": entries}).encode()
    return struct.pack("<I", len(text)) + text


def chunk_bytes(n_frames: int, header: bytes, size: tuple[int, int]) -> int:
    """Bytes of the chunk with an item of this header and so many frames."""
    return _BEFORE + len(header) + n_frames * 3 * size[0] * size[1]


def write_chunk(header: bytes, frames: UInt8[ndarray, "n 3 h w"]) -> bytes:
    """The chunk, as litdata writes it, whose one item has this header and these frames."""
    from litdata.streaming.writer import BinaryWriter  # type: ignore[import-untyped]

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        writer = BinaryWriter(folder, chunk_size=1)
        writer.add_item(0, header + frames.tobytes())
        return Path(writer.write_chunk(on_done=True)).read_bytes()


def litdata_index(chunks: Sequence[tuple[str, int]]) -> bytes:
    """litdata's index.json of chunks with these names and sizes, with which litdata reads them, too."""
    from litdata.streaming.writer import BinaryWriter

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        writer = BinaryWriter(folder, chunk_size=1)
        writer.add_item(0, b"any")
        writer.write_chunk(on_done=True)
        config = writer.get_config()
    entries = [{"chunk_bytes": size, "chunk_size": 1, "dim": None, "filename": name} for name, size in chunks]
    return json.dumps({"chunks": entries, "config": config, "updated_at": "0"}).encode()


def chunk_name(run: int, digest: str) -> str:
    """The name of a run's chunk. With its SHA-256, no chunk is ever taken for another."""
    return f"chunk-0-{run}-{digest}.bin"


def run_of_name(name: str) -> int | None:
    """The run whose chunk has this name; None for a name that no chunk has."""
    match = _NAME.fullmatch(name)
    return None if match is None else int(match[1])


def digest_of_name(name: str) -> str:
    """The SHA-256 of the chunk of this name."""
    return name.removesuffix(".bin").rpartition("-")[2]


def is_intact(path: Path, name: str) -> bool:
    """Whether a file has the checksum of the chunk of this name."""
    return checksum(path) == digest_of_name(name)


def frames_of(path: Path, shape: tuple[int, int, int, int], where: str) -> UInt8[ndarray, "n 3 h w"]:
    """The frames of a chunk, mapped into memory.

    Args:
        where: the chunk, for errors.

    Raises:
        DataError: for a file that is no chunk with one item of frames of this shape.
    """
    n_bytes = int(np.prod(shape))
    with path.open("rb") as file:
        head = file.read(_BEFORE + 4)
        size = file.seek(0, 2)
        if len(head) < _BEFORE + 4:
            raise _no_chunk(where)
        n_items, begin, end, length, n_header = struct.unpack("<5I", head)
        starts_at = _BEFORE + 4 + n_header
        if (n_items, begin, end, length) != (1, 12, size, size - _BEFORE) or starts_at + n_bytes != size:
            raise _no_chunk(where)
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return np.frombuffer(data, np.uint8, n_bytes, starts_at).reshape(shape)


def _no_chunk(where: str) -> DataError:
    return DataError("this is no chunk of selfdepth", where=where, expected="one item: a run of frames")
