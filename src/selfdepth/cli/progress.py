"""Progress of long work: a bar with rate and time left on a terminal, plain lines elsewhere.

Everything goes to stderr, so that stdout holds nothing but results.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from selfdepth.cli.printing import remark, safe_console

LINE_SECONDS = 10.0
"""Seconds between plain lines, which end up in log files."""


@contextlib.contextmanager
def progress(description: str, total: int | None, unit: str) -> Iterator[Callable[..., None]]:
    """Show the progress of the block. Yields `advance(n=1)`, which the block calls when n more units are done.

    Args:
        description: of the work, e.g. "predicting".
        total: number of units; None if unknown.
        unit: name of the units, e.g. "frames".
    """
    show = _bar if sys.stderr.isatty() else _lines  # a bar in a log file would be thousands of lines
    with show(description, total, unit) as advance:
        yield advance


@contextlib.contextmanager
def _bar(description: str, total: int | None, unit: str) -> Iterator[Callable[..., None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
    )
    clock = _Clock()
    with Progress(*columns, console=safe_console(stderr=True)) as bar:
        task = bar.add_task(description, total=total, rate="")

        def advance(n: int = 1) -> None:
            clock.count(n)
            bar.update(task, advance=n, rate=f"{clock.rate():.3g} {unit}/s")

        yield advance


@contextlib.contextmanager
def _lines(description: str, total: int | None, unit: str) -> Iterator[Callable[..., None]]:
    clock = _Clock()
    next_line = time.monotonic() + LINE_SECONDS

    def say() -> None:
        of_total = "" if total is None else f"/{total}"
        left = "" if total is None else f", {_duration((total - clock.done) / max(clock.rate(), 1e-9))} left"
        remark(f"{description}: {clock.done}{of_total} {unit}, {clock.rate():.3g} {unit}/s{left}")

    def advance(n: int = 1) -> None:
        nonlocal next_line
        clock.count(n)
        if time.monotonic() >= next_line:
            next_line = time.monotonic() + LINE_SECONDS
            say()

    yield advance
    say()


class TrainingBar:
    """Progress of work that has a share done rather than a count: a bar on a terminal, a line every 10 s elsewhere."""

    def __init__(self) -> None:
        self._next_line = 0.0
        self._bar: Any = None

    def start(self) -> None:
        """Show the bar, on a terminal."""
        if not sys.stderr.isatty():
            return
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f}%"))
        words = (TextColumn("{task.fields[words]}"), TextColumn("{task.fields[left]}"))
        self._bar = Progress(*columns, *words, console=safe_console(stderr=True))
        self._task = self._bar.add_task("starting", total=1.0, words="", left="")
        self._bar.start()

    def stop(self) -> None:
        """Stop updating the bar, and leave it on the screen."""
        if self._bar is not None:
            with contextlib.suppress(OSError):  # the terminal may be gone
                self._bar.stop()

    def update(self, description: str, fraction: float, words: str, left_s: float | None) -> None:
        """Update the bar, or print a line if one is due.

        Args:
            description: of the work, e.g. "training".
            fraction: share done, 0 to 1.
            words: text after the bar.
            left_s: estimate of the seconds left; None if unknown.
        """
        left = "" if left_s is None else f"{_duration(left_s)} left"
        if self._bar is not None:
            self._bar.update(self._task, description=description, completed=fraction, words=words, left=left)
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + LINE_SECONDS
            self.say(f"{description}: {fraction:.0%}, {words}{', ' * bool(left)}{left}")

    def say(self, text: str) -> None:
        """Print a line that stays, above the bar."""
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            remark(text)


class _Clock:
    """Counts units since its creation, and computes their mean rate."""

    def __init__(self) -> None:
        self.done = 0
        self._start = time.monotonic()

    def count(self, n: int) -> None:
        self.done += n

    def rate(self) -> float:
        """Units per second."""
        return self.done / max(time.monotonic() - self._start, 1e-9)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(min(seconds, 359_999)), 60)  # at most 99:59:59: early estimates can be huge
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
