"""A store: every frame decoded once, cropped and resized, as raw bytes in one memory-mapped file.

A store is a folder with `frames.u8` (uint8, frames x 3 x height x width, planar RGB) and `index.json` (sizes, cameras,
frame numbers, splits); where the times of frames are known, also `times.f64` (`data/store/times.py`). To read a clip is
to copy a few rows, so training runs at the speed of memory. `data/store/build.py` builds stores.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from torch import Tensor

from selfdepth.checks import MIN_SIZE, SIZE_MULTIPLE
from selfdepth.data.footage import Origin
from selfdepth.data.frames import FrameRef
from selfdepth.data.runs import FrameRefs
from selfdepth.data.store.checksum import digest_of_frames
from selfdepth.data.store.index import FORMAT, FRAMES_FILE, INDEX_FILE, MAKE_AGAIN, StoredSequence, encode_refs
from selfdepth.data.store.judge import read_index
from selfdepth.data.store.run_plan import Runs, plan_runs
from selfdepth.data.store.times import read_times
from selfdepth.data.truth import DepthTruth
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.crop import Crop
from selfdepth.texts import reason

_QUICK_BYTES = 64 << 20
"""Frames up to this are compared with their checksum whenever a store is opened: it takes a tenth of a second."""
_LONG_BYTES = 32 << 30
"""Frames beyond this take a minute or more to compare, which is said."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Store:
    """The decoded frames of a data set, and the target frames of each part.

    Attributes:
        folder: folder of the store.
        width, height: size of every frame in pixels.
        frames: planar RGB, 0 to 255, memory-mapped and read-only.
        sequences: the sequences in the order of their rows.
        train, val, test: target frames, as in `Footage`.
        kind: kind of the data it was made from: "kitti-raw", "kitti-odometry", "folder", "video", ...
        protocol: name of the depth protocol that fits the data's ground truth.
        crop: pixels cut off the original frames.
        rectified: whether the frames of cameras with a lens are those of pinhole cameras; False if there are none.
        spacing: distance in frames between the neighbours of a clip, for which the targets were chosen.
        origin: path and options of the data it was made from; None for data that did not come from files.
        fingerprint: digest of the files and settings it was made from.
        frames_digest: checksum of the frames (`digest_of_frames`); None in a store of an earlier version.
        times_digest: checksum of the file of times; None if no time is known, as in a store of an earlier version.
        load_to_ram: whether it takes less than half of the memory that was available when it was opened.
    """

    folder: Path
    width: int
    height: int
    frames: UInt8[ndarray, "n 3 h w"] = field(repr=False)
    sequences: tuple[StoredSequence, ...] = field(repr=False)
    train: Sequence[FrameRef] = field(repr=False)
    val: Sequence[FrameRef] = field(repr=False)
    test: Sequence[FrameRef] = field(repr=False)
    kind: str
    protocol: str
    crop: Crop
    rectified: bool
    spacing: int
    origin: Origin | None
    fingerprint: str
    load_to_ram: bool
    frames_digest: str | None = None
    times_digest: str | None = None

    @cached_property
    def by_name(self) -> dict[str, StoredSequence]:
        """The sequences by name."""
        return {sequence.name: sequence for sequence in self.sequences}

    @cached_property
    def camera_numbers(self) -> dict[str, int]:
        """The number of each sequence's camera: sequences whose original frames have one size share one."""
        sizes = [(sequence.camera.width, sequence.camera.height) for sequence in self.sequences]
        numbers = {size: number for number, size in enumerate(dict.fromkeys(sizes))}
        return {sequence.name: numbers[size] for sequence, size in zip(self.sequences, sizes, strict=True)}

    def cameras_of(self, refs: Sequence[FrameRef]) -> Int[ndarray, "n"] | None:
        """The number of the camera of each frame; None if all have the same."""
        numbers = self.camera_numbers
        return FrameRefs.of(refs).values(numbers) if any(numbers.values()) else None

    @cached_property
    def runs(self) -> Runs:
        """Its runs of neighbouring frames."""
        return plan_runs(self.sequences, self.spacing)

    @cached_property
    def times_s(self) -> Float[ndarray, "n"]:
        """Time of each row in seconds; NaN where it is not known. Raises DataError if the file of times was altered."""
        return read_times(self.folder, self.times_digest, self.sequences)

    @cached_property
    def contents(self) -> str:
        """A digest of what is learned from: frames, cameras, and which clips they make. Names, sizes and times of files
        are not in it, so data that were copied or touched are the same."""
        names = [sequence.name for sequence in self.sequences]
        place = {name: i for i, name in enumerate(names)}
        frames = self.frames_digest or digest_of_frames(self.frames)
        digest = hashlib.sha256(json.dumps([frames, self.frames.shape, self.spacing]).encode())
        for each in self.sequences:
            partner = each.partner and (place[each.partner.sequence], each.partner.translation_m)
            lens = [] if each.stored_camera.is_pinhole else [each.stored_camera.lens.to_json()]
            digest.update(json.dumps([each.start, [*each.numbers], each.K.tolist(), partner, *lens]).encode())
        digest.update(json.dumps([encode_refs(refs, names) for refs in (self.train, self.val)]).encode())
        return digest.hexdigest()

    @cached_property
    def _in_ram(self) -> UInt8[ndarray, "n 3 h w"]:
        self.check_frames()  # they pass through memory here anyhow
        return np.array(self.frames)  # a copy: the map itself stays on the disk

    @cached_property
    def _is_as_written(self) -> bool:
        if self.frames_digest is None:
            return True
        if self.frames.nbytes > _LONG_BYTES:
            size = f"{self.frames.nbytes / 1e9:.0f} GB"
            said = f"comparing the {size} of {self.folder / FRAMES_FILE} with their checksum, before they are used"
            warnings.warn(said, SelfDepthWarning, stacklevel=2)
        return digest_of_frames(self.frames) == self.frames_digest

    def check_frames(self) -> None:
        """Compare the frames with the checksum that was made when they were written, if the store has one.

        They are read once: a second call knows the result of the first.

        Warns:
            SelfDepthWarning: if it takes long.

        Raises:
            DataError: if they were altered.
        """
        if not self._is_as_written:
            raise DataError(
                "the store's frames were altered",
                where=self.folder / FRAMES_FILE,
                expected="the checksum that was written with them",
                got="another one",
                fix=MAKE_AGAIN,
            )

    @property
    def own_truth(self) -> DepthTruth | None:
        """The ground truth that the store holds itself; None if that is with the data that it was made from."""
        return None

    @property
    def look_ahead(self) -> int:
        """How many clips ahead `expect` wants to know what is needed: 0, because all frames are at hand."""
        return 0

    def expect(self, who: str, rows: Int[ndarray, "n views"]) -> None:
        """Hear of the rows of clips that will be gathered, in their order.

        Args:
            who: asks for them; what it has said before no longer counts.
        """

    def gather_clips(self, rows: Int[ndarray, "b views"]) -> UInt8[Tensor, "b views 3 h w"]:
        """As `gather`, of clips whose first view is the target."""
        return torch.unflatten(self.gather(rows.reshape(-1)), 0, rows.shape)

    def gather(self, rows: Int[ndarray, "n"]) -> UInt8[Tensor, "n 3 h w"]:
        """Copy these rows out of the store. With `load_to_ram`, the first call reads the whole store into memory."""
        # With numpy, because a thread of its own calls this. An operation of torch would start a second team of OpenMP
        # threads there. With more threads than cores, OpenMP lets waiting threads sleep instead of spin, and a training
        # step with many small layers then took twice as long.
        return torch.from_numpy(np.take(self._in_ram if self.load_to_ram else self.frames, rows, axis=0))


