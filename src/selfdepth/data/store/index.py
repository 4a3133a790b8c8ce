"""The index of a store, index.json: what it says of a sequence, how it is written, and its checksum, which ends it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from selfdepth.data.frames import FrameRef, StereoPartner
from selfdepth.geometry.camera import Camera

FORMAT = "selfdepth-store"
VERSION = 4
"""Version of the format. Version 3 has no checksums; it is read, too."""
WITHOUT_CHECKSUMS = 3
FRAMES_FILE = "frames.u8"
INDEX_FILE = "index.json"
MAKE_AGAIN = "make it again with: selfdepth prepare DATA --out STORE"

_CHECKSUM = ', "sha256": "'
"""What comes before the checksum of the index, its last field: the digest of all that comes before, and "}"."""


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


def encode_index(store_values: dict[str, Any], sequences: Sequence[StoredSequence]) -> str:
    """The text of index.json. Numbers and references are stored as runs, which keeps the index of long drives short.

    Args:
        store_values: the other fields; `frames_sha256` (`digest_of_frames`) is among them, or None.
    """
    entries = [
        {
            "name": item.name,
            "start": item.start,
            "numbers": _runs(item.numbers.tolist()),
            "names": _pack_names(item),
            "camera": item.camera.to_json(),
            "K": item.K.tolist(),
            "partner": None if item.partner is None else asdict(item.partner),
        }
        for item in sequences
    ]
    # "format" comes first: `is_store` reads only the beginning.
    return sealed(json.dumps({"format": FORMAT, "version": VERSION, **store_values, "sequences": entries}))


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


def is_sealed(text: str) -> bool:
    """Whether the text of an index ends with the checksum of the rest."""
    return text == sealed(text.rpartition(_CHECKSUM)[0] + "}")


def sealed(body: str) -> str:
    """An index with its checksum as the last field."""
    return f'{body[:-1]}{_CHECKSUM}{hashlib.sha256(body.encode()).hexdigest()}"}}'


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
