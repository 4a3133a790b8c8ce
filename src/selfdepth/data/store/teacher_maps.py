"""The maps of a teacher, beside the frames of a store: one per training target, made once before training.

The maps of a teacher are two files in the store's folder, named by a digest of all that they depend on (the teacher's
own file, its options, the store's frames): `teacher-DIGEST.u16` (uint16, maps x height x width) and
`teacher-DIGEST.json`, which says in words what they are, and the checksum of the maps. Another teacher has another
digest, so several teachers share a store, and the maps of one are never taken for those of another. While they are made
they are `teacher-DIGEST.part`, and `teacher-DIGEST.sums` holds the checksum of each.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, Int16, UInt16
from numpy import ndarray
from torch import Tensor

from selfdepth.data.frames import FrameRef
from selfdepth.data.runs import FrameRefs
from selfdepth.data.store.build import Progress
from selfdepth.data.store.checksum import digest_of_file
from selfdepth.data.store.index import StoredSequence, rows_of
from selfdepth.data.store.store import Store
from selfdepth.errors import DataError, OutputError, SelfDepthWarning
from selfdepth.files import rename, sync_file, whole_file, writing_to
from selfdepth.locks import held
from selfdepth.texts import read_json

FORMAT = "selfdepth-teacher"
VERSION = 1
LEVELS = 65535
"""Largest stored value: the largest disparity of its image. The smallest is stored as 1, and 0 means unknown."""

_SUM, _SUM_BYTES = "sha256", sha256().digest_size

Disparities = Callable[[int], Iterator[Float[ndarray, "h w"]]]
"""The teacher's disparity of the targets, from the one with this index on, in their order; NaN where unknown."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Targets:
    """The frames for which a teacher is asked, in the order of their rows: each training target once.

    Attributes:
        rows: rows of the store.
        refs: the frames.
        sequences: the store's sequences by their names.
    """

    rows: Int[ndarray, "n"]
    refs: Sequence[FrameRef]
    sequences: Mapping[str, StoredSequence] = field(repr=False)

    @staticmethod
    def of(store: Store) -> Targets:
        """The training targets of a store."""
        refs = FrameRefs.of(store.train)
        own = [store.by_name.get(name) for name in refs.names]
        # The first of those with one row: the others are the same frame.
        rows, first = np.unique(rows_of(own, refs, np.zeros(1, np.int64))[:, 0], return_index=True)
        rows, first = rows[rows >= 0], first[rows >= 0]
        which, numbers = (each[first] for each in refs.arrays())
        return Targets(rows=rows, refs=FrameRefs.of_arrays(refs.names, which, numbers), sequences=store.by_name)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Name of each frame's file without its ending, by which files of maps are found."""
        own = (self.sequences[ref.sequence] for ref in self.refs)
        return tuple(each.names[row - each.start] for each, row in zip(own, self.rows.tolist(), strict=True))


@dataclass(frozen=True, kw_only=True, eq=False)
class TeacherMaps:
    """The teacher's disparity of every training target of a store.

    Attributes:
        rows: rows of the store that have a map, increasing.
        maps: 0 where unknown; elsewhere 1 to LEVELS, from the smallest to the largest disparity of the image.
        resident: the same maps on the training device, bit by bit, if they fit there (`data.clips.resident`).
        record: all that they depend on, as `record_of` returns it.
    """

    rows: Int[ndarray, "n"]
    maps: UInt16[ndarray, "n h w"] = field(repr=False)
    resident: Int16[Tensor, "n h w"] | None = field(repr=False, default=None)
    record: dict[str, Any] = field(repr=False, default_factory=dict)

    def bits(self, rows: Int[ndarray, "b"]) -> Int16[Tensor, "b h w"]:
        """Copies of the maps of these rows, bit by bit: torch computes little in uint16."""
        maps = np.take(self.maps, np.searchsorted(self.rows, rows), axis=0)
        return torch.from_numpy(maps.view(np.int16))

    def gather(self, rows: Int[ndarray, "b"]) -> Tensor:
        """What `finish` needs for the maps of these rows, on the host: their bits, or where they are on the device."""
        return self.bits(rows) if self.resident is None else torch.from_numpy(np.searchsorted(self.rows, rows))

    def finish(self, gathered: Tensor) -> Float[Tensor, "b 1 h w"]:
        """The maps as a batch has them: 0 where unknown, elsewhere above 0 and at most 1.

        Args:
            gathered: as `gather` returns it, brought to the training device.
        """
        bits = gathered if self.resident is None else self.resident.index_select(0, gathered)
        return ((bits.to(torch.int32) & LEVELS).to(torch.float32) / LEVELS).unsqueeze(1)


def encode(disparity: Float[ndarray, "h w"]) -> UInt16[ndarray, "h w"]:
    """A disparity as it is stored: scaled and shifted to 1 to LEVELS, which the loss does not see; 0 for NaN.

    The largest error is half a step: (largest - smallest disparity) / 131068.
    """
    low, high = np.nanmin(disparity), np.nanmax(disparity)
    levels = 1 + np.rint((disparity.astype(np.float64) - low) * ((LEVELS - 1) / (float(high) - float(low))))
    return np.asarray(np.nan_to_num(levels, nan=0.0), dtype=np.uint16)