def training_size(camera_width: float, camera_height: float, width: int, height: int | None = None) -> tuple[int, int]:
    """Training size (width, height) in pixels. Without a height: the multiple of 32 closest to the aspect ratio.

    Args:
        camera_width, camera_height: size of the frames after the crop, or of their view, in any unit.
        width, height: requested training size.
    """
    if height is None:
        exact = width * camera_height / camera_width
        height = max(MIN_SIZE, int(exact / SIZE_MULTIPLE + 0.5) * SIZE_MULTIPLE)
    return width, height


def is_store(path: Path) -> bool:
    """Whether this folder is a store (of any version)."""
    # The first bytes are enough: the index of a large store has megabytes, and `recognise` looks at every path.
    marker = f'{{"format": "{FORMAT}"'.encode()
    try:
        with (path / INDEX_FILE).open("rb") as file:
            return file.read(len(marker)) == marker
    except OSError:
        return False


def open_store(folder: Path) -> Store:
    """Map a store into memory. This reads the index only, so it is fast for stores of any size; of small ones, the
    frames are compared with their checksum, too.

    Raises:
        DataError: if the folder is not a store, is one of another version, lacks frames, or was altered.
    """
    if not is_store(folder):
        raise DataError(
            "this folder is not a store",
            where=folder,
            expected=f"{INDEX_FILE} and {FRAMES_FILE}, as written by prepare",
            fix="make one with: selfdepth prepare DATA --out STORE",
        )
    index, path = read_index(folder), folder / FRAMES_FILE
    n_frames = sum(len(sequence.numbers) for sequence in index.sequences)
    n_bytes = n_frames * 3 * index.height * index.width
    try:
        frames = np.memmap(path, dtype=np.uint8, mode="r", shape=(n_frames, 3, index.height, index.width))
    except (OSError, ValueError) as error:
        raise DataError("the store's frames cannot be read", where=path, got=reason(error), fix=MAKE_AGAIN) from error
    store = Store(
        folder=folder,
        frames=frames,
        load_to_ram=n_bytes < _available_bytes() / 2,  # the other half is for the model and its batches
        **{field.name: getattr(index, field.name) for field in fields(index)},
    )
    if n_bytes <= _QUICK_BYTES:
        store.check_frames()
    return store


def _available_bytes() -> int:
    """Memory that can be used without forcing other processes out, in bytes; 0 if the system does not state it."""
    limits = []
    try:
        memory = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        limits.append(int(memory["MemAvailable"].split()[0]) * 1024)
        # A container may be limited to less than the machine has.
        group = Path("/sys/fs/cgroup")
        limit = (group / "memory.max").read_text().strip()
        if limit != "max":
            limits.append(int(limit) - int((group / "memory.current").read_text()))
    except (OSError, ValueError, KeyError):
        pass
    # Without /proc (macOS): half of the physical memory, a guess.
    if not limits and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    return min(limits, default=0)
