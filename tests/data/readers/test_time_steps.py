"""What steps between numbers tell about times, and about their unit."""

from __future__ import annotations

import pytest

from selfdepth.data.readers.time_steps import (
    Proof,
    guess_times_ns,
    is_plausible,
    is_proven,
    is_rising,
    share_of_typical_steps,
    unit_since_1970_ns,
)

START_S = 1403636579
RUNS_ON = ([0, 4, 8, 12, 16, 20], [0, 0, 0, 1, 1, 1])
BREAKS_OFF = ([1, 2, 3, 11, 12, 13], [0, 0, 0, 1, 1, 1])
WITHIN_ONE = ([1, 2, 3], [0, 0, 0])
JUMPS_SHORT = ([0, 4, 8, 9, 13, 17], [0, 0, 0, 1, 1, 1])
ONE_EACH = ([0, 10, 20, 31], [0, 1, 2, 3])
ANY_EACH = ([0, 10, 12, 31], [0, 1, 2, 3])


@pytest.mark.parametrize(("unit_ns", "per_second"), [(1, 10**9), (10**3, 10**6), (10**6, 10**3), (10**9, 1)])
def test_seconds_since_1970_are_known_by_their_size_in_every_unit(unit_ns: int, per_second: int) -> None:
    step = max(1, per_second // 20)
    values = [START_S * per_second + i * step for i in range(9)]
    assert unit_since_1970_ns(values) == guess_times_ns(values) == unit_ns


@pytest.mark.parametrize(
    ("values", "unit_ns"),
    [
        (range(0, 500_000_000, 50_000_000), 1),
        (range(0, 40_000_000, 4_166_667), 1),
        (range(0, 333_333, 33_333), 1000),
        (range(0, 9_000_000, 1_000_000), 1000),
        (range(0, 9_000_000, 500_000), 1000),
        ((0, 33, 67, 100, 133, 167), 10**6),
        ((0, 66, 133, 200, 266, 333), 10**6),
        (range(0, 50, 5), None),
        (range(9), None),
        ((0, 5, 10, 25, 30), None),
        ((1, 2, 3, 10), None),
        ((7,), None),
    ],
)
def test_other_numbers_are_times_by_their_steps(values: tuple[int, ...], unit_ns: int | None) -> None:
    assert guess_times_ns(list(values)) == unit_ns


@pytest.mark.parametrize(
    ("steps", "unrefuted", "shown"),
    [
        (RUNS_ON, True, True),
        (BREAKS_OFF, False, False),
        (WITHIN_ONE, True, False),
        (JUMPS_SHORT, True, False),
        (ONE_EACH, True, True),
        (ANY_EACH, True, False),
    ],
)
def test_times_step_into_the_next_second_as_they_do_within_one(
    steps: tuple[list[int], list[int]], unrefuted: bool, shown: bool
) -> None:
    times, seconds = steps
    assert is_proven([times], [seconds], Proof.NONE)
    assert is_proven([times], [seconds], Proof.UNREFUTED) == unrefuted
    assert is_proven([times], [seconds], Proof.SHOWN) == shown


@pytest.mark.parametrize("times_ns", [[], [5], [0, 10**9, 10**9], [0, 1000, 2000], [0, 10**15]])
def test_a_camera_takes_neither_two_frames_at_once_nor_one_a_week(times_ns: list[int]) -> None:
    assert not is_plausible([times_ns])
    assert is_plausible([[0, 10**7, 3 * 10**7], times_ns]) == is_rising(times_ns)


def test_typical_steps_are_those_near_the_median() -> None:
    assert share_of_typical_steps([[0, 10, 20, 31, 91], [5, 14]]) == 0.8
    assert share_of_typical_steps([[7]]) == 0
