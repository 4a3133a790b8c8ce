"""`selfdepth demo`: its options, what it shows on the way, and what it says at the end."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from selfdepth.cli.demo import DemoDisplay
from selfdepth.cli.main import main
from selfdepth.demo import report as report_module
from selfdepth.demo import run as run_module
from selfdepth.engine.watch import StepReport


def test_the_options_reach_the_demo_and_its_summary_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[Any, Path]] = []

    def run_demo(plan: Any, out: Path, display: DemoDisplay) -> SimpleNamespace:
        calls.append((plan, out))
        display.stage("training")
        return SimpleNamespace(report="numbers", path=out / "report.html")

    monkeypatch.setattr(run_module, "run_demo", run_demo)
    monkeypatch.setattr(report_module, "summary", lambda report: f"the {report}")
    assert main(["demo", "--out", str(tmp_path / "out"), "--minutes", "2", "--seed", "3"]) == 0
    ((plan, out),) = calls
    assert out == tmp_path / "out"
    assert plan == run_module.demo_plan(minutes=2.0, seed=3)
    shown = capsys.readouterr()
    assert shown.out == f"the numbers\nreport    {out / 'report.html'}\n"
    assert shown.err == "training ...\n"


def test_too_little_time_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--out", str(tmp_path / "out"), "--minutes", "0.2"]) == 2
    assert "--minutes" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_rendering_and_training_are_shown_as_lines_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with DemoDisplay() as display:
        display.rendering(5, 20)
    assert capsys.readouterr().err.startswith("rendering: 25%, 5/20 frames")
    with DemoDisplay() as display:
        display.step(StepReport(step=7, fraction=0.5, loss=0.125, clips_per_s=3.0, left_s=61.0, score="abs_rel 0.2"))
    assert capsys.readouterr().err == "training: 50%, step 7, loss 0.1250, 3.0 clips/s, abs_rel 0.2, 1:01 left\n"
