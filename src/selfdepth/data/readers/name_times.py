"""Names that spell a time out: which part of them is the time, and the scenes that it tells."""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from selfdepth.data.readers.clocks import CLOCKS, Clock
from selfdepth.data.readers.time_steps import (
    LEAST_STEP_NS,
    SECOND_NS,
    Proof,
    is_plausible,
    is_proven,
    is_rising,
    share_of_typical_steps,
)

MIN_RUN = 3
"""Frames that a scene has at least, by the median, for a number to be taken for the one that counts."""
_LEAST_DOUBTED_NS = 2_000_000
"""Smaller steps of what may be no fraction of a second, such as a millisecond, are those of a counter."""
_PAUSE = 2
"""Where several frames share a time, a new scene begins if it jumps by more units of its own."""


@dataclass(frozen=True)
class NamedRun:
    """Frames of one scene in the order of time.

    Attributes:
        indices: of their stems.
        values: what counts them, strictly increasing; nanoseconds if timed.
        guessed: the unit of the times in the names if only the size of their steps tells it.
    """

    indices: tuple[int, ...]
    values: tuple[int, ...]
    timed: bool = False
    guessed: str | None = None


def read_times(stems: Sequence[str]) -> list[NamedRun] | None:
    """The scenes of stems that spell a time out, in order; None if they do not.

    Before and after the time, a name may hold what is the same in all names, or counts along. An earlier number that
    does neither tells scenes apart. Where frames share a time, a number behind it that runs on tells their order.

    Args:
        stems: in lower case, with the same text around their numbers.
    """
    names = _Names(stems)
    for read in (_by_time, _by_shared_time):
        for clock, column in itertools.product(CLOCKS, range(len(names.columns))):
            runs = read(names, clock, column)
            if runs is not None:
                return runs
    return None


class _Names:
    """Stems with the same text around their numbers, and these numbers, column by column."""

    def __init__(self, stems: Sequence[str]) -> None:
        self.stems = stems
        self._rows = [re.split(r"([0-9]+)", stem) for stem in stems]
        self.columns = [tuple(int(row[c]) for row in self._rows) for c in range(1, len(self._rows[0]), 2)]
        self._vary = [len(set(column)) > 1 for column in self.columns]

    def find(self, pattern: re.Pattern[str], clock: Clock, column: int) -> _Found | None:
        """What a pattern finds in all stems from this column on; None if it is in some not, or the same in all."""
        matches, times_ns = [], []
        for stem, row in zip(self.stems, self._rows, strict=True):
            match = pattern.match(stem, sum(map(len, row[: 2 * column + 1])))
            time_ns = None if match is None else clock.read(match)
            if match is None or time_ns is None:
                return None
            matches.append(match)
            times_ns.append(time_ns)
        end = column + len(re.findall("[0-9]+", matches[0][0]))
        zones = {match.groupdict().get("zone") for match in matches}
        return _Found(matches, times_ns, end) if any(self._vary[column:end]) and len(zones) == 1 else None


@dataclass(frozen=True)
class _Found:
    """Matches of a clock, the nanoseconds of their whole seconds, and the first column behind them."""

    matches: list[re.Match[str]]
    times_ns: list[int]
    end: int


@dataclass(frozen=True)
class _Reading:
    """What names may mean: times, the larger unit that each lies in (its second or minute), and what must prove it."""

    times_ns: list[int]
    larger: list[int]
    proof: Proof
    least_ns: int = LEAST_STEP_NS


def _by_time(names: _Names, clock: Clock, column: int) -> list[NamedRun] | None:
    """Scenes by a time that no two frames of a scene share."""
    if clock.point is not None or clock.other is not None:
        found = names.find(clock.with_fraction, clock, column)
        readings = [] if found is None else list(_fractions(found, clock))
        tried = [runs for each in readings if found and (runs := _runs(names, each, column, found.end))]
        if tried:
            return max(tried, key=lambda runs: share_of_typical_steps([run.values for run in runs]))
    found = None if clock.whole is None else names.find(clock.without_fraction, clock, column)
    if found is None or clock.whole is None:
        return None
    reading = _Reading(found.times_ns, [clock.larger_unit(time_ns) for time_ns in found.times_ns], clock.whole)
    return _runs(names, reading, column, found.end)


