"""A store in chunks gives the clips of the local store, in the same order, and refuses what is not whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from selfdepth.data.clips.clips import ClipSet, make_clips
from selfdepth.data.clips.loader import ClipLoader
from selfdepth.data.clips.order import Windows
from selfdepth.data.store.chunked import CHUNKS_INDEX, ChunkedStore, open_chunks
from selfdepth.data.store.index import sealed
from selfdepth.data.store.remote import Remote
from selfdepth.data.store.store import Store
from selfdepth.data.store.write_chunks import contents_of_store, write_chunks
from selfdepth.errors import ConfigError, DataError

CHUNK_BYTES = 50 * 3 * 64 * 32
"""About those of the largest chunk."""


def opened(chunks: Path, cache: Path, n_chunks: float = 100) -> ChunkedStore:
    return open_chunks(Remote(str(chunks)), cache, n_chunks * CHUNK_BYTES / 1e9)


def loader(store: Store, *, share: tuple[int, int] = (0, 1), window: int | None = 60, **options: Any) -> ClipLoader:
    clips: ClipSet = make_clips(store, store.train, **{"offsets": (-1, 1), "stereo": "calibrated"} | options)
    windows = None if window is None else Windows(store.runs.of_row[clips.rows[:, 0]], window)
    clips = replace(clips, windows=windows)
    return ClipLoader(store, clips, batch_size=8 // share[1], seed=5, device="cpu", share=share)


def same(one: ClipLoader, other: ClipLoader, first: int, count: int) -> None:
    for step, (a, b) in zip(range(count), zip(one.iterate(first), other.iterate(first), strict=False), strict=False):
        assert one.describe(first + step) == other.describe(first + step)
        for name in ("frames", "inputs", "K", "T_stereo_target"):
            a_value, b_value = getattr(a, name), getattr(b, name)
            assert (a_value is None) == (b_value is None)
            assert a_value is None or torch.equal(a_value, b_value)


@pytest.mark.parametrize("window", [None, 60])
def test_the_same_clips_come_in_the_same_order_as_from_the_local_store_bit_for_bit(
    local: Store, chunks: Path, tmp_path: Path, window: int | None
) -> None:
    far = opened(chunks, tmp_path)
    one, other = loader(local, window=window), loader(far, window=window)
    same(one, other, 0, one.steps_per_epoch + 2)


@pytest.mark.parametrize("n_processes", [1, 2, 4])
def test_a_resumed_run_goes_on_with_the_very_next_clip_in_any_number_of_processes(
    local: Store, chunks: Path, tmp_path: Path, n_processes: int
) -> None:
    far = opened(chunks, tmp_path, 9)
    for rank in range(n_processes):
        same(loader(local, share=(rank, n_processes)), loader(far, share=(rank, n_processes)), 37, 3)


def test_clips_that_reach_further_than_the_runs_are_read_from_several_chunks(
    local: Store, chunks: Path, tmp_path: Path
) -> None:
    same(loader(local, offsets=(-3, 3)), loader(opened(chunks, tmp_path), offsets=(-3, 3)), 0, 12)


def test_an_epoch_larger_than_the_cache_stays_within_it_and_fetches_each_chunk_about_once(
    chunks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = opened(chunks, tmp_path, 5)
    fetched: list[str] = []
    real = Remote.fetch

    def fetch(remote: Remote, name: str, path: Path, n_bytes: int) -> bool:
        fetched.append(name)
        files = [*tmp_path.glob("*.bin"), *tmp_path.glob(".*.part")]
        assert sum(far.cache._size(each) for each in files) <= 5 * CHUNK_BYTES
        return real(remote, name, path, n_bytes)

    monkeypatch.setattr(Remote, "fetch", fetch)
    long = loader(far, window=far.default_window, stereo="none")
    batches = long.iterate()
    for _ in range(long.steps_per_epoch):
        next(batches)
    batches.close()
    assert sum(path.stat().st_size for path in tmp_path.glob("*.bin")) <= 5 * CHUNK_BYTES
    assert len(set(fetched)) == len(far.cache.chunks) == 11
    assert len(fetched) <= 2 * len(far.cache.chunks), "some of the next epoch are among them"


def test_evaluation_reads_all_clips_through_the_cache(local: Store, chunks: Path, tmp_path: Path) -> None:
    far = opened(chunks, tmp_path, 5)
    for (refs, one), (_, other) in zip(
        loader(local).evaluation_batches(16), loader(far).evaluation_batches(16), strict=True
    ):
        assert torch.equal(one.frames, other.frames), refs


def test_frames_are_asked_for_by_row_or_slice(local: Store, chunks: Path, tmp_path: Path) -> None:
    far = opened(chunks, tmp_path)
    assert len(far.frames) == len(local.frames)
    assert np.array_equal(far.frames[47], local.frames[47])
    assert np.array_equal(far.frames[390:410], local.frames[390:410])
    assert torch.equal(far.gather(np.array([3, 1, 401])), local.gather(np.array([3, 1, 401])))


def test_the_default_window_is_what_half_of_the_cache_holds(chunks: Path, tmp_path: Path) -> None:
    far = opened(chunks, tmp_path, 4)
    assert 1.5 * 48 <= far.default_window <= 2.5 * 48
    assert opened(chunks, tmp_path, 100).default_window == len(far.train)


def test_contents_differ_if_a_frame_does(local: Store, chunks: Path, tmp_path: Path) -> None:
    far = opened(chunks, tmp_path / "a").contents
    assert opened(chunks, tmp_path / "b").contents == far
    frames = np.array(local.frames)
    frames[7, 0, 0, 0] ^= 1
    other = replace(local, frames=frames, frames_digest=None)
    write_chunks(contents_of_store(other), Remote(str(tmp_path / "other"), "--out"))
    assert opened(tmp_path / "other", tmp_path / "c").contents != far


# What is not whole, or cannot be used


def copy_of(chunks: Path, folder: Path) -> Path:
    folder.mkdir()
    for path in chunks.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (
            "missing",
            r"a chunk is missing or not what was written: .*chunk-0-0-.*none of this name; .*prepare",
        ),
        ("short", r"a chunk is missing or not what was written: .*got \d+ bytes;"),
        ("altered", r"a chunk is missing or not what was written: .*got \d+ bytes with another checksum"),
    ],
)
def test_a_chunk_that_is_not_what_was_written_is_named(chunks: Path, tmp_path: Path, harm: str, sentence: str) -> None:
    folder = copy_of(chunks, tmp_path / "chunks")
    victim = next(folder.glob("chunk-0-0-*"))
    content = victim.read_bytes()
    victim.unlink()
    if harm != "missing":
        victim.write_bytes(content[:-1] if harm == "short" else content[:-1] + bytes([content[-1] ^ 1]))
    far = opened(folder, tmp_path / "cache")
    with pytest.raises(DataError, match=sentence):
        _ = far.frames[3]
    assert not list((tmp_path / "cache").glob("*chunk*"))


def rewritten(folder: Path, change: dict[str, Any]) -> None:
    """An index with other values, and the checksum of what it says."""
    path = folder / CHUNKS_INDEX
    values = json.loads(path.read_text())
    del values["sha256"]
    values["chunks"] |= change
    path.write_text(sealed(json.dumps(values)))


@pytest.mark.parametrize(
    "change",
    [
        {"sha256": []},
        {"sha256": None},
        {"sha256": ["../../../etc/passwd"] * 11},
        {"sha256": ["A" * 64] * 11},
        {"sha256": [7] * 11},
        {"bytes": [1] * 11},
        {"bytes": [2**62] * 11},
        {"bytes": "all"},
        {"run_frames": 0},
        {"run_frames": 47.5},
        {"run_frames": True},
        {"run_frames": 10},
        {"reach": -1},
        {"reach": None},
    ],
)
def test_a_hostile_index_is_refused(chunks: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    folder = copy_of(chunks, tmp_path / "chunks")
    rewritten(folder, change)
    with pytest.raises(DataError, match="the index of the chunks cannot be used"):
        opened(folder, tmp_path / "cache")


def test_an_altered_index_is_refused(chunks: Path, tmp_path: Path) -> None:
    folder = copy_of(chunks, tmp_path / "chunks")
    path = folder / CHUNKS_INDEX
    path.write_text(path.read_text().replace('"spacing": 1', '"spacing": 2'))
    with pytest.raises(DataError, match="altered"):
        opened(folder, tmp_path / "cache")


def test_an_empty_place_and_one_of_other_files_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"there are no chunks here: .*got nothing; check --data"):
        opened(tmp_path / "empty", tmp_path / "cache")
    (tmp_path / "empty/notes.txt").write_text("mine")
    with pytest.raises(DataError, match=r"not a place of chunks: .*1 other objects"):
        opened(tmp_path / "empty", tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_cache_smaller_than_a_step_needs_is_refused_with_the_size_that_fits(chunks: Path, tmp_path: Path) -> None:
    far = opened(chunks, tmp_path, 2)
    far.require_room(1)
    with pytest.raises(ConfigError, match=r"smaller than a step needs: --cache-gb.*add --cache-gb (\S+)") as refused:
        far.require_room(8)
    fits = float(str(refused.value.fix).split()[-1])
    open_chunks(Remote(str(chunks)), tmp_path, fits).require_room(8)
    with pytest.raises(ConfigError, match="smaller than a step needs"):
        _ = far.frames[0:300]
