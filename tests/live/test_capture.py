"""A source read in a thread: the newest frame wins, and what is lost is opened again."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from selfdepth.errors import DataError
from selfdepth.live import capture
from selfdepth.live.capture import Capture
from selfdepth.live.sources import LiveFrame


def frame(number: int) -> LiveFrame:
    pixels = np.full((16, 16, 3), number, np.uint8)
    return LiveFrame(read=lambda: pixels, arrived_s=0.0, time_s=number / 10, camera_for=lambda width, height: None)


@dataclass
class Script:
    """A source that does in turn what it is told: numbers of frames to give, then an end, or an error to raise."""

    turns: Sequence[Sequence[int] | Exception]
    name: str = "the camera"
    returns: bool = True
    files: tuple[Path, ...] = ()
    opened: int = 0
    idle: threading.Event = field(default_factory=threading.Event)

    def frames(self, stop: threading.Event) -> Iterator[LiveFrame]:
        if self.opened == len(self.turns):
            self.idle.set()
            stop.wait(60)
            return
        turn = self.turns[self.opened]
        self.opened += 1
        if isinstance(turn, Exception):
            raise turn
        yield from map(frame, turn)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "FIRST_DELAY_S", 0.001)
    monkeypatch.setattr(capture, "LONGEST_DELAY_S", 0.004)


def run(script: Script) -> tuple[Capture, list[str]]:
    """Let it run until the source has nothing more to do."""
    said: list[str] = []
    with Capture(script, lossless=False, say=said.append) as running:
        while not script.idle.wait(0.01) and not running.slot.closed:
            pass
    return running, said


def test_a_lost_source_is_opened_again_until_it_is_back_and_both_are_said_once() -> None:
    gone = DataError("the camera cannot be opened", got="No such device")
    running, said = run(Script([[1, 2], gone, gone, gone, [3]]))
    assert running.arrived == 3 and running.error is None
    assert "was lost (it has ended)" in said[0] and "is back after" in said[1]
    assert sum("is back after" in each for each in said) == 1
    assert running.losses == 2  # it ended once more


def test_between_attempts_the_waits_grow_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    script = Script([[1], *[DataError("gone")] * 5])
    tried = Capture(script, lossless=False, say=lambda sentence: None)
    real = tried._stop.wait
    monkeypatch.setattr(tried._stop, "wait", lambda timeout=None: waits.append(timeout or 0) or real(0))
    monkeypatch.setattr(script, "idle", tried._stop)
    with tried:
        tried._thread.join(30)
    assert waits[:6] == pytest.approx([0.001, 0.002, 0.004, 0.004, 0.004, 0.004])


def test_a_source_that_is_not_there_at_first_is_an_error() -> None:
    running, said = run(Script([DataError("there is no such camera")]))
    assert "no such camera" in str(running.error) and said == []


def test_a_source_that_opens_and_gives_nothing_is_an_error() -> None:
    running, _ = run(Script([[]]))
    assert "gave no frame" in str(running.error)


def test_a_recording_ends_and_is_not_opened_again() -> None:
    script = Script([[1, 2, 3]], returns=False)
    running, said = run(script)
    assert running.state == "ended" and running.error is None and script.opened == 1 and said == []


def test_a_damaged_recording_is_an_error_after_its_frames() -> None:
    class Damaged(Script):
        def frames(self, stop: threading.Event) -> Iterator[LiveFrame]:
            yield frame(1)
            raise DataError("the video is damaged after 1 frames")

    running, _ = run(Damaged([], returns=False))
    assert running.arrived == 1 and "damaged" in str(running.error)


def test_a_bug_in_a_source_ends_the_program_and_is_not_lost() -> None:
    running, _ = run(Script([[1], ZeroDivisionError("bug")]))
    assert isinstance(running.error, ZeroDivisionError) and running.slot.closed


def test_a_slow_taker_misses_frames_unless_none_may_be_lost() -> None:
    script = Script([range(20)], returns=False)
    running, _ = run(script)
    assert running.slot.after(0, 0.0)[0] == 20  # type: ignore[index]  the newest alone

    seen, number = [], 0
    with Capture(Script([range(20)], returns=False), lossless=True, say=lambda sentence: None) as running:
        while (found := running.slot.after(number, 30)) is not None:
            number = found[0]
            seen.append(int(found[1].read()[0, 0, 0]))
    assert seen == list(range(20))