def _fractions(found: _Found, clock: Clock) -> Iterator[_Reading]:
    """What the digits behind the seconds may be: decimals, a number of smaller units, or of frames."""
    parts = [match["part"] for match in found.matches]
    narrow, wide = min(map(len, parts)), max(map(len, parts))
    behind_point = all(match.groupdict().get("point") for match in found.matches)
    proof = clock.point if behind_point else clock.other
    if clock.point is Proof.NONE and wide >= 6:
        proof = Proof.NONE  # a counter rarely has six digits, and never uses them all
    if proof is None or (not behind_point and _run_on(found.times_ns, parts)):
        return
    larger = [time_ns // clock.carry_ns for time_ns in found.times_ns]
    if proof is Proof.UNREFUTED and not behind_point and len(set(larger)) == 1:
        proof = Proof.SHOWN  # behind one and the same second, the frames of a clip are counted
    least_ns = LEAST_STEP_NS if proof is Proof.NONE and wide > 3 else _LEAST_DOUBTED_NS
    pairs = list(zip(found.times_ns, parts, strict=True))
    if behind_point or (narrow == wide and wide > 2 and wide != 8):
        yield _Reading([time_ns + int(part.ljust(9, "0")) for time_ns, part in pairs], larger, proof, least_ns)
    if (narrow < wide or wide == 8) and wide > 2:  # without leading zeros, as ROS writes nanoseconds
        unit_ns = next(10 ** (9 - digits) for digits in (3, 6, 9) if wide <= digits)
        yield _Reading([time_ns + int(part) * unit_ns for time_ns, part in pairs], larger, proof, least_ns)
    frames = [int(part) for part in parts]
    rate = _frames_per_second(found.times_ns, frames) if clock.shared and wide <= 3 and not behind_point else None
    if rate is not None:
        first = min(frames)
        times_ns = [time_ns + (int(part) - first) * SECOND_NS // rate for time_ns, part in pairs]
        yield _Reading(times_ns, larger, Proof.SHOWN)


def _run_on(seconds_ns: list[int], parts: list[str]) -> bool:
    """Whether digits count on from one second to the next, where a fraction would begin anew."""
    counts = [count for _, count in sorted(zip(seconds_ns, map(int, parts), strict=True))]
    regular = is_rising(counts) and share_of_typical_steps([counts]) >= 0.8
    return regular and len(set(seconds_ns)) > 1


def _frames_per_second(seconds_ns: list[int], frames: list[int]) -> int | None:
    """The rate of time codes, which count the frames of each second anew; None if these are none."""
    pairs = list(itertools.pairwise(sorted(zip(seconds_ns, frames, strict=True))))
    steps = Counter(b - a for (s, a), (t, b) in pairs if s == t)
    carries = Counter(a - b for (s, a), (t, b) in pairs if t == s + SECOND_NS)
    if not steps or carries.total() < 2 or min(frames) > 1:
        return None
    carry, count = carries.most_common(1)[0]
    rate = carry + steps.most_common(1)[0][0]
    return rate if count >= 0.8 * carries.total() and rate >= max(frames) + 1 - min(frames) else None


def _runs(names: _Names, reading: _Reading, begin: int, end: int) -> list[NamedRun] | None:
    """The scenes by times that stand in the columns from `begin` to `end`, if they can be times."""
    times_ns = reading.times_ns
    before, beside = names.columns[:begin], names.columns[end:]
    order = sorted(range(len(times_ns)), key=times_ns.__getitem__)
    scenes = _scenes(order, before)
    if len(scenes) > 1 and median(map(len, scenes)) < MIN_RUN:
        scenes, beside = [order], before + beside
    # A time that needs no proof may have anything beside it, such as the exposure.
    if reading.proof is not Proof.NONE and not all(_counts_along(c, scene) for c in beside for scene in scenes):
        return None
    scenes_ns = [[times_ns[i] for i in scene] for scene in scenes]
    larger = [[reading.larger[i] for i in scene] for scene in scenes]
    if not is_plausible(scenes_ns, reading.least_ns) or not is_proven(scenes_ns, larger, reading.proof):
        return None
    return [NamedRun(tuple(scene), tuple(times), timed=True) for scene, times in zip(scenes, scenes_ns, strict=True)]


def _by_shared_time(names: _Names, clock: Clock, column: int) -> list[NamedRun] | None:
    """Scenes by a clock that runs on, in which several frames share a time, and a number behind it that runs on too."""
    found = names.find(clock.without_fraction, clock, column) if clock.shared else None
    if found is None:
        return None
    times_ns = found.times_ns
    for counter in names.columns[found.end :]:
        order = sorted(range(len(counter)), key=lambda i: (times_ns[i], counter[i]))
        scenes = [
            run
            for scene in _scenes(order, names.columns[:column])
            for run in _cut_at_pauses(scene, times_ns, _PAUSE * clock.unit_ns)
        ]
        runs = [NamedRun(tuple(scene), tuple(counter[i] for i in scene)) for scene in scenes]
        if median(map(len, scenes)) >= MIN_RUN and all(is_rising(run.values) for run in runs):
            return runs
    return None


def _scenes(order: list[int], columns: list[tuple[int, ...]]) -> list[list[int]]:
    """Frames in their order, apart by the columns that neither stay the same nor count along with it."""
    keys: dict[int, tuple[int, ...]] = dict.fromkeys(order, ())
    scenes = [order]
    for column in columns:
        if not all(_counts_along(column, scene) for scene in scenes):
            keys = {i: (*keys[i], column[i]) for i in order}
            by_key: dict[tuple[int, ...], list[int]] = defaultdict(list)
            for i in order:
                by_key[keys[i]].append(i)
            scenes = [by_key[key] for key in sorted(by_key)]
    return scenes


def _cut_at_pauses(order: list[int], times_ns: list[int], longest_ns: int) -> list[list[int]]:
    runs = [order[:1]]
    for before, after in itertools.pairwise(order):
        if times_ns[after] - times_ns[before] > longest_ns:
            runs.append([])
        runs[-1].append(after)
    return runs


def _counts_along(column: tuple[int, ...], order: list[int]) -> bool:
    values = [column[i] for i in order]
    return len(set(values)) == 1 or is_rising(values)
