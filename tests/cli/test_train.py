"""The defaults of `selfdepth train`: those of the preset, the file or the run that the command names."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from selfdepth.cli import main as main_module
from selfdepth.cli.main import main
from selfdepth.cli.train import with_whole_paths
from selfdepth.config import TrainConfig, to_json
from selfdepth.presets import PRESETS, preset


@pytest.fixture(autouse=True)
def warnings_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line replaces how warnings are shown; other tests must not notice."""
    monkeypatch.setattr(main_module, "warnings", SimpleNamespace(showwarning=None))


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A run folder, as far as its configuration."""
    folder = tmp_path / "run"
    folder.mkdir()
    config = replace(preset("mono-320x96"), data="street.mp4", height=160, steps=77, compile=False)
    (folder / "config.json").write_text(json.dumps(to_json(config)))
    return folder


def shown_defaults(command: str, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What the help of `train` says is the default, by the option's name."""
    assert main(["train", *command.split()]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    found = {}
    for entry in re.split(r"\n(?=  \S|\S)", out):
        text = " ".join(entry.split())
        default = re.search(r"\(default: (.*)\)$", text)
        if entry.startswith("  --") and default is not None:
            found[text.split()[0].rstrip(",")] = default[1]
    return found


@pytest.mark.parametrize(
    "command",
    [
        "mono-192x64 --help",
        "--help mono-192x64",
        "-h --data x --offsets -1 1 --out o mono-192x64",
        "mono-192x64 --stpes 5 --help",
    ],
)
def test_help_with_a_preset_shows_its_values(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = shown_defaults(command, capsys)
    assert (found["--width"], found["--learning-rate"], found["--batch-size"]) == ("192", "0.0002", "6")
    assert found["--height"] == "the nearest to the frames' aspect"


def test_help_shows_what_a_row_of_the_paper_changes(capsys: pytest.CaptureFixture[str]) -> None:
    found = shown_defaults("paper-stereo-1024x320 --help", capsys)
    expected = {"--width": "1024", "--height": "320", "--camera": "paper", "--epochs": "5", "--drop-after": "15"}
    expected |= {"--offsets": "none", "--stereo": "nominal", "--precision": "fp32", "--loss.pixel-convention": "corner"}
    assert {name: found[name] for name in expected} == expected
    assert shown_defaults("paper-mono-640x192-predictive-mask --help", capsys)["--loss.predictive-mask"] == "on"


def test_help_without_a_preset_shows_the_defaults_of_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    found = shown_defaults("--help", capsys)
    assert (found["--width"], found["--learning-rate"]) == (str(TrainConfig().width), "0.0001")
    assert "--data" not in found and "--steps" not in found


@pytest.mark.parametrize("command", ["--config RUN/config.json --help", "-h --config=RUN", "--resume --out RUN --help"])
def test_help_with_a_file_or_a_run_shows_its_values(
    command: str, run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = shown_defaults(command.replace("RUN", str(run_folder)), capsys)
    assert (found["--width"], found["--height"], found["--steps"]) == ("320", "160", "77")
    assert (found["--data"], found["--compile"]) == ("street.mp4", "off")


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("mono-192x65 --help", "did you mean mono-192x64"),
        ("--config gone.json --help", "gone.json"),
        ("mono-192x64 --config gone.json --help", "exclude each other"),
    ],
)
def test_help_for_what_does_not_exist_is_refused(command: str, named: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *command.split()]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and named in err


def test_the_help_of_a_run_does_not_wait_for_torch(run_folder: Path) -> None:
    words = ["train", "--resume", "--out", str(run_folder), "--help"]
    code = f"import sys; from selfdepth.cli.main import main; main({words!r}); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_option_beside_the_preset_wins_and_a_budget_replaces_its_budget(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, run_folder: Path
) -> None:
    from selfdepth.cli import train as verb

    seen = []
    monkeypatch.setattr(verb, "train", lambda args: seen.append(args.train))
    assert main(["train", "--config", str(run_folder), "--out", "o", "--minutes=3", "--width", "96"]) == 0
    assert main(["train", "--config", str(run_folder), "--out", "o", "--no-compile"]) == 0
    assert [(run.width, run.height, run.steps, run.minutes) for run in seen] == [
        (96, 160, None, 3),
        (320, 160, 77, None),
    ]
    assert capsys.readouterr().err == ""


def test_every_preset_can_be_shown_and_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from selfdepth.cli import train as verb

    seen = []
    monkeypatch.setattr(verb, "train", lambda args: seen.append(args.train))
    for name in PRESETS:
        assert main(["train", name, "--out", "o"]) == 0
    assert seen == list(PRESETS.values())
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("end", ["", ":cam1"])
def test_the_file_of_a_camera_is_recorded_with_its_whole_path(
    end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "camchain.yaml").write_text("a run started elsewhere reads it, too")
    monkeypatch.chdir(tmp_path)
    config = with_whole_paths(TrainConfig(camera=f"camchain.yaml{end}"))
    assert config.camera == f"{tmp_path / 'camchain.yaml'}{end}"
    assert with_whole_paths(TrainConfig(camera="fov:60")).camera == "fov:60"
