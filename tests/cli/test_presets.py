"""`selfdepth presets`, and a preset that needs another model to start from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfdepth.cli.main import main
from selfdepth.config import from_json
from selfdepth.paper.tables import ROWS
from selfdepth.paper.tables_v1 import V1_ROWS
from selfdepth.presets import PRESETS


def test_the_list_has_every_preset_with_what_was_published(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")  # rows are not cut off on a narrow terminal
    assert main(["presets"]) == 0
    shown = capsys.readouterr().out
    for name in PRESETS:
        assert name in shown.replace(",", " ").split(), name
    lines = [line.split() for line in shown.splitlines()]
    assert [
        "paper-mono-640x192",
        "1",
        "eigen",
        *["0.115", "0.903", "4.863", "0.193", "0.877", "0.959", "0.981"],
    ] in lines
    assert ["paper-mono-640x192-no-pt", "4", "0.018", "±", "0.010", "0.015", "±", "0.010"] in lines
    assert ["paper-mono-stereo-640x192", "3", "0.374", "3.792", "8.238", "0.201"] in lines
    assert ["paper-mono-640x192", "8", "0.093", "0.109", "0.623", "4.136", "0.154", "0.873", "0.977", "0.994"] in lines
    assert ["paper-mono-stereo-640x192-resnet50", "9", "14.41", "3.67", "11.22", "14.73"] in lines
    figures = ["0.114", "0.898", "4.935", "0.206", "0.861", "0.949", "0.976"]
    assert figures in [line[-7:] for line in lines if "ResNet-50," in line]
    assert ["paper-stereo-640x192-no-pt", "7", "eigen_benchmark", "0.110", *"------"] in lines


def test_the_list_as_json_has_options_figures_and_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["presets", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert {name: from_json(config, where=name) for name, config in values["presets"].items()} == PRESETS
    rows = (*ROWS, *V1_ROWS)
    for row, shown in zip(rows, values["rows"], strict=True):
        assert shown["preset"] == row.preset
        assert tuple(shown["train"]) == row.train_commands()
        assert next(iter(shown["figures"].values())) in vars(row.figures).values()


def test_a_preset_that_continues_a_model_is_refused_without_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "street.mp4").touch()
    words = ["train", "paper-stereo-1024x320", "--data", str(tmp_path), "--out", str(tmp_path / "run")]
    assert main(words) == 2
    line = capsys.readouterr().err.strip()
    for piece in ("--init", "paper-stereo-640x192 --epochs 10", "RUN/last"):
        assert piece in line
    assert "\n" not in line
    assert main([*words, "--init", str(tmp_path / "nothing")]) == 2
    assert "no such model" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
