"""What the names of frames tell: their order, where a new scene begins, how far apart they are, and their times."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median, median_low

from selfdepth.data.readers.name_times import MIN_RUN, NamedRun, read_times
from selfdepth.data.readers.time_steps import (
    UNITS_NS,
    guess_times_ns,
    is_rising,
    share_of_typical_steps,
    unit_since_1970_ns,
)

SCENE_GAP = 10_000
"""By how much the number jumps where a new scene begins: further than any clip reaches."""
COUNTER_SPREAD, TIME_SPREAD = 0.1, 0.3
"""Shares by which steps of one frame may differ: of numbers that were rounded to a unit, and of the times of a camera
that is not clocked exactly."""

_EXACT = 0.8
"""Share of the agreeing steps that are one number, from which on the others are no roundings of it."""
_REGULAR = 0.8
"""Share of like steps from which numbers in base 16 are a count."""
_MAX_NUMBER = 2**52
"""Frame numbers are kept below this: a store holds them as 64-bit integers."""
_STREAM_LABEL = re.compile(r"(?:^|[^a-z])(?:cam|camera|view|sensor|lens|eye|channel|stream|left|right)[-_]?$")
"""Text before a number that names a camera, and counts no frames."""


@dataclass(frozen=True, kw_only=True)
class FrameOrder:
    """Frames in the order of time, as far as their names tell it.

    Attributes:
        order: indices of the stems in the order of time.
        numbers: strictly increasing frame numbers, in that order. Neighbours differ by one; a missing frame leaves a
            gap, and a new scene one of at least SCENE_GAP.
        times_s: seconds of the frames, in that order, strictly increasing; None if the names are no times. A scene that
            was taken at the same time as the one before, as by a second camera, is set behind it.
        scenes: positions in `order` at which a scene begins; the first is 0.
        told: whether the names tell the order. If not, it is that of the names, and the numbers are 0, 1, 2, ...
        guessed: the unit of the times if only the size of their steps tells it, such as "microseconds".
    """

    order: tuple[int, ...]
    numbers: tuple[int, ...]
    times_s: tuple[float, ...] | None
    scenes: tuple[int, ...]
    told: bool
    guessed: str | None = None


def order_frames(stems: Sequence[str]) -> FrameOrder:
    """The order, numbers and times of frames from the stems of their files.

    The number that counts is the last one that varies. Where the text or an earlier number changes, a new scene begins
    (aachen_000003_000029, aachen_000004_000000; left0099, right0000). Numbers are divided by the step that most frames
    are apart: 0, 5, 10, 25 gives 0, 1, 2, 5, so a video of which every fifth frame was extracted has no gaps. Steps
    that differ by a few percent are one: times in milliseconds are 33 or 34 apart. Any other step is a gap. Names
    that are times (seconds, milli-, micro-, nanoseconds, dates) give the times as well.
    """
    runs = _runs(_with_decimals([_plain(stem) for stem in stems])) if len(stems) > 1 else None
    if runs is None:
        order = tuple(sorted(range(len(stems)), key=lambda i: natural_key(stems[i])))
        return FrameOrder(order=order, numbers=tuple(range(len(stems))), times_s=None, scenes=(0,), told=False)
    numbers: list[int] = []
    scenes: list[int] = []
    for run in runs:
        scenes.append(len(numbers))
        first, *later = frame_numbers(run.values, timed=run.timed)
        start = numbers[-1] + SCENE_GAP if numbers else first
        numbers += [start, *(start + number - first for number in later)]
    times_ns = _times_in_a_row(runs)
    return FrameOrder(
        order=tuple(index for run in runs for index in run.indices),
        numbers=tuple(numbers),
        # Divided as integers: a float of nanoseconds since 1970 would be a hundred nanoseconds off.
        times_s=None if times_ns is None else tuple(value / 10**9 for value in times_ns),
        scenes=tuple(scenes),
        told=True,
        guessed=next((run.guessed for run in runs if run.guessed), None),
    )


def frame_numbers(values: Sequence[int], *, timed: bool = False) -> tuple[int, ...]:
    """Strictly increasing values as frame numbers: those one typical step apart are neighbours.

    Args:
        values: numbers of a counter, in any step, or times in nanoseconds.
        timed: the values are times. A camera's clock may waver, so any step near the typical one is one frame.
    """
    steps = [after - before for before, after in itertools.pairwise(values)]
    unit, regular = _typical_step(steps, TIME_SPREAD if timed else COUNTER_SPREAD) if steps else (1, True)
    first = values[0] // unit
    numbers = [first if first < _MAX_NUMBER else 0]
    for step in steps:
        share = step / unit
        # In a regular count a shorter step, too, means that frames are missing: it must not look like a neighbour.
        neighbours = share >= 0.4 if timed or not regular else abs(share - 1) <= COUNTER_SPREAD
        numbers.append(numbers[-1] + min(max(1 if neighbours else 2, round(share)), _MAX_NUMBER // 1024))
    return tuple(numbers)


def natural_key(text: str) -> tuple[tuple[str | int, ...], str]:
    """Sort key that puts frame2 before frame10. The text itself comes last, to order 01 and 1."""
    parts = re.split(r"([0-9]+)", text.casefold())
    return tuple(int(part) if index % 2 else part for index, part in enumerate(parts)), text


def name_patterns(stems: Sequence[str]) -> list[tuple[str, ...]]:
    """The pattern of each stem. Whole numbers among decimal ones have theirs: 0.95, 1, 1.05."""
    return [name_pattern(stem) for stem in _with_decimals([_plain(stem) for stem in stems])]


def name_pattern(stem: str) -> tuple[str, ...]:
    """The text of a stem around its numbers: frames of one camera share it."""
    return tuple(re.split(r"[0-9]+", _plain(stem)))


def _plain(stem: str) -> str:
    """The stem without case, byte-order marks and other invisible characters, which other systems leave in names."""
    text = unicodedata.normalize("NFKC", stem).casefold()
    return "".join(letter for letter in text if unicodedata.category(letter) != "Cf")


def _with_decimals(stems: list[str]) -> list[str]:
    """The stems with ".0" where only the whole numbers lack the point: 0.95, 1, 1.05."""
    texts = [tuple(re.split("[0-9]+", stem)) for stem in stems]
    (longer, _), *rest = Counter(texts).most_common(2) or [((), 0)]
    shorter = rest[0][0] if rest else ()
    points = [i for i, text in enumerate(longer) if text == "." and longer[:i] + longer[i + 1 :] == shorter]
    if not points:
        return stems
    decimals = re.compile(rf"((?:[^0-9]*[0-9]+){{{points[-1]}}})")
    return [
        decimals.sub(r"\1.0", stem, count=1) if text == shorter else stem
        for stem, text in zip(stems, texts, strict=True)
    ]


def _runs(stems: Sequence[str]) -> list[NamedRun] | None:
    """The scenes of these plain stems in order; None if the names do not tell them."""
    in_base_16 = _numbers_in_base_16(stems)
    if in_base_16 is not None:
        return _by_regular_count(in_base_16)
    for labels in (True, False):
        groups: dict[tuple[str, ...], list[tuple[tuple[int, ...], int]]] = defaultdict(list)
        for index, stem in enumerate(stems):
            texts, numbers = _split(stem, labels=labels)
            groups[texts].append((numbers, index))
        # Names with a text of their own each, such as hashes, are no scenes.
        if 2 * sum(len(group) for group in groups.values() if len(group) >= MIN_RUN) >= len(stems):
            found = [_runs_of_group(sorted(group), stems) for _, group in sorted(groups.items())]
            return None if any(runs is None for runs in found) else [run for runs in found for run in runs or ()]
        if len(groups) == 1:
            (group,) = groups.values()
            return _runs_of_group(sorted(group), stems)
    return _by_leading_number(stems)


def _runs_of_group(group: list[tuple[tuple[int, ...], int]], stems: Sequence[str]) -> list[NamedRun] | None:
    """The scenes of stems with the same text, which are sorted by their numbers."""
    indices = tuple(index for _, index in group)
    timed = read_times([stems[index] for index in indices])
    if timed is not None:
        return [replace(run, indices=tuple(indices[i] for i in run.indices)) for run in timed]
    width = len(group[0][0])
    varying = [c for c in range(width) if len({numbers[c] for numbers, _ in group}) > 1]
    if not varying:
        value = group[0][0][-1] if width else 0
        return [NamedRun(indices, (value,))] if len(group) == 1 else None
    for c in reversed(varying):
        by_earlier: dict[tuple[int, ...], list[tuple[int, int]]] = defaultdict(list)
        for numbers, index in group:
            by_earlier[numbers[:c]].append((numbers[c], index))
        runs = [_run(run) for run in by_earlier.values()]
        rising = all(is_rising(run.values) for run in runs)
        if rising and (c == varying[0] or median(map(len, by_earlier.values())) >= MIN_RUN):
            return _timed_if_times(runs)
    return None


def _run(counted: Sequence[tuple[int, int]]) -> NamedRun:
    """A scene from what counts each frame, and the index of its stem."""
    return NamedRun(tuple(index for _, index in counted), tuple(value for value, _ in counted))


def _timed_if_times(runs: list[NamedRun]) -> list[NamedRun]:
    longest = max(runs, key=lambda run: len(run.values)).values
    unit_ns = guess_times_ns(longest)
    if unit_ns is None:
        return runs
    known = unit_since_1970_ns(longest) is not None
    guessed = None if known else next(name for name, each_ns in UNITS_NS.items() if each_ns == unit_ns)
    return [
        NamedRun(run.indices, tuple(value * unit_ns for value in run.values), timed=True, guessed=guessed)
        for run in runs
    ]


def _times_in_a_row(runs: list[NamedRun]) -> list[int] | None:
    """Increasing nanoseconds of all frames; None if those of some are unknown."""
    if not all(run.timed for run in runs):
        return None
    times_ns: list[int] = []
    for run in runs:
        shift_ns = 0
        if times_ns and run.values[0] <= times_ns[-1]:
            step_ns = median_low([b - a for a, b in itertools.pairwise(run.values)] or [10**8])
            shift_ns = times_ns[-1] + step_ns - run.values[0]
        times_ns += [value + shift_ns for value in run.values]
    return times_ns


def _numbers_in_base_16(stems: Sequence[str]) -> list[int] | None:
    """Numbers in base 16, of one width, which are all that varies: 0009, 000a, 0010; None if there are none."""
    alike = "".join(
        signs[0] for signs in itertools.takewhile(lambda signs: len(set(signs)) == 1, zip(*stems, strict=False))
    )
    begin = len(alike.rstrip("0123456789"))
    parts = [re.fullmatch("([0-9a-f]+)(.*)", stem[begin:]) for stem in stems]
    digits = [part[1] for part in parts if part]
    if len(digits) < len(stems) or len({part[2] for part in parts if part}) > 1 or len(set(map(len, digits))) > 1:
        return None
    # In a0001, b0001 the letters are text. Those of a number stand where others have digits.
    mixed = any(len({sign.isdecimal() for sign in signs}) > 1 for signs in zip(*digits, strict=True))
    return [int(each, 16) for each in digits] if mixed else None


def _by_regular_count(values: Sequence[int]) -> list[NamedRun] | None:
    """One scene, if these numbers have a common step: hashes have none."""
    run = _run(sorted(zip(values, itertools.count(), strict=False)))
    regular = is_rising(run.values) and share_of_typical_steps([run.values]) >= _REGULAR
    return _timed_if_times([run]) if regular and len(values) > MIN_RUN else None


def _by_leading_number(stems: Sequence[str]) -> list[NamedRun] | None:
    """One scene, counted by the first number of each stem, if the same text stands before it: 0001_x, 0002_y."""
    firsts = [re.match(r"([^0-9]*)([0-9]+)", stem) for stem in stems]
    counted = sorted((int(match[2]), index) for index, match in enumerate(firsts) if match)
    alike = len({match[1] for match in firsts if match}) == 1
    if len(counted) < len(stems) or not alike or len({value for value, _ in counted}) < len(stems):
        return None
    return [_run(counted)]


def _split(stem: str, *, labels: bool) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Text and numbers of a plain stem. With `labels`, the number of a camera (cam2) belongs to the text."""
    parts = re.split(r"([0-9]+)", stem)
    texts, numbers = [parts[0]], []
    for number, text in zip(parts[1::2], parts[2::2], strict=True):
        if labels and len(parts) > 3 and _STREAM_LABEL.search(texts[-1]):
            texts[-1] += number + text
        else:
            numbers.append(int(number))
            texts.append(text)
    return tuple(texts), tuple(numbers)


def _typical_step(steps: Sequence[int], spread: float) -> tuple[int, bool]:
    """The step that the most steps agree with to `spread` either way, and whether these are at least half of them.

    Otherwise it is the median: the times of a camera that wavers have no common step.
    """
    ordered = sorted(steps)
    most, end = (0, 0), 0
    for begin, smallest in enumerate(ordered):
        while end < len(ordered) and ordered[end] * (1 - spread) <= smallest * (1 + spread):
            end += 1
        most = max(most, (end - begin, -begin))
    count, begin = most[0], -most[1]
    agreeing = ordered[begin : begin + count]
    if 2 * count < len(ordered):
        return median_low(ordered), False
    common, times = Counter(agreeing).most_common(1)[0]
    # One exact step, or else the middle of steps that were rounded up and down.
    return (common if times >= _EXACT * count else round(sum(agreeing) / count)), True
