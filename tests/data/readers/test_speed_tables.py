"""Speed logs as tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from selfdepth.data.readers.speed_log import SpeedLog
from selfdepth.data.readers.speed_tables import read_table
from selfdepth.errors import DataError


def read(text: str) -> SpeedLog:
    return read_table(text, Path("a.csv"))


@pytest.mark.parametrize(
    ("header", "rows", "times", "speeds"),
    [
        ("time_s,speed_m_s", ["0,1.5", "0.5,2"], [0, 0.5], [1.5, 2]),
        ("time_s,speed_km_h", ["0,36", "1,72"], [0, 1], [10, 20]),
        ("timestamp [s],speed [m/s]", ["3,1", "4,2"], [3, 4], [1, 2]),
        ("Time (ms),Speed (km/h)", ["0,36", "500,72"], [0, 0.5], [10, 20]),
        ("time [us]\tvelocity [mph]", ["0\t10", "500000\t20"], [0, 0.5], [4.4704, 8.9408]),
        ("#timestamp [ns],v [m/s]", ["1700000000000000000,1", "1700000000500000000,2"], [1.7e9, 1.7e9 + 0.5], [1, 2]),
        ("unix_time_ms;SOG (kn)", ["1700000000000;10", "1700000001000;20"], [1.7e9, 1.7e9 + 1], [5.14444, 10.28889]),
        ("t_s;speed_km_h", ["0,5;36,0", "1,5;72,0"], [0.5, 1.5], [10, 20]),
        ('"t_s","speed_km_h"', ['"0,5","36,0"', '"1,5","72,0"'], [0.5, 1.5], [10, 20]),
        ("time_s speed_m_s", ["0 1", "1  2"], [0, 1], [1, 2]),
        ("frame,time_s,lat,lon,gpsSpeedKmh,rpm", ["0,0,49,8,36,900", "1,1,49,8,72,900"], [0, 1], [10, 20]),
        ("time_s,Speed (OBD)(km/h),speed_limit_km_h", ["0,36,50", "1,72,50"], [0, 1], [10, 20]),
        ("time_s,wind speed [m/s],speed [m/s]", ["0,9,1", "1,9,2"], [0, 1], [1, 2]),
        ("time,kmh", ["2023-11-14T22:13:20Z,36", "2023-11-14T22:13:21.25Z,72"], [1.7e9, 1.7e9 + 1.25], [10, 20]),
        (
            "Time;Speed Km/h",
            ["2023-11-15 00:13:20,5+02:00;36", "2023-11-15 00:13:21,5+0200;72"],
            [1.7e9 + 0.5, 1.7e9 + 1.5],
            [10, 20],
        ),
        ("time,speed_mps", ["23:59:59.5,1", "00:00:00.5,2", "0:00:01,3"], [86399.5, 86400.5, 86401], [1, 2, 3]),
        ("time,kmh", ["2023-11-14T23:13:20+01,36", "2023-11-14T17:43:21-04:30,72"], [1.7e9, 1.7e9 + 1], [10, 20]),
        ("elapsed_min,speed_ft_s", ["0,10", "0.5,20"], [0, 30], [3.048, 6.096]),
    ],
)
def test_tables_are_read_as_their_first_line_says(
    header: str, rows: list[str], times: list[float], speeds: list[float]
) -> None:
    found = read("\n".join([header, *rows]) + "\n")
    np.testing.assert_allclose(found.times_s, times, rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.speeds_m_s, speeds, rtol=1e-5)
    assert found.clock == ("unix" if times[0] > 1e9 else "relative")


def test_comments_empty_lines_and_the_separator_of_excel_are_left_out() -> None:
    found = read("sep=;\ntime_s;speed_m_s\n# a comment\n\n0;1\n1;2;\n")
    assert found.speeds_m_s.tolist() == [1, 2]


@pytest.mark.parametrize("heading", ["time_s,speed_m_s", "# time_s,speed_m_s"])
def test_comments_above_the_names_of_the_columns_are_left_out(heading: str) -> None:
    found = read(f"# drive of May\n#\n# a speed\n{heading}\n# more\n0,1\n1,2\n")
    assert found.speeds_m_s.tolist() == [1, 2]


def test_times_without_a_zone_are_taken_as_utc_and_the_user_is_told() -> None:
    found = read("time,speed_m_s\n2023-11-14 22:13:20,1\n2023-11-14 22:13:21,2\n")
    assert found.times_s[0] == 1.7e9
    assert "taken as UTC" in " ".join(found.notes)
    assert not read("time,speed_m_s\n2023-11-14T22:13:20Z,1\n2023-11-14T22:13:21Z,2\n").notes


ROWS = "0,1\n1,2\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ROWS, ["first line without names", "time_s,speed_km_h"]),
        ("time_s,speed\n" + ROWS, ["no unit", "write speed_km_h or speed_m_s in place of speed"]),
        ("time,speed_m_s\n" + ROWS, ["the time has no unit", "write time_s"]),
        ("frame,speed_m_s\n" + ROWS, ["no column of time", "timestamp [s];speed [m/s]"]),
        ("time_s,rpm\n" + ROWS, ["no column of speed"]),
        ("time_s,speed_m_s,speed_km_h\n0,1,3.6\n", ["several columns of speed", "speed_m_s, speed_km_h"]),
        ("time_s,speed_m_s\n0,1\n1,nan\n", ["line 3", "a number in the column speed_m_s", '"nan"; leave out lines']),
        ("time_s,speed_m_s\n0,1\n1,\n", ["line 3", "a number", "leave out lines without a measurement"]),
        ("# a drive\n0,1\n1,1\n", ["first line without names"]),
        ("# time_s,speed\n0,1\n1,1\n", ["no unit"]),
        ("# a drive\n", ["first line without names"]),
        ("time,speed_m_s\n14.11.2023 22:13:20,1\n", ["line 2", "as 2026-05-01T12:00:00Z"]),
        ("time_s,speed_m_s\n0,1\nnan,1\n", ["line 3", "a time in the column time_s"]),
        ("time_s,speed_m_s\n0,1\n1,50 km/h\n", ["line 3", '"50 km/h"']),
        ("time_s,speed_m_s\n0,1\n1,1_0\n", ["line 3"]),
        ("time_s,speed_m_s\n0,1\n1,1e999\n", ["line 3"]),
        (f"time_s,speed_m_s\n0,1\n1,{'1' * 5000}\n", ["line 3"]),
        ("time_s,speed_m_s\n0,0,13,4\n", ["line 2", "2 fields", "decimal comma", "semicolons"]),
        ("time_s,speed_m_s\n0\n", ["line 2", "2 fields", "got 1"]),
        ("time_s;speed_m_s\n0;1.5\n1;1,5\n", ["line 3"]),
        ("time_s;speed_m_s\n0;1.500,5\n", ["line 2"]),
        ("time_s,speed_m_s\n0,1\n0,1\n", ["line 3", "times that increase"]),
        ("time_s,speed_m_s\n5,1\n4,1\n", ["line 3", "times that increase", "sort the log"]),
        ("time_s,speed_m_s\n0,1\n1,-1\n", ["line 3", "0 or more"]),
        ("time_s,speed_m_s\n0,0\n1,0\n", ["0 throughout"]),
        ("time_s,speed_m_s\n", ["too short", "0 entries"]),
        ("time_s,speed_m_s\n0,1\n", ["too short", "1 entry"]),
        ("time_s,speed_m_s\n1700000000000,1\n1700000000100,1\n", ["too large for their unit", "_ms"]),
        ("time_s,speed_m_s\n0,1\n2023-11-14T22:13:20Z,1\n", ["line 3", "written as in the lines before"]),
        ("time,speed_m_s\n2023-13-14T22:13:20Z,1\n", ["line 2", "a time in the column"]),
        ("time_s,speed_m_s\n0,1000\n1,1000\n", ["line 2", "check the unit"]),
        ("{}", ["not a speed log"]),
    ],
)
def test_other_tables_are_refused_with_what_to_write(text: str, words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        read(text)
    assert [word for word in words if word not in str(caught.value)] == []


def test_too_many_lines_are_refused_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFDEPTH_LIMITS", "trajectory_lines=10")
    with pytest.raises(DataError, match="too many lines"):
        read("time_s,speed_m_s\n" + "x\n" * 20)
