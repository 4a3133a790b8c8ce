"""Good files of what tells metres: speed logs of every kind, and a list of measured distances with its footage."""

from __future__ import annotations

import functools
import operator
import shutil
from pathlib import Path

from helpers.bags import frames, image, odometry, stamps, write_bag
from selfdepth.data.sources.rendered import write_drive
from selfdepth.synthetic.drive import DriveSpec, render_drive

_START_S = 1_700_000_000
_TABLES = {
    "seconds.csv": ("time_s,speed_km_h", "{t:.1f},{kmh:.2f}"),
    "dates.csv": ("timestamp;latitude;speed [km/h]", "2023-11-14T22:13:2{t:.1f}+01:00;49,1;{kmh}"),
    "unix.tsv": ("# t_ns\tvelocity_mps\tgear", "{unix_ns}\t{mps}\t4"),
    "clock.txt": ("time speed_knots", "23:59:5{t:.3f} {knots}"),
}
_POINT = '<trkpt lat="{lat:.7f}" lon="8.4"><ele>110</ele><time>2023-11-14T22:13:2{t:.0f}Z</time>{more}</trkpt>'
_GPX = """<?xml version="1.0" encoding="UTF-8"?>
<gpx version="1.1" creator="x" xmlns="http://www.topografix.com/GPX/1/1"
 xmlns:g="http://www.garmin.com/xmlschemas/TrackPointExtension/v2">
<metadata><name>drive</name></metadata><trk><name>a</name><trkseg>
{first}
</trkseg><trkseg>
{second}
</trkseg></trk></gpx>
"""
_SPEED = "<extensions><g:TrackPointExtension><g:speed>{mps}</g:speed></g:TrackPointExtension></extensions>"
_DISTANCES = """# tape, in the hall
frame, u, v, metres
000000, 40, 50, 7.25
1, 20.5, 50, 70.5, 50, 3.1
street/3; 10; 60; 4  # door
"""


def write_witnesses(folder: Path) -> None:
    """Write a folder for each kind."""
    for kind, files in {
        "table": _tables(),
        "gpx": _tracks(),
        "nmea": {"drive.nmea": _nmea(), "vtg.log": _vtg()},
    }.items():
        place = folder / "speed" / kind
        place.mkdir(parents=True)
        for name, text in files.items():
            (place / name).write_text(text)
    shutil.copytree(next((folder / "kitti").glob("*/*/oxts")), folder / "speed/oxts/oxts")
    pictures = [image(pixels, at) for pixels, at in zip(frames(5), stamps(5), strict=True)]
    speeds = [odometry((0, 0, i), 10.0, at) for i, at in enumerate(stamps(5))]
    (folder / "speed/bag").mkdir()
    write_bag(folder / "speed/bag/a.bag", (*pictures, *speeds), "ros1")
    write_bag(folder / "speed/bag/mcap", (*pictures, *speeds))
    place = folder / "distance"
    place.mkdir()
    write_drive(render_drive(DriveSpec(seed=2, frames=4, width=96, height=64)), folder / "measured/street")
    (place / "tape.csv").write_text(_DISTANCES)
    (folder / "input_list").mkdir()
    (folder / "input_list/videos.txt").write_text("# of May\nday1/a.mp4\nday1/b b.mp4\n/data/c\n../d.bag\n")


def _tables() -> dict[str, str]:
    def line(form: str, t: float) -> str:
        mps = 5 + t
        values = {"t": t, "mps": mps, "kmh": 3.6 * mps, "knots": mps / 0.514444}
        return form.format(**values, unix_ns=_START_S * 10**9 + int(t * 1e9))

    rows = [i / 2 for i in range(12)]
    return {name: f"{first}\n" + "".join(f"{line(form, t)}\n" for t in rows) for name, (first, form) in _TABLES.items()}


def _tracks() -> dict[str, str]:
    def track(more: str) -> str:
        points = [_POINT.format(lat=49 + i * 1e-4, t=i, more=more.format(mps=5 + i)) for i in range(8)]
        return _GPX.format(first="\n".join(points[:4]), second="\n".join(points[4:]))

    return {"positions.gpx": track(""), "speeds.gpx": track(_SPEED)}


def _sentence(body: str) -> str:
    return f"${body}*{functools.reduce(operator.xor, map(ord, body)):02X}\r\n"


def _nmea() -> str:
    lines = [f"GPRMC,22132{i}.00,A,4900.{i}0,N,00824.0,E,{10 + i},84.4,141123,," for i in range(8)]
    return "".join(map(_sentence, lines))


def _vtg() -> str:
    pairs = (
        (f"GNGGA,23595{i}.5,4900.{i}0,N,00824.0,E,1,08,0.9,5.4,M,46.9,M,,", f"GNVTG,54.7,T,34.4,M,,N,{36 + i},K")
        for i in range(8)
    )
    return "".join(_sentence(body) for pair in pairs for body in pair)
