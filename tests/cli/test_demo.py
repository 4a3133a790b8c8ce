"""`selfdepth demo`: the demo as the command line runs it, with its report named and its stages shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.models import TINY as TINY_ENCODERS
from selfdepth.cli.main import main
from selfdepth.config import TrainConfig
from selfdepth.demo import run
from selfdepth.demo.run import DemoPlan
from selfdepth.synthetic.drive import DriveSpec


def test_the_demo_shows_its_stages_and_names_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    requested: list[tuple[float, int]] = []

    def tiny_plan(*, minutes: float, seed: int) -> DemoPlan:
        requested.append((minutes, seed))
        return DemoPlan(
            train=(DriveSpec(seed=2, frames=12, width=80, height=64),),
            held_out=DriveSpec(seed=1, frames=8, width=80, height=64),
            config=TrainConfig(width=64, height=64, encoder=TINY_ENCODERS, batch_size=2, steps=2, device="cpu"),
            val_every=2,
            n_views=2,
        )

    monkeypatch.setattr(run, "demo_plan", tiny_plan)
    out = tmp_path / "out"
    assert main(["demo", "--out", str(out), "--minutes", "2", "--seed", "7"]) == 0
    assert requested == [(2.0, 7)]
    shown = capsys.readouterr()
    assert f"report    {out / 'report.html'}" in shown.out
    assert "rendering" in shown.out + shown.err
    assert (out / "report.html").is_file() and (out / "run/last/model.safetensors").is_file()


@pytest.mark.parametrize("words", [["--minutes", "0.2"], ["--minutes", "nan"], ["--seed", "-1"]])
def test_a_demo_that_cannot_be_run_is_refused_before_anything_is_written(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--out", str(tmp_path / "out"), *words]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert not (tmp_path / "out").exists()
