"""`selfdepth check`: a table of the sequences or of a split, or one sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tyro
from PIL import Image

from helpers.images import write_images
from selfdepth.cli.check import CheckArgs, check
from selfdepth.cli.prepare import PrepareArgs, prepare
from selfdepth.errors import ConfigError, DataError
from selfdepth.synthetic.drive import DriveSpec, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw


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


def test_the_lens_and_the_view_of_a_camera_file_are_shown(
    drive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    file = tmp_path / "cameras.txt"
    file.write_text("1 FISHEYE 40 24 12 12 20 12\n")
    check(CheckArgs(data=str(drive), camera=str(file), json=str(tmp_path / "report.json")))
    assert "given, kannala-brandt, 191 deg" in capsys.readouterr().out
    (row,) = json.loads((tmp_path / "report.json").read_text())["footage"]["sequences"]
    assert (row["lens"], round(row["fov_deg"])) == ("kannala-brandt", 191)


def test_what_training_makes_of_the_frames_is_shown(drive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(CheckArgs(data=str(drive), camera="fov:70"))
    assert "training: frames of 640x384\n" in capsys.readouterr().out
    check(CheckArgs(data=str(drive), camera="fov:70", crop="4,0,0,0", width=96, height=64))
    assert "training: frames of 96x64, cropped by 4,0,0,0 (top,bottom,left,right)\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"crop": "a"}, "--crop"),
        ({"width": 100}, "--width"),
        ({"height": 0}, "--height"),
        ({"picture": "view.png", "rectify": "no"}, "--picture shows the rectified view"),
    ],
)
def test_options_that_training_would_refuse_are_refused(drive: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        check(CheckArgs(data=str(drive), camera="fov:70", **options))


@pytest.mark.parametrize("options", [{"crop": "0,0,0,0"}, {"rectify": "auto"}, {"width": 64}, {"height": 64}])
def test_a_stores_frames_cannot_be_chosen_again(drive: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    prepare(PrepareArgs(data=str(drive), out=str(tmp_path / "store"), camera="fov:70", width=64))
    with pytest.raises(ConfigError, match=f"chosen when it was made: --{next(iter(options))}"):
        check(CheckArgs(data=str(tmp_path / "store"), **options))


def test_the_report_is_written_as_numbers_too(drive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(CheckArgs(data=str(drive), camera="fov:70", json=str(tmp_path / "report.json")))
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["inventory"] is None
    assert (report["footage"]["n_train"], report["footage"]["n_val"], report["footage"]["every"]) == (16, 2, 1)
    assert [row["n_frames"] for row in report["footage"]["sequences"]] == [24]
    assert "suggested: --every 1" in capsys.readouterr().out


def test_what_a_split_lacks_is_shown_with_the_archives_to_unpack(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    name = "2011_09_26/2011_09_26_drive_0001_sync"
    write_kitti_raw(render_drive(DriveSpec(seed=1, frames=4, width=64, height=64)), tmp_path / "kitti")
    (tmp_path / "split").mkdir()
    (tmp_path / "split/test_files.txt").write_text(f"{name} 1 l\n{name} 9 l\n")
    check(CheckArgs(data=str(tmp_path / "kitti"), split=(str(tmp_path / "split"),)))
    shown = capsys.readouterr().out
    (row,) = [line.split() for line in shown.splitlines() if " test " in line]
    assert row[-4:-2] == ["2", "1"], "frames of the list, and those that are there"
    assert f"missing: 1 images of {name}/image_02" in shown
    assert "2011_09_26_drive_0001_sync.zip" in shown


def test_what_cannot_be_used_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such data"):
        check(CheckArgs(data=str(tmp_path / "gone")))


def test_the_arguments_are_imported_without_torch() -> None:
    code = "import sys, selfdepth.cli.check; sys.exit('torch' in sys.modules or 'av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_all_corrupt_frames_are_shown_and_end_with_an_error_after_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_images(tmp_path / "drive", range(200))
    for number in (3, 150):
        (folder / f"{number:06d}.png").write_bytes(b"")
    report = tmp_path / "report.json"
    check(CheckArgs(data=str(folder), camera="fov:60", on_error="skip"))
    with pytest.raises(DataError, match="2 of 200 frames cannot be read"):
        check(CheckArgs(data=str(folder), camera="fov:60", json=str(report)))
    shown = capsys.readouterr().out
    assert "suggested: --every" in shown
    assert shown.count("cannot be read: ") >= 4
    assert len(json.loads(report.read_text())["footage"]["unreadable"]) == 2
