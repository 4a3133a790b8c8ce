"""The offset between the clocks of a speed log and the footage."""

from __future__ import annotations

import numpy as np
import pytest

from selfdepth.data.readers.speed_log import SpeedLog
from selfdepth.errors import DataError
from selfdepth.scale import clocks
from selfdepth.scale.clocks import best_offset, choose_offset, is_constant

KNOTS = np.random.default_rng(5).uniform(3, 15, 22_525)
LOG_TIMES = np.arange(0.0, 120, 0.5)


def speed(times_s: np.ndarray) -> np.ndarray:
    """A drive that never repeats: every 4 s another speed, which is reached evenly."""
    return np.interp(times_s, np.arange(-100, 90_000, 4), KNOTS)


def log_of(speeds: np.ndarray, start_s: float = 0.0) -> SpeedLog:
    clock = "unix" if start_s > 1e9 else "relative"
    return SpeedLog(source="a.csv", times_s=LOG_TIMES + start_s, speeds_m_s=speeds, clock=clock)


def footage(start_s: float, seconds: float = 30, fps: float = 10, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Times of its own clock, from 0, and steps in a unit of 7 metres, of a camera that starts at a time of the log."""
    times = np.arange(0, seconds, 1 / fps)
    middles = (times[1:] + times[:-1]) / 2
    steps = speed(middles + start_s) / fps / 7
    return times, steps * (1 + noise * np.random.default_rng(0).standard_normal(len(steps)))


LOG = log_of(speed(LOG_TIMES))


@pytest.mark.parametrize("start_s", [0.0, 20.3, 71.7, 89.0])
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_the_offset_is_that_at_which_the_footage_was_taken(start_s: float, noise: float) -> None:
    fit = best_offset(*footage(start_s, noise=noise), LOG)
    assert fit is not None
    assert fit.clear
    assert fit.offset_s == pytest.approx(start_s, abs=0.3)


def test_all_offsets_at_once_are_the_correlations_one_by_one() -> None:
    rng = np.random.default_rng(1)
    logged, known, camera = rng.uniform(5, 9, 50), rng.uniform(size=50) > 0.2, rng.uniform(1, 3, 20)
    found = clocks._correlations(logged, known, camera, least=8)
    for lag in range(-19, 50):
        places = [(j + lag, j) for j in range(20) if 0 <= j + lag < 50 and known[j + lag]]
        a, b = (np.array([values[pair[i]] for pair in places]) for i, values in enumerate((logged, camera)))
        expected = np.corrcoef(a, b)[0, 1] if len(places) >= 8 else np.nan
        np.testing.assert_allclose(found[lag + 19], expected, atol=1e-9)


def test_footage_that_sticks_out_of_the_log_is_still_found() -> None:
    fit = best_offset(*footage(-10), LOG)
    assert fit is not None
    assert fit.offset_s == pytest.approx(-10, abs=0.3)


def test_clocks_of_the_same_kind_are_the_same_and_a_better_offset_is_named() -> None:
    offset, notes = choose_offset(*footage(0), LOG, None)
    assert (offset, notes) == (0, ())
    offset, notes = choose_offset(*footage(40), LOG, None)
    assert offset == 0
    assert "fit best at a clock offset of +" in notes[0]
    offset, notes = choose_offset(*footage(40), LOG, "auto")
    assert offset == pytest.approx(40, abs=0.3)
    assert "correlation" in notes[0]


def test_clocks_of_two_kinds_are_aligned() -> None:
    offset, notes = choose_offset(*footage(40), log_of(speed(LOG_TIMES), 1.7e9), None)
    assert offset == pytest.approx(1.7e9 + 40, abs=0.3)
    assert "correlation" in notes[0]


def test_a_given_offset_is_taken() -> None:
    offset, notes = choose_offset(*footage(40), LOG, 12.5)
    assert offset == 12.5
    assert "+12.5 s, as given" in notes[0]


def test_a_constant_speed_determines_no_offset_and_the_user_is_told() -> None:
    steady = log_of(np.full(len(LOG_TIMES), 9.0), 1.7e9)
    assert is_constant(steady.speeds_m_s)
    times = np.arange(0, 30, 0.1)
    assert best_offset(times, np.full(299, 0.1), steady) is None
    offset, notes = choose_offset(times, np.full(299, 0.1), steady, None)
    assert offset == 1.7e9
    assert "constant speed determines no clock offset" in notes[0]


def test_a_speed_that_repeats_itself_determines_no_offset() -> None:
    wave = log_of(8 + 3 * np.sin(2 * np.pi * LOG_TIMES / 10), 1.7e9)
    times = np.arange(0, 30, 0.1)
    steps = 8 + 3 * np.sin(2 * np.pi * (times[1:] - 0.05) / 10)
    with pytest.raises(DataError, match=r"no clock offset.*stands out.*--clock-offset SECONDS"):
        choose_offset(times, steps, wave, None)


def test_another_drive_fits_at_no_offset() -> None:
    times = np.arange(0, 30, 0.1)
    steps = np.random.default_rng(2).uniform(0.5, 1.5, 299)
    with pytest.raises(DataError, match=r"no clock offset.*at best"):
        choose_offset(times, steps, log_of(speed(LOG_TIMES), 1.7e9), None)


def test_a_log_of_another_time_is_refused_with_both_times_and_the_offset_that_fits() -> None:
    times, steps = footage(40)
    with pytest.raises(DataError) as caught:
        choose_offset(times + 1000, steps, LOG, None)
    for words in ("does not overlap", "1000.0 to 1029.9 s", "0.0 to 119.5 s", "--clock-offset auto", "fit best at -9"):
        assert words in str(caught.value)
    with pytest.raises(DataError, match="2023-11-14 23:53:20 to 2023-11-14 23:53:49 UTC"):
        choose_offset(times + 1.7e9 + 6000, steps, log_of(speed(LOG_TIMES), 1.7e9), None)


def test_a_day_of_log_is_searched_for_footage_of_a_minute() -> None:
    times = np.arange(0.0, 86_400)
    day = SpeedLog(source="a", times_s=times, speeds_m_s=speed(times), clock="relative")
    fit = best_offset(*footage(50_000, seconds=60), day)
    assert fit is not None
    assert fit.offset_s == pytest.approx(50_000, abs=0.5)
