"""NMEA sentences as speed logs."""

from __future__ import annotations

import functools
import operator
import sys
from pathlib import Path

import numpy as np
import pytest

from selfdepth.data.readers.nmea import is_nmea, read_nmea
from selfdepth.data.readers.positions import EARTH_RADIUS_M
from selfdepth.errors import ConfigError, DataError

pytest.importorskip("pynmea2")
MINUTE_M = np.radians(1 / 60) * EARTH_RADIUS_M
KNOT = 1852 / 3600


def sentence(body: str) -> str:
    return f"${body}*{functools.reduce(operator.xor, map(ord, body)):02X}"


def rmc(time: str, knots: object, date: str = "141123", status: str = "A") -> str:
    return sentence(f"GPRMC,{time},{status},4900.0,N,00800.0,E,{knots},84.4,{date},,")


def gga(time: str, metres: float = 0, quality: int = 1) -> str:
    return sentence(f"GNGGA,{time},49{metres / MINUTE_M:09.6f},N,00800.000,E,{quality},08,0.9,545.4,M,46.9,M,,")


def vtg(kmh: object) -> str:
    return sentence(f"GPVTG,054.7,T,034.4,M,,N,{kmh},K")


def read(*lines: str) -> tuple[list[float], list[float], str, str]:
    text = "\r\n".join(lines).replace("\r\n", "\n")
    assert is_nmea(text)
    log = read_nmea(text, Path("a.nmea"))
    return log.times_s.tolist(), log.speeds_m_s.tolist(), log.clock, " ".join(log.notes)


def test_rmc_states_date_time_and_knots() -> None:
    times, speeds, clock, notes = read(rmc("221320.00", 10), rmc("221320.50", 20))
    assert (times, clock, notes) == ([1.7e9, 1.7e9 + 0.5], "unix", "")
    np.testing.assert_allclose(speeds, [10 * KNOT, 20 * KNOT])


@pytest.mark.parametrize("second_date", ["151123", ""])
def test_at_midnight_the_date_goes_on(second_date: str) -> None:
    times, *_ = read(rmc("235959", 10), rmc("000001", 10, date=second_date))
    assert times[1] - times[0] == 2


def test_vtg_is_at_the_time_of_the_gga_before_it() -> None:
    lines = [line for i in range(3) for line in (gga(f"23595{8 + i}" if i < 2 else "000000"), vtg(36 + i))]
    times, speeds, clock, _ = read(*lines)
    assert (np.diff(times).tolist(), clock) == ([1, 1], "relative")
    np.testing.assert_allclose(speeds, np.array([36, 37, 38]) / 3.6)


def test_positions_alone_make_a_speed() -> None:
    times, speeds, clock, notes = read(*(gga(f"12000{i}", 12.0 * i) for i in range(4)))
    assert (np.diff(times).tolist(), clock) == ([1, 1], "relative")
    np.testing.assert_allclose(speeds, 12, rtol=1e-4)
    assert "between the positions" in notes


def test_what_is_left_out_is_counted() -> None:
    good = [rmc("221320", 10), rmc("221321", 10)]
    bad = [rmc("221322", 10)[:-2] + "00", rmc("221323", 10, status="V"), rmc("221324", ""), "hello"]
    times, _, _, notes = read(*good, *bad, "$GPGSV,3,1,11*00", "!AIVDM,1,1,,B,1,0*00")
    assert len(times) == 2
    for words in ("1 with a wrong checksum", "1 RMC without a fix", "1 RMC without a date", "1 lines"):
        assert words in notes


def test_a_fix_that_two_talkers_repeat_counts_once() -> None:
    times, *_ = read(rmc("221320", 10), rmc("221320", 10).replace("GP", "GP"), rmc("221321", 10))
    assert len(times) == 2


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["$GPGSV,3,1,11*00"], ["no speed", "none of these"]),
        ([rmc("221320", 10)], ["no speed", "two RMC", "got 1 RMC"]),
        ([gga("120000"), gga("120001", 5, 0)], ["no speed", "got 1 GGA; 1 GGA without a fix"]),
        ([rmc("221320", 10, status="V"), rmc("221321", 10, status="V")], ["no speed", "2 RMC without a fix"]),
        ([rmc("221320", 10)[:-2] + "00"] * 3, ["no speed", "3 with a wrong checksum"]),
        ([vtg(30), vtg(30)], ["no speed", "VTG without a time"]),
        ([rmc("221321", 10), rmc("221320", 10)], ["line 2", "increase"]),
        ([gga("120002"), gga("120001", 5), gga("120003", 9)], ["line 2", "increase"]),
        ([rmc("221320", 0), rmc("221321", 0)], ["0 throughout"]),
        ([rmc("221320", 10), rmc("221321", -5)], ["line 2", "0 or more"]),
        ([rmc("221320", 10), rmc("221321", "nan")], ["line 2", "finite"]),
        ([rmc("996699", 10), rmc("996699", 10, date="999999")], ["no speed"]),
        ([gga("120000", quality=0)] * 3, ["no speed", "GGA without a fix"]),
        (["$GPRMC," + "1" * 1000], ["no speed", "damaged"]),
    ],
)
def test_logs_without_a_usable_speed_are_refused(lines: list[str], words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        read(*lines)
    assert [word for word in words if word not in str(caught.value)] == []


def test_without_the_package_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynmea2", None)
    with pytest.raises(ConfigError, match=r"pip install 'selfdepth\[gps\]'"):
        read(rmc("221320", 10), rmc("221321", 10))


def test_a_table_is_no_log_of_sentences() -> None:
    assert not is_nmea("time_s,speed_m_s\n0,1\n")
