"""Confidence from end to end: a student of a tiny run, its predictions, its evaluation, and what refuses it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.models import tiny_config, write_model
from selfdepth.cli.main import main
from selfdepth.data.sources.rendered import write_drive
from selfdepth.presets import PRESETS
from selfdepth.synthetic.drive import DriveSpec, render_drive

SMALL = "--width 96 --height 64 --batch-size 2 --steps 2 --device cpu --precision fp32 --no-compile"
NETWORKS = "--encoder.no-pretrained --encoder.name test_resnet --encoder.pose-name test_resnet"


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drives") / "street"
    write_drive(render_drive(DriveSpec(seed=3, frames=8, width=96, height=64)), folder, with_depth=True)
    return folder


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    loss = PRESETS["mono-192x64"].loss  # of one depth range with its student
    return write_model(tmp_path_factory.mktemp("teacher"), tiny_config(every="1", loss=loss))


@pytest.fixture(scope="module")
def student(street: Path, teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "student"
    words = ["--data", str(street), "--self-teacher", str(teacher), "--out", str(out)]
    assert main(["train", "mono-192x64", *words, *SMALL.split(), *NETWORKS.split()]) == 0
    return out


def test_predictions_hold_a_confidence_that_the_picture_shows(student: Path, street: Path, tmp_path: Path) -> None:
    words = ["--save", "npz", "confidence", "trajectory", "--device", "cpu", "--out", str(tmp_path)]
    assert main(["predict", str(student), str(street), *words]) == 0
    with np.load(tmp_path / "npz" / "000003.npz") as arrays:
        confidence = arrays["confidence"]
        assert confidence.shape == arrays["depth"].shape == (64, 96) and confidence.dtype == np.float32
    assert 0 < confidence.min() < confidence.max() < 1
    grey = np.asarray(Image.open(tmp_path / "confidence" / "000003.png"), np.float64)
    assert np.abs(grey / 255 - confidence).max() <= 0.5 / 255 + 1e-6
    assert (tmp_path / "trajectory" / "kitti.txt").is_file()


def test_evaluation_reports_whether_the_confidence_knows_the_errors(
    student: Path, street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data", str(street), "--json", str(tmp_path / "depth.json"), "--plots", str(tmp_path / "plots")]
    assert main(["evaluate", "depth", str(student), *words, "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "confidence, abs_rel: AUSE" in said and "confidence, rmse: AUSE" in said
    report = json.loads((tmp_path / "depth.json").read_text())
    curves = report["sparsification"]
    for metric in ("abs_rel", "rmse"):
        assert curves[metric]["error"][0] == pytest.approx(report[metric], rel=1e-6)
        assert curves[metric]["ause"] > 0
        assert all(a >= b - 1e-9 for a, b in zip(curves[metric]["error"], curves[metric]["oracle"], strict=True))
    assert [path.name for path in (tmp_path / "plots").iterdir()] == ["sparsification.png"]


def test_a_model_without_confidence_is_refused_where_it_is_asked_for(
    teacher: Path, street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "out"), "--device", "cpu"]
    assert main(["predict", str(teacher), str(street), "--save", "color", "confidence", *out]) == 2
    assert "--save confidence; expected a model trained with --self-teacher" in capsys.readouterr().err
    words = ["--data", str(street), "--plots", str(tmp_path / "plots")]
    assert main(["evaluate", "depth", str(teacher), *words, "--device", "cpu"]) == 2
    assert "--plots" in capsys.readouterr().err
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob("plots/*"))


def test_the_published_form_has_no_place_for_it(
    student: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(student), "--format", "monodepth2", "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "no place for the confidence" in said and "Traceback" not in said
    assert not list((tmp_path / "out").glob("*.pth"))


def test_info_says_from_whom_it_learned(student: Path, teacher: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(student)]) == 0
    assert f"learned from {teacher}" in capsys.readouterr().out
