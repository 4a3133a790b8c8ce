"""A store: every frame decoded once, cropped and resized, as raw bytes in one memory-mapped file.

A store is a folder with `frames.u8` (uint8, frames x 3 x height x width, planar RGB) and `index.json` (sizes, cameras,
frame numbers, splits). To read a clip is to copy a few rows, so training runs at the speed of memory.
`data/store/build.py` builds stores.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from torch import Tensor

from selfdepth.checks import MIN_SIZE, SIZE_MULTIPLE
from selfdepth.data.footage import Origin
from selfdepth.data.frames import FrameRef, StereoPartner
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.crop import Crop

FORMAT = "selfdepth-store"
VERSION = 3
"""Version of the format. A store of another version is refused, or built again where its data is at hand."""
FRAMES_FILE = "frames.u8"
INDEX_FILE = "index.json"


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredSequence:
    """One sequence of a store.

    Attributes:
        name: as in the data set.
        start: row of its first frame in the store.
        numbers: strictly increasing frame numbers; frame `numbers[i]` is row `start + i`.
        names: output name of each frame.
        camera: camera of the original frames, before crop and resize.
        K: intrinsics in pixels of the stored frames, after crop and resize.
        partner: the other camera of a stereo pair, if the store was made with stereo.
    """

    name: str
    start: int
    numbers: Int[ndarray, "n"]
    names: tuple[str, ...]
    camera: Camera
    K: Float[ndarray, "3 3"]
    partner: StereoPartner | None = None

    def rows(self, numbers: Int[ndarray, "*shape"]) -> Int[ndarray, "*shape"]:
        """Rows of these frame numbers in the store; -1 for numbers that the sequence does not have."""
        if len(self.numbers) == 0:
            return np.full(numbers.shape, -1, dtype=np.int64)
        # Numbers beyond the last one are clipped to it, and then differ from it.
        index = np.minimum(np.searchsorted(self.numbers, numbers), len(self.numbers) - 1)
        return np.where(self.numbers[index] == numbers, self.start + index, -1)


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
        spacing: distance in frames between the neighbours of a clip, for which the targets were chosen.
        origin: path and options of the data it was made from; None for data that did not come from files.
        fingerprint: digest of the files and settings it was made from.
        load_to_ram: whether it takes less than half of the memory that was available when it was opened.
    """

    folder: Path
    width: int
    height: int
    frames: UInt8[ndarray, "n 3 h w"] = field(repr=False)
    sequences: tuple[StoredSequence, ...] = field(repr=False)
    train: tuple[FrameRef, ...] = field(repr=False)
    val: tuple[FrameRef, ...] = field(repr=False)
    test: tuple[FrameRef, ...] = field(repr=False)
    kind: str
    protocol: str
    crop: Crop
    spacing: int
    origin: Origin | None
    fingerprint: str
    load_to_ram: bool

    @cached_property
    def by_name(self) -> dict[str, StoredSequence]:
        """The sequences by name."""
        return {sequence.name: sequence for sequence in self.sequences}

    @cached_property
    def _in_ram(self) -> UInt8[ndarray, "n 3 h w"]:
        return np.array(self.frames)  # a copy: the map itself stays on the disk

    def gather(self, rows: Int[ndarray, "n"]) -> UInt8[Tensor, "n 3 h w"]:
        """Copy these rows out of the store. With `load_to_ram`, the first call reads the whole store into memory."""
        # With numpy, because a thread of its own calls this. An operation of torch would start a second team of OpenMP
        # threads there. With more threads than cores, OpenMP lets waiting threads sleep instead of spin, and a training
        # step with many small layers then took twice as long.
        return torch.from_numpy(np.take(self._in_ram if self.load_to_ram else self.frames, rows, axis=0))


