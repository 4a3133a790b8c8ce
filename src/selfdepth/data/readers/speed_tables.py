"""A speed log as a table: CSV with commas, semicolons, tabs or spaces, and the units in its first line."""

from __future__ import annotations

import csv
import math
import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from selfdepth.data.readers.speed_log import SINCE_1970_S, SpeedLog, clock_of, not_a_log
from selfdepth.errors import DataError
from selfdepth.limits import limit, require_within
from selfdepth.texts import decoding

TIME_UNITS_S = {
    1.0: ("s", "sec", "secs", "second", "seconds"),
    1e-3: ("ms", "msec", "millis", "millisecond", "milliseconds"),
    1e-6: ("us", "usec", "µs", "μs", "micros", "microsecond", "microseconds"),
    1e-9: ("ns", "nsec", "nanos", "nanosecond", "nanoseconds"),
    60.0: ("min", "minute", "minutes"),
}
SPEED_UNITS_M_S = {
    1.0: ("m/s", "m_s", "mps", "ms", "m/sec", "ms-1", "m s-1", "m.s-1", "meters/second", "metres/second",
          "meters_per_second", "metres_per_second"),
    1 / 3.6: ("km/h", "km_h", "kmh", "kmph", "kph", "km/hr", "kmh-1", "km h-1", "km.h-1", "kilometers/hour",
              "kilometres/hour", "km_per_h", "kilometers_per_hour", "kilometres_per_hour"),
    0.44704: ("mph", "mi/h", "mi_h", "miles/hour", "miles_per_hour"),
    1852 / 3600: ("kn", "kt", "kts", "knot", "knots"),
    0.3048: ("ft/s", "ft_s", "fps", "feet/second", "feet_per_second"),
    0.01: ("cm/s", "cm_s"),
    0.001: ("mm/s", "mm_s"),
}  # fmt: skip
_UNCLEAR = ("s", "min", "ms", "fps")
"""Units that are no name of a column by themselves."""
_TIME = re.compile(r"\b(?:elapsed|time|times|timestamp|timestamps|t|date|datetime|stamp|epoch|unix|utc)\b")
_SPEED = re.compile(r"\b(?:speed|velocity|vel|v|sog|spd|vehiclespeed|groundspeed|gpsspeed)\b")
_OTHER_SPEED = re.compile(r"\b(?:limit|wind|engine|motor|target|set|max|min|std|accuracy|error|angular|vertical|yaw)\b")
_ISO = re.compile(
    r"(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,12}))?)? ?(Z|UTC|GMT|[-+]\d\d(?::?\d\d)?)?",
    re.ASCII,
)
_TIME_OF_DAY = re.compile(r"(\d\d?):(\d\d):(\d\d)(?:[.,](\d{1,12}))?", re.ASCII)
_NUMBER = re.compile(r"[-+]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][-+]?\d{1,3})?", re.ASCII)
_EMPTY = ("", "nan", "na", "n/a", "null", "none", "-")
"""What loggers write where they have no measurement."""
_DAY_S = 86400.0
_WRITE = (
    "write the names and units of the columns in the first line, as in time_s,speed_km_h or timestamp [s];speed [m/s]"
)


@dataclass(frozen=True, kw_only=True)
class _Column:
    """Which field of a line is read, and how: the factor of its unit; None for times that are dates."""

    place: int
    name: str
    factor: float | None


def read_table(text: str, path: Path) -> SpeedLog:
    """The speed log in a table.

    The first line names the columns. Times are numbers with a unit (seconds, or milli-, micro-, nanoseconds; since 1970
    or any other moment), or ISO 8601, in UTC where no time zone stands; or times of day, with one midnight at most
    between two lines.

    Raises:
        DataError: as `read_speed_log`.
    """
    require_within("trajectory_lines", text.count("\n"), what="the speed log has too many lines", where=path)
    lines = _lines(text)
    separator, names = _heading(lines, path)
    time, speed = _columns(names, path)
    rows = (_row(line, separator, path, number, len(names)) for number, line in lines if not _is_comment(line))
    return _read(rows, time, speed, path)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Numbered lines with content. Excel's line of the separator is left out."""
    for match_number, match in enumerate(re.finditer(r"[^\n]*\n?", text), start=1):
        line = match.group().rstrip("\n")
        if line.strip() and not re.fullmatch(r"sep=.\s*", line):
            yield match_number, line


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def _heading(lines: Iterator[tuple[int, str]], path: Path) -> tuple[str, list[str]]:
    """The separator of the table, and the names of its columns: the first line, be it a comment or not, but for
    comments above it that name no columns of time and speed."""
    for number, line in lines:
        separator = _separator(line)
        fields = _fields(line.lstrip("# "), separator, path, number)
        names = [name.strip().strip("\"'").strip() for name in fields]
        if not _is_comment(line) or all(_found(names)):
            return separator, names
    return "", []


