"""Build a store: every frame is decoded once, so that training runs at the speed of memory.

Building uses all cores and leaves nothing behind when it fails or is interrupted.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from numpy import ndarray

from selfdepth.data.footage import Footage
from selfdepth.data.runs import NumberRuns
from selfdepth.data.store.checksum import digest_of_file
from selfdepth.data.store.decode import decoding_jobs
from selfdepth.data.store.index import (
    FRAMES_FILE,
    INDEX_FILE,
    StoredSequence,
    encode_index,
    encode_refs,
)
from selfdepth.data.store.store import Store, is_store, open_store, training_size
from selfdepth.data.store.target import check_target, writing_store
from selfdepth.data.store.times import write_times
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.files import make_folder, put_in_place, recover, remove_tree, writing_to
from selfdepth.geometry.crop import NO_CROP, Crop
from selfdepth.geometry.crop_resize import CropResize
from selfdepth.locks import held

__all__ = [
    "Store",
    "StoredSequence",
    "build_store",
    "fingerprint",
    "is_store",
    "open_or_build",
    "open_store",
    "training_size",
]

_FINGERPRINT = 3
"""What a fingerprint begins with. Another number would make every store that exists a stranger to its own data."""

_RECTIFIED = "rectified 1"
"""What the fingerprint of rectified frames ends with. Another number for another choice of the view or its pixels."""

Progress = Callable[[int, int], None]
"""Called with (frames done, frames in total)."""
Accept = Callable[[Store], None]
"""Raises an error for a store that is not to be used."""


def open_or_build(
    footage: Footage,
    folder: Path,
    *,
    width: int,
    height: int,
    crop: Crop = NO_CROP,
    rectify: bool = False,
    progress: Progress | None = None,
    accept: Accept | None = None,
) -> Store:
    """The store in `folder` if it was made from these very files and settings, else a new store in its place.

    Args and errors as in `build_store`.
    """
    wanted = fingerprint(footage, width=width, height=height, crop=crop, rectify=rectify)
    store = _open_if(wanted, folder)
    if store is not None:
        return store
    with _sole_builder(folder.resolve()):
        store = _open_if(wanted, folder)  # another process may have built it while this one waited
        if store is not None:
            return store
        size: dict[str, Any] = {"width": width, "height": height, "crop": crop, "rectify": rectify}
        return build_store(footage, folder, **size, progress=progress, accept=accept)


def _open_if(wanted: str, folder: Path) -> Store | None:
    """The store in `folder` if it has this fingerprint and the frames that were written, else None."""
    try:
        store = open_store(folder) if is_store(folder) else None
        if store is None or store.fingerprint != wanted:
            return None
        # Here, where the data are at hand to build it again: whoever finds out later can only stop.
        store.check_frames()
    except DataError:
        return None  # of another version, or damaged
    return store


@contextmanager
def _sole_builder(folder: Path) -> Iterator[None]:
    """Within the block, no other process builds this store. What killed ones left of it is cleared away first.

    Warns:
        SelfDepthWarning: if another process is building it, and this one waits.
    """

    def say() -> None:
        warnings.warn(f"another process is building {folder}: waiting for it", SelfDepthWarning, stacklevel=2)

    created = [place for place in folder.parents if not place.exists()]
    with writing_to(folder):
        make_folder(folder.parent)
    try:
        with held(folder.with_name(f".{folder.name}.lock"), on_busy=say):
            recover(folder)
            yield
    finally:
        for place in created:
            with suppress(OSError):  # not empty: it holds the store
                place.rmdir()


def build_store(
    footage: Footage,
    folder: Path,
    *,
    width: int,
    height: int,
    crop: Crop = NO_CROP,
    rectify: bool = False,
    progress: Progress | None = None,
    accept: Accept | None = None,
) -> Store:
    """Decode all frames of a data set into a new store. After an error or interrupt nothing is left behind.

    Args:
        folder: the store's folder. It must not exist, be empty, or be a store, which is then replaced.
        width, height: size of the stored frames in pixels.
        crop: pixels to cut off before resizing.
        rectify: whether the frames of cameras with a lens become those of a pinhole camera.
        progress: called with (frames done, frames in total).
        accept: called with the new store before it gets its name. If it raises, what had the name before stays.

    Raises:
        DataError: for frames that cannot be decoded, or a crop that leaves nothing of them.
        OutputError: if the folder holds other files or cannot be written, or the disk is too small.
    """
    folder = folder.resolve()
    fit = CropResize(width=width, height=height, crop=crop, rectify=rectify)
    sequences = plan_sequences(footage, fit)
    n_frames = sum(len(sequence.numbers) for sequence in sequences)
    needed_bytes = n_frames * 3 * height * width
    # Checked first: decoding may take an hour. The fingerprint, too, comes before: it describes the files as they are
    # now, so a change while they are decoded makes the store stale.
    with writing_store(folder, needed_bytes):
        check_target(folder, needed_bytes)
    values = index_values(footage, fit, fingerprint(footage, **vars(fit)))
    # Built beside its destination, on the same disk, and renamed at the end: a store is complete or absent.
    partial_folder = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    try:
        _make(partial_folder, needed_bytes)
        write_frames(footage, fit, partial_folder / FRAMES_FILE, Counter(n_frames, progress))
        with writing_store(folder, needed_bytes):
            _write_index(partial_folder, values, footage, sequences)
        _require_accepted(partial_folder, accept)
        with writing_store(folder, needed_bytes):
            put_in_place(partial_folder, folder)
    except BaseException:  # KeyboardInterrupt, too
        remove_tree(partial_folder)
        raise
    return open_store(folder)


def complete_store(partial_folder: Path, folder: Path, footage: Footage, fit: CropResize, *, digest: str) -> Store:
    """Make a store of frames that `write_frames` has written, sequence by sequence, and give its folder its name.

    Args:
        partial_folder: holds the file of frames; on the disk of `folder`.
        folder: as for `build_store`.
        digest: what identifies the files and settings that the frames were made from, as a fingerprint.

    Raises:
        OutputError: if the store cannot be written.
    """
    sequences = plan_sequences(footage, fit)
    with writing_store(folder, sum(len(sequence.numbers) for sequence in sequences) * 3 * fit.height * fit.width):
        _write_index(partial_folder, index_values(footage, fit, digest), footage, sequences)
        put_in_place(partial_folder, folder)
    return open_store(folder)


def _make(folder: Path, needed_bytes: int) -> None:
    with writing_store(folder, needed_bytes):
        folder.mkdir(parents=True)


def _write_index(folder: Path, values: dict[str, Any], footage: Footage, sequences: tuple[StoredSequence, ...]) -> None:
    """Write the times of the frames, and the index with the checksums of both."""
    times = write_times(folder, footage.sequences)
    sums = {"frames_sha256": digest_of_file(folder / FRAMES_FILE), "times_sha256": times}
    (folder / INDEX_FILE).write_text(encode_index(values | sums, sequences), encoding="utf-8")


def _require_accepted(folder: Path, accept: Accept | None) -> None:
    if accept is not None:
        accept(open_store(folder))


def fingerprint(footage: Footage, *, width: int, height: int, crop: Crop = NO_CROP, rectify: bool = False) -> str:
    """A digest of everything that a store depends on: files (names, sizes, times), cameras, frames, splits, settings.

    Raises:
        DataError: for a file that no longer exists.
    """
    digest = hashlib.sha256()

    def add(*values: object) -> None:
        # As JSON, one line per call: values run together would let different data have one digest.
        digest.update(json.dumps(values).encode() + b"\n")

    add(_FINGERPRINT, footage.kind, footage.protocol, footage.spacing, _origin(footage), width, height, astuple(crop))
    for sequence in footage.sequences:
        partner = sequence.partner and astuple(sequence.partner)
        camera = tuple(sequence.camera.to_json().values())
        add(sequence.name, camera, sequence.numbers, sequence.names, partner)
        for file in sequence.files:
            # Sizes and times, not contents: hashing those would read the whole data set at the start of every run.
            try:
                status = file.stat()
            except OSError as error:
                raise DataError("a file of the data no longer exists", where=file, got=str(error)) from error
            add(file.name, status.st_size, status.st_mtime_ns)
    for refs in (footage.train, footage.val, footage.test):
        add([(ref.sequence, ref.number) for ref in refs])
    if rectify:
        add(_RECTIFIED)
    return digest.hexdigest()


@dataclass
class Counter:
    """Counts finished frames and reports them."""

    total: int
    report: Progress | None
    done: int = 0

    def add(self, n: int) -> None:
        self.done += n
        if self.report is not None:
            self.report(self.done, self.total)


def plan_sequences(footage: Footage, fit: CropResize) -> tuple[StoredSequence, ...]:
    """The stored sequences, with their rows and the cameras of the cropped and resized frames."""
    planned, start = [], 0
    for sequence in footage.sequences:
        stored = fit.camera(sequence.camera)
        planned.append(
            StoredSequence(
                name=sequence.name,
                start=start,
                numbers=NumberRuns.of(sequence.numbers),
                names=sequence.names,
                camera=sequence.camera,
                stored_camera=stored,
                K=stored.matrix(),
                partner=sequence.partner,
            )
        )
        start += len(sequence.numbers)
    if start == 0:
        raise DataError("there are no frames to store", expected="at least one frame")
    return tuple(planned)


def index_values(footage: Footage, fit: CropResize, digest: str) -> dict[str, Any]:
    """The fields of the index that are not those of a sequence, but for the checksum of the frames.

    Args:
        digest: the fingerprint of the footage.
    """
    names = [sequence.name for sequence in footage.sequences]
    return {
        "width": fit.width,
        "height": fit.height,
        "fingerprint": digest,
        "kind": footage.kind,
        "protocol": footage.protocol,
        "crop": astuple(fit.crop),
        "rectified": fit.rectify,
        "spacing": footage.spacing,
        "origin": _origin(footage),
        "train": encode_refs(footage.train, names),
        "val": encode_refs(footage.val, names),
        "test": encode_refs(footage.test, names),
    }


def _origin(footage: Footage) -> dict[str, Any] | None:
    return None if footage.origin is None else footage.origin.to_json()


def write_frames(footage: Footage, fit: CropResize, path: Path, counter: Counter, *, append: bool = False) -> None:
    """Decode the frames of all sequences into a file of frames, or behind what it holds already.

    Raises:
        DataError: for frames that cannot be decoded.
        OutputError: if the file cannot be written.
    """
    # Plain writes instead of a memory map: a full disk is then an error that can be caught, not a bus error.
    threads = os.cpu_count() or 1
    pending: deque[Future[ndarray]] = deque()
    needed_bytes = counter.total * 3 * fit.height * fit.width
    with writing_store(path, needed_bytes):
        file = path.open("ab" if append else "wb")
    pool = ThreadPoolExecutor(threads)  # threads suffice: image decoders release Python's lock

    def write_first() -> None:
        rows = pending.popleft().result()
        with writing_store(path, needed_bytes):
            file.write(rows.data)
        counter.add(len(rows))

    try:
        for job in decoding_jobs(footage, fit):
            pending.append(pool.submit(job))
            # Bounded, or the frames of a fast decoder would pile up in memory while the disk is slow.
            if len(pending) > 2 * threads:
                write_first()
        while pending:
            write_first()
        with writing_store(path, needed_bytes):
            file.flush()
    finally:
        pool.shutdown(cancel_futures=True)
        file.close()
