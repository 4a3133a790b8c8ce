"""The ways to write a time: what each means in nanoseconds."""

from __future__ import annotations

import calendar

import pytest

from selfdepth.data.readers.clocks import CLOCKS

SECOND = 10**9
NOON_UTC = calendar.timegm((2024, 2, 29, 12, 30, 15)) * SECOND


def read_first(text: str) -> int | None:
    """The first time without a fraction that is found in the whole of a text."""
    matches = ((clock, clock.without_fraction.fullmatch(text)) for clock in CLOCKS if clock.whole is not None)
    return next((time for clock, match in matches if match and (time := clock.read(match)) is not None), None)


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("20240229_123015", NOON_UTC),
        ("20240229123015", NOON_UTC),
        ("2024-02-29t12-30-15", NOON_UTC),
        ("2024-2-29 at 12.30.15 pm", NOON_UTC),
        ("2024-02-29-12h30m15", NOON_UTC),
        ("2024-02-29t13:30:15+0100", NOON_UTC),
        ("2024-02-29t07:00:15-05:30", NOON_UTC),
        ("2024-02-29_12-30", NOON_UTC - 15 * SECOND),
        ("2024-02-29", calendar.timegm((2024, 2, 29, 0, 0, 0)) * SECOND),
        ("1403636579", 1403636579 * SECOND),
        ("1403636579763", 1403636579763 * 10**6),
        ("1403636579763555584", 1403636579763555584),
        ("12-30-15", 45015 * SECOND),
        ("12.05.01 am", 301 * SECOND),
        ("12h30m15", 45015 * SECOND),
        ("1m05", 65 * SECOND),
        ("33ms", 33 * 10**6),
        ("33.5 us", 33500),
        ("2,5s", 25 * 10**8),
    ],
)
def test_times_are_read(text: str, time_ns: int) -> None:
    assert read_first(text) == time_ns


@pytest.mark.parametrize(
    "text",
    ["20241399_123015", "20230229_123015", "12-60-15", "25-00-00", "9403636579", "0403636579763", "5apples", "7"],
)
def test_what_no_calendar_or_clock_shows_is_no_time(text: str) -> None:
    assert read_first(text) is None


def test_the_next_larger_unit_is_the_minute_hour_or_month() -> None:
    by_unit = {clock.unit_ns: clock for clock in CLOCKS}
    seconds, minutes, days = (by_unit[unit] for unit in sorted(by_unit))
    assert seconds.larger_unit(59 * SECOND) != seconds.larger_unit(60 * SECOND)
    assert minutes.larger_unit(3540 * SECOND) != minutes.larger_unit(3600 * SECOND)
    assert days.larger_unit(30 * 86400 * SECOND) != days.larger_unit(31 * 86400 * SECOND)
    assert days.larger_unit(0) == days.larger_unit(30 * 86400 * SECOND)
