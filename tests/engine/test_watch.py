"""What receives the progress of a run."""

from __future__ import annotations

import pytest

from selfdepth.engine.watch import Silent, StepReport, Unfailing, Watcher


def test_the_silent_watcher_ignores_everything(capsys: pytest.CaptureFixture[str]) -> None:
    silent = Silent()
    assert isinstance(silent, Watcher)
    silent.frames(1, 2)
    silent.maps(1, 2)
    silent.step(StepReport(step=1, fraction=0.5, loss=0.1, clips_per_s=2.0, left_s=3.0, score=""))
    silent.say("saved")
    assert capsys.readouterr() == ("", "")


class Broken(Silent):
    """A terminal that was closed."""

    def step(self, report: StepReport) -> None:
        raise OSError(5, "Input/output error")

    def say(self, text: str) -> None:
        raise BrokenPipeError


def test_a_watcher_that_has_nowhere_to_write_ends_nothing() -> None:
    unfailing = Unfailing(Broken())
    assert isinstance(unfailing, Watcher)
    unfailing.step(StepReport(step=1, fraction=0.5, loss=0.1, clips_per_s=2.0, left_s=3.0, score=""))
    unfailing.say("saved")


def test_what_is_said_reaches_the_watcher() -> None:
    said: list[object] = []

    class Ear(Silent):
        def frames(self, done: int, total: int) -> None:
            said.append((done, total))

        def maps(self, done: int, total: int) -> None:
            said.append((done, total))

        def say(self, text: str) -> None:
            said.append(text)

    unfailing = Unfailing(Ear())
    unfailing.frames(1, 2)
    unfailing.maps(3, 4)
    unfailing.say("saved")
    assert said == [(1, 2), (3, 4), "saved"]
    Unfailing(None).say("nobody listens")
