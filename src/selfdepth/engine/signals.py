"""Ctrl-C, SIGTERM and a closed terminal end a run after its current step, so that it can save first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

NUMBERS: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
"""Signals that end a run. Windows has no SIGHUP."""


class StopRequest:
    """The signal that stopped the run: None until one arrives."""

    signal_number: int | None = None


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Within the block, the first of NUMBERS is noted instead of raised. A second one acts at once, as outside of it.

    Python accepts signal handlers in the main thread only; in another thread, signals are left alone. So is a SIGHUP
    that was ignored before: nohup has asked for that.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    previous = {number: signal.getsignal(number) for number in NUMBERS}
    if hasattr(signal, "SIGHUP") and previous[signal.SIGHUP] == signal.SIG_IGN:
        del previous[signal.SIGHUP]

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def note(number: int, frame: FrameType | None) -> None:
        request.signal_number = number
        restore()  # a user who presses Ctrl-C again does not want to wait for the step to end

    for number in previous:
        signal.signal(number, note)
    try:
        yield request
    finally:
        restore()
