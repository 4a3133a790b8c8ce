"""Write a data set as chunks into a bucket or a folder, without a local store: frames are decoded run by run.

The index is written last, so what is interrupted is never taken for whole; the next attempt goes on with what is there,
once all its bytes have been compared with their checksums.
"""

from __future__ import annotations

import json
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import astuple, dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from selfdepth.data.footage import Footage
from selfdepth.data.frames import FrameRef
from selfdepth.data.store.build import Progress, fingerprint, index_values, plan_sequences
from selfdepth.data.store.chunk_files import (
    chunk_bytes,
    chunk_name,
    digest_of_name,
    item_header,
    litdata_index,
    run_of_name,
    write_chunk,
)
from selfdepth.data.store.chunk_truth import TruthObject, encode_map, encode_truth, is_truth_name, maps_of
from selfdepth.data.store.chunked import CHUNKS_INDEX, UNFINISHED
from selfdepth.data.store.decode_runs import RunDecoder
from selfdepth.data.store.index import INDEX_FILE, StoredSequence, encode_index, encode_refs
from selfdepth.data.store.remote import Remote
from selfdepth.data.store.run_plan import RUN_FRAMES, Runs, plan_runs
from selfdepth.data.store.store import Store
from selfdepth.data.store.times import TIMES_FILE, times_file, times_of
from selfdepth.data.truth import DepthTruth, NoTruth
from selfdepth.errors import DataError, OutputError, SelfDepthWarning
from selfdepth.geometry.crop_resize import CropResize
from selfdepth.texts import parse_json

_UPLOADS = 2
"""Chunks that are written at once; each is in memory."""
_COMPARED = 4
"""Chunks that are compared with their checksums at once."""
_LISTED = 3

ReadRuns = Callable[[Sequence[int]], Iterator[UInt8[ndarray, "n 3 h w"]]]
"""The frames of these increasing runs, one run after the other, each as its chunk holds them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ChunkContents:
    """What is written.

    Attributes:
        sequences: in the order of their rows, as a local store has them.
        runs: what each chunk holds.
        reach: as in `plan_runs`.
        values: the other fields of a store's index.
        times_s: time of each row in seconds; NaN where it is not known.
        read: gives the frames.
        validated: the frames whose ground truth is written, too.
        truth: gives it.
    """

    sequences: tuple[StoredSequence, ...]
    runs: Runs = field(repr=False)
    reach: int
    values: dict[str, Any]
    times_s: Float[ndarray, "n"] = field(repr=False)
    read: ReadRuns
    validated: Sequence[FrameRef] = field(repr=False)
    truth: DepthTruth = field(repr=False)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frames in pixels."""
        return self.values["width"], self.values["height"]

    def header(self, run: int) -> bytes:
        """What comes before the frames in a run's item."""
        return item_header(self.runs.pieces(run), self.sequences, self.times_s, self.size)

    def n_bytes(self, run: int) -> int:
        """Bytes of a run's chunk."""
        return chunk_bytes(self.runs.n_frames(run), self.header(run), self.size)

    @property
    def mark(self) -> dict[str, Any]:
        """What tells an upload from one of other data."""
        return {"fingerprint": self.values["fingerprint"], "run_frames": RUN_FRAMES, "reach": self.reach}


def contents_of(footage: Footage, fit: CropResize, truth: DepthTruth | None = None) -> ChunkContents:
    """A data set, decoded as `build_store` would. Raises DataError as that does."""
    sequences = plan_sequences(footage, fit)
    runs = plan_runs(sequences, footage.spacing)
    return ChunkContents(
        sequences=sequences,
        runs=runs,
        reach=footage.spacing,
        values=index_values(footage, fit, fingerprint(footage, **vars(fit))),
        times_s=times_of(footage.sequences),
        read=RunDecoder(footage, fit, sequences, runs).read,
        validated=footage.val,
        truth=truth or NoTruth(),
    )


def contents_of_store(store: Store, truth: DepthTruth | None = None) -> ChunkContents:
    """A local store. Raises DataError if its frames or times were altered."""
    store.check_frames()
    runs, names = store.runs, [each.name for each in store.sequences]

    def read(wanted: Sequence[int]) -> Iterator[UInt8[ndarray, "n 3 h w"]]:
        for run in wanted:
            yield np.concatenate([store.frames[piece.first : piece.stop] for piece in runs.pieces(run)])

    fields = ("width", "height", "fingerprint", "kind", "protocol", "rectified", "spacing")
    values = {name: getattr(store, name) for name in fields} | {"crop": astuple(store.crop)}
    values["origin"] = None if store.origin is None else store.origin.to_json()
    values |= {part: encode_refs(getattr(store, part), names) for part in ("train", "val", "test")}
    plan: dict[str, Any] = {"sequences": store.sequences, "runs": runs, "reach": store.spacing}
    plan |= {"validated": store.val, "truth": truth or NoTruth()}
    return ChunkContents(**plan, values=values, times_s=store.times_s, read=read)