def _separator(first: str) -> str:
    return next((each for each in (";", "\t", ",") if each in first), " ")


def _fields(line: str, separator: str, path: Path, number: int) -> list[str]:
    if separator == " ":
        return line.split()

    def refusal(why: str) -> DataError:
        return DataError("the line cannot be read", where=f"{path}, line {number}", expected="a line of CSV", got=why)

    with decoding(refusal):
        return next(csv.reader([line], delimiter=separator), [])


def _row(line: str, separator: str, path: Path, number: int, n_columns: int) -> tuple[int, list[str]]:
    """A line's number and fields, as many as the first line names, but for empty ones behind."""
    fields = _fields(line, separator, path, number)
    while len(fields) > n_columns and not fields[-1].strip():
        fields.pop()
    if len(fields) != n_columns:
        raise DataError(
            "the line of the speed log cannot be read",
            where=f"{path}, line {number}",
            expected=f"{n_columns} fields, as in the first line",
            got=str(len(fields)),
            fix="separate columns by semicolons where numbers have a decimal comma" if separator == "," else None,
        )
    return number, fields


def _columns(names: list[str], path: Path) -> tuple[_Column, _Column]:
    """The columns of time and speed, by their names."""
    if not any(re.search("[A-Za-z]", name) for name in names):
        raise not_a_log(path, f"a first line without names: {','.join(names)}", _WRITE)
    times, speeds = _found(names)
    for kind, found in (("time", times), ("speed", speeds)):
        if not found:
            raise not_a_log(path, f"no column of {kind} in: {','.join(names)}", _WRITE)
        if len(found) > 1:
            # One column that states its unit beside others that do not is the one that is meant.
            stated = [each for each in found if each.factor is not None]
            if len(stated) != 1:
                got = ", ".join(names[each.place] for each in found)
                expected = f"one column of {kind}"
                raise DataError(
                    f"the speed log has several columns of {kind}", where=path, expected=expected, got=got,
                    fix="keep the one that is meant",
                )  # fmt: skip
            found[:] = stated
    if speeds[0].factor is None:
        raise DataError(
            "the speed has no unit",
            where=f"{path}, first line",
            expected="m/s, km/h, mph or kn behind the name of the column",
            got=speeds[0].name,
            fix=f"write speed_km_h or speed_m_s in place of {speeds[0].name}",
        )
    return times[0], speeds[0]


def _found(names: list[str]) -> tuple[list[_Column], list[_Column]]:
    """The columns that may be the time, and those that may be the speed."""
    times = [each for i, name in enumerate(names) if (each := _column(i, name, _TIME, TIME_UNITS_S)) is not None]
    speeds = [each for i, name in enumerate(names) if (each := _column(i, name, _SPEED, SPEED_UNITS_M_S)) is not None]
    return times, speeds


def _column(place: int, name: str, words: re.Pattern[str], units: dict[float, tuple[str, ...]]) -> _Column | None:
    """The column of this name if its name, without the unit, has one of the words; its unit is the longest at the end
    of the name, behind a space, a bracket or the like."""
    # speedKmh and gpsSpeed are two words each.
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().rstrip(" )]}\"'")
    ends = [
        (0, factor, "time speed") for factor, spellings in units.items() if plain in spellings and plain not in _UNCLEAR
    ]
    ends += [
        (len(unit), factor, plain[: -len(unit)])
        for factor, spellings in units.items()
        for unit in spellings
        if plain.endswith(unit) and re.search(r"[\W_]$", plain[: -len(unit)])
    ]
    _, factor, rest = max(ends, default=(0, None, plain))
    spaced = re.sub(r"[\W_]+", " ", rest)
    if not words.search(spaced) or _OTHER_SPEED.search(spaced):
        return None
    return _Column(place=place, name=name, factor=factor)


