"""What long work shows."""

from __future__ import annotations

import pytest

from selfdepth.cli import progress as module
from selfdepth.cli.progress import progress


def test_off_a_terminal_there_are_plain_lines_on_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINE_SECONDS", 0.0)
    with progress("predicting", 3, "frames") as advance:
        advance()
        advance(2)
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert lines[0].startswith("predicting: 1/3 frames, ") and lines[0].endswith(" left")
    assert lines[1].startswith("predicting: 3/3 frames, ") and lines[1].endswith("0:00 left")


def test_work_of_unknown_length_has_no_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("reading", None, "images") as advance:
        advance(5)
    assert capsys.readouterr().err.startswith("reading: 5 images, ")


@pytest.mark.parametrize(("seconds", "text"), [(0.0, "0:00"), (61.4, "1:01"), (3725.0, "1:02:05")])
def test_durations_are_read_like_a_clock(seconds: float, text: str) -> None:
    assert module._duration(seconds) == text
