"""Chunks of one item: what is written is read, and what is no chunk is refused."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from selfdepth.data.store.chunk_files import (
    chunk_bytes,
    chunk_name,
    digest_of_name,
    frames_of,
    is_intact,
    run_of_name,
    write_chunk,
)
from selfdepth.errors import DataError
from selfdepth.files import checksum

FRAMES = np.random.default_rng(0).integers(0, 256, (5, 3, 32, 64), np.uint8)
HEADER = struct.pack("<I", 2) + b"{}"


def test_what_is_written_is_read(tmp_path: Path) -> None:
    content = write_chunk(HEADER, FRAMES)
    assert len(content) == chunk_bytes(5, HEADER, (64, 32))
    (tmp_path / "chunk").write_bytes(content)
    assert np.array_equal(frames_of(tmp_path / "chunk", FRAMES.shape, "chunk"), FRAMES)


def test_the_name_holds_the_run_and_the_checksum(tmp_path: Path) -> None:
    (tmp_path / "chunk").write_bytes(b"any")
    name = chunk_name(17, checksum(tmp_path / "chunk"))
    assert run_of_name(name) == 17
    assert is_intact(tmp_path / "chunk", name)
    assert not is_intact(tmp_path / "chunk", chunk_name(17, "0" * 64))
    assert digest_of_name(name) == checksum(tmp_path / "chunk")


@pytest.mark.parametrize(
    "name", ["index.json", "chunk-0-1.bin", f"../chunk-0-1-{'0' * 64}.bin", f"chunk-0-1-{'G' * 64}.bin"]
)
def test_other_names_are_those_of_no_chunk(name: str) -> None:
    assert run_of_name(name) is None


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("code of a chunk ran",)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"short",
        pickle.dumps(Bomb()),
        pickle.dumps(Bomb()) * 2000,
        write_chunk(HEADER, FRAMES)[:-1],
        write_chunk(HEADER, FRAMES) + b"1",
        write_chunk(HEADER, FRAMES[:4]),
        write_chunk(struct.pack("<I", 2**32 - 1) + b"{}", FRAMES),
        struct.pack("<I", 2) + write_chunk(HEADER, FRAMES)[4:],
    ],
    ids=lambda content: f"{len(content)} bytes",
)
def test_what_is_no_chunk_of_these_frames_is_refused_and_runs_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "chunk").write_bytes(content)
    with pytest.raises(DataError, match="no chunk of selfdepth: far/chunk"):
        frames_of(tmp_path / "chunk", FRAMES.shape, "far/chunk")
