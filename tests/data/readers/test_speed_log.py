"""The speed of a vehicle over time."""

from __future__ import annotations

import numpy as np
import pytest

from selfdepth.data.readers.speed_log import SpeedLog, clock_of
from selfdepth.errors import DataError


def log(times: list[float], speeds: list[float]) -> SpeedLog:
    return SpeedLog(source="a.csv", times_s=np.array(times), speeds_m_s=np.array(speeds), clock="relative")


def test_distances_are_the_integral_of_the_speed() -> None:
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.5, 1.5, 40))
    speeds = rng.uniform(0, 20, 40)
    asked = np.sort(rng.uniform(times[0], times[-1], 25))
    found, known = log(times.tolist(), speeds.tolist()).distances(asked)
    assert known.all()
    for start, end, distance in zip(asked[:-1], asked[1:], found, strict=True):
        fine = np.linspace(start, end, 20_001)
        assert distance == pytest.approx(np.trapezoid(np.interp(fine, times, speeds), fine), abs=1e-5)


def test_distances_add_up() -> None:
    speeds = log([0, 1, 2, 3], [0, 4, 4, 2])
    whole, _ = speeds.distances(np.array([0.0, 3.0]))
    parts, _ = speeds.distances(np.array([0.0, 0.3, 1.7, 2.0, 3.0]))
    assert whole[0] == pytest.approx(parts.sum()) == pytest.approx(2 + 4 + 3)


def test_nothing_is_known_outside_the_log_and_across_a_gap() -> None:
    times = [*range(10), *range(30, 40)]
    speeds = log([float(t) for t in times], [5.0] * 20)
    _, known = speeds.distances(np.array([-1.0, 0, 5, 9, 9.5, 30, 35, 39, 40]))
    assert known.tolist() == [False, True, True, False, False, True, True, False]
    _, known = speeds.speeds_at(np.array([-0.1, 0, 9, 20, 30, 39, 39.1]))
    assert known.tolist() == [False, True, True, False, True, True, False]


def test_a_log_of_slow_but_steady_entries_has_no_gaps() -> None:
    assert log([0, 10, 20, 30], [5, 5, 5, 5]).distances(np.array([1.0, 29.0]))[1].all()


@pytest.mark.parametrize(
    ("times", "speeds", "words"),
    [
        ([], [], "at least 2 entries"),
        ([0], [5], "got 1 entry"),
        ([0, 1, 1], [5, 5, 5], "entry 3; expected times that increase"),
        ([0, 2, 1], [5, 5, 5], "entry 3"),
        ([0, 1, np.nan], [5, 5, 5], "entry 3; expected a finite time"),
        ([0, 1], [5, np.nan], "entry 2; expected a finite speed"),
        ([0, 1], [5, np.inf], "finite speed"),
        ([0, 1], [5, -0.5], "entry 2; expected a speed of 0 or more; got -0.5"),
        ([0, 1], [0, 0], "0 throughout"),
        ([0, 1], [5, 500], "check the unit"),
    ],
)
def test_entries_that_cannot_be_are_refused_by_number(times: list[float], speeds: list[float], words: str) -> None:
    with pytest.raises(DataError, match=words.replace("(", r"\(")):
        log(times, speeds)


@pytest.mark.parametrize(
    ("first", "last", "clock"),
    [(0, 10, "relative"), (1.7e9, 1.7e9 + 10, "unix"), (1e10, 1e10 + 1, "relative"), (5e4, 9e4, "relative")],
)
def test_the_clock_is_known_by_the_size_of_its_times(first: float, last: float, clock: str) -> None:
    assert clock_of(np.array([first, last])) == clock
