"""What a run tells while it runs, and how it is told to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """Where the run is, for a progress display.

    Attributes:
        fraction: share of the budget used, 0 to 1.
        clips_per_s: rate over the last steps.
        left_s: estimate of the seconds left.
        score: last validation in words, e.g. "abs_rel 0.21"; empty before the first.
    """

    step: int
    fraction: float
    loss: float
    clips_per_s: float
    left_s: float
    score: str


@runtime_checkable
class Watcher(Protocol):
    """Who looks on: the command line, a notebook, a test."""

    def frames(self, done: int, total: int) -> None:
        """Decoding of the frames goes on."""

    def step(self, report: StepReport) -> None:
        """A training step was done."""

    def say(self, text: str) -> None:
        """Something a person should know: a warning in words, a validation, a file written."""


class Silent:
    """A Watcher that tells nothing."""

    def frames(self, done: int, total: int) -> None:
        """Nothing."""

    def step(self, report: StepReport) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """Nothing."""


class StopRequest:
    """The signal that asked the run to stop, once one has."""

    signal_number: int | None = None


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Within the block, Ctrl-C and SIGTERM ask to stop after the current step; a second one stops at once."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: FrameType | None) -> None:
        request.signal_number = number
        for each, handler in before.items():
            signal.signal(each, handler)

    for number in before:
        signal.signal(number, ask)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
