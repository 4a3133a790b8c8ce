"""The program that compares the path before and after a training."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import odometry
from selfdepth.demo.drives import TRAIN, make_drives
from selfdepth.demo.run import DEMO_CONFIG
from selfdepth.engine.train import train
from selfdepth.synthetic.drive import DriveSpec
from selfdepth.weights.files import load_weights


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a demo leaves behind, after three steps."""
    folder = tmp_path_factory.mktemp("demo")
    specs = [DriveSpec(seed=seed, frames=12, width=80, height=64) for seed in (0, 1)]
    drives = make_drives(specs[:1], specs[1], folder / "drives", val_every=2, progress=lambda done, total: None)
    config = replace(DEMO_CONFIG, data=str(drives.folder / TRAIN), width=64, steps=3, save_every=3)
    train(replace(config, batch_size=2, device="cpu"), folder / "run", footage=drives.footage)
    return folder


@pytest.mark.slow
def test_the_path_before_and_after_is_measured_and_drawn(
    demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(demo), "--json", str(tmp_path / "odometry.json"), "--plot", str(tmp_path / "odometry.png")]
    document = odometry.main(words)
    assert json.loads((tmp_path / "odometry.json").read_text())["after"] == document["after"]
    assert (tmp_path / "odometry.png").stat().st_size > 1000
    assert document["steps"] == 3
    assert document["frames"] == 12
    assert document["before"]["ate_m"] != document["after"]["ate_m"]
    assert document["before"]["straight_ate_m"] == document["after"]["straight_ate_m"]
    shown = capsys.readouterr().out.splitlines()
    assert shown[-1].startswith("| after training | ")
    assert f" | {document['after']['ate_m']:.3f} | " in shown[-1]


@pytest.mark.slow
def test_before_means_the_weights_that_the_run_started_from(demo: Path, tmp_path: Path) -> None:
    before = load_weights(odometry.save_untrained(demo / "run/last", tmp_path / "untrained"))
    again = load_weights(odometry.save_untrained(demo / "run/last", tmp_path / "again"))
    after = load_weights(demo / "run/last")
    assert before.state.keys() == after.state.keys()
    assert all(torch.equal(before.state[name], again.state[name]) for name in before.state)
    # Adam moves a weight by no more than its rate in a step: three steps from the start, and not from elsewhere.
    name = next(name for name in before.state if name.startswith("pose_net.") and name.endswith("weight"))
    moved = (after.state[name] - before.state[name]).abs().max().item()
    assert 0 < moved < 4 * DEMO_CONFIG.learning_rate
    assert np.isfinite(moved)
