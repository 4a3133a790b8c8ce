"""`selfdepth live`, from arguments to a page, a recording and figures."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from helpers.models import HEIGHT, WIDTH
from selfdepth.cli.main import main

MACHINE = ["--device", "cpu", "--precision", "fp32", "--port", "0"]


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("live") / "street"
    folder.mkdir()
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:04d}.png")
    return folder


def n_frames(video: Path) -> int:
    with av.open(str(video)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.parametrize("steady", [False, True])
def test_a_folder_is_predicted_recorded_and_counted(
    moving_model: Path, street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], steady: bool
) -> None:
    video, figures = tmp_path / "out.mp4", tmp_path / "figures.json"
    words = ["--fast", "--record", str(video), "--json", str(figures), *(["--steady"] if steady else [])]
    assert main(["live", str(moving_model), "--source", str(street), *words, *MACHINE]) == 0
    said = capsys.readouterr().out
    assert "live on http://127.0.0.1:" in said and "4 of 4 frames predicted" in said and "p95" in said
    found = json.loads(figures.read_text())
    assert (found["predicted"], found["dropped"], found["steady"]) == (4, 0, steady)
    assert found["latency_ms"]["p50"] > 0 and n_frames(video) == 4


def test_played_at_its_own_rate_it_takes_as_long_as_the_recording(
    model: Path, street: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    figures = tmp_path / "figures.json"
    assert main(["live", str(model), "--source", str(street), "--json", str(figures), *MACHINE]) == 0
    found = json.loads(figures.read_text())
    assert found["predicted"] + found["dropped"] == found["frames"] <= 4 and found["predicted"] >= 1
    assert found["seconds"] >= 0.1


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--source", "199"], "there is no such camera"),
        (["--source", "/dev/video199"], "there is no such camera"),
        (["--source", "nothing.mp4"], "there is no such input"),
        (["--source", "ftp://host/x"], "this kind of address is not read"),
        (["--source", "199", "--fast"], "--fast applies to recordings only"),
        (["--source", "STREET", "--port", "70000"], "--port; expected 0 to 65535"),
        (["--source", "STREET", "--duration", "0"], "--duration"),
        (["--source", "STREET", "--duration", "nan"], "--duration"),
        (["--source", "STREET", "--stream", "-1"], "--stream"),
        (["--source", "STREET", "--camera", "1,2"], "--camera 1,2"),
        (["--source", "STREET", "--host", "203.0.113.7"], "cannot be served there"),
        (["--source", "STREET", "--record", "STREET"], "got a folder"),
        (["--source", "STREET", "--record", "STREET/0000.png"], "would replace an input"),
        (["--source", "STREET", "--json", "STREET/0001.png"], "would replace an input"),
        (["--source", "STREET", "--steady"], "no pose network"),
        (["--source", "STREET", "--predictions-are", "depth"], "--predictions-are applies only"),
        (["--source", "STREET", "--record", "a.mp4", "--json", "a.mp4"], "are one file"),
        ([], "--source"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line_and_nothing_is_written(
    model: Path, street: Path, tmp_path: Path, words: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {file: file.read_bytes() for file in street.iterdir()}
    record = [] if "--record" in words else ["--record", str(tmp_path / "out.mp4")]
    words = [word.replace("STREET", str(street)) for word in words]
    assert main(["live", str(model), *record, *MACHINE, *words]) == 2
    said = capsys.readouterr().err
    assert named in said and len(said.splitlines()) == 1
    assert not [*tmp_path.iterdir()] and {file: file.read_bytes() for file in street.iterdir()} == before


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_the_recording_and_the_figures_whole(
    model: Path, tmp_path: Path, number: int, code: int
) -> None:
    folder, video = tmp_path / "long", tmp_path / "out.mp4"
    folder.mkdir()
    for i in range(600):
        Image.new("RGB", (WIDTH, HEIGHT), (i % 256, 90, 40)).save(folder / f"{i:04d}.png")
    words = ["--source", str(folder), "--record", str(video), "--json", str(tmp_path / "figures.json"), *MACHINE]
    command = [sys.executable, "-m", "selfdepth", "live", str(model), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None and "live on" in program.stdout.readline()
        program.send_signal(number)
        out, err = program.communicate(timeout=60)
    assert program.returncode == code and "frames predicted" in out and "Traceback" not in err
    assert n_frames(video) == json.loads((tmp_path / "figures.json").read_text())["predicted"] >= 1
    assert not [*tmp_path.glob(".*.part")]
