"""`selfdepth refine`: what it refuses, and a whole refinement on a tiny drive."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.models import tiny_config, untrained, write_model
from selfdepth.cli.main import main
from selfdepth.data.sources.rendered import write_drive
from selfdepth.synthetic.drive import DriveSpec, render_drive
from selfdepth.weights.files import load_weights


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drives") / "street"
    write_drive(render_drive(DriveSpec(seed=3, frames=8, width=96, height=64)), folder, with_depth=True)
    return folder


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--anchor", "0"], "--anchor; expected a number of more than 0"),
        (["--anchor", "nan"], "--anchor"),
        (["--steps", "2", "--minutes", "1"], "--steps and --minutes"),
        (["--learning-rate", "2"], "--learning-rate"),
        (["--every", "0"], "--every"),
        (["--batch-size", "0"], "--batch-size"),
    ],
)
def test_bad_options_are_refused_in_one_line_and_nothing_is_written(
    moving_model: Path, street: Path, tmp_path: Path, words: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["refine", str(moving_model), str(street), "--out", str(tmp_path / "run"), *words]) == 2
    said = capsys.readouterr().err
    assert named in said and len(said.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_model_without_a_pose_network_is_refused(
    model: Path, street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["refine", str(model), str(street), "--out", str(tmp_path / "run")]) == 2
    assert "no pose network" in capsys.readouterr().err


def test_a_model_is_refined_predicts_and_is_resumed_by_train(
    moving_model: Path, street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "refined"
    words = ["--steps", "2", "--batch-size", "2", "--device", "cpu", "--precision", "fp32"]
    assert main(["refine", str(moving_model), str(street), "--out", str(out), *words]) == 0
    assert "refined 2 steps" in capsys.readouterr().out
    assert load_weights(out / "last").config.init == str(moving_model)
    assert main(["predict", str(out), str(street), "--out", str(tmp_path / "depth"), "--device", "cpu"]) == 0
    assert len(list((tmp_path / "depth" / "color").iterdir())) == 8
    assert main(["train", "--resume", "--out", str(out), "--steps", "3"]) == 0
    assert load_weights(out / "last").step == 3


def test_a_model_whose_networks_do_not_fit_is_refused(
    street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = untrained(tiny_config()).state_dict()
    del state["depth_net.decoder.outputs.0.bias"]
    broken = write_model(tmp_path / "broken", tiny_config(), state=state)
    assert main(["refine", str(broken), str(street), "--out", str(tmp_path / "run"), "--steps", "1"]) == 2
    assert "1 missing" in capsys.readouterr().err
