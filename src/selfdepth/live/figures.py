"""What a live run measures: latency, rates, what was dropped; in constant memory, however long it runs."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np

from selfdepth.live.newest import Rate

_SMALLEST_S, _STEP, _BINS = 1e-5, 1.01, 1750
"""Bins of latency: from 10 microseconds to six minutes, each one per cent longer than the one before."""


class Latencies:
    """Durations as a histogram. Its bins are one per cent wide: quantiles are exact to that, and memory is constant."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS, dtype=np.int64)
        self.longest_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        place = math.log(max(seconds, _SMALLEST_S) / _SMALLEST_S) / math.log(_STEP)
        self._counts[min(int(place), _BINS - 1)] += 1
        self.longest_s = max(self.longest_s, seconds)

    def quantile(self, share: float) -> float | None:
        """The duration in seconds that this share of all, 0 to 1, does not exceed; None if there were none."""
        total = int(self._counts.sum())
        if not total:
            return None
        number = int(np.searchsorted(np.cumsum(self._counts), max(1, math.ceil(share * total))))
        return min(float(_SMALLEST_S * _STEP ** (number + 0.5)), self.longest_s)


class Figures:
    """Counts of a live run. One thread counts, others may read.

    Attributes:
        frames: that arrived.
        predicted: of these; the others were dropped.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latencies, self._rate = Latencies(), Rate()
        self.frames, self.predicted = 0, 0
        self._first_s: float | None = None
        self._last_s = 0.0

    def add(self, *, arrived: int, latency_s: float, now_s: float) -> None:
        """Count a prediction.

        Args:
            arrived: number of frames that have arrived since the start, this one included.
            latency_s: from the frame's arrival to its depth.
            now_s: the time by `time.monotonic`.
        """
        with self._lock:
            self.frames, self.predicted = arrived, self.predicted + 1
            self._latencies.add(latency_s)
            self._rate.count(now_s)
            self._first_s = now_s - latency_s if self._first_s is None else self._first_s
            self._last_s = now_s

    def snapshot(self) -> dict[str, Any]:
        """The figures as JSON takes them: latencies in milliseconds, rates in frames per second."""
        with self._lock:
            seconds = 0.0 if self._first_s is None else self._last_s - self._first_s
            return {
                "frames": self.frames,
                "predicted": self.predicted,
                "dropped": self.frames - self.predicted,
                "seconds": round(seconds, 3),
                "rate": round(self.predicted / seconds, 2) if seconds > 0 else 0.0,
                "rate_now": round(self._rate.per_second(), 2),
                "latency_ms": {
                    "p50": _ms(self._latencies.quantile(0.5)),
                    "p95": _ms(self._latencies.quantile(0.95)),
                    "max": _ms(self._latencies.longest_s) if self.predicted else None,
                },
            }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 2)


def describe_figures(figures: dict[str, Any]) -> str:
    """A sentence on the figures of `Figures.snapshot`."""
    latency = figures["latency_ms"]
    if not figures["predicted"]:
        return "no frame was predicted"
    return (
        f"{figures['predicted']} of {figures['frames']} frames predicted in {figures['seconds']:.1f} s, "
        f"{figures['rate']:.3g} per second, {figures['dropped']} dropped; latency from frame to depth: "
        f"p50 {latency['p50']:.3g} ms, p95 {latency['p95']:.3g} ms, longest {latency['max']:.3g} ms"
    )