def write_chunks(contents: ChunkContents, remote: Remote, progress: Progress | None = None) -> bool:
    """Write the chunks that are not there yet, and then their index.

    Args:
        progress: called with (frames done, frames in total).

    Returns:
        Whether anything was written: False if the very same chunks are there.

    Warns:
        SelfDepthWarning: if it goes on with an earlier attempt, replaces chunks of other data, or writes again what was
            altered; about ground truth that cannot be read.

    Raises:
        OutputError: if the place holds something else.
        SelfDepthError: for frames that cannot be read, or a place that cannot be written.
    """
    found = remote.sizes()
    done = _begin(contents, remote, found)
    missing = [run for run in range(len(contents.runs)) if run not in done]
    if not missing and CHUNKS_INDEX in found:
        return _mend(contents, remote, [done[run] for run in range(len(contents.runs))], found)
    owned = np.bincount(contents.runs.of_row, minlength=len(contents.runs))
    total, ready = int(owned.sum()), int(sum(owned[run] for run in done))
    for run, name in _uploaded(contents, remote, missing):
        done[run] = name
        ready += int(owned[run])
        if progress is not None:
            progress(ready, total)
    truth, _ = _write_truth(contents, remote, found)
    for name, content in _beside(contents, [done[run] for run in range(len(contents.runs))], truth).items():
        remote.write(name, content)
    remote.remove(UNFINISHED)
    _tidy(remote, found, {*done.values(), *(each.name for each in truth.values())})
    return True


def _tidy(remote: Remote, found: Mapping[str, int], listed: set[str]) -> None:
    """Remove chunks and maps of earlier attempts that the index does not list."""
    for name in found.keys() - listed:
        if run_of_name(name) is not None or is_truth_name(name):
            remote.remove(name)


def _write_truth(
    contents: ChunkContents, remote: Remote, found: Mapping[str, int]
) -> tuple[dict[FrameRef, TruthObject], bool]:
    """Write the maps that are not there, or are not what was written. Returns all there are, and whether any was.

    Warns:
        SelfDepthWarning: about frames whose ground truth cannot be read, and which have none in the chunks.
    """
    objects, wrote, unreadable = {}, False, []
    for ref, depth in maps_of(contents.truth, contents.validated):
        if isinstance(depth, DataError):
            unreadable.append(depth)
            continue
        each, content = encode_map(depth, contents.truth.depth_is(ref))
        objects[ref] = each
        if found.get(each.name) != each.n_bytes or remote.digest(each.name) != each.digest:
            remote.write(each.name, content)
            wrote = True
    if unreadable:
        said = f"the ground truth of {len(unreadable)} of the frames cannot be read, and is left out: {unreadable[0]}"
        warnings.warn(said, SelfDepthWarning, stacklevel=4)
    return objects, wrote


def _begin(contents: ChunkContents, remote: Remote, found: dict[str, int]) -> dict[int, str]:
    """Clear the place for an upload. Returns the chunks that are there already: their runs and names."""
    others = [name for name in found if not _is_ours(name)]
    if others:
        raise OutputError(
            "the place for the chunks holds something else",
            where=remote.place,
            expected="nothing, or chunks",
            got=f"{others[0]}, one of {len(others)}",
            fix="name another place with --out",
        )
    is_whole = CHUNKS_INDEX in found
    earlier = _mark_of(remote, CHUNKS_INDEX if is_whole else UNFINISHED) if found else None
    if earlier == contents.mark:
        return _intact(contents, remote, found, is_whole=is_whole)
    if found:
        what = "chunks" if is_whole else "a part of the chunks"
        said = f"{remote.place} holds {what} of other data or options: it starts anew, and they are replaced"
        warnings.warn(said, SelfDepthWarning, stacklevel=3)
    # The index first: without it, nothing of the rest is believed.
    for name in sorted(found, key=lambda name: name != CHUNKS_INDEX):
        remote.remove(name)
    remote.write(UNFINISHED, json.dumps(contents.mark).encode())
    return {}


