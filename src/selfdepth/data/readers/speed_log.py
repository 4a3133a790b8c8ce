"""How fast a camera went, by a log of its vehicle: one type for all kinds of files, recognised by their contents."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from selfdepth.errors import DataError

Clock = Literal["unix", "relative"]

FORMATS = (
    "a table whose first line names columns of time and speed with their units (time_s,speed_km_h), KITTI's folder "
    "oxts, a GPX track with times, NMEA sentences (RMC, VTG, GGA), or a ROS bag (Odometry, TwistStamped, NavSatFix)"
)
SINCE_1970_S = (10**9, 4 * 10**9)
"""Seconds since 1970, from 2001 to 2096: a time of any other clock is smaller."""
FASTEST_M_S = 400
"""Faster than sound: the unit is another one."""
_LONGEST_GAP_S = 3.0
"""Between two entries, over which the speed is interpolated; or three usual steps, if these are longer."""
_SHOWN = 60
_UNUSABLE = "the speed log cannot be used"


@dataclass(frozen=True, kw_only=True, eq=False)
class SpeedLog:
    """The speed of a vehicle over time. Between entries it changes linearly; across a gap it is unknown.

    Attributes:
        source: name of the file, for people.
        times_s: seconds, strictly increasing; since 1970 in UTC, or since any other moment.
        speeds_m_s: metres per second along the path, 0 or more.
        clock: which of the two the times are.
        notes: sentences on what was left out or taken for granted.
        places: what an entry is called in its file, such as "line", and the number of each, for errors.

    Raises:
        DataError: for fewer than two entries, numbers that are not finite, times that do not increase, speeds that are
            negative, too large to be true, or all 0.
    """

    source: str
    times_s: Float[ndarray, "n"]
    speeds_m_s: Float[ndarray, "n"]
    clock: Clock
    notes: tuple[str, ...] = ()
    places: tuple[str, Int[ndarray, "n"]] | None = None

    def __post_init__(self) -> None:
        times, speeds = self.times_s, self.speeds_m_s
        if len(times) < 2:
            got = f"{len(times)} {'entry' if len(times) == 1 else 'entries'}"
            expected = "at least 2 entries of time and speed"
            raise DataError("the speed log is too short", where=self.source, expected=expected, got=got)
        for name, values in (("time", times), ("speed", speeds)):
            self._refuse(~np.isfinite(values), values, f"a finite {name}", "leave out lines without a measurement")
        require_rising(times, self.source, self.places)
        self._refuse(speeds < 0, speeds, "a speed of 0 or more", "give the speed along the path, without a sign")
        self._refuse(speeds > FASTEST_M_S, speeds, f"at most {FASTEST_M_S} m/s", "check the unit, or leave it out")
        if not speeds.any():
            expected, got = "a log of a vehicle that moves", f"{len(times)} entries of 0"
            raise DataError("the speed is 0 throughout", where=self.source, expected=expected, got=got)

    @property
    def longest_gap_s(self) -> float:
        """The longest time between two entries over which the speed is known, in seconds."""
        return float(max(_LONGEST_GAP_S, 3 * np.median(np.diff(self.times_s))))

    def speeds_at(self, times_s: Float[ndarray, "m"]) -> tuple[Float[ndarray, "m"], Bool[ndarray, "m"]]:
        """Speeds in m/s at some times of the log's clock, and whether they are known."""
        after = np.clip(np.searchsorted(self.times_s, times_s), 1, len(self.times_s) - 1)
        known = (times_s >= self.times_s[0]) & (times_s <= self.times_s[-1])
        known &= (np.diff(self.times_s)[after - 1] <= self.longest_gap_s) | (times_s == self.times_s[after])
        return np.interp(times_s, self.times_s, self.speeds_m_s), known

    def distances(self, times_s: Float[ndarray, "m"]) -> tuple[Float[ndarray, "m-1"], Bool[ndarray, "m-1"]]:
        """Metres driven between each of some increasing times of the log's clock and the next, and whether they are
        known: not outside the log, and not across a gap.

        The integral of the speed, which is linear between entries: exact.
        """
        inside = self.times_s[(self.times_s > times_s[0]) & (self.times_s < times_s[-1])]
        grid = np.union1d(inside, times_s)
        speeds = np.interp(grid, self.times_s, self.speeds_m_s)
        path_m = np.concatenate([[0.0], np.cumsum((speeds[1:] + speeds[:-1]) / 2 * np.diff(grid))])
        # A step is known if no part of it is unknown: the middle of each stretch of the grid lies in one interval.
        unknown = ~self.speeds_at((grid[1:] + grid[:-1]) / 2)[1]
        n_unknown = np.concatenate([[0], np.cumsum(unknown)])
        at = np.searchsorted(grid, times_s)
        return np.diff(path_m[at]), np.diff(n_unknown[at]) == 0

    def _refuse(self, wrong: Bool[ndarray, "n"], values: Float[ndarray, "n"], expected: str, fix: str) -> None:
        if wrong.any():
            i = int(wrong.argmax())
            where = _place(self.source, self.places, i)
            raise DataError(_UNUSABLE, where=where, expected=expected, got=f"{values[i]:.10g}", fix=fix)


def require_rising(times_s: Float[ndarray, "n"], source: str, places: tuple[str, Int[ndarray, "n"]] | None) -> None:
    """Raise DataError, naming the entry, for times of a log that do not increase. Args as of `SpeedLog`."""
    falls = np.diff(times_s) <= 0
    if falls.any():
        i = int(falls.argmax()) + 1
        raise DataError(
            _UNUSABLE,
            where=_place(source, places, i),
            expected=f"times that increase: more than {times_s[i - 1]:.10g} s",
            got=f"{times_s[i]:.10g} s",
            fix="sort the log, and keep one entry for each time",
        )


def _place(source: str, places: tuple[str, Int[ndarray, "n"]] | None, entry: int) -> str:
    kind, number = ("entry", entry + 1) if places is None else (places[0], places[1][entry])
    return f"{source}, {kind} {number}"


def clock_of(times_s: Float[ndarray, "n"]) -> Clock:
    """Whether times in seconds are those of a clock that counts from 1970, by their size."""
    return "unix" if len(times_s) and times_s[0] >= SINCE_1970_S[0] and times_s[-1] < SINCE_1970_S[1] else "relative"


def not_a_log(path: Path, got: str, fix: str | None = None) -> DataError:
    """The error for a file that is no speed log of a known kind."""
    return DataError("this is not a speed log", where=path, expected=FORMATS, got=got[:_SHOWN], fix=fix)
