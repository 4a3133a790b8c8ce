"""A store whose frames lie in chunks, in a bucket or a folder, and are read through a cache of bounded size.

Beside the chunks and litdata's index.json lie `selfdepth.json`, the index of a local store with the checksums of the
chunks, which is written last, and `times.f64` as in a local store.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from torch import Tensor

from selfdepth.data.frames import FrameRef
from selfdepth.data.runs import grouped
from selfdepth.data.store.chunk_cache import Chunk, ChunkCache, too_small
from selfdepth.data.store.chunk_files import chunk_name
from selfdepth.data.store.chunk_truth import ChunkTruth, TruthObject, decode_truth
from selfdepth.data.store.judge import StoreIndex, read_index
from selfdepth.data.store.remote import Remote
from selfdepth.data.store.run_plan import Runs, plan_runs
from selfdepth.data.store.store import Store
from selfdepth.data.store.times import TIMES_FILE, read_times
from selfdepth.data.truth import DepthTruth
from selfdepth.errors import DataError
from selfdepth.files import make_folder, whole_file, writing_to
from selfdepth.limits import limit
from selfdepth.texts import read_json

CHUNKS_INDEX = "selfdepth.json"
UNFINISHED = "unfinished.json"
"""There from the first to the last moment of an upload."""
CACHE_GB = 32.0
MAKE_AGAIN = "run selfdepth prepare again with the same --out"
_MOST_REACH = 10**9


class ChunkedFrames:
    """The frames of a store in chunks, as its `frames`: their shape, and rows, which are read when asked for."""

    def __init__(self, shape: tuple[int, int, int, int], runs: Runs, cache: ChunkCache) -> None:
        self.shape, self.nbytes, self._runs, self._cache = shape, int(np.prod(shape)), runs, cache

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: int | slice) -> UInt8[ndarray, "*n 3 h w"]:
        places = np.arange(len(self))[rows]
        return self.take(places.reshape(-1, 1)).reshape(*np.shape(places), *self.shape[1:])

    def take(self, rows: Int[ndarray, "b views"]) -> UInt8[ndarray, "b views 3 h w"]:
        """Copies of the views of clips."""
        run, place = self._runs.where(rows)
        out = np.empty((*rows.shape, *self.shape[1:]), np.uint8)
        flat, place = out.reshape(-1, *self.shape[1:]), place.reshape(-1)
        found = self._cache.frames(np.unique(run).tolist())
        for which, places in grouped(run.reshape(-1)):
            for i in places.tolist():
                flat[i] = found[which][place[i]]
        return out


@dataclass(frozen=True, kw_only=True, eq=False)
class ChunkedStore(Store):
    """A store whose frames lie in chunks.

    Attributes:
        frames: `ChunkedFrames`.
        plan: which frames each chunk holds.
        cache: through which they are read.
        truth_objects: the maps of ground truth beside the chunks.
    """

    frames: Any = field(repr=False)
    plan: Runs = field(repr=False)
    cache: ChunkCache = field(repr=False)
    truth_objects: dict[FrameRef, TruthObject] = field(repr=False)

    @property
    def own_truth(self) -> DepthTruth:
        """The ground truth beside the chunks."""
        return ChunkTruth(self.cache.remote, self.truth_objects)

    @property
    def look_ahead(self) -> int:
        """Clips of as many chunks as the cache can hold, and all at most."""
        largest = max(each.n_bytes for each in self.cache.chunks)
        per_chunk = -(-len(self.frames) // len(self.cache.chunks))
        return min(len(self.frames), (self.cache.most_bytes // largest + 1) * per_chunk)

    @property
    def default_window(self) -> int:
        """Clips of as many chunks as half of the cache holds: the next window is downloaded into the other half."""
        n_bytes = sum(each.n_bytes for each in self.cache.chunks)
        return max(1, int(len(self.train) * min(1.0, self.cache.most_bytes / 2 / n_bytes)))

    def expect(self, who: str, rows: Int[ndarray, "n views"]) -> None:
        """Download the chunks of these clips in the background."""
        run, _ = self.plan.where(np.where(rows < 0, rows[:, :1], rows))
        self.cache.expect(who, run.reshape(-1).tolist())

    def require_room(self, n_clips: int) -> None:
        """Raise ConfigError if the cache may not hold the chunks of so many clips."""
        largest = sorted((each.n_bytes for each in self.cache.chunks), reverse=True)[:n_clips]
        if sum(largest) > self.cache.most_bytes:
            raise too_small(self.cache.folder, self.cache.most_bytes, sum(largest))

    @cached_property
    def times_s(self) -> Float[ndarray, "n"]:
        """Time of each row in seconds; NaN where it is not known. Raises DataError if they were altered or are gone."""
        if self.times_digest is not None:
            content = self.cache.remote.read(TIMES_FILE, most=8 * len(self.frames))
            if content is None:
                raise _incomplete(self.cache.remote, TIMES_FILE)
            with whole_file(self.folder / TIMES_FILE, needs_bytes=len(content)) as path:
                path.write_bytes(content)
        return read_times(self.folder, self.times_digest, self.sequences)

    def check_frames(self) -> None:
        """Nothing: every chunk is compared with its checksum before it is used."""

    def gather_clips(self, rows: Int[ndarray, "b views"]) -> UInt8[Tensor, "b views 3 h w"]:
        """Copy the views of these clips out of their chunks."""
        return torch.from_numpy(self.frames.take(rows))

    def gather(self, rows: Int[ndarray, "n"]) -> UInt8[Tensor, "n 3 h w"]:
        """Copy these rows out of their chunks."""
        return self.gather_clips(rows[:, None])[:, 0]


def is_chunks(folder: Path) -> bool:
    """Whether this folder holds chunks, or the beginning of them."""
    return (folder / CHUNKS_INDEX).is_file() or (folder / UNFINISHED).is_file()


def open_chunks(remote: Remote, folder: Path, cache_gb: float | None = None) -> ChunkedStore:
    """Open chunks: their index is read, and nothing else.

    Args:
        folder: of the cache.
        cache_gb: gigabytes that the cache may take. Default: CACHE_GB.

    Raises:
        DataError: if there are none, they are incomplete, of another version, or the index was altered.
        ConfigError: for wrong credentials.
        OutputError: if the cache cannot be written.
    """
    text = remote.read(CHUNKS_INDEX, most=limit("json_megabytes") * 10**6)
    if text is None:
        raise _incomplete(remote, CHUNKS_INDEX)
    with writing_to(folder):
        make_folder(folder)
    with whole_file(folder / CHUNKS_INDEX) as path:
        path.write_bytes(text)
    index = read_index(folder, CHUNKS_INDEX, frames=None)
    plan, names, sizes, truth = _plan(index, folder / CHUNKS_INDEX)
    shapes = [(plan.n_frames(run), 3, index.height, index.width) for run in range(len(plan))]
    chunks = [Chunk(*each) for each in zip(names, sizes, shapes, strict=True)]
    cache = ChunkCache(remote, folder, chunks, int((cache_gb or CACHE_GB) * 1e9))
    shape = (len(plan.of_row), 3, index.height, index.width)
    values = {each.name: getattr(index, each.name) for each in fields(index)}
    values["frames_digest"] = sha256(json.dumps(names).encode()).hexdigest()
    values |= {"frames": ChunkedFrames(shape, plan, cache), "load_to_ram": False, "truth_objects": truth}
    return ChunkedStore(folder=folder, plan=plan, cache=cache, **values)


def _plan(index: StoreIndex, path: Path) -> tuple[Runs, list[str], list[int], dict[FrameRef, TruthObject]]:
    """The runs of the chunks that an index lists, their names and sizes, and the maps of ground truth."""
    values = read_json(path, what="the index of the chunks cannot be read", fix=MAKE_AGAIN).get("chunks")
    entry: dict[str, Any] = values if isinstance(values, dict) else {}
    digests: Any = entry.get("sha256")
    sizes: Any = entry.get("bytes")
    length: Any = entry.get("run_frames")
    reach: Any = entry.get("reach")
    if not (_is_whole(length, 1) and _is_whole(reach, 0) and _are(digests, str) and _are(sizes, int)):
        raise _unusable(path, "run_frames, reach, sha256 and bytes of the chunks", "others")
    runs = plan_runs(index.sequences, int(reach), run_frames=int(length))
    if not len(runs) == len(digests) == len(sizes):
        raise _unusable(path, f"{len(runs)} chunks", f"{len(digests)}")
    frame_bytes = 3 * index.width * index.height
    for run, (digest, size) in enumerate(zip(digests, sizes, strict=True)):
        if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise _unusable(path, "checksums in hexadecimal digits", digest[:80])
        if not 0 < size - runs.n_frames(run) * frame_bytes < limit("json_megabytes") * 10**6:
            raise _unusable(path, f"the bytes of {runs.n_frames(run)} frames for chunk {run}", str(size))
    # Chunks that were made before there was ground truth beside them have no such field.
    truth = decode_truth(entry.get("truth", []), [each.name for each in index.sequences])
    if truth is None:
        raise _unusable(path, "sequence, number, sha256, bytes and kind of each map of ground truth", "others")
    return runs, [chunk_name(run, digest) for run, digest in enumerate(digests)], sizes, truth


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= _MOST_REACH


def _are(values: Any, kind: type) -> bool:
    return isinstance(values, list) and all(type(value) is kind for value in values)


def _unusable(path: Path, expected: str, got: str) -> DataError:
    return DataError("the index of the chunks cannot be used", where=path, expected=expected, got=got, fix=MAKE_AGAIN)


def _incomplete(remote: Remote, name: str) -> DataError:
    """The error for chunks without a file that complete ones have."""
    names: Sequence[str] = list(remote.sizes())
    if not names:
        what, got, fix = "there are no chunks here", "nothing", f"check {remote.option}"
    elif UNFINISHED in names:
        n = sum(each.endswith(".bin") for each in names)
        what, got = "the chunks are incomplete", f"{n} of an upload that was interrupted"
        fix = f"{MAKE_AGAIN}: it goes on"
    else:
        what, got, fix = "this is not a place of chunks", f"{len(names)} other objects", f"check {remote.option}"
    return DataError(what, where=remote.place, expected=name, got=got, fix=fix)
