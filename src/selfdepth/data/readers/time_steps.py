"""What the steps between numbers tell: whether they are times, in which unit, and what speaks for it."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from enum import IntEnum
from statistics import median

SECOND_NS = 10**9
DAY_NS = 86400 * SECOND_NS
LEAST_STEP_NS = 2 * 10**5
"""Least step between the frames of a camera: 5000 frames per second. The largest is a day."""
SINCE_1970_S = (10**9, 4 * 10**9)
"""Seconds since 1970, from 2001 to 2096: no other number that counts frames is as large, in any of the units."""
UNITS_NS = {"nanoseconds": 1, "microseconds": 10**3, "milliseconds": 10**6, "seconds": SECOND_NS}

_LEAST_STEP_OF_TIMES = 10_000
"""Without a date, a larger step is a time: nobody takes every ten-thousandth frame."""
_LEAST_STEP_OF_NANOSECONDS = 2_000_000
"""500 frames per second. As microseconds, smaller steps are at least a frame each two seconds."""
_MILLISECONDS = (10, 1000)
_JITTER = 0.1
_TYPICAL = 0.3
_USUAL = (0.1, 0.9)
_SMALL_CARRY, _LARGE_CARRY = 0.5, 1.5
"""Steps into the next second, as multiples of the usual small and large ones within one, if both are steps of time."""


class Proof(IntEnum):
    """What must speak for numbers as times: nothing; no steps against them; steps that no other numbers have."""

    NONE = 0
    UNREFUTED = 1
    SHOWN = 2


def guess_times_ns(values: Sequence[int]) -> int | None:
    """Nanoseconds per unit of increasing numbers, if they are times; None if they count frames.

    Numbers that reach from 2001 to 2096 as seconds since 1970 in one of the units are in that unit. Smaller ones are
    times if their steps are: micro- or nanoseconds if they are large, milliseconds if they waver by a count or two.
    """
    if len(values) < 2:
        return None
    since_1970 = unit_since_1970_ns(values)
    if since_1970 is not None:
        return since_1970 if is_plausible([[value * since_1970 for value in values]]) else None
    steps = _steps(values)
    step = median(steps)
    if step >= _LEAST_STEP_OF_TIMES:
        unit_ns = 1 if step >= _LEAST_STEP_OF_NANOSECONDS else 10**3
        return unit_ns if step * unit_ns <= 60 * SECOND_NS else None
    near = [each for each in steps if abs(each - step) <= max(1, _JITTER * step)]
    wavers = Counter(near).most_common(1)[0][1] <= 0.8 * len(steps) if near else False
    low, high = _MILLISECONDS
    return 10**6 if low <= step <= high and wavers and len(near) >= 0.8 * len(steps) else None


def unit_since_1970_ns(values: Sequence[int]) -> int | None:
    """Nanoseconds per unit of increasing numbers that are times since 1970; None if they are not."""
    for unit_ns in UNITS_NS.values():
        per_second = SECOND_NS // unit_ns
        if SINCE_1970_S[0] * per_second <= values[0] and values[-1] < SINCE_1970_S[1] * per_second:
            return unit_ns
    return None


def is_rising(values: Sequence[int]) -> bool:
    """Whether each number is larger than the one before."""
    return all(after > before for before, after in itertools.pairwise(values))


def is_plausible(scenes_ns: Sequence[Sequence[int]], least_ns: int = LEAST_STEP_NS) -> bool:
    """Whether times rise within each scene, by steps that a camera takes."""
    steps = [step for times in scenes_ns for step in _steps(times)]
    return bool(steps) and min(steps) > 0 and least_ns <= median(steps) <= DAY_NS


def is_proven(scenes_ns: Sequence[Sequence[int]], larger: Sequence[Sequence[int]], proof: Proof) -> bool:
    """Whether the steps speak for times: those into the next larger unit are as long as those within one.

    The frames of scenes that are numbered 1.01, 1.02, ..., 2.01 break off before the next larger unit.

    Args:
        larger: the larger unit (second, minute) that each time lies in.
    """
    within: list[int] = []
    across: list[int] = []
    for times, units in zip(scenes_ns, larger, strict=True):
        for step, before, after in zip(_steps(times), units, units[1:], strict=False):
            (within if before == after else across).append(step)
    if proof is Proof.NONE or not across:
        return proof is not Proof.SHOWN
    if not within:
        return proof is not Proof.SHOWN or share_of_typical_steps(scenes_ns) >= 0.8
    # Not the median: frames may be missing.
    small, large = (sorted(within)[int(share * (len(within) - 1))] for share in _USUAL)
    carry = median(across)
    return carry <= _LARGE_CARRY * large and (proof is not Proof.SHOWN or carry >= _SMALL_CARRY * small)


def share_of_typical_steps(scenes: Sequence[Sequence[int]]) -> float:
    """Share of the steps that are near their median."""
    steps = [step for values in scenes for step in _steps(values)]
    typical = median(steps) if steps else 0
    return sum(abs(step - typical) <= _TYPICAL * typical for step in steps) / max(len(steps), 1)


def _steps(values: Sequence[int]) -> list[int]:
    return [after - before for before, after in itertools.pairwise(values)]
