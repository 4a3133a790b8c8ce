"""The offset between the clock of a speed log and that of the footage, from the speeds themselves.

A pose network knows the speed of its camera up to a factor, and correlation does not ask for the factor.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from selfdepth.data.readers.speed_log import SpeedLog, clock_of
from selfdepth.errors import DataError

GOOD_CORRELATION = 0.8
"""Of the speeds, from which an offset is said to fit."""
_CLEARLY = 0.05
"""By which the best correlation must exceed that at any other offset that is as good as its neighbours."""
_NEAR_S = 2.0
"""Offsets that are closer count as the same."""
_CONSTANT = 0.05
"""Standard deviation of a speed over its mean, below which it is called constant."""
_STEP_S, _SMOOTH_S = 0.1, 1.0
_MOST_STEPS = 4_000_000
_LEAST_OVERLAP_S = 5.0
_NOTABLE_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Fit:
    """The offset at which two speeds are most alike.

    Attributes:
        offset_s: what is added to times of the footage to give times of the log.
        correlation: of the speeds there, at most 1.
        clear: whether it is good, and no other offset is nearly as good.
    """

    offset_s: float
    correlation: float
    clear: bool

    def __str__(self) -> str:
        return f"{self.offset_s:+.1f} s (correlation of the speeds {self.correlation:.2f})"


def choose_offset(
    times_s: Float[ndarray, "n"],
    steps: Float[ndarray, "n-1"],
    log: SpeedLog,
    offset_s: float | Literal["auto"] | None,
) -> tuple[float, tuple[str, ...]]:
    """The offset from the footage's clock to the log's, and sentences on it.

    A given offset is taken. Without one, clocks of the same kind are taken as the same; for clocks of two kinds, and
    for "auto", the offset is that at which the speeds correlate best.

    Args:
        times_s: of the camera's poses, increasing.
        steps: lengths of the path from each pose to the next, in any unit.

    Raises:
        DataError: if log and footage do not overlap, or no offset can be found where one is needed.
    """
    same = clock_of(times_s) == log.clock
    fit = best_offset(times_s, steps, log)
    notes: tuple[str, ...] = ()
    if offset_s is None and same:
        chosen = 0.0
        if fit is not None and fit.clear and abs(fit.offset_s) > _NOTABLE_S:
            notes = (f"the clocks are taken as the same, but the speeds fit best at a clock offset of {fit}",)
    elif isinstance(offset_s, int | float):
        chosen = float(offset_s)
        notes = (f"the clock of the speed log is that of the footage {chosen:+.1f} s, as given",)
    elif fit is not None and fit.clear:
        chosen = fit.offset_s
        notes = (f"the clock of the speed log is that of the footage {fit}",)
    elif is_constant(log.speeds_m_s):
        chosen = float(log.times_s[0] - times_s[0])
        notes = (
            "a constant speed determines no clock offset: the footage is taken to begin with the speed log, at "
            f"{chosen:+.1f} s",
        )
    else:
        raise DataError(
            "no clock offset between the speed log and the footage stands out",
            where=log.source,
            expected=f"one offset at which the speeds correlate by {GOOD_CORRELATION} or more",
            got="speeds that do not vary, or too little footage" if fit is None else f"at best {fit}",
            fix="give it with --clock-offset SECONDS: what is added to times of the footage to give times of the log",
        )
    _require_overlap(times_s, log, chosen, fit)
    return chosen, notes


def best_offset(times_s: Float[ndarray, "n"], steps: Float[ndarray, "n-1"], log: SpeedLog) -> Fit | None:
    """The offset at which the camera's speed and the log's correlate best (Pearson), with half of the shorter one
    overlapping at least; None if a speed is constant or too short.

    Both speeds are averages over a second, or over two frames if these are longer. All offsets on a grid are compared
    at once, by the Fourier transform, with a mask for what the log does not know.
    """
    width_s = max(_SMOOTH_S, 2 * float(np.median(np.diff(times_s))))
    span_s = float(np.ptp(times_s) + np.ptp(log.times_s))
    step_s = max(_STEP_S, span_s / _MOST_STEPS)
    camera = _profile(times_s, np.concatenate([[0.0], np.cumsum(steps)]), width_s, step_s)
    log_times = _grid(log.times_s, width_s, step_s)
    if len(camera) < _LEAST_OVERLAP_S / step_s or len(log_times) < _LEAST_OVERLAP_S / step_s:
        return None
    logged, known = _log_profile(log, log_times, width_s)
    score = _correlations(logged, known, camera, max(_LEAST_OVERLAP_S / step_s, min(len(camera), known.sum()) / 2))
    if not np.isfinite(score).any():
        return None
    best = int(np.nanargmax(score))
    first_lag_s = log_times[0] - (times_s[0] + width_s / 2) - (len(camera) - 1) * step_s
    filled = np.where(np.isfinite(score), score, -1)
    peaks = np.flatnonzero((filled[1:-1] >= filled[:-2]) & (filled[1:-1] >= filled[2:])) + 1
    rivals = filled[peaks[np.abs(peaks - best) * step_s > _NEAR_S]]
    clear = filled[best] >= GOOD_CORRELATION and filled[best] - rivals.max(initial=-1) >= _CLEARLY
    return Fit(offset_s=float(first_lag_s + best * step_s), correlation=float(filled[best]), clear=bool(clear))


def is_constant(speeds: Float[ndarray, "n"]) -> bool:
    """Whether a speed varies too little to tell one time from another."""
    return bool(np.std(speeds) <= _CONSTANT * np.mean(speeds))


def _grid(times_s: Float[ndarray, "n"], width_s: float, step_s: float) -> Float[ndarray, "m"]:
    """Times whose surroundings of a width lie within the given ones."""
    return np.arange(times_s[0] + width_s / 2, times_s[-1] - width_s / 2, step_s)


def _profile(
    times_s: Float[ndarray, "n"], path: Float[ndarray, "n"], width_s: float, step_s: float
) -> Float[ndarray, "m"]:
    """Speeds on a grid, each the mean over a width around it."""
    grid = _grid(times_s, width_s, step_s)
    ahead, behind = (np.interp(grid + side * width_s / 2, times_s, path) for side in (1, -1))
    return np.asarray((ahead - behind) / width_s)


def _log_profile(
    log: SpeedLog, grid: Float[ndarray, "m"], width_s: float
) -> tuple[Float[ndarray, "m"], Bool[ndarray, "m"]]:
    """The same of a log, and where it is known."""
    distances, known = log.distances(log.times_s)
    path_m = np.concatenate([[0.0], np.cumsum(distances)])
    unknown = np.concatenate([[0], np.cumsum(~known)])
    sides = [grid + side * width_s / 2 for side in (1, -1)]
    ahead, behind = (np.interp(side, log.times_s, path_m) for side in sides)
    gaps_ahead, gaps_behind = (np.interp(side, log.times_s, unknown) for side in sides)
    return (ahead - behind) / width_s, gaps_ahead - gaps_behind < 1e-9


def _correlations(
    logged: Float[ndarray, "m"], known: Bool[ndarray, "m"], camera: Float[ndarray, "k"], least: float
) -> Float[ndarray, "lags"]:
    """Pearson's correlation at every lag, from all of the camera's speed before the log to all of it behind; NaN where
    fewer than `least` entries overlap or one of the two is constant there.

    Of sums over the overlap, r = (n fg - f g) / sqrt((n ff - f f) (n gg - g g)); each is a correlation with the mask.
    """
    f_mean, g_mean = float(logged[known].mean()) if known.any() else 0.0, float(camera.mean())
    mask, ones = known.astype(np.float64), np.ones_like(camera)
    f, g = np.where(known, logged - f_mean, 0), camera - g_mean  # without their means, for the sake of rounding
    n = np.round(_sums(mask, ones))
    f_sum, g_sum = _sums(f, ones), _sums(mask, g)
    f_var = n * _sums(f * f, ones) - f_sum**2
    g_var = n * _sums(mask, g * g) - g_sum**2
    with np.errstate(divide="ignore", invalid="ignore"):
        r = (n * _sums(f, g) - f_sum * g_sum) / np.sqrt(f_var * g_var)
        varied = (f_var > (_CONSTANT * (f_sum + n * f_mean)) ** 2) & (g_var > (_CONSTANT * (g_sum + n * g_mean)) ** 2)
    return np.where((n >= least) & varied, r, np.nan)


def _sums(long: Float[ndarray, "m"], short: Float[ndarray, "k"]) -> Float[ndarray, "lags"]:
    """Sum of long[j + lag] short[j] over j, for every lag from -(k - 1) to m - 1."""
    size = len(long) + len(short) - 1
    padded = 1 << (size - 1).bit_length()
    product = np.fft.rfft(long, padded) * np.fft.rfft(short[::-1], padded)
    return np.asarray(np.fft.irfft(product, padded)[:size])


def _require_overlap(times_s: Float[ndarray, "n"], log: SpeedLog, offset_s: float, fit: Fit | None) -> None:
    start, end = times_s[0] + offset_s, times_s[-1] + offset_s
    if start < log.times_s[-1] and end > log.times_s[0]:
        return
    fits = "no offset fits clearly" if fit is None or not fit.clear else f"the speeds fit best at {fit}"
    raise DataError(
        "the speed log does not overlap the footage",
        where=log.source,
        expected=f"some of the footage's time, {_range(start, end)}",
        got=_range(log.times_s[0], log.times_s[-1]),
        fix=f"give the clock offset with --clock-offset SECONDS or --clock-offset auto; {fits}",
    )


def _range(start_s: float, end_s: float) -> str:
    if clock_of(np.array([start_s, end_s])) == "relative":
        return f"{start_s:.1f} to {end_s:.1f} s"
    first, last = (datetime.fromtimestamp(each, timezone.utc) for each in (start_s, end_s))
    return f"{first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC"
