"""The cache of chunks: whole or absent, within its size, and shared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from selfdepth.data.store.chunk_cache import ChunkCache
from selfdepth.data.store.chunked import ChunkedStore, open_chunks
from selfdepth.data.store.remote import Remote
from selfdepth.data.store.store import Store
from selfdepth.errors import DiskFullError, SelfDepthError


def opened(chunks: Path, cache: Path, megabytes: float = 30) -> ChunkedStore:
    return open_chunks(Remote(str(chunks)), cache, megabytes / 1e3)


def test_a_damaged_file_in_the_cache_is_fetched_again(local: Store, chunks: Path, tmp_path: Path) -> None:
    _ = opened(chunks, tmp_path).frames[3]
    path = next(tmp_path.glob("*.bin"))
    content = path.read_bytes()
    for harmed in (content[:-1], content[:-1] + bytes([content[-1] ^ 1])):
        path.write_bytes(harmed)
        assert np.array_equal(opened(chunks, tmp_path).frames[47], local.frames[47])


def test_a_full_disk_is_said_in_one_sentence_and_leaves_nothing(
    chunks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(remote: Remote, name: str, path: Path, n_bytes: int) -> bool:
        path.write_bytes(b"half")
        raise DiskFullError("cannot write", where=path)

    monkeypatch.setattr(Remote, "fetch", full)
    far = opened(chunks, tmp_path)
    far.expect("train", np.arange(300)[:, None])
    with pytest.raises(SelfDepthError, match=r"disk of the cache is full: .*smaller --cache-gb.*--store"):
        _ = far.frames[3]


def test_what_a_killed_download_left_is_removed(chunks: Path, tmp_path: Path) -> None:
    name = opened(chunks, tmp_path).cache.chunks[0].name
    (tmp_path / f".{name}.part").write_bytes(b"half")
    assert isinstance(opened(chunks, tmp_path).cache, ChunkCache)
    assert not list(tmp_path.glob(".*.part"))


def test_a_cache_that_another_run_has_filled_is_used_again(chunks: Path, tmp_path: Path) -> None:
    _ = opened(chunks, tmp_path).frames[0:510]
    again = opened(chunks, tmp_path)
    again.cache.remote = Remote(str(tmp_path / "gone"))
    assert len(again.frames[0:510]) == 510


def test_what_is_needed_last_is_removed_first(chunks: Path, tmp_path: Path) -> None:
    cache = opened(chunks, tmp_path, 1.3).cache  # four chunks of 0.3 MB
    cache.frames([0, 1, 2, 3])  # all of them, so that no download in the background decides what is there
    cache.expect("train", [1, 2, 3, 0])
    cache.frames([4])
    there = {i for i, each in enumerate(cache.chunks) if (tmp_path / each.name).exists()}
    assert there == {1, 2, 3, 4}


def test_chunks_of_other_data_in_the_folder_make_room(chunks: Path, tmp_path: Path) -> None:
    old = tmp_path / f"chunk-0-5-{'0' * 64}.bin"
    old.write_bytes(bytes(1_200_000))
    (tmp_path / "notes.txt").write_text("mine")
    opened(chunks, tmp_path, 1.3).cache.frames([0])
    assert not old.exists()
    assert (tmp_path / "notes.txt").exists()
