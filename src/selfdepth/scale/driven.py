"""A speed log beside the footage: which log belongs to which sequence, and what it says along the camera's path."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from selfdepth.data.kitti.raw import KIND
from selfdepth.data.readers.oxts_speeds import oxts_folder
from selfdepth.data.readers.speed_log import SpeedLog
from selfdepth.data.readers.speeds import logs_of_sequences
from selfdepth.errors import ConfigError, DataError
from selfdepth.scale.frames import ScaleFootage
from selfdepth.scale.speed import speed_testimony
from selfdepth.scale.witness import Testimony
from selfdepth.structs import Trajectory

Offset = float | Literal["auto"] | None
"""Seconds from the clock of the footage to that of the log, as `speed_testimony` takes them."""


def driven_testimony(
    footage: ScaleFootage, speed: str, offset_s: Offset, paths_of: Callable[[str], Sequence[Trajectory]]
) -> Testimony:
    """What a speed log says of all sequences.

    Args:
        speed: a file for `read_speed_log`, or OXTS.
        paths_of: the camera's path along a sequence, by its name: in the unit whose metres are wanted, in stretches.

    Raises:
        ConfigError: for frames without times, a log that cannot tell several sequences apart, or OXTS of other data
            than KITTI raw.
        DataError: for a log that cannot be read, or if it says nothing of any stretch.
    """
    log_of = _logs(footage, speed)
    found: list[Testimony] = []
    silent: Counter[str] = Counter()
    first: DataError | None = None
    for sequence in footage.sequences:
        own = footage.own_times_s[sequence.name]
        assert own is not None, "_logs refuses frames without times"
        start = next(time for ref, time in footage.times_s.items() if ref.sequence == sequence.name)
        log = log_of(sequence.name)
        for path in paths_of(sequence.name):
            try:
                said = speed_testimony(path, log, offset_s=offset_s)
            except DataError as error:  # a parked stretch, for example, need not spoil the others
                first = first or error
                silent[error.what] += len(path)
                continue
            shift = start - float(own[0])  # on the clock of all sequences
            found.append(_shifted(said, shift))
    if not found:
        assert first is not None, "there is a path for each sequence"
        raise first
    return _joined(found, silent)


def _logs(footage: ScaleFootage, speed: str) -> Callable[[str], SpeedLog]:
    """The log of each sequence, by its name."""
    unknown = next((name for name, times in footage.own_times_s.items() if times is None), None)
    if unknown is not None:
        raise ConfigError(
            "the times of the frames are not known, without which a speed is no distance",
            where=f"--speed {speed}",
            expected=f"times of the frames of {unknown}",
            fix="give the video, or frames whose names or data.csv state their times",
        )
    data = f"{footage.source.path}, of kind {footage.source.kind}"
    names = [sequence.name for sequence in footage.sequences]
    return logs_of_sequences(speed, names, lambda name: _oxts_of(footage, name), data)


def _oxts_of(footage: ScaleFootage, name: str) -> Path | None:
    files = footage.sequence(name).files
    near = list(files[0].resolve().parents)[:3] if footage.source.kind == KIND and files else []
    return next((found for each in near if (found := oxts_folder(each)) is not None), None)


def _shifted(said: Testimony, seconds: float) -> Testimony:
    return Testimony(
        witness=said.witness,
        source=said.source,
        times_s=said.times_s + seconds,
        factors=said.factors,
        left_out=said.left_out,
        notes=said.notes,
    )


def _joined(found: Sequence[Testimony], silent: Counter[str]) -> Testimony:
    """The estimates of all stretches as those of one witness."""
    left_out = Counter(silent)
    for each in found:
        left_out.update(each.left_out)
    times = np.concatenate([each.times_s for each in found])
    order = np.argsort(times, kind="stable")
    sources = list(dict.fromkeys(each.source for each in found))
    return Testimony(
        witness="speed",
        source=sources[0] if len(sources) == 1 else f"{sources[0]} and {len(sources) - 1} more",
        times_s=times[order],
        factors=np.concatenate([each.factors for each in found])[order],
        left_out=dict(left_out),
        notes=tuple(dict.fromkeys(note for each in found for note in each.notes)),
    )
