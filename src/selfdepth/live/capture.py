"""Reads a source in a thread of its own, so that the newest frame is always at hand; opens it again when it is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Literal

from selfdepth.errors import DataError, SelfDepthError
from selfdepth.live.newest import Newest
from selfdepth.live.sources import LiveFrame, LiveSource

State = Literal["opening", "live", "lost", "ended"]

FIRST_DELAY_S, LONGEST_DELAY_S = 0.5, 10.0
"""Seconds until a lost source is tried again: the first time, and at most. Each time takes twice as long as before."""


class Capture:
    """A context in which a source is read.

    Attributes:
        slot: the newest frame. It is closed when no more frames come.
        state: what the source does now.
        losses: how often it was lost.
        error: why it ended, if not as it should.
        arrived: number of frames so far.
    """

    def __init__(self, source: LiveSource, *, lossless: bool, say: Callable[[str], None]) -> None:
        """
        Args:
            lossless: wait with each frame until the one before was taken, instead of dropping that.
            say: called with sentences for the user, from the thread.
        """
        self._source, self._lossless, self._say = source, lossless, say
        self._stop = threading.Event()
        # A daemon: a camera that hangs in its driver must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name="capture", daemon=True)
        self.slot: Newest[LiveFrame] = Newest()
        self.state: State = "opening"
        self.losses = 0
        self.error: BaseException | None = None
        self.arrived = 0

    def __enter__(self) -> Capture:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self.slot.close()
        self._thread.join(timeout=2.0)

    def _run(self) -> None:
        try:
            self._read()
        except BaseException as error:  # of any kind: an error lost here would leave the program waiting for ever
            self.error = error
        finally:
            self.state = "ended"
            self.slot.close()

    def _read(self) -> None:
        delay_s, lost_s = FIRST_DELAY_S, 0.0
        while not self._stop.is_set():
            before = self.arrived
            try:
                for frame in self._source.frames(self._stop):
                    if self.state == "lost":
                        self._say(f"{self._source.name} is back after {time.monotonic() - lost_s:.1f} s")
                    self._take(frame)
                reason = "it has ended"
            except SelfDepthError as error:
                if not (self._source.returns and self.arrived):
                    raise
                reason = error.got or error.what
            if not self.arrived and not self._stop.is_set():
                raise DataError("the source gave no frame", where=self._source.name)
            if not self._source.returns or self._stop.is_set():
                return
            if self.state != "lost":
                self.state, self.losses, lost_s = "lost", self.losses + 1, time.monotonic()
                self._say(f"{self._source.name} was lost ({reason}): trying again until it is back")
            delay_s = FIRST_DELAY_S if self.arrived > before else min(2 * delay_s, LONGEST_DELAY_S)
            self._stop.wait(delay_s)

    def _take(self, frame: LiveFrame) -> None:
        self.state, self.arrived = "live", self.arrived + 1
        self.slot.put(frame)
        if self._lossless:
            self.slot.wait_until_taken(self._stop)
