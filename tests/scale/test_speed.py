"""The scale by the speed of the vehicle."""

from __future__ import annotations

import numpy as np
import pytest

from selfdepth.data.readers.speed_log import SpeedLog
from selfdepth.errors import DataError
from selfdepth.scale.speed import SLOWEST_M_S, WINDOW_S, speed_testimony
from selfdepth.structs import Trajectory

TIMES = np.arange(0, 40, 0.1)


def along(speeds: np.ndarray, unit_m: float, times: np.ndarray = TIMES) -> Trajectory:
    """A camera that goes straight ahead at these speeds, in a unit of so many metres."""
    T = np.tile(np.eye(4), (len(times), 1, 1))
    T[1:, 2, 3] = np.cumsum((speeds[1:] + speeds[:-1]) / 2 * np.diff(times)) / unit_m
    return Trajectory(T_world_camera=T, timestamps=times)


def log_of(speeds: np.ndarray, times: np.ndarray = TIMES) -> SpeedLog:
    return SpeedLog(source="drive.csv", times_s=times, speeds_m_s=speeds, clock="relative")


SPEEDS = 8 + 3 * np.sin(TIMES / 3)


@pytest.mark.parametrize("unit_m", [0.2, 1.0, 5.4])
def test_the_factor_is_the_metres_in_a_unit_of_the_path(unit_m: float) -> None:
    found = speed_testimony(along(SPEEDS, unit_m), log_of(SPEEDS))
    np.testing.assert_allclose(found.factors, unit_m, rtol=1e-9)
    assert (found.witness, found.source, found.left_out) == ("speed", "drive.csv", {})
    np.testing.assert_allclose(np.diff(found.times_s[:-1]), WINDOW_S)


def test_drift_within_the_drive_shows_in_the_factors() -> None:
    unit = np.linspace(4, 6, len(TIMES))
    path = along(SPEEDS / unit, 1.0)
    found = speed_testimony(path, log_of(SPEEDS))
    np.testing.assert_allclose(found.factors, np.interp(found.times_s, TIMES, unit), rtol=0.01)


def test_parked_stretches_and_those_without_a_log_are_left_out_and_counted() -> None:
    speeds = np.where((TIMES > 10) & (TIMES < 20), 0.5, SPEEDS)
    kept = (TIMES < 25) | (TIMES > 32)
    found = speed_testimony(along(speeds, 3.0), log_of(speeds[kept], TIMES[kept]))
    assert any("slower than" in reason for reason in found.left_out)
    outside = next(number for reason, number in found.left_out.items() if "gap" in reason)
    assert 68 <= outside <= 72
    np.testing.assert_allclose(found.factors, 3.0, rtol=0.02)
    assert SLOWEST_M_S > 0.5


def test_a_log_of_another_clock_is_aligned() -> None:
    long = np.arange(0, 100, 0.2)
    speeds = 8 + 3 * np.sin(long / 3) + 2 * np.sin(long**2 / 300)
    log = SpeedLog(source="a", times_s=long + 1.7e9, speeds_m_s=speeds, clock="unix")
    footage = along(np.interp(TIMES + 30, long, speeds), 2.5)
    found = speed_testimony(footage, log)
    np.testing.assert_allclose(found.factors, 2.5, rtol=0.02)
    assert "correlation" in found.notes[0]
    np.testing.assert_allclose(found.times_s[0], WINDOW_S / 2)  # on the clock of the footage


def test_one_estimate_comes_of_a_drive_that_is_shorter_than_a_window() -> None:
    short = TIMES[:12]
    assert len(speed_testimony(along(SPEEDS[:12], 2.0, short), log_of(SPEEDS)).factors) == 1


def test_frames_further_apart_than_a_window_are_windows_of_their_own() -> None:
    times = np.arange(0.0, 40, 4)
    found = speed_testimony(along(np.full(10, 5.0), 2.0, times), log_of(np.full(len(TIMES), 5.0)))
    np.testing.assert_allclose(found.factors, 2.0)
    assert len(found.factors) == 9


@pytest.mark.parametrize(
    ("trajectory", "log", "words"),
    [
        (along(0 * SPEEDS, 1.0), log_of(SPEEDS), ["path has no length"]),
        (along(SPEEDS, 1.0), log_of(0.001 + 0 * SPEEDS), ["no estimate", "399 frames parked or slower than"]),
        (along(SPEEDS, 1.0), log_of(SPEEDS, TIMES + 100), ["does not overlap", "0.0 to 39.9 s", "100.0 to 139.9 s"]),
    ],
)
def test_what_gives_no_factor_is_refused(trajectory: Trajectory, log: SpeedLog, words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        speed_testimony(trajectory, log)
    assert [word for word in words if word not in str(caught.value)] == []
