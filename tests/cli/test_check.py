"""`selfdepth check`: a table of what was found, or one sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tyro
from PIL import Image

from selfdepth.cli.check import CheckArgs, check
from selfdepth.errors import DataError


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    folder = tmp_path / "drive"
    folder.mkdir()
    for number in [*range(12), *range(20, 32)]:
        Image.fromarray(np.full((24, 40, 3), number, np.uint8)).save(folder / f"{number}.png")
    return folder


def test_arguments_are_read_from_the_command_line() -> None:
    args = tyro.cli(CheckArgs, args=["drive.mp4", "--camera", "fov:70"])
    assert args == CheckArgs(data="drive.mp4", camera="fov:70")


def test_a_check_shows_what_was_found(
    drive: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    check(CheckArgs(data=str(drive)))
    shown = capsys.readouterr().out
    for piece in ("folder", "24", "40x24", "assumed, 60 deg", "11-20", "--every 1", "ASSUMED", "16 to train on, 2 to"):
        assert piece in shown


def test_a_given_camera_is_not_warned_of(
    drive: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    check(CheckArgs(data=str(drive), camera="fov:70"))
    shown = capsys.readouterr().out
    assert "given, 70 deg" in shown
    assert "warning" not in shown


def test_what_cannot_be_used_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such data"):
        check(CheckArgs(data=str(tmp_path / "gone")))


def test_the_arguments_are_imported_without_torch() -> None:
    code = "import sys, selfdepth.cli.check; sys.exit('torch' in sys.modules or 'av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
