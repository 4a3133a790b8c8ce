"""The times of a store's frames, in a file beside them: stores that were made before there was one have none.

`times.f64` holds seconds as little-endian float64, one per row of the store; NaN where they are not known. It is absent
if no time is known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.frames import FrameSequence
from selfdepth.data.store.index import MAKE_AGAIN, StoredSequence
from selfdepth.errors import DataError
from selfdepth.texts import reason

TIMES_FILE = "times.f64"


def write_times(folder: Path, sequences: Sequence[FrameSequence]) -> str | None:
    """Write the times of all frames, in the order of their rows.

    Returns:
        The checksum for the index; None if no time is known, and there is no file.

    Raises:
        OSError: if the file cannot be written.
    """
    data = times_file(times_of(sequences))
    if data is None:
        return None
    (folder / TIMES_FILE).write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def times_of(sequences: Sequence[FrameSequence]) -> Float[ndarray, "n"]:
    """The times of all frames in seconds, in the order of their rows; NaN where they are not known."""
    times = [np.full(len(each.numbers), np.nan) if each.times_s is None else each.times_s for each in sequences]
    return np.concatenate(times).astype(np.float64)


def times_file(times_s: Float[ndarray, "n"]) -> bytes | None:
    """The content of the file of times; None if none is known, and there is no file."""
    return None if np.isnan(times_s).all() else times_s.astype("<f8").tobytes()


def read_times(folder: Path, digest: str | None, sequences: Sequence[StoredSequence]) -> Float[ndarray, "n"]:
    """The times of all rows in seconds; NaN where they are not known.

    Args:
        digest: that the index has; None: no time is known.

    Raises:
        DataError: for a file that is missing, of another size, altered, or whose times do not increase.
    """
    n_frames = sum(len(each.numbers) for each in sequences)
    if digest is None:
        return np.full(n_frames, np.nan)
    path = folder / TIMES_FILE
    try:
        # Read to the size that the frames allow, and a byte more: a larger file is another one.
        with path.open("rb") as file:
            data = file.read(8 * n_frames + 1)
    except OSError as error:
        raise DataError("the store's times cannot be read", where=path, got=reason(error), fix=MAKE_AGAIN) from error
    if hashlib.sha256(data).hexdigest() != digest:
        expected = "the checksum that was written with them"
        raise DataError("the store's times were altered", where=path, expected=expected, fix=MAKE_AGAIN)
    times = np.frombuffer(data, "<f8").astype(np.float64)
    if len(times) != n_frames or not all(_is_usable(times[s.start : s.start + len(s.numbers)]) for s in sequences):
        expected = f"increasing times of {n_frames} frames"
        raise DataError("the store's times cannot be used", where=path, expected=expected, fix=MAKE_AGAIN)
    return times


def _is_usable(times: Float[ndarray, "n"]) -> bool:
    return bool(np.isnan(times).all() or (np.isfinite(times).all() and (np.diff(times) > 0).all()))
