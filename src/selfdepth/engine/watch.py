"""The interface through which a run reports its progress. The command line, the demo and the examples implement it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """The state of a run, for a progress display.

    Attributes:
        step: number of optimiser steps taken.
        fraction: share of the budget used, 0 to 1.
        loss: of the last step.
        clips_per_s: rate over the steps since the last report.
        left_s: estimate of the seconds left.
        score: result of the last validation, e.g. "abs_rel 0.2100"; empty before the first.
    """

    step: int
    fraction: float
    loss: float
    clips_per_s: float
    left_s: float
    score: str


@runtime_checkable
class Watcher(Protocol):
    """Receives the progress of a run."""

    def frames(self, done: int, total: int) -> None:
        """`done` of `total` frames are decoded."""

    def maps(self, done: int, total: int) -> None:
        """The teacher has given `done` of `total` maps."""

    def step(self, report: StepReport) -> None:
        """A training step is done. Called for some of the steps."""

    def say(self, text: str) -> None:
        """A sentence for the user: a warning, the result of a validation, what the run is about to do."""


class Silent:
    """A Watcher that ignores everything; a base class for those that ignore some of it."""

    def frames(self, done: int, total: int) -> None:
        """Ignored."""

    def maps(self, done: int, total: int) -> None:
        """Ignored."""

    def step(self, report: StepReport) -> None:
        """Ignored."""

    def say(self, text: str) -> None:
        """Ignored."""


class Unfailing:
    """A Watcher that tells another one, and goes on if that has nowhere to write: its terminal was closed, or its pipe.

    Args:
        watcher: the other one; None: nobody.
    """

    def __init__(self, watcher: Watcher | None) -> None:
        self._watcher = watcher or Silent()

    def frames(self, done: int, total: int) -> None:
        """As of the other."""
        with contextlib.suppress(OSError):
            self._watcher.frames(done, total)

    def maps(self, done: int, total: int) -> None:
        """As of the other."""
        with contextlib.suppress(OSError):
            self._watcher.maps(done, total)

    def step(self, report: StepReport) -> None:
        """As of the other."""
        with contextlib.suppress(OSError):
            self._watcher.step(report)

    def say(self, text: str) -> None:
        """As of the other."""
        with contextlib.suppress(OSError):
            self._watcher.say(text)
