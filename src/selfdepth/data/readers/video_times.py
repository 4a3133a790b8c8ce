"""When each frame of a video is shown, and where its time has holes."""

from __future__ import annotations

import itertools
import warnings
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from statistics import median

from selfdepth.data.readers.frame_names import SCENE_GAP
from selfdepth.errors import SelfDepthWarning

HOLE = 5
"""A step this many times as long as those around it is a hole: the recording was paused, or frames were lost."""
_AROUND, _FEWEST = 8, 4
"""Steps on either side that tell how long one is there, because the rate may change, and how many must be known."""
_IMPLAUSIBLE = 2
"""Factor between the stated rate and that of the times, from which on the times are believed."""


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """The frames of a video in display order.

    Attributes:
        times_s: seconds from the start of the file, strictly increasing; None if neither times nor a rate are stated.
        numbers: strictly increasing from 0. Neighbours differ by one, a hole in the time leaves a gap of about as many
            numbers as frames are missing, and a new recording one of SCENE_GAP.
        fps: mean frames per second outside holes; 0 if not known.
    """

    times_s: tuple[float, ...] | None
    numbers: tuple[int, ...]
    fps: float


def timeline(
    recordings: Sequence[Sequence[float | None]], *, stated_fps: float, start_s: float, path: Path
) -> Timeline:
    """Times and numbers of the frames of a stream, from what its packets state.

    Frames with equal times are spread over the time until the next. Recordings that were joined, which the time's
    jumps back tell, follow each other. A stream in which any frame has no time has the times of its rate.

    Args:
        recordings: seconds of the frames of each recording, in any order; None where none is stated.
        stated_fps: the rate that the file states; 0 if none.
        start_s: time at which the file starts.
        path: for the warnings that times are missing, or jump back.
    """
    count = sum(len(recording) for recording in recordings)
    starts = list(itertools.accumulate(len(recording) for recording in recordings))[:-1]
    if starts:
        again = f" and {len(starts) - 1} more times" if len(starts) > 1 else ""
        _warn(
            f"the time of {path} jumps back at frame {starts[0]}{again}, as where recordings were joined: no clip "
            "crosses from one to the next; if nothing is missing between them, make them one: ffmpeg -i IN -c copy "
            "OUT.mp4"
        )
    times_s = _continued(recordings, stated_fps, start_s)
    if times_s is None:
        known = sum(time is not None for recording in recordings for time in recording)
        if 0 < known < count:
            rate = f"taken to be 1/{stated_fps:.6g} s apart" if stated_fps else "taken to have none"
            _warn(f"{path} states no time for {count - known} of its {count} frames: all are {rate}")
        times = tuple(number / stated_fps for number in range(count)) if stated_fps else None
        return Timeline(times_s=times, numbers=_numbers([1.0] * (count - 1), starts), fps=stated_fps)
    steps_s = [after - before for before, after in itertools.pairwise(times_s)]
    numbers = _numbers(steps_s, starts)
    near = [step for step, (a, b) in zip(steps_s, itertools.pairwise(numbers), strict=True) if b - a == 1]
    fps = len(near) / sum(near) if near else stated_fps
    plausible = fps / _IMPLAUSIBLE < stated_fps < fps * _IMPLAUSIBLE
    # The stated rate is an exact fraction, such as 30000/1001; the times are rounded.
    return Timeline(times_s=tuple(times_s), numbers=numbers, fps=stated_fps if plausible else fps)


def _continued(recordings: Sequence[Sequence[float | None]], stated_fps: float, start_s: float) -> list[float] | None:
    """Times of all frames in display order, each recording after the one before; None unless they can be told."""
    known = [sorted(time - start_s for time in recording if time is not None) for recording in recordings]
    if sum(map(len, known)) < sum(map(len, recordings)):
        return None
    steps_s = [b - a for recording in known for a, b in itertools.pairwise(recording) if b > a]
    typical_s = median(steps_s) if steps_s else 1 / stated_fps if stated_fps else 0.0
    times_s: list[float] = []
    for recording in known:
        offset_s = times_s[-1] + typical_s - recording[0] if times_s else 0.0
        times_s += [offset_s + time for time in _spread(recording, typical_s)]
    return times_s if all(b > a for a, b in itertools.pairwise(times_s)) else None


def _spread(times_s: Sequence[float], typical_s: float) -> list[float]:
    """Increasing times, of which equal ones are spread evenly until the next, a typical step apart at most."""
    counts = Counter(times_s)
    return [
        time + i * min((later - time) / counts[time], typical_s)
        for time, later in itertools.pairwise((*counts, inf))
        for i in range(counts[time])
    ]


def _numbers(steps_s: Sequence[float], starts: Collection[int]) -> tuple[int, ...]:
    """Numbers of frames that are these steps apart; `starts` are the positions at which another recording begins."""
    numbers = [0]
    for i, step in enumerate(steps_s):
        jump = 1
        around = [*steps_s[max(0, i - _AROUND) : i], *steps_s[i + 1 : i + 1 + _AROUND]]
        if i + 1 in starts:
            jump = SCENE_GAP
        elif len(around) >= _FEWEST and step > HOLE * median(around):
            jump = min(round(step / median(around)), SCENE_GAP)
        numbers.append(numbers[-1] + jump)
    return tuple(numbers)


def _warn(sentence: str) -> None:
    warnings.warn(sentence, SelfDepthWarning, stacklevel=4)
