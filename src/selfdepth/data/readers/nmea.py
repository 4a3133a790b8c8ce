"""A speed log as the NMEA 0183 sentences of a GPS receiver, read with pynmea2."""

from __future__ import annotations

import itertools
import re
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timezone
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.readers.positions import speeds_of_positions
from selfdepth.data.readers.speed_log import Clock, SpeedLog, require_rising
from selfdepth.errors import ConfigError, DataError
from selfdepth.limits import require_within

_KNOT_M_S = 1852 / 3600
_DAY_S = 86400
_SENTENCE = re.compile(r"\$[A-Z]{2}[A-Z]{3},")
_USED = ("RMC", "VTG", "GGA")
_FIRST_LINES = 50
_LONGEST = 200
"""Characters of a sentence: the standard allows 82."""


def is_nmea(text: str) -> bool:
    """Whether sentences of a receiver stand among the first lines of a text."""
    lines = itertools.islice((match.group() for match in re.finditer(r"[^\n]+", text)), _FIRST_LINES)
    return any(_SENTENCE.match(line.strip()[:8]) for line in lines)


@dataclass(kw_only=True)
class _Track:
    """What a kind of sentence says over time."""

    times_s: array[float] = field(default_factory=lambda: array("d"))
    values: array[float] = field(default_factory=lambda: array("d"))
    other: array[float] = field(default_factory=lambda: array("d"))
    lines: array[int] = field(default_factory=lambda: array("q"))

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def columns(self) -> tuple[Float[ndarray, "n"], Float[ndarray, "n"], Float[ndarray, "n"]]:
        """Times, values, other values."""
        return np.array(self.times_s), np.array(self.values), np.array(self.other)

    def add(self, time_s: float, value: float, line: int, other: float = 0.0) -> None:
        # Receivers repeat a fix for several talkers, and in several kinds of sentence.
        if self.times_s and self.times_s[-1] == time_s:
            return
        self.times_s.append(time_s)
        self.values.append(value)
        self.other.append(other)
        self.lines.append(line)


class _Days:
    """Turns times of day into seconds, over midnight: since 1970 from the first date on, else since the first day."""

    _last: float | None

    def __init__(self) -> None:
        self._day_s, self._last = 0.0, None
        self.dated = False

    def seconds(self, of_day: time, day: date | None = None) -> float:
        """Seconds of a time of day, whose date may be stated."""
        within_s = of_day.hour * 3600 + of_day.minute * 60 + of_day.second + of_day.microsecond / 1e6
        if day is not None:
            self._day_s, self.dated = datetime(day.year, day.month, day.day, tzinfo=timezone.utc).timestamp(), True
        elif self._last is not None and within_s < self._last - _DAY_S / 2:
            self._day_s += _DAY_S
        self._last = within_s
        return self._day_s + within_s


def read_nmea(text: str, path: Path) -> SpeedLog:
    """The speed over ground of a receiver: as RMC states it, with its date; else VTG at the times of GGA; else from the
    positions of GGA, whose times have no date.

    Sentences with a wrong checksum and those without a fix are left out, and counted in a note.

    Raises:
        DataError: as `read_speed_log`.
        ConfigError: if pynmea2 is not installed.
    """
    require_within("trajectory_lines", text.count("\n"), what="the speed log has too many lines", where=path)
    left_out: Counter[str] = Counter()
    rmc, vtg, gga = _Track(), _Track(), _Track()
    dates, times_of_day = _Days(), _Days()
    now_s: float | None = None
    for place, sentence in _sentences(text, path, left_out):
        kind = sentence.sentence_type
        of_day = getattr(sentence, "timestamp", None)
        if kind == "VTG":
            if now_s is None or (speed := _speed_of_vtg(sentence)) is None:
                left_out["VTG without a time or a speed"] += 1
            else:
                vtg.add(now_s, speed, place)
        elif not isinstance(of_day, time) or not _is_fix(sentence):
            left_out[f"{kind} without a fix"] += 1
        elif kind == "RMC":
            day, speed = sentence.datestamp, sentence.spd_over_grnd
            dated = isinstance(day, date)
            if isinstance(speed, float) and (dated or dates.dated):
                rmc.add(dates.seconds(of_day, day if dated else None), speed * _KNOT_M_S, place)
            else:
                left_out["RMC without a date or a speed"] += 1
        else:
            now_s = times_of_day.seconds(of_day)
            gga.add(now_s, sentence.latitude, place, sentence.longitude)
    return _log(path, (rmc, vtg, gga), left_out)


def _log(path: Path, tracks: tuple[_Track, _Track, _Track], left_out: Counter[str]) -> SpeedLog:
    rmc, vtg, gga = tracks
    said = "; ".join(f"{number} {why}" for why, number in left_out.items())
    notes = [f"sentences of the NMEA log that are left out: {said}"] if said else []
    clock: Clock = "relative"
    places = None
    if len(rmc) > 1:
        (times, speeds, _), clock, places = rmc.columns, "unix", ("line", np.array(rmc.lines, np.int64))
    elif len(vtg) > 1:
        (times, speeds, _), places = vtg.columns, ("line", np.array(vtg.lines, np.int64))
    elif len(gga) > 2:
        require_rising(gga.columns[0], path.name, ("line", np.array(gga.lines, np.int64)))
        times, speeds = speeds_of_positions(*gga.columns)
        notes.append("the speed is that between the positions of the NMEA log")
    else:
        counts = zip(("RMC", "VTG", "GGA"), map(len, tracks), strict=True)
        found = [f"{count} {kind}" for kind, count in counts if count]
        said = "; ".join([*found, said] if said else found)
        raise DataError(
            "the NMEA log has no speed",
            where=path,
            expected="two RMC with date and speed, or two VTG with GGA, or three GGA, of a receiver with a fix",
            got=said or "none of these sentences",
        )
    return SpeedLog(source=path.name, times_s=times, speeds_m_s=speeds, clock=clock, notes=tuple(notes), places=places)


def _sentences(text: str, path: Path, left_out: Counter[str]) -> Iterator[tuple[int, Any]]:
    """The sentences that speak of speed or position, with the lines they stand in."""
    try:
        import pynmea2
    except ImportError as error:
        fix = "pip install 'selfdepth[gps]'"
        raise ConfigError("an NMEA log needs pynmea2", where=path, fix=fix) from error
    for number, match in enumerate(re.finditer(r"([^\n]*)\n?", text), start=1):
        line = match.group(1).strip()
        if not _SENTENCE.match(line):
            if line and not line.startswith(("$", "!", "#")):  # of other kinds of receivers, or a comment
                left_out["lines that are no sentence"] += 1
            continue
        if line[3:6] not in _USED:
            continue
        try:
            if len(line) > _LONGEST:
                raise ValueError
            yield number, pynmea2.parse(line)
        except pynmea2.ChecksumError:
            left_out["with a wrong checksum"] += 1
        except ValueError:
            left_out["damaged"] += 1


def _is_fix(sentence: Any) -> bool:
    if sentence.sentence_type == "RMC":
        return bool(sentence.status == "A")
    try:
        position = (sentence.latitude, sentence.longitude)
    except ValueError:
        return False
    return sentence.gps_qual not in (0, "0", "", None) and bool(sentence.lat) and bool(np.isfinite(position).all())


def _speed_of_vtg(sentence: Any) -> float | None:
    if isinstance(sentence.spd_over_grnd_kmph, float):
        return float(sentence.spd_over_grnd_kmph) / 3.6
    try:
        return float(sentence.spd_over_grnd_kts) * _KNOT_M_S
    except (TypeError, ValueError):
        return None
