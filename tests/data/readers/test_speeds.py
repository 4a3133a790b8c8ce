"""Which kind of speed log a file is."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfdepth.data.readers.speeds import read_speed_log
from selfdepth.errors import DataError

TABLE = "time_s,speed_m_s\n0,1\n1,2\n"
NMEA = "$GPRMC,221320,A,4900.0,N,00800.0,E,10,84.4,141123,,\n$GPRMC,221321,A,4900.0,N,00800.0,E,11,84.4,141123,,\n"
GPX = (
    '<gpx version="1.1" creator="x"><trk><trkseg><trkpt lat="49" lon="8"><time>2023-11-14T22:13:20Z</time></trkpt>'
    '<trkpt lat="49.0001" lon="8"><time>2023-11-14T22:13:21Z</time></trkpt>'
    '<trkpt lat="49.0002" lon="8"><time>2023-11-14T22:13:22Z</time></trkpt></trkseg></trk></gpx>'
)


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.log", "a"])
@pytest.mark.parametrize(("text", "clock"), [(TABLE, "relative"), (NMEA, "unix"), (GPX, "unix")])
def test_a_log_is_known_by_its_contents(tmp_path: Path, name: str, text: str, clock: str) -> None:
    (tmp_path / name).write_text(text)
    log = read_speed_log(tmp_path / name)
    assert (log.clock, log.source) == (clock, name)


def test_a_byte_order_mark_and_the_line_ends_of_windows_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf" + TABLE.replace("\n", "\r\n").encode())
    assert read_speed_log(tmp_path / "a.csv").speeds_m_s.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", ["not a speed log", "empty"]),
        (b" \n\n", ["empty"]),
        (b"\x89PNG\r\n\x1a\n\x00\x01", ["not a speed log", "time_s,speed_km_h", "a PNG image", "as CSV, GPX"]),
        (b"PK\x03\x04\x14\x00\x06\x00", ["not a speed log", "a ZIP archive", "the sheet of Excel"]),
        (b"\x00\x00\x00\x20ftypmp42\x00\x00", ["not a speed log", "a video"]),
        (b"\x00" * 1000, ["cannot be read"]),
        (TABLE.encode("utf-16"), ["UTF-16", "save it as UTF-8"]),
        (b"hello world\n", ["not a speed log"]),
        (b"x" * 5_000_000, ["not a speed log"]),
    ],
)
def test_other_files_are_refused_in_one_sentence(tmp_path: Path, data: bytes, words: list[str]) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(DataError) as caught:
        read_speed_log(tmp_path / "a")
    assert [word for word in words if word not in str(caught.value)] == []
    assert len(str(caught.value)) < 900


def test_missing_paths_and_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_speed_log(tmp_path / "none.csv")
    with pytest.raises(DataError, match="without oxts/data"):
        read_speed_log(tmp_path)


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "a.csv").open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(DataError, match="too large"):
        read_speed_log(tmp_path / "a.csv")