def training_size(camera_width: int, camera_height: int, width: int, height: int | None = None) -> tuple[int, int]:
    """Training size (width, height) in pixels. Without a height: the multiple of 32 closest to the aspect ratio.

    Args:
        camera_width, camera_height: size of the frames after the crop, in pixels.
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
    """Map a store into memory. This reads the index only, so it is fast for stores of any size.

    Raises:
        DataError: if the folder is not a store, is one of another version, or lacks frames.
    """
    if not is_store(folder):
        raise DataError(
            "this folder is not a store",
            where=folder,
            expected=f"{INDEX_FILE} and {FRAMES_FILE}, as written by prepare",
            fix="make one with: selfdepth prepare DATA --out STORE",
        )
    try:
        index = json.loads((folder / INDEX_FILE).read_text(encoding="utf-8"))
        if index["version"] != VERSION:
            raise DataError(
                "the store was made by another version",
                where=folder,
                expected=f"format version {VERSION}",
                got=str(index["version"]),
                fix="make it again with: selfdepth prepare DATA --out STORE",
            )
        return _open(folder, index)
    except (KeyError, TypeError, ValueError, IndexError, OSError) as error:
        raise DataError(
            "the store's index cannot be read",
            where=folder / INDEX_FILE,
            got=f"{type(error).__name__}: {error}",
            fix="make it again with: selfdepth prepare DATA --out STORE",
        ) from error


def encode_index(store_values: dict[str, Any], sequences: Sequence[StoredSequence]) -> str:
    """The text of index.json. Numbers and references are stored as runs, which keeps the index of long drives short."""
    entries = [
        {
            "name": item.name,
            "start": item.start,
            "numbers": _runs(item.numbers.tolist()),
            "names": _pack_names(item),
            "camera": asdict(item.camera),
            "K": item.K.tolist(),
            "partner": None if item.partner is None else asdict(item.partner),
        }
        for item in sequences
    ]
    # "format" comes first: `is_store` reads only the beginning.
    return json.dumps({"format": FORMAT, "version": VERSION, **store_values, "sequences": entries})


def encode_refs(refs: Sequence[FrameRef], sequence_names: Sequence[str]) -> list[tuple[int, int, int]]:
    """References in their order, as runs (index of the sequence, first number, count)."""
    index = {name: i for i, name in enumerate(sequence_names)}
    runs: list[tuple[int, int, int]] = []
    for ref in refs:
        sequence = index[ref.sequence]
        if runs and runs[-1][0] == sequence and runs[-1][1] + runs[-1][2] == ref.number:
            runs[-1] = (sequence, runs[-1][1], runs[-1][2] + 1)
        else:
            runs.append((sequence, ref.number, 1))
    return runs


def _open(folder: Path, index: dict[str, Any]) -> Store:
    width, height = index["width"], index["height"]
    sequences = tuple(_decode_sequence(entry) for entry in index["sequences"])
    n_frames = sum(len(sequence.numbers) for sequence in sequences)
    expected_bytes = n_frames * 3 * height * width
    path = folder / FRAMES_FILE
    got_bytes = path.stat().st_size if path.is_file() else 0
    if got_bytes != expected_bytes:
        raise DataError(
            "the store's frames are incomplete",
            where=path,
            expected=f"{expected_bytes} bytes ({n_frames} frames of {width}x{height})",
            got=f"{got_bytes} bytes",
            fix="make it again with: selfdepth prepare DATA --out STORE",
        )
    names = [sequence.name for sequence in sequences]
    return Store(
        folder=folder,
        width=width,
        height=height,
        frames=np.memmap(path, dtype=np.uint8, mode="r", shape=(n_frames, 3, height, width)),
        sequences=sequences,
        train=_decode_refs(index["train"], names),
        val=_decode_refs(index["val"], names),
        test=_decode_refs(index["test"], names),
        kind=index["kind"],
        protocol=index["protocol"],
        crop=Crop(*index["crop"]),
        spacing=index["spacing"],
        origin=Origin.from_json(index["origin"]) if index["origin"] else None,
        fingerprint=index["fingerprint"],
        load_to_ram=expected_bytes < _available_bytes() / 2,  # the other half is for the model and its batches
    )


def _decode_sequence(entry: dict[str, Any]) -> StoredSequence:
    runs = [np.arange(first, first + count, dtype=np.int64) for first, count in entry["numbers"]]
    numbers = np.concatenate(runs) if runs else np.zeros(0, dtype=np.int64)
    names = entry["names"]
    if isinstance(names, int):
        names = [f"{number:0{names}d}" for number in numbers.tolist()]
    # `open_store` turns this ValueError, like any other one in an index, into a DataError that names the file.
    if len(names) != len(numbers):
        raise ValueError(f"{len(names)} names for {len(numbers)} frames of {entry['name']}")
    return StoredSequence(
        name=entry["name"],
        start=entry["start"],
        numbers=numbers,
        names=tuple(names),
        camera=Camera(**entry["camera"]),
        K=np.array(entry["K"], dtype=np.float64),
        partner=StereoPartner.from_json(entry["partner"]) if entry["partner"] else None,
    )


def _decode_refs(runs: list[list[int]], names: list[str]) -> tuple[FrameRef, ...]:
    return tuple(
        FrameRef(names[sequence], number) for sequence, first, count in runs for number in range(first, first + count)
    )


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Increasing numbers as runs (first number, count)."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and sum(runs[-1]) == number:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((number, 1))
    return runs


def _pack_names(sequence: StoredSequence) -> int | tuple[str, ...]:
    """The number of digits if the names are the zero-padded numbers, else the names themselves."""
    digits = len(sequence.names[0]) if sequence.names else 1
    padded = (f"{number:0{digits}d}" for number in sequence.numbers.tolist())
    return digits if all(a == b for a, b in zip(padded, sequence.names, strict=True)) else sequence.names


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
