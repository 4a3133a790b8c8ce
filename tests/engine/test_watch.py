"""What receives the progress of a run."""

from __future__ import annotations

import pytest

from selfdepth.engine.watch import Silent, StepReport, Watcher


def test_the_silent_watcher_ignores_everything(capsys: pytest.CaptureFixture[str]) -> None:
    silent = Silent()
    assert isinstance(silent, Watcher)
    silent.frames(1, 2)
    silent.maps(1, 2)
    silent.step(StepReport(step=1, fraction=0.5, loss=0.1, clips_per_s=2.0, left_s=3.0, score=""))
    silent.say("saved")
    assert capsys.readouterr() == ("", "")
