"""The demo, from nothing to a report, on drives small enough for a test."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selfdepth.cli.main import main
from selfdepth.demo.run import Demo, DemoPlan, demo_plan, run_demo
from selfdepth.errors import ConfigError, Interrupted, OutputError
from selfdepth.html_page import STYLE


def test_the_demo_writes_one_page_with_its_numbers(done: Demo, folder: Path) -> None:
    page = done.path.read_text(encoding="utf-8")
    assert done.path == folder / "report.html"
    assert f"{done.report.ours.abs_rel:.3f}" in page
    assert page.count("data:image/png;base64,") == 2 * 5
    assert not re.search(r"https?://", page)


def test_the_stages_are_told_and_timed(done: Demo, listener: Any) -> None:
    assert [stage.name for stage in done.report.stages] == listener.stages
    assert listener.rendered[-1] == (20, 20)


def test_depth_errors_are_recorded_while_it_trains(done: Demo) -> None:
    assert len(done.report.abs_rel.values) == 2  # after steps 2 and 3
    assert np.isfinite(done.report.abs_rel.values).all()
    assert len(done.report.loss.values) > 0


def test_a_folder_in_use_is_refused_before_anything_is_rendered(
    tmp_path: Path, plan: DemoPlan, make_listener: Any
) -> None:
    (tmp_path / "thesis.txt").write_text("keep me")
    listener = make_listener()
    with pytest.raises(OutputError, match="not empty"):
        run_demo(plan, tmp_path, listener)
    with pytest.raises(OutputError, match="the output folder is a file"):
        run_demo(plan, tmp_path / "thesis.txt", listener)
    assert listener.rendered == []


def test_an_interrupt_while_training_leaves_a_run_and_no_report(
    tmp_path: Path, plan: DemoPlan, make_listener: Any
) -> None:
    with pytest.raises(Interrupted) as caught:
        run_demo(plan, tmp_path / "out", make_listener(stop_in_stage="training"))
    assert caught.value.signal_number == signal.SIGINT
    assert (tmp_path / "out" / "run" / "last" / "model.safetensors").is_file()
    assert not (tmp_path / "out" / "report.html").exists()


def test_too_little_time_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--out", str(tmp_path / "out"), "--minutes", "0.2"]) == 2
    assert "--minutes" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    with pytest.raises(ConfigError, match="--minutes"):
        demo_plan(minutes=float("nan"), seed=0)


def test_the_two_streets_differ_whatever_the_seed() -> None:
    plans = [demo_plan(minutes=5.5, seed=seed) for seed in range(4)]
    seeds = [spec.seed for each in plans for spec in (*each.train, each.held_out)]
    assert len(set(seeds)) == len(seeds) == sum(len(each.train) + 1 for each in plans)
    assert {spec.seed % 2 for each in plans for spec in each.train} == {0}
    assert {each.held_out.seed % 2 for each in plans} == {1}


def test_a_plan_with_a_budget_of_its_own_keeps_it_and_another_gets_what_is_left_of_the_minutes(done: Demo) -> None:
    assert done.report.facts[-1] == ("training", "3 steps of 2 clips")
    assert demo_plan(minutes=4.0, seed=0).config.steps is None
    with pytest.raises(ConfigError, match=r"--minutes; expected at least 1; got 0\.5"):
        demo_plan(minutes=0.5, seed=0)


def test_every_class_of_the_page_has_a_rule_and_every_rule_a_class(done: Demo) -> None:
    page = done.path.read_text(encoding="utf-8")
    used = {name for names in re.findall(r" class=['\"]([\w ]+)['\"]", page) for name in names.split()}
    ruled = set(re.findall(r"\.([a-z]\w*)\b(?=[^{}]*\{)", re.sub(r"\{[^{}@]*\}", "{}", STYLE)))
    assert used == ruled
