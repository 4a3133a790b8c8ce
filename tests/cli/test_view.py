"""`selfdepth view`: what is shown, where, and what is refused."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rerun")

from selfdepth.cli import view as module
from selfdepth.cli.main import main
from selfdepth.cli.view import viewer_command


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A machine with a display, and the commands that it would run, with a program that ends at once."""
    commands: list[list[str]] = []

    def command(files: list[Path], **options: Any) -> list[str]:
        commands.append(viewer_command(files, **options))
        return [sys.executable, "-c", ""]

    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(module, "viewer_command", command)
    return commands


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """What predict writes for two inputs, and a recording of its own."""
    for name in ("out/a/recording.rrd", "out/b/recording.rrd", "out/a/video.mp4", "own.rrd", "points/drive.ply"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"RRF2")
    return tmp_path


def test_recordings_and_those_in_folders_are_shown(results: Path, shown: list[list[str]]) -> None:
    assert main(["view", str(results / "own.rrd"), str(results / "out")]) == 0
    names = ("own.rrd", "out/a/recording.rrd", "out/b/recording.rrd")
    assert shown == [[sys.executable, "-m", "rerun_cli", *(str(results / name) for name in names), "--new"]]


def test_of_results_without_a_recording_the_points_are_shown(results: Path, shown: list[list[str]]) -> None:
    assert main(["view", str(results / "points")]) == 0
    assert shown[0][3:-1] == [str(results / "points/drive.ply")]


def test_a_page_is_bound_to_this_machine(
    results: Path, shown: list[list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY")
    assert main(["view", str(results / "own.rrd"), "--web", "--port", "9300"]) == 0
    assert shown[0][shown[0].index("--bind") + 1] == "127.0.0.1" and "--serve-web" in shown[0]
    assert "http://127.0.0.1:9300/?url=rerun%2Bhttp://127.0.0.1:9301/proxy" in capsys.readouterr().out


@pytest.mark.parametrize("out", [None, "kept"])
def test_a_model_with_inputs_gives_a_recording_first(
    tmp_path: Path, shown: list[list[str]], monkeypatch: pytest.MonkeyPatch, out: str | None
) -> None:
    asked: list[Any] = []

    def predict(args: Any) -> None:
        asked.append(args)
        Path(args.out).mkdir(exist_ok=True)
        (Path(args.out) / "recording.rrd").write_bytes(b"RRF2")

    monkeypatch.setattr("selfdepth.cli.predict.predict", predict)
    words = ["view", "runs/drive", "street.mp4", "--camera", "fov:70"]
    assert main(words if out is None else [*words, "--out", str(tmp_path / out)]) == 0
    (args,) = asked
    assert (args.model, args.inputs, args.save, args.camera) == ("runs/drive", ("street.mp4",), ("rrd",), "fov:70")
    if out is None:
        assert [Path(word).name for word in shown[0][3:-1]] == ["recording.rrd"] and not Path(args.out).exists()
    else:
        assert not shown and (tmp_path / out / "recording.rrd").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to view"),
        (["missing"], "nothing to show: .*missing.*no such file.*--save rrd"),
        (["empty"], "nothing to show: .*empty.*a folder without any"),
        (["notes.txt"], "nothing to show: .*notes.txt.*no recording"),
        (["own.rrd", "empty"], "nothing to show: .*empty"),
        (["own.rrd", "--out", "x"], "--out applies only to a MODEL"),
        (["own.rrd", "--camera", "fov:60"], "--camera applies only to a MODEL"),
        (["own.rrd", "--web", "--port", "0"], "out of range: --port.*got 0"),
        (["own.rrd"], "no display.*--web"),
        (["model", "street.mp4"], "no display.*--web"),
    ],
)
def test_what_cannot_be_shown_is_refused(
    results: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    (results / "empty").mkdir()
    (results / "notes.txt").write_text("notes")
    monkeypatch.chdir(results)
    assert main(["view", *words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(said, error), error


def test_without_rerun_and_when_the_viewer_fails_it_is_said(
    results: Path, shown: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "viewer_command", lambda *a, **o: [sys.executable, "-c", "raise SystemExit(3)"])
    assert main(["view", str(results / "own.rrd")]) == 2
    assert "exit code 3" in capsys.readouterr().err
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    assert main(["view", str(results / "own.rrd")]) == 2
    assert "pip install 'selfdepth[view]'" in capsys.readouterr().err
