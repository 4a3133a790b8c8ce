"""GPX tracks as speed logs."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest

from selfdepth.data.readers.gpx import is_gpx, read_gpx
from selfdepth.data.readers.positions import EARTH_RADIUS_M
from selfdepth.errors import ConfigError, DataError

pytest.importorskip("gpxpy")
HEAD = '<?xml version="1.0"?>\n<gpx version="1.1" creator="x" xmlns="http://www.topografix.com/GPX/1/1"'
DEGREE_M = np.radians(1) * EARTH_RADIUS_M


def point(second: int, metres: float, inside: str = "") -> str:
    at = f"<time>2023-11-14T22:13:{20 + second:02d}Z</time>"
    return f'<trkpt lat="{metres / DEGREE_M:.12f}" lon="8">{at}{inside}</trkpt>'


def gpx(*segments: list[str], more: str = "") -> str:
    body = "".join(f"<trkseg>{''.join(points)}</trkseg>" for points in segments)
    return f"{HEAD}{more}><trk>{body}</trk></gpx>"


def test_speeds_are_those_between_the_positions() -> None:
    log = read_gpx(gpx([point(0, 0), point(1, 10), point(2, 25)]), Path("a.gpx"))
    np.testing.assert_allclose(log.speeds_m_s, [10, 15], rtol=1e-6)
    np.testing.assert_allclose(log.times_s, [1.7e9 + 0.5, 1.7e9 + 1.5])
    assert log.clock == "unix"
    assert "between the positions" in log.notes[0]


@pytest.mark.parametrize(
    ("more", "inside"),
    [
        ("", "<speed>{}</speed>"),
        (
            ' xmlns:gpxtpx="http://www.garmin.com/xmlschemas/TrackPointExtension/v2"',
            "<extensions><gpxtpx:TrackPointExtension><gpxtpx:hr>70</gpxtpx:hr><gpxtpx:speed>{}</gpxtpx:speed>"
            "</gpxtpx:TrackPointExtension></extensions>",
        ),
        ("", "<extensions><speed>{}</speed></extensions>"),
    ],
)
def test_speeds_that_the_receiver_states_come_first(more: str, inside: str) -> None:
    text = gpx([point(i, 0, inside.format(i + 5)) for i in range(3)], more=more)
    if not inside.startswith("<ext"):
        text = text.replace('version="1.1"', 'version="1.0"').replace("GPX/1/1", "GPX/1/0")
    log = read_gpx(text, Path("a.gpx"))
    assert log.speeds_m_s.tolist() == [5, 6, 7]
    assert log.notes == ()


def test_between_segments_no_speed_is_made_up() -> None:
    log = read_gpx(gpx([point(0, 0), point(1, 10)], [point(9, 500), point(10, 510)]), Path("a.gpx"))
    np.testing.assert_allclose(log.speeds_m_s, [10, 10], rtol=1e-6)


def test_times_without_a_zone_are_in_utc_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    text = gpx([point(0, 0), point(1, 10), point(2, 25)])
    monkeypatch.setenv("TZ", "Asia/Seoul")
    time.tzset()
    try:
        log = read_gpx(text.replace("Z</time>", "</time>"), Path("a.gpx"))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert log.times_s.tolist() == read_gpx(text, Path("a.gpx")).times_s.tolist()
    assert "taken as UTC" in log.notes[-1]


def test_a_track_of_which_some_points_state_their_speed_says_what_was_taken() -> None:
    text = gpx([point(0, 0, "<extensions><speed>3</speed></extensions>"), point(1, 10), point(2, 20)])
    assert "2 of 3 points" in read_gpx(text, Path("a.gpx")).notes[0]


BOMB = '<!DOCTYPE gpx [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (gpx([point(0, 0), point(1, 5)]).replace("<time>2023-11-14T22:13:21Z</time>", ""), ["no times", "1 of 2"]),
        (gpx(), ["no track"]),
        (gpx([]), ["no track"]),
        (f'{HEAD}><wpt lat="1" lon="2"/></gpx>', ["no track", "waypoints"]),
        (gpx([point(0, 0)]), ["too short", "got 1 point"]),
        (gpx([point(0, 0), point(1, 5)]), ["too short", "3 points", "got 2 points"]),
        *(
            (
                gpx([point(0, 0), point(1, 5), point(2, 9)]).replace('lat="0.0000', f'lat="{lat}" x="'),
                ["a.gpx, point 1", "a latitude from -90 to 90", "leave the point out"],
            )
            for lat in ("nan", "95", "-inf")
        ),
        (gpx([point(0, 0), point(1, 5), point(2, 9)]).replace('lon="8"', 'lon="1e9"', 1), ["point 1", "a longitude"]),
        (gpx([point(1, 0), point(0, 5), point(2, 9)]), ["point 2", "increase"]),
        (gpx([point(1, 0), point(1, 5), point(2, 9)]), ["point 2", "increase"]),
        (gpx([point(0, 0), point(1, 0), point(2, 0)]), ["0 throughout"]),
        (gpx([point(0, 0), point(1, 0)])[:-40], ["cannot be read"]),
        (gpx([point(0, 0), point(1, 0)]).replace('lat="0', 'lat="x'), ["cannot be read"]),
        (gpx([point(0, 0), point(1, 0)]).replace("13:20Z", "13:xxZ"), ["a.gpx"]),
        ("<svg></svg>", ["without <gpx>"]),
        (BOMB + gpx([point(0, 0), point(1, 5)]), ["entities"]),
        (gpx([point(0, 0)]).replace("<trk>", "<!entity x>"), ["entities"]),
        (gpx([point(0, 0), point(1, 5)], more=' xmlns:a="b"' * 200), ["namespaces"]),
        (f"{HEAD}>" + "<a>" * 100_000, ["cannot be read"]),
    ],
)
def test_other_xml_is_refused_in_one_sentence(text: str, words: list[str]) -> None:
    assert is_gpx(text)
    with pytest.raises(DataError) as caught:
        read_gpx(text, Path("a.gpx"))
    assert [word for word in words if word not in str(caught.value)] == []


def test_a_large_file_is_refused_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFDEPTH_LIMITS", "gpx_megabytes=1")
    with pytest.raises(DataError, match="too large"):
        read_gpx(gpx([point(0, 0)] * 20_000), Path("a.gpx"))


def test_without_the_package_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpxpy", None)
    with pytest.raises(ConfigError, match=r"pip install 'selfdepth\[gps\]'"):
        read_gpx(gpx([point(0, 0), point(1, 5)]), Path("a.gpx"))
