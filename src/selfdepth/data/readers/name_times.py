"""Names that are times: seconds, milli-, micro- or nanoseconds, or dates, with the unit guessed from the size."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from statistics import median

SECOND_NS = 10**9
_UNITS_NS = (1, 10**3, 10**6, 10**9)
_SINCE_1970_S = (10**9, 4 * 10**9)
"""Seconds since 1970, from 2001 to 2096: no other number that counts frames is as large, in any of the units."""
_PLAUSIBLE_NS = (2 * 10**5, 86400 * SECOND_NS)
"""Steps between the frames of a camera: 5000 frames per second, to a frame a day."""
_LEAST_STEP_OF_TIMES = 10_000
"""Without a date, a larger step is a time: nobody takes every ten-thousandth frame."""
_MILLISECONDS = (5, 1000)
_JITTER = 0.1

_SECONDS = re.compile(r"(?:^|[^0-9.])([0-9]{9,11})\.([0-9]{1,9})[0-9]*$")
_WHOLE_NAME = re.compile(r"([0-9]{1,11})\.([0-9]{1,9})[0-9]*")
_TWO_PARTS = re.compile(r"(?:^|[^0-9])([0-9]{10})[-_]([0-9]{1,9})$")
_DATE = re.compile(
    r"(?:^|[^0-9])((?:19|20)[0-9]{2})[-_.]?([0-9]{2})[-_.]?([0-9]{2})[-_.T ]{0,2}"
    r"([0-9]{2})[-_.:h]?([0-9]{2})[-_.:m]?([0-9]{2})"
    r"(?:[.,]([0-9]{1,9})|[-_]?([0-9]{9}|[0-9]{6}|[0-9]{3}))?[Zz]?$"
)


def names_as_times_ns(stems: Sequence[str]) -> tuple[int, ...] | None:
    """Nanoseconds of stems that spell a time out; None if they do not, or do not increase.

    Decimal seconds (1305031102.175304), seconds and a part with a separator (1403636579_763555584), and dates
    (20230101_123015.5, 2023-01-01-12-30-15-123456), which are taken for UTC.
    """
    width = max((len(match[2]) for match in map(_TWO_PARTS.search, stems) if match), default=0)

    def two_parts(stem: str) -> int | None:
        match = _TWO_PARTS.search(stem)
        # ROS writes nanoseconds without leading zeros; a short last number is a counter.
        if match is None or width not in (6, 8, 9):
            return None
        return int(match[1]) * SECOND_NS + int(match[2]) * (1000 if width == 6 else 1)

    for read in (_decimal, two_parts, _date):
        times = _all(stems, read)
        # Steps of a millisecond after a date are a counter of three digits.
        least = 2_000_000 if read is _date else _PLAUSIBLE_NS[0]
        if times is not None and _plausible(times, least):
            return times
    return None


def guess_times_ns(values: Sequence[int]) -> int | None:
    """Nanoseconds per unit of increasing numbers, if they are times; None if they count frames.

    Numbers that reach from 2001 to 2096 as seconds since 1970 in one of the units are in that unit. Smaller ones are
    times if their steps are: micro- or nanoseconds if they are large, milliseconds if they waver by a count or two.
    """
    steps = [after - before for before, after in itertools.pairwise(values)]
    if not steps:
        return None
    for unit_ns in _UNITS_NS:
        per_second = SECOND_NS // unit_ns
        if _SINCE_1970_S[0] * per_second <= values[0] and values[-1] < _SINCE_1970_S[1] * per_second:
            return unit_ns if _plausible([value * unit_ns for value in values], _PLAUSIBLE_NS[0]) else None
    step = median(steps)
    if step >= _LEAST_STEP_OF_TIMES:
        unit_ns = 1 if step >= 10**6 else 10**3
        return unit_ns if step * unit_ns <= 60 * SECOND_NS else None
    low, high = _MILLISECONDS
    near = [each for each in steps if abs(each - step) <= max(1, _JITTER * step)]
    wavers = Counter(near).most_common(1)[0][1] <= 0.8 * len(steps) if near else False
    return 10**6 if low < step <= high and wavers and len(near) >= 0.8 * len(steps) and step >= 10 else None


def _decimal(stem: str) -> int | None:
    match = _WHOLE_NAME.fullmatch(stem) or _SECONDS.search(stem)
    return None if match is None else int(match[1]) * SECOND_NS + int(match[2].ljust(9, "0"))


def _date(stem: str) -> int | None:
    match = _DATE.search(stem)
    if match is None:
        return None
    try:
        whole = datetime(*(int(match[i]) for i in range(1, 7)), tzinfo=timezone.utc)  # type: ignore[arg-type, misc]
    except ValueError:
        return None
    part = match[7] or match[8] or ""
    return int(whole.timestamp()) * SECOND_NS + int(part.ljust(9, "0"))


def _all(stems: Sequence[str], read: Callable[[str], int | None]) -> tuple[int, ...] | None:
    times: list[int] = []
    for stem in stems:
        time = read(stem)
        if time is None:
            return None
        times.append(time)
    return tuple(times)


def _plausible(times_ns: Sequence[int], least_ns: int) -> bool:
    steps = [after - before for before, after in itertools.pairwise(times_ns)]
    return bool(steps) and min(steps) > 0 and least_ns <= median(steps) <= _PLAUSIBLE_NS[1]
