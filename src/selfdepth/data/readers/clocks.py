"""The ways to write a time: dates, times of day, seconds, times since 1970, numbers with a unit."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

from selfdepth.data.readers.time_steps import DAY_NS, SECOND_NS, SINCE_1970_S, Proof

_MINUTE_NS = 60 * SECOND_NS
_UNITS_NS = {"n": 1, "u": 10**3, "μ": 10**3, "m": 10**6, "s": SECOND_NS}


@dataclass(frozen=True, kw_only=True)
class Clock:
    """One way to write a time.

    Attributes:
        pattern: what it looks like, in lower case, without a fraction of a second.
        to_ns: nanoseconds from what matched; None for a thirteenth month.
        whole: what must speak for a time without a fraction; None if this is no time.
        point: the same with a fraction behind a point or comma.
        other: the same with digits behind anything in `gap`.
        gap: what may stand before the other digits.
        unit_ns: how finely it tells the time.
        carry_ns: the larger unit whose steps speak for a time with a fraction.
        shared: whether several frames may have the same time, with a number that counts them.
    """

    pattern: str
    to_ns: Callable[[re.Match[str]], int | None]
    whole: Proof | None = None
    point: Proof | None = None
    other: Proof | None = None
    gap: str = "[-_:;s ]{1,2}"
    unit_ns: int = SECOND_NS
    carry_ns: int = SECOND_NS
    shared: bool = False

    @property
    def without_fraction(self) -> re.Pattern[str]:
        """The time as it is."""
        return re.compile(f"{self.pattern}{self._end}")

    @property
    def with_fraction(self) -> re.Pattern[str]:
        """The time, what stands before the other digits (`point` or not), and these (`part`)."""
        gaps = ["(?P<point>[.,])"] * (self.point is not None) + [self.gap] * (self.other is not None)
        return re.compile(f"{self.pattern}(?:{'|'.join(gaps)})(?P<part>[0-9]{{1,9}})[0-9]*{self._end}")

    @property
    def _end(self) -> str:
        return (_HALF if "?P<hour>" in self.pattern else "") + (_ZONE if "?P<year>" in self.pattern else "") + _END

    def read(self, match: re.Match[str]) -> int | None:
        """Nanoseconds without the fraction, in UTC if there is a time zone; None if this is no time."""
        time_ns = self.to_ns(match)
        zone = match.groupdict().get("zone")
        if time_ns is None or zone is None:
            return time_ns
        minutes = int(zone[1:3]) * 60 + int(zone[-2:])
        return time_ns + (minutes if zone[0] == "-" else -minutes) * _MINUTE_NS

    def larger_unit(self, time_ns: int) -> int:
        """The minute, hour or month that a time lies in: the next larger unit than its own."""
        if self.unit_ns < DAY_NS:
            return time_ns // (60 * self.unit_ns)
        day = datetime.fromtimestamp(time_ns // SECOND_NS, timezone.utc)
        return day.year * 12 + day.month


def _date(match: re.Match[str]) -> int | None:
    try:
        day = datetime(int(match["year"]), int(match["month"]), int(match["day"]), tzinfo=timezone.utc)
    except ValueError:
        return None
    of_day_ns = _time_of_day(match)
    return None if of_day_ns is None else int(day.timestamp()) * SECOND_NS + of_day_ns


def _time_of_day(match: re.Match[str]) -> int | None:
    found = match.groupdict()
    hour, minute, second = (int(found.get(name) or 0) for name in ("hour", "minute", "second"))
    if hour > 23 or minute > 59 or second > 59:
        return None
    if half := found.get("half"):
        hour = hour % 12 + (12 if half == "pm" else 0)
    return (hour * 3600 + minute * 60 + second) * SECOND_NS


def _since_1970(match: re.Match[str]) -> int | None:
    digits = match["number"]
    time_ns = int(digits) * 10 ** (19 - len(digits))
    return time_ns if SINCE_1970_S[0] <= time_ns // SECOND_NS < SINCE_1970_S[1] else None


def _number_with_unit(match: re.Match[str]) -> int | None:
    digits, _, decimals = match["number"].replace(",", ".").partition(".")
    units_ns = int(f"{digits}{decimals}") * _UNITS_NS[match["unit"][0]]
    return units_ns // int(f"1{'0' * len(decimals)}")


def _seconds(match: re.Match[str]) -> int | None:
    return int(match["number"]) * SECOND_NS


_END = "(?![0-9])"
_HALF = "(?:[-_ ]?(?P<half>[ap]m))?"
_ZONE = "(?P<zone>[-+][01][0-9]:?(?:00|15|30|45))?"
_YEAR = "(?P<year>(?:19|20)[0-9]{2})"
_DAYS = (
    f"{_YEAR}(?P<month>[0-9]{{2}})(?P<day>[0-9]{{2}})",
    f"{_YEAR}[-_. ](?P<month>[0-9]{{1,2}})[-_. ](?P<day>[0-9]{{1,2}}){_END}",
)
_TO_TIME = "(?:[-_.t ]{0,3}|[-_. ]+at[-_. ]+)"
_COMPACT_TIME = "(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})(?P<second>[0-9]{2})"
_MINUTES = "(?P<hour>[0-9]{1,2})[-_.:;h ](?P<minute>[0-9]{1,2})"
_COMPACT_MINUTES = "(?!00)(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})"
_TIME = f"{_MINUTES}[-_.:;m ](?P<second>[0-9]{{1,2}})"
_LETTERED_TIME = "(?:(?P<hour>[0-9]{1,2})h[-_ ]?)?(?P<minute>[0-9]{1,2})m(?:in)?[-_ ]?(?P<second>[0-9]{1,2})"

CLOCKS = (
    *(
        Clock(
            pattern=f"{day}{_TO_TIME}{time}",
            to_ns=_date,
            whole=whole,
            point=Proof.NONE,
            other=Proof.UNREFUTED,
            gap=gap,
            shared=True,
        )
        for day in _DAYS
        for time, whole, gap in (
            # In 20240229_000012 the end may be a counter; in 20240229123015123 it is a fraction.
            (_COMPACT_TIME, Proof.SHOWN, "[-_:;s ]{0,2}"),
            (_TIME, Proof.NONE, "[-_:;s ]{1,2}"),
        )
    ),
    *(Clock(pattern=f"{day}{_TO_TIME}(?!00){_COMPACT_TIME}", to_ns=_date, whole=Proof.NONE) for day in _DAYS),
    *(
        Clock(pattern=f"{day}{_TO_TIME}{time}", to_ns=_date, whole=Proof.SHOWN, unit_ns=_MINUTE_NS, shared=True)
        for day, time in itertools.product(_DAYS, (_COMPACT_MINUTES, _MINUTES))
    ),
    # Seconds since 1970 with a fraction; milli-, micro- and nanoseconds.
    Clock(
        pattern="(?P<number>[0-9]{10})",
        to_ns=_since_1970,
        whole=Proof.NONE,
        point=Proof.NONE,
        other=Proof.UNREFUTED,
        shared=True,
    ),
    Clock(pattern="(?P<number>[0-9]{13}|[0-9]{16}|[0-9]{19})", to_ns=_since_1970, whole=Proof.NONE),
    # Times without a date. 12_30_15 may be anything, unless 12_31_00 follows on 12_30_59.
    Clock(
        pattern=_LETTERED_TIME,
        to_ns=_time_of_day,
        whole=Proof.UNREFUTED,
        point=Proof.UNREFUTED,
        other=Proof.UNREFUTED,
        shared=True,
    ),
    Clock(
        pattern="(?P<number>[0-9]{1,20}(?:[.,][0-9]{1,12})?)[-_ ]?(?P<unit>[nuμm]?s(?:ec)?)(?![a-z0-9])",
        to_ns=_number_with_unit,
        whole=Proof.NONE,
    ),
    Clock(
        pattern=_TIME,
        to_ns=_time_of_day,
        whole=Proof.SHOWN,
        point=Proof.UNREFUTED,
        other=Proof.SHOWN,
        shared=True,
    ),
    Clock(
        pattern=_COMPACT_TIME,
        to_ns=_time_of_day,
        whole=Proof.SHOWN,
        point=Proof.SHOWN,
        carry_ns=_MINUTE_NS,
    ),
    Clock(pattern=f"(?!00){_COMPACT_TIME}", to_ns=_time_of_day, other=Proof.SHOWN, shared=True),
    Clock(pattern="(?P<minute>[0-9]{1,2}):(?P<second>[0-9]{2})", to_ns=_time_of_day, whole=Proof.SHOWN),
    Clock(
        pattern="(?P<minute>[0-9]{1,2})[-_:](?P<second>[0-9]{1,2})",
        to_ns=_time_of_day,
        point=Proof.SHOWN,
        carry_ns=_MINUTE_NS,
    ),
    Clock(pattern="(?P<number>[0-9]{1,11})", to_ns=_seconds, point=Proof.UNREFUTED, other=Proof.SHOWN),
    *(Clock(pattern=day, to_ns=_date, whole=Proof.SHOWN, unit_ns=DAY_NS) for day in _DAYS),
)
"""Tried in this order; the first that the names agree with is taken."""
