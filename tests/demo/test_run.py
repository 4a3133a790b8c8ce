"""The demo, from nothing to a report, on a drive small enough for a test."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import numpy as np
import pytest

from helpers.tiny_demo import Listener, tiny_plan
from selfdepth.demo.run import DEMO_CONFIG, Demo, demo_plan, run_demo
from selfdepth.errors import ConfigError, Interrupted, OutputError


def test_the_demo_writes_one_page_with_its_numbers(demo: Demo, folder: Path) -> None:
    page = demo.path.read_text(encoding="utf-8")
    assert demo.path == folder / "report.html"
    assert f"{demo.report.ours.abs_rel:.3f}" in page
    assert page.count("data:image/png;base64,") == 2 * 5
    assert not re.search(r"https?://", page)


def test_the_stages_are_announced_and_timed(demo: Demo, listener: Listener) -> None:
    assert [stage.name for stage in demo.report.stages] == listener.stages
    assert listener.rendered[-1] == (20, 20)


def test_depth_errors_are_recorded_while_it_trains(demo: Demo) -> None:
    assert len(demo.report.abs_rel.values) == 2  # after steps 2 and 3
    assert np.isfinite(demo.report.abs_rel.values).all()
    assert len(demo.report.loss.values) > 0


def test_a_folder_in_use_is_refused_before_anything_is_rendered(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("keep me")
    listener = Listener()
    with pytest.raises(OutputError, match="not empty"):
        run_demo(tiny_plan(), tmp_path, listener)
    assert listener.rendered == []


def test_an_interrupt_while_training_leaves_a_run_and_no_report(tmp_path: Path) -> None:
    with pytest.raises(Interrupted) as caught:
        run_demo(tiny_plan(), tmp_path / "out", Listener(stop_in_stage="training"))
    assert caught.value.signal_number == signal.SIGINT
    assert (tmp_path / "out" / "run" / "last" / "model.safetensors").is_file()
    assert not (tmp_path / "out" / "report.html").exists()


def test_too_little_time_is_refused() -> None:
    for minutes in (0.2, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="--minutes; expected at least 1"):
            demo_plan(minutes=minutes, seed=0)


def test_the_two_streets_differ_whatever_the_seed() -> None:
    plans = [demo_plan(minutes=5.5, seed=seed) for seed in range(4)]
    assert len({spec.seed for each in plans for spec in (each.train, each.held_out)}) == 8
    assert {each.config.encoder.pretrained for each in plans} == {False} == {DEMO_CONFIG.encoder.pretrained}