def record_of(store: Store, identity: dict[str, Any]) -> dict[str, Any]:
    """All that the maps of a teacher depend on, as JSON values.

    Args:
        identity: what the teacher is: its name, a digest of its files, its options.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "teacher": identity,
        "store": store.fingerprint,
        "width": store.width,
        "height": store.height,
        "maps": len(Targets.of(store).rows),
    }


def digest_of(record: dict[str, Any]) -> str:
    """A short digest of a record, which names the files of the maps."""
    return sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]


def open_or_make(
    store: Store, record: dict[str, Any], disparities: Disparities, progress: Progress | None = None
) -> TeacherMaps:
    """The maps with this record beside the frames of a store; if they are not there, the teacher is asked.

    A large teacher may take hours. What it has answered is kept if the work is interrupted, and the next call goes on
    from there.

    Args:
        record: as `record_of` returns it.
        disparities: asks the teacher. Every map has the size of the frames, and two different known values.
        progress: called with (maps done, maps in total) while they are made.

    Warns:
        SelfDepthWarning: if the maps are not what was written, and the teacher is asked again.

    Raises:
        OutputError: if the store's folder cannot be written, the disk is too small, or another process is making them.
    """
    rows = Targets.of(store).rows
    path = store.folder / f"teacher-{digest_of(record)}.u16"
    shape = (len(rows), store.height, store.width)
    if not _is_complete(path, record, shape):
        _make(path, record, disparities, shape, progress)
    return TeacherMaps(rows=rows, maps=np.memmap(path, dtype=np.uint16, mode="r", shape=shape), record=record)


def _is_complete(path: Path, record: dict[str, Any], shape: tuple[int, int, int]) -> bool:
    try:
        found = read_json(path.with_suffix(".json"), what="the record of the maps cannot be read")
        expected = found.pop(_SUM, None)
        if found != record or expected is None or path.stat().st_size != 2 * int(np.prod(shape)):
            return False
        is_intact: bool = digest_of_file(path) == expected
    except (OSError, DataError):
        return False
    if not is_intact:
        warnings.warn(
            f"a teacher's maps are not what was written, and the teacher is asked again: {path}",
            SelfDepthWarning,
            stacklevel=3,
        )
    return is_intact


def _make(
    path: Path, record: dict[str, Any], disparities: Disparities, shape: tuple[int, int, int], progress: Progress | None
) -> None:
    """Ask the teacher for every map that a stopped attempt has not left behind; then give the files their names."""
    n, map_bytes = shape[0], 2 * shape[1] * shape[2]
    partial, sums, text = (path.with_suffix(ending) for ending in (".part", ".sums", ".json"))
    with held(path.with_suffix(".lock"), on_busy=_busy(path)):
        with writing_to(partial):
            for left in path.parent.glob(f".{text.name}.*.part"):  # of a killed process: the lock is ours
                left.unlink()
            done = _intact(partial, sums, map_bytes, n)
            _check_space(path.parent, (n - done) * map_bytes)
        try:
            with ExitStack() as files:
                with writing_to(partial):
                    maps_file, sums_file = (files.enter_context(each.open("ab", 0)) for each in (partial, sums))
                for disparity in disparities(done):
                    values = encode(disparity).tobytes()
                    with writing_to(partial):
                        _write(maps_file, values)
                        _write(sums_file, sha256(values).digest())
                    done += 1
                    if progress is not None:
                        progress(done, n)
            _give_names(path, record)
        except DataError:  # a teacher that cannot be used: nothing of it will be wanted again
            partial.unlink(missing_ok=True)
            sums.unlink(missing_ok=True)
            raise


def _intact(partial: Path, sums: Path, map_bytes: int, n: int) -> int:
    """Cut off what a stopped attempt left incomplete, or a power cut incorrect. Returns the number of maps before it.

    A file may have its length on the disk before its bytes: those are zeros then, which would mean unknown.
    """
    done = 0
    for each in (partial, sums):
        each.touch()
    with partial.open("r+b") as maps_file, sums.open("r+b") as sums_file:
        while done < n and sha256(maps_file.read(map_bytes)).digest() == sums_file.read(_SUM_BYTES):
            done += 1
        maps_file.truncate(done * map_bytes)
        sums_file.truncate(done * _SUM_BYTES)
    return done


def _give_names(path: Path, record: dict[str, Any]) -> None:
    """Make the complete maps those of the store."""
    partial = path.with_suffix(".part")
    with writing_to(path):
        sync_file(partial)
        values = record | {_SUM: digest_of_file(partial)}
    with whole_file(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    with writing_to(path):
        rename(partial, path)
        path.with_suffix(".sums").unlink()


def _write(file: FileIO, values: bytes) -> None:
    # Without a buffer, a write to a disk that is nearly full may end early.
    if file.write(values) != len(values):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _busy(path: Path) -> Callable[[], None]:
    """What happens if another process makes the maps of this file."""

    def refuse() -> None:
        raise OutputError(
            "another process is asking the same teacher for the same frames",
            where=path,
            fix="wait until it has done so",
        )

    return refuse


def _check_space(folder: Path, needed_bytes: int) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise OutputError(
            "there is not enough disk space for the teacher's maps",
            where=folder,
            expected=f"{needed_bytes / 1e6:.0f} MB",
            got=f"{free_bytes / 1e6:.0f} MB free",
            fix="make room, name a folder on another disk with --store, or train at a smaller --width",
        )