def _read(rows: Iterator[tuple[int, list[str]]], time: _Column, speed: _Column, path: Path) -> SpeedLog:
    times, speeds, places = array("d"), array("d"), array("q")
    read_number = _Numbers()
    clock_time = _ClockTime(time, path, read_number)
    for number, fields in rows:
        where = f"{path}, line {number}"
        times.append(clock_time(fields[time.place].strip(), where))
        value = read_number(fields[speed.place].strip())
        if value is None or speed.factor is None:
            raise _bad(where, f"a number in the column {speed.name}", fields[speed.place])
        speeds.append(value * speed.factor)
        places.append(number)
    times_s = np.array(times)
    if len(times_s) and clock_time.is_number and times_s.max() >= SINCE_1970_S[1]:
        raise DataError(
            "the times of the speed log are too large for their unit",
            where=path,
            expected=f"times before the year 2096 in the unit of the column {time.name}",
            got=f"{times_s.max():.10g} s",
            fix="write the unit that they are in: _ms, _us or _ns behind the name of the column",
        )
    clock = "relative" if clock_time.of_day else clock_of(times_s)
    note = "the times of the speed log have no time zone and are taken as UTC"
    return SpeedLog(
        source=path.name,
        times_s=times_s,
        speeds_m_s=np.array(speeds),
        clock=clock,
        notes=(note,) if clock_time.without_zone else (),
        places=("line", np.array(places, np.int64)),
    )


class _ClockTime:
    """Reads the times of a column, all of them in one way: numbers with a unit, dates, or times of day."""

    def __init__(self, column: _Column, path: Path, read_number: _Numbers) -> None:
        self._column, self._path, self._number = column, path, read_number
        self._way: Callable[[str], float | None] | None = None
        self._days, self._last_s, self._begun = 0, 0.0, False
        self.without_zone = False

    @property
    def is_number(self) -> bool:
        return self._way == self._seconds

    @property
    def of_day(self) -> bool:
        return self._way == self._of_day

    def __call__(self, field: str, where: str) -> float:
        """Seconds that a field states."""
        if self._way is None:
            self._way = next((way for way in (self._date, self._of_day) if way(field) is not None), self._seconds)
            if self._way == self._seconds and self._column.factor is None and self._number(field) is not None:
                raise DataError(
                    "the time has no unit",
                    where=f"{self._path}, first line",
                    expected="s, ms, us or ns behind the name of the column, or times as 2026-05-01T12:00:00Z",
                    got=f"{self._column.name}, with times as {field[:40]}",
                    fix=f"write time_s, or the unit that it is, in place of {self._column.name}",
                )
        time_s = self._way(field)
        if time_s is None:
            before = "written as in the lines before" if self._begun else "a number, or as 2026-05-01T12:00:00Z"
            raise _bad(where, f"a time in the column {self._column.name}, {before}", field)
        self._begun = True
        return time_s

    def _seconds(self, field: str) -> float | None:
        value = self._number(field)
        return None if value is None or self._column.factor is None else value * self._column.factor

    def _date(self, field: str) -> float | None:
        match = _ISO.fullmatch(field)
        if match is None:
            return None
        *numbers, fraction, zone = match.groups()
        try:
            moment = datetime(*(int(each or 0) for each in numbers), tzinfo=timezone.utc)  # type: ignore[misc,arg-type]
        except ValueError:
            return None
        self.without_zone |= zone is None
        minutes = 0
        if zone and zone[0] in "+-":
            minutes = (int(zone[1:3]) * 60 + int(zone[3:].lstrip(":") or 0)) * (1 if zone[0] == "+" else -1)
        return moment.timestamp() + float(f"0.{fraction or 0}") - 60 * minutes

    def _of_day(self, field: str) -> float | None:
        match = _TIME_OF_DAY.fullmatch(field)
        if match is None:
            return None
        hour, minute, second = (int(each) for each in match.groups()[:3])
        if hour > 23 or minute > 59 or second > 60:
            return None
        time_s = hour * 3600 + minute * 60 + second + float(f"0.{match[4] or 0}") + self._days * _DAY_S
        if time_s < self._last_s - _DAY_S / 2:  # past midnight
            self._days, time_s = self._days + 1, time_s + _DAY_S
        self._last_s = time_s
        return time_s


class _Numbers:
    """Reads numbers, all of them with a decimal point, or all with a decimal comma."""

    def __init__(self) -> None:
        self._mark: str | None = None

    def __call__(self, field: str) -> float | None:
        """The number in a field; None for anything else, NaN and infinity included."""
        if len(field) > limit("digits") or not _NUMBER.fullmatch(field):
            return None
        mark = next((each for each in ".," if each in field), None)
        self._mark = self._mark or mark
        if mark not in (None, self._mark):
            return None
        value = float(field.replace(",", "."))
        return value if math.isfinite(value) else None


def _bad(where: str, expected: str, got: str) -> DataError:
    empty = got.strip().lower() in _EMPTY
    return DataError(
        "the line of the speed log cannot be read",
        where=where,
        expected=expected,
        got=f'"{got[:40]}"',
        fix="leave out lines without a measurement" if empty else None,
    )
