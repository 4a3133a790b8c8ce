"""`selfdepth app`: what it refuses, and that Ctrl-C leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from selfdepth.cli.app import AppArgs, app
from selfdepth.cli.main import main
from selfdepth.errors import CheckpointError, ConfigError


@pytest.mark.parametrize("port", [-1, 65_536, 10**9])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    with pytest.raises(ConfigError, match="--port"):
        app(AppArgs(model="run", port=port))


def test_what_a_model_gives_is_asked_of_onnx_files_alone() -> None:
    with pytest.raises(ConfigError, match="--predictions-are applies only"):
        app(AppArgs(model="run", predictions_are="depth"))


def test_the_model_is_read_before_anything_is_served(tmp_path: Path) -> None:
    pytest.importorskip("gradio")
    with pytest.raises(CheckpointError):
        app(AppArgs(model=str(tmp_path)))


def test_help_names_the_extra_and_the_default_host(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["app", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "pip install 'selfdepth[app]'" in told
    assert "(default: 127.0.0.1)" in told


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_no_file_stays(number: signal.Signals, model: Path, tmp_path: Path) -> None:
    pytest.importorskip("gradio")
    home = tmp_path / "home"
    home.mkdir()
    command = [sys.executable, "-m", "selfdepth", "app", str(model), "--port", "0", "--device", "cpu"]
    places = {**os.environ, "TMPDIR": str(tmp_path), "HOME": str(home)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=places, cwd=home) as page:
        assert page.stdout is not None
        assert page.stdout.readline().startswith("the page: http://127.0.0.1:")
        assert len(list(tmp_path.glob("selfdepth-app-*"))) == 1
        page.send_signal(number)
        assert page.wait(30) == 128 + number
    assert list(tmp_path.glob("selfdepth-app-*")) == []
    assert list(home.iterdir()) == []
