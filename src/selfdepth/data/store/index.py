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
from selfdepth.data.runs import FrameRefs, NumberRuns, PaddedNames, grouped
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
        names: output name of each frame, in the order of `numbers`.
        camera: camera of the original frames, before crop and resize.
        stored_camera: camera of the stored frames, after crop and resize or rectification.
        K: its intrinsics in pixels.
        partner: the other camera of a stereo pair, if the store was made with stereo.
    """

    name: str
    start: int
    numbers: NumberRuns
    names: Sequence[str]
    camera: Camera
    stored_camera: Camera
    K: Float[ndarray, "3 3"]
    partner: StereoPartner | None = None

    def rows(self, numbers: Int[ndarray, "*shape"]) -> Int[ndarray, "*shape"]:
        """Rows of these frame numbers in the store; -1 for numbers that the sequence does not have."""
        places = self.numbers.places(numbers)
        return np.where(places >= 0, self.start + places, -1)


def rows_of(
    sequences: Sequence[StoredSequence | None], refs: FrameRefs, steps: Int[ndarray, "steps"]
) -> Int[ndarray, "n steps"]:
    """Rows in the store of the frames so many numbers from each reference; -1 for frames that are not there.

    Args:
        sequences: where to look for the frames of each sequence of `refs.names`; None: nowhere.
    """
    which, numbers = refs.arrays()
    rows = np.full((len(numbers), len(steps)), -1, dtype=np.int64)
    for place, indices in grouped(which):
        sequence = sequences[place]
        if sequence is not None:
            rows[indices] = sequence.rows(numbers[indices, None] + steps)
    return rows


def encode_index(store_values: dict[str, Any], sequences: Sequence[StoredSequence]) -> str:
    """The text of index.json. Numbers and references are stored as runs, which keeps the index of long drives short.

    Args:
        store_values: the other fields; `frames_sha256` (`digest_of_frames`) is among them, or None.
    """
    entries = [
        {
            "name": item.name,
            "start": item.start,
            "numbers": _pairs(item.numbers),
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
    runs = FrameRefs.of(refs)
    which = [index[runs.names[place]] for place in runs.which.tolist()]
    return list(zip(which, runs.firsts.tolist(), runs.counts.tolist(), strict=True))


def is_sealed(text: str) -> bool:
    """Whether the text of an index ends with the checksum of the rest."""
    return text == sealed(text.rpartition(_CHECKSUM)[0] + "}")


def sealed(body: str) -> str:
    """An index with its checksum as the last field."""
    return f'{body[:-1]}{_CHECKSUM}{hashlib.sha256(body.encode()).hexdigest()}"}}'


def _pairs(numbers: NumberRuns) -> list[tuple[int, int]]:
    """Numbers as runs (first number, count)."""
    return list(zip(numbers.firsts.tolist(), numbers.counts.tolist(), strict=True))


def _pack_names(sequence: StoredSequence) -> int | tuple[str, ...]:
    """The number of digits if the names are the zero-padded numbers, else the names themselves."""
    if isinstance(sequence.names, PaddedNames):
        return sequence.names.digits
    digits = len(sequence.names[0]) if sequence.names else 1
    padded = PaddedNames(sequence.numbers, digits)
    return digits if padded == tuple(sequence.names) else tuple(sequence.names)
