"""A place for the newest value: one thread puts, any number of threads take. Nothing is ever queued."""

from __future__ import annotations

import threading
import time
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Newest(Generic[_T]):
    """Holds one value at a time. Values are numbered from 1; a taker who is slow misses some, and delays nobody."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._value: _T | None = None
        self._number, self._taken, self._closed = 0, 0, False

    def put(self, value: _T) -> None:
        """Replace the value. A value put after `close` is lost."""
        with self._changed:
            if not self._closed:
                self._value, self._number = value, self._number + 1
                self._changed.notify_all()

    def close(self) -> None:
        """No more values come. The last one can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether no more values come."""
        return self._closed

    def after(self, number: int, timeout_s: float) -> tuple[int, _T] | None:
        """The newest value and its number, as soon as there is one with a greater number than this.

        Returns:
            None if there is none within the time, or none will come.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._number > number or self._closed, timeout_s)
            if self._value is None or self._number <= number:
                return None
            self._taken = self._number
            self._changed.notify_all()
            return self._number, self._value

    def peek(self, timeout_s: float) -> _T | None:
        """The newest value, as soon as there is one, without taking it; None if there is none within the time."""
        with self._changed:
            self._changed.wait_for(lambda: self._value is not None or self._closed, timeout_s)
            return self._value

    def wait_until_taken(self, stop: threading.Event) -> None:
        """Wait until somebody has taken the newest value, or the event is set: for those who must not lose any."""
        with self._changed:
            while self._taken < self._number and not self._closed and not stop.is_set():
                self._changed.wait(0.1)


class Rate:
    """How many events there were per second, lately: over the last `most` of them, and `span_s` seconds at most."""

    def __init__(self, *, span_s: float = 5.0, most: int = 512) -> None:
        self._span_s, self._most = span_s, most
        self._times: list[float] = []

    def count(self, now_s: float | None = None) -> None:
        """Note an event, now or at a time of `time.monotonic`."""
        now_s = time.monotonic() if now_s is None else now_s
        self._times = [each for each in self._times[-self._most + 1 :] if now_s - each <= self._span_s] + [now_s]

    def per_second(self, now_s: float | None = None) -> float:
        """Events per second; 0 if there were none in the last seconds."""
        now_s = time.monotonic() if now_s is None else now_s
        recent = [each for each in self._times if now_s - each <= self._span_s]
        # From the first event to the last, and not to now: a rate must not fall while the next event is awaited.
        return (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 1 and recent[-1] > recent[0] else 0.0
