"""A speed log as a GPX track, read with gpxpy."""

from __future__ import annotations

import re
from datetime import timezone
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.readers.positions import speeds_of_positions
from selfdepth.data.readers.speed_log import SpeedLog, require_rising
from selfdepth.errors import ConfigError, DataError
from selfdepth.limits import require_within
from selfdepth.texts import decoding

_MOST_NAMESPACES = 100
"""Declarations of a prefix: a receiver writes a handful, and the library searches the text for each."""


def is_gpx(text: str) -> bool:
    """Whether a text is XML: no other kind of speed log begins so."""
    return text.lstrip().startswith("<")


def read_gpx(text: str, path: Path) -> SpeedLog:
    """The speed along all tracks of a file: as the receiver states it for each point (GPX 1.0, or an extension named
    speed; metres per second), else from the positions and times of its points.

    Raises:
        DataError: as `read_speed_log`; for tracks without times, too.
        ConfigError: if gpxpy is not installed.
    """
    segments = [segment.points for track in _parsed(text, path).tracks for segment in track.segments if segment.points]
    points = [point for segment in segments for point in segment]
    if not points:
        got, fix = "no track with points", "export the recorded track, not a route or waypoints"
        raise DataError("the GPX file has no track", where=path, expected="<trk> with <trkpt>", got=got, fix=fix)
    untimed = sum(point.time is None for point in points)
    if untimed:
        raise DataError(
            "the points of the GPX track have no times",
            where=path,
            expected="<time> in every <trkpt>, as 2026-05-01T12:00:00Z",
            got=f"{untimed} of {len(points)} points without, or with one that cannot be read",
            fix="export the track as it was recorded: a planned route has no times, and no speed",
        )
    stated = [_stated_speed(point) for point in points]
    missing = sum(speed is None for speed in stated)
    places = ("point", np.arange(1, len(points) + 1))
    notes: tuple[str, ...] = ()
    if not missing:
        times, speeds = _times(points), np.array(stated, np.float64)
    else:
        require_rising(_times(points), path.name, places)
        _require_positions(points, path)
        times, speeds = _from_positions(segments)
        what = "" if missing == len(points) else f", because {missing} of {len(points)} points of the track state none"
        notes = (f"the speed is that between the positions of the GPX track{what}",)
    if any(point.time.tzinfo is None for point in points):
        notes = (*notes, "times of the GPX track have no time zone and are taken as UTC")
    # Speeds between positions are right by their making, so no error will name their place.
    kept = None if missing else places
    return SpeedLog(source=path.name, times_s=times, speeds_m_s=speeds, clock="unix", notes=notes, places=kept)


def _parsed(text: str, path: Path) -> Any:
    require_within("gpx_megabytes", len(text) / 1e6, what="the GPX file is too large", where=path)
    # Entities let a few lines stand for gigabytes, or for other files. No GPX file needs them.
    if re.search(r"<!\s*(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise _unreadable(path, "a document type or entities, which GPX does not have")
    if "<gpx" not in text:
        raise _unreadable(path, "XML without <gpx>")
    if text.count("xmlns") > _MOST_NAMESPACES:
        raise _unreadable(path, f"more than {_MOST_NAMESPACES} namespaces")
    try:
        import gpxpy
    except ImportError as error:
        fix = "pip install 'selfdepth[gps]'"
        raise ConfigError("a GPX file needs gpxpy", where=path, fix=fix) from error
    with decoding(lambda why: _unreadable(path, why)):
        return gpxpy.parse(text)


def _times(points: list[Any]) -> Float[ndarray, "n"]:
    """Seconds since 1970. A time without a zone is in UTC, never in that of the machine."""
    times = [point.time for point in points]
    times = [time if time.tzinfo is not None else time.replace(tzinfo=timezone.utc) for time in times]
    return np.array([time.timestamp() for time in times], np.float64)


def _require_positions(points: list[Any], path: Path) -> None:
    """Refuse a track from which no two speeds can be taken, and positions that are none on the earth."""
    if len(points) < 3:
        raise DataError(
            "the GPX track is too short",
            where=path,
            expected="at least 3 points, between which the vehicle moves",
            got=f"{len(points)} {'point' if len(points) == 1 else 'points'}",
        )
    for number, point in enumerate(points, start=1):
        if not (abs(point.latitude) <= 90 and abs(point.longitude) <= 360):  # NaN is not
            raise DataError(
                "a point of the GPX track is no place on the earth",
                where=f"{path.name}, point {number}",
                expected="a latitude from -90 to 90 degrees, and a longitude from -180 to 180",
                got=f"{point.latitude:g}, {point.longitude:g}",
                fix="leave the point out",
            )


def _from_positions(segments: list[list[Any]]) -> tuple[Float[ndarray, "n"], Float[ndarray, "n"]]:
    """Times and speeds within each segment: nobody knows how the receiver went from one to the next."""
    times, speeds = [np.zeros(0)], [np.zeros(0)]
    for segment in segments:
        lat, lon = (np.array([getattr(p, name) for p in segment], np.float64) for name in ("latitude", "longitude"))
        at, speed = speeds_of_positions(_times(segment), lat, lon)
        times.append(at)
        speeds.append(speed)
    return np.concatenate(times), np.concatenate(speeds)


def _stated_speed(point: Any) -> float | None:
    if point.speed is not None:
        return float(point.speed)
    for extension in point.extensions:
        for element in extension.iter():
            name = str(element.tag).rpartition("}")[2]
            # Without our help the library leaves prefixes of unknown namespaces in the name.
            if name.rpartition(":")[2].lower() == "speed" and element.text:
                try:
                    return float(element.text)
                except ValueError:
                    return None
    return None


def _unreadable(path: Path, got: str) -> DataError:
    return DataError("the GPX file cannot be read", where=path, expected="a track in GPX 1.0 or 1.1", got=got)
