"""A store: every frame decoded once, cropped and resized, as raw bytes in one memory-mapped file.

A store is a folder with `frames.u8` (uint8, frames x 3 x height x width, planar RGB) and `index.json` (sizes, cameras,
frame numbers, splits). Reading a clip is then a copy of a few rows: training runs at the speed of memory.
`data/store/build.py` makes one.
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
FRAMES_FILE = "frames.u8"
INDEX_FILE = "index.json"


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredSequence:
    """One sequence of a store.

    Attributes:
        name: as in the footage.
        start: row of its first frame in the store.
        numbers: strictly increasing frame numbers; frame `numbers[i]` is row `start + i`.
        names: output name of each frame.
        camera: the camera of the original frames, before crop and resize.
        K: intrinsics in pixels of the stored frames.
        partner: the other camera of a stereo pair, if the store was made with it.
    """

    name: str
    start: int
    numbers: Int[ndarray, "n"]
    names: tuple[str, ...]
    camera: Camera
    K: Float[ndarray, "3 3"]
    partner: StereoPartner | None = None

    def rows(self, numbers: Int[ndarray, "*shape"]) -> Int[ndarray, "*shape"]:
        """Rows of these frame numbers in the store; -1 where the sequence has no such frame."""
        if len(self.numbers) == 0:
            return np.full(numbers.shape, -1, dtype=np.int64)
        place = np.minimum(np.searchsorted(self.numbers, numbers), len(self.numbers) - 1)
        return np.where(self.numbers[place] == numbers, self.start + place, -1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Store:
    """Decoded frames of a whole footage, and which of them are for what.

    Attributes:
        folder: where it lies.
        width, height: size of every frame in pixels.
        frames: planar RGB, memory-mapped and read-only.
        sequences: in the order of their rows.
        train, val, test: target frames, as the footage names them.
        kind: what the footage was recognised as: "kitti-raw", "kitti-odometry", "folder", "video".
        protocol: depth protocol that fits the footage's ground truth.
        crop: pixels cut off the original frames.
        spacing: frames between the neighbours of a clip that the targets were chosen for.
        origin: what the footage was opened from; None where it was no file's.
        fingerprint: of the files and settings it was made from.
        load_to_ram: whether it takes less than half of the memory that was free when it was opened.
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
        """The sequences by their names."""
        return {sequence.name: sequence for sequence in self.sequences}

    @cached_property
    def _in_ram(self) -> UInt8[Tensor, "n 3 h w"]:
        return torch.from_numpy(np.array(self.frames))

    def gather(self, rows: Int[ndarray, "n"]) -> UInt8[Tensor, "n 3 h w"]:
        """Copy these rows out of the store. The first call reads a store that is to live in RAM as a whole."""
        if self.load_to_ram:
            return self._in_ram.index_select(0, torch.from_numpy(rows))
        return torch.from_numpy(np.take(self.frames, rows, axis=0))


def training_size(camera_width: int, camera_height: int, width: int, height: int | None = None) -> tuple[int, int]:
    """Training size in pixels: the height, if not given, is the multiple of 32 nearest to the camera's aspect.

    Args:
        camera_width, camera_height: size of the frames after the crop.
    """
    if height is None:
        exact = width * camera_height / camera_width
        height = max(MIN_SIZE, int(exact / SIZE_MULTIPLE + 0.5) * SIZE_MULTIPLE)
    return width, height


def is_store(path: Path) -> bool:
    """Whether this folder is a store (of any version)."""
    marker = f'{{"format": "{FORMAT}"'.encode()
    try:
        with (path / INDEX_FILE).open("rb") as file:
            return file.read(len(marker)) == marker
    except OSError:
        return False


def open_store(folder: Path) -> Store:
    """Map a store into memory; takes the time of reading its index, whatever its size.

    Raises:
        DataError: if the folder is no store, one of another version, or its frames are not all there.
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
    """The text of index.json. Numbers and references are kept as runs, so long drives stay short."""
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
            "the store's frames are not all there",
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
        load_to_ram=expected_bytes < _available_bytes() / 2,
    )


def _decode_sequence(entry: dict[str, Any]) -> StoredSequence:
    runs = [np.arange(first, first + count, dtype=np.int64) for first, count in entry["numbers"]]
    numbers = np.concatenate(runs) if runs else np.zeros(0, dtype=np.int64)
    names = entry["names"]
    if isinstance(names, int):
        names = [f"{number:0{names}d}" for number in numbers.tolist()]
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
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and sum(runs[-1]) == number:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((number, 1))
    return runs


def _pack_names(sequence: StoredSequence) -> int | tuple[str, ...]:
    """The number of digits where the names are the zero-padded numbers, else the names."""
    digits = len(sequence.names[0]) if sequence.names else 1
    padded = (f"{number:0{digits}d}" for number in sequence.numbers.tolist())
    return digits if all(a == b for a, b in zip(padded, sequence.names, strict=True)) else sequence.names


def _available_bytes() -> int:
    """Memory that can be taken without pushing others out; 0 where the system does not say."""
    limits = []
    try:
        memory = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        limits.append(int(memory["MemAvailable"].split()[0]) * 1024)
        # A container may be allowed less than the machine has.
        group = Path("/sys/fs/cgroup")
        limit = (group / "memory.max").read_text().strip()
        if limit != "max":
            limits.append(int(limit) - int((group / "memory.current").read_text()))
    except (OSError, ValueError, KeyError):
        pass
    if not limits and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    return min(limits, default=0)