def _intact(contents: ChunkContents, remote: Remote, found: dict[str, int], *, is_whole: bool) -> dict[int, str]:
    """The chunks of an earlier attempt that are what was written, byte for byte: their runs and names.

    Warns:
        SelfDepthWarning: about those that are not, and what is missing.
    """
    n = len(contents.runs)
    names = {name: run for name in found if (run := run_of_name(name)) is not None and run < n}
    whole = [name for name in names if found[name] == contents.n_bytes(names[name])]
    with ThreadPoolExecutor(_COMPARED) as pool:
        good = pool.map(lambda name: remote.digest(name) == digest_of_name(name), whole)
        done = {names[name]: name for name, is_good in zip(whole, good, strict=True) if is_good}
    damaged = [name for name in names if names[name] not in done]
    if damaged:
        listed = ", ".join(damaged[:_LISTED]) + (f" and {len(damaged) - _LISTED} more" if damaged[_LISTED:] else "")
        said = (
            f"{len(damaged)} of the chunks in {remote.place} are not what was written, and are written again: {listed}"
        )
        warnings.warn(said, SelfDepthWarning, stacklevel=4)
    if not (is_whole and len(done) == n):
        said = f"{len(done)} of the {n} chunks are there already: going on with the others"
        warnings.warn(said, SelfDepthWarning, stacklevel=4)
    return done


def _mend(contents: ChunkContents, remote: Remote, names: Sequence[str], found: Mapping[str, int]) -> bool:
    """Write again what lies beside whole chunks and is not what was written. Returns whether anything was.

    Warns:
        SelfDepthWarning: naming it.
    """
    truth, wrote = _write_truth(contents, remote, found)
    wanted = _beside(contents, names, truth)
    altered = [name for name, content in wanted.items() if remote.read(name) != content]
    said = [*["maps of ground truth"] * wrote, *altered]
    if not said:
        return False
    written = f"beside the chunks in {remote.place}, written again, because it differs: {', '.join(said)}"
    warnings.warn(written, SelfDepthWarning, stacklevel=3)
    for name in altered:  # the index is the last of them
        remote.write(name, wanted[name])
    _tidy(remote, found, {*names, *(each.name for each in truth.values())})
    return True


def _is_ours(name: str) -> bool:
    return (
        run_of_name(name) is not None
        or is_truth_name(name)
        or name in (CHUNKS_INDEX, UNFINISHED, INDEX_FILE, TIMES_FILE)
    )


def _mark_of(remote: Remote, name: str) -> dict[str, Any] | None:
    """The mark of the chunks that are there, if it can be read."""
    text = remote.read(name)
    try:
        values = parse_json((text or b"").decode(), what="the mark cannot be read", where=remote.where(name))
    except (DataError, UnicodeDecodeError):
        return None
    plan = values.get("chunks", values)
    if not isinstance(plan, dict):
        return None
    return {"fingerprint": values.get("fingerprint"), "run_frames": plan.get("run_frames"), "reach": plan.get("reach")}


def _uploaded(contents: ChunkContents, remote: Remote, missing: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Read and write these runs. Yields each with the name of its chunk, in their order."""

    def upload(run: int, frames: UInt8[ndarray, "n 3 h w"]) -> str:
        chunk = write_chunk(contents.header(run), frames)
        name = chunk_name(run, sha256(chunk).hexdigest())
        remote.write(name, chunk)
        return name

    pending: deque[tuple[int, Future[str]]] = deque()
    pool = ThreadPoolExecutor(_UPLOADS)
    try:
        for run, frames in zip(missing, contents.read(missing), strict=True):
            pending.append((run, pool.submit(upload, run, frames)))
            if len(pending) > _UPLOADS:
                first, future = pending.popleft()
                yield first, future.result()
        while pending:
            first, future = pending.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _beside(contents: ChunkContents, names: Sequence[str], truth: Mapping[FrameRef, TruthObject]) -> dict[str, bytes]:
    """What lies beside chunks of these names: times, litdata's index, and ours, which comes last."""
    sizes = [contents.n_bytes(run) for run in range(len(names))]
    times = times_file(contents.times_s)
    plan: dict[str, Any] = {"run_frames": RUN_FRAMES, "reach": contents.reach, "bytes": sizes}
    plan["sha256"] = [digest_of_name(name) for name in names]
    plan["truth"] = encode_truth(truth, [each.name for each in contents.sequences])
    sums = {"frames_sha256": None, "times_sha256": None if times is None else sha256(times).hexdigest()}
    index = encode_index(contents.values | sums | {"chunks": plan}, contents.sequences).encode()
    beside = {} if times is None else {TIMES_FILE: times}
    return beside | {INDEX_FILE: litdata_index(list(zip(names, sizes, strict=True))), CHUNKS_INDEX: index}
