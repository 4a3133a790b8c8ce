"""`selfdepth calibrate`: a table, a factor in the model, and every verb in metres from then on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from helpers.models import tiny_config, write_model
from selfdepth.cli.main import main
from selfdepth.data.sources.rendered import write_drive
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive


@pytest.fixture(scope="module")
def drive() -> SyntheticDrive:
    return render_drive(DriveSpec(seed=4, frames=6, width=96, height=64, moving_cars=False, stops=False))


@pytest.fixture(scope="module")
def data(drive: SyntheticDrive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "street"
    write_drive(drive, folder, with_depth=True)
    return folder


@pytest.fixture
def model(tmp_path: Path, drive: SyntheticDrive) -> Path:
    return write_model(tmp_path / "model", tiny_config(), camera=drive.camera, step=5)


def depths(drive: SyntheticDrive, file: Path, factor: float | np.ndarray) -> Path:
    np.save(file, (np.where(drive.depth > 0, drive.depth, 500.0) / factor).astype(np.float32))
    return file


def test_the_table_names_each_witness_and_the_word_and_the_place(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", str(model), "--data", str(data), "--lidar", "--json", str(tmp_path / "all.json")]) == 0
    said = capsys.readouterr().out
    assert "lidar street" in said and "spread" in said and "left out" in said
    assert f"written into {model}" in said and "metric" in said
    values = json.loads((tmp_path / "all.json").read_text())
    assert values["model"] == str(model) and values["witnesses"][0]["used"] == 6


def test_from_then_on_every_verb_says_metres_by_whom_and_how_sure(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", str(model), "--data", str(data), "--lidar"]) == 0
    capsys.readouterr()
    phrase = "in metres by lidar street (spread"
    assert main(["info", str(model)]) == 0
    assert phrase in capsys.readouterr().out
    out = tmp_path / "out"
    save = ["--save", "npz", "png16", "ply", "trajectory"]
    assert main(["predict", str(model), str(data), "--out", str(out), *save, "--device", "cpu"]) == 0
    assert phrase in capsys.readouterr().out
    with np.load(out / "npz" / "000003.npz") as arrays:
        assert str(arrays["scale"]).startswith("metric") and str(arrays["witness"]) == "lidar street"
        assert arrays["spread"] >= 0
    assert phrase in (out / "png16" / "README.txt").read_text()
    assert phrase in (out / "trajectory" / "README.txt").read_text()
    assert phrase.encode() in (out / "ply" / "000003.ply").read_bytes()[:400]
    assert main(["evaluate", "depth", str(model), "--data", str(data), "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert phrase in said and "not scaled" in said
    assert main(["evaluate", "odometry", str(model), "--data", str(data), "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert phrase in said and "alignment: se3" in said


def test_beyond_a_tenth_the_spread_is_part_of_the_word(
    data: Path, drive: SyntheticDrive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uneven = np.array([8.0, 10.0, 12.0, 8.0, 10.0, 12.0])[:, None, None]
    given = depths(drive, tmp_path / "depth.npy", uneven)
    arguments = ["--predictions", str(given), "--predictions-are", "depth", "--data", str(data), "--lidar"]
    assert main(["calibrate", *arguments, "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "metric within 30 %" in said and "multiply the depths by the factor" in said
    assert json.loads((tmp_path / "out" / "calibration.json").read_text())["scale"] == "metric within 30 %"


def test_witnesses_that_contradict_each_other_cause_a_warning(
    data: Path, drive: SyntheticDrive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = depths(drive, tmp_path / "depth.npy", 10.0)
    arguments = ["--predictions", str(given), "--predictions-are", "depth", "--data", str(data), "--lidar"]
    assert main(["calibrate", *arguments, "--height", "2.5"]) == 0
    captured = capsys.readouterr()
    assert "height 2.5 m and lidar street differ by" in captured.err and "more than their spreads" in captured.err
    assert "height 2.5 m / lidar street: 1.5" in captured.out


def test_a_dry_run_prints_and_writes_nothing(model: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(model.iterdir()), (model / "config.json").read_bytes()
    assert main(["calibrate", str(model), "--data", str(data), "--lidar", "--dry-run"]) == 0
    assert "nothing is written" in capsys.readouterr().out
    assert (sorted(model.iterdir()), (model / "config.json").read_bytes()) == before


def test_a_model_that_is_metric_already_hears_how_far_the_witness_differs(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_model(tmp_path / "metric", tiny_config(stereo="calibrated"), scale="metric")
    assert main(["calibrate", str(model), "--data", str(data), "--lidar"]) == 0
    assert "in metres by its training, and stays so; the witness differs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["MODEL"], "no witness of the scale is given; expected one or more of --speed"),
        (["--lidar"], "there is nothing to calibrate; expected MODEL, or --predictions FILE"),
        (["MODEL", "--predictions", "x.npy", "--lidar"], "MODEL and --predictions exclude each other"),
        (["MODEL", "--height", "0"], "--height; expected metres above the road, from 0.01 to 30; got 0"),
        (["MODEL", "--height", "-1.65"], "--height; expected metres above the road, from 0.01 to 30; got -1.65"),
        (["MODEL", "--height", "165"], "from 0.01 to 30; got 165; give 1.65 if these are centimetres"),
        (["MODEL", "--height", "nan"], "--height; expected metres above the road, from 0.01 to 30; got nan"),
        (["MODEL", "--height", "inf"], "--height; expected metres above the road, from 0.01 to 30; got inf"),
        (["MODEL", "--lidar", "--frames", "0"], "--frames; expected at least 1; got 0"),
        (["MODEL", "--lidar", "--stream", "-1"], "--stream"),
        (["MODEL", "--lidar", "--trajectory", "t.txt"], "--trajectory applies only with --predictions"),
        (["MODEL", "--lidar", "--predictions-are", "depth"], "--predictions-are applies only with --predictions"),
        (["--predictions", "x.npy", "--lidar", "--trajectory", "t.txt"], "--trajectory applies only to --speed and"),
        (["--predictions", "x.npy", "--speed", "s.csv"], "expected --trajectory FILE in the unit of the depth"),
        (["--predictions", "x.npy", "--lidar", "--device", "cpu"], "--device and --predictions exclude each other"),
        (["MODEL", "--lidar", "--dry-run", "--out", "o"], "--dry-run and --out exclude each other"),
        (["MODEL", "--lidar", "--clock-offset", "3"], "--clock-offset applies only to --speed"),
        (["MODEL", "--speed", "s.csv", "--clock-offset", "soon"], "--clock-offset; expected a number of seconds, or"),
        (["MODEL", "--speed", "s.csv", "--clock-offset", "inf"], "--clock-offset; expected a number of seconds, or"),
        (["MODEL", "--stereo"], "no stereo pairs in this data"),
        (["MODEL", "--speed", "oxts"], "the times of the frames are not known"),
        (["MODEL", "--distance", "no.csv"], "the list of distances cannot be used: no.csv"),
        (["--predictions", "no.npy", "--lidar"], "the file cannot be read: no.npy"),
    ],
)
def test_what_cannot_be_calibrated_is_refused_in_a_sentence(
    model: Path, data: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    before = sorted(model.iterdir()), (model / "config.json").read_bytes()
    words = [str(model) if word == "MODEL" else word for word in arguments]
    assert main(["calibrate", *words, "--data", str(data)]) == 2
    assert said in capsys.readouterr().err
    assert (sorted(model.iterdir()), (model / "config.json").read_bytes()) == before
