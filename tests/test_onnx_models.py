"""ONNX files as MODEL in every verb that predicts: exports of ours, others' networks, and what they cannot do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import selfdepth
from helpers.comparison_place import Place, build_place
from helpers.onnx_models import description, write_exported, write_onnx
from selfdepth.cli.main import main
from selfdepth.structs import MetricScale


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return build_place(tmp_path_factory.mktemp("onnx"))


def run(*words: object) -> int:
    return main([str(word) for word in words])


def test_predict_writes_what_an_export_gives_with_its_unit_and_camera(place: Place, tmp_path: Path) -> None:
    metric = MetricScale(factor=2.0, spread=0.02, witness="height 1.65 m")
    about = description(metric=metric, scale="metric", metres_per_unit=1.0)
    model = write_exported(tmp_path / "m.onnx", described=about)
    frame = place.pictures / "002.png"
    assert run("predict", model, frame, "--out", tmp_path / "out", "--save", "npz", "color", "--device", "cpu") == 0
    saved = np.load(tmp_path / "out/npz/002.npz")
    alone = selfdepth.load(model, device="cpu").predict(frame)
    np.testing.assert_array_equal(saved["disparity"], alone.disparity)
    assert str(saved["scale"]) == "metric" and saved["depth"].shape == (64, 128)
    # Its disparity is 0.3 - 0.2 of the brightness: between these, and not divided by the factor once more.
    assert 0.1 <= alone.disparity.min() < alone.disparity.max() <= 0.3
    assert alone.camera is not None and alone.camera.fx == about.camera.fx  # type: ignore[union-attr]


@pytest.mark.parametrize(("gives", "power"), [("disparity", 1.0), ("depth", -1.0), ("depth-metres", -1.0)])
def test_the_same_network_said_in_other_words_gives_the_same_errors(
    place: Place, tmp_path: Path, gives: str, power: float
) -> None:
    model = write_onnx(tmp_path / "m.onnx", power=power)
    found = []
    for each, said in ((model, gives), (write_onnx(tmp_path / "twin.onnx"), "disparity")):
        words = ("--predictions-are", said, "--data", place.kitti, "--frames", "2", "--device", "cpu")
        assert run("evaluate", "depth", each, *words, "--json", tmp_path / "e.json") == 0
        found.append(json.loads((tmp_path / "e.json").read_text()))
    assert found[0]["abs_rel"] == pytest.approx(found[1]["abs_rel"], rel=1e-4)
    assert ("without_median_scaling" in found[0]) == (gives == "depth-metres")


def test_a_network_of_any_size_and_layout_is_asked(place: Place, tmp_path: Path) -> None:
    for shape in ((1, 3, "h", "w"), (1, 3, 56, 112)):
        model = write_onnx(tmp_path / "m.onnx", shape=shape, shrink=2)
        words = ("--predictions-are", "disparity", "--save", "npz", "--device", "cpu")
        assert run("predict", model, place.pictures, *words, "--out", tmp_path / f"{shape[2]}") == 0
        assert np.load(tmp_path / f"{shape[2]}/npz/004.npz")["depth"].shape == (64, 128)


def test_live_asks_a_network_of_any_size_for_maps_of_the_shape_of_the_frames(place: Place, tmp_path: Path) -> None:
    model = write_onnx(tmp_path / "m.onnx", shape=(1, 3, "h", "w"))
    words = ("--source", place.pictures, "--predictions-are", "disparity", "--fast", "--port", "0", "--device", "cpu")
    assert run("live", model, *words, "--json", tmp_path / "figures.json") == 0
    assert json.loads((tmp_path / "figures.json").read_text())["predicted"] >= 1
    predictor = selfdepth.load(model, predictions_are="disparity", device="cpu")
    frames = np.random.default_rng(0).integers(0, 256, (40, 120, 3), dtype=np.uint8)
    fitted = predictor.for_frames(120, 40)
    assert fitted.width > 2 * fitted.height
    np.testing.assert_array_equal(predictor.predict(frames).disparity, fitted.predict(frames).disparity)


def test_calibrate_prints_the_factor_and_leaves_the_file(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = place.onnx.read_bytes()
    words = ("--predictions-are", "disparity", "--data", place.kitti, "--lidar", "--device", "cpu")
    assert run("calibrate", place.onnx, *words, "--out", tmp_path / "numbers") == 0
    assert "nothing is written into" in capsys.readouterr().out and place.onnx.read_bytes() == before
    assert sorted(path.name for path in (tmp_path / "numbers").iterdir()) == ["calibration.json", "calibration.png"]


def test_info_tells_what_a_file_says_of_itself(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info", place.export) == 0
    shown = capsys.readouterr().out
    for piece in ("64x32 pixels", "exported by selfdepth 0.2.0, fp32", "0.1 to 100", "relative", "90 degrees wide"):
        assert piece in shown
    assert run("info", place.onnx) == 0
    assert "--predictions-are says it" in capsys.readouterr().out


def test_a_list_is_not_continued_with_another_word(place: Place, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"{place.pictures}\n")
    words = (
        "predict",
        place.onnx,
        tmp_path / "list.txt",
        "--shard",
        "1/1",
        "--out",
        tmp_path / "out",
        "--device",
        "cpu",
    )
    assert run(*words, "--predictions-are", "disparity") == 0
    assert run(*words, "--predictions-are", "depth") == 2


REFUSED = {
    "unsaid": (("predict", "ONNX", "FRAMES", "--out", "OUT"), "nobody says what this ONNX model gives"),
    "said of an export": (
        ("predict", "EXPORT", "FRAMES", "--out", "OUT", "--predictions-are", "depth"),
        "says itself what it gives",
    ),
    "said of a run": (
        ("predict", "RUN", "FRAMES", "--out", "OUT", "--predictions-are", "depth"),
        "--predictions-are applies only with --predictions, or to an ONNX model",
    ),
    "a path": (("predict", "EXPORT", "FRAMES", "--out", "OUT", "--save", "trajectory"), "no pose network"),
    "confidence": (
        ("predict", "EXPORT", "FRAMES", "--out", "OUT", "--save", "confidence"),
        "does not predict its conf",
    ),
    "to train from": (
        ("train", "mono-192x64", "--data", "FRAMES", "--out", "OUT", "--init", "EXPORT"),
        "no weights of selfdepth",
    ),
    "to refine": (("refine", "EXPORT", "FRAMES", "--out", "OUT"), "no weights of selfdepth"),
    "to export": (("export", "EXPORT", "--format", "monodepth2", "--out", "OUT"), "no weights of selfdepth"),
    "a speed": (("calibrate", "EXPORT", "--data", "FRAMES", "--speed", "oxts", "--out", "OUT"), "no pose network"),
    "takes, of a run": (
        ("predict", "RUN", "FRAMES", "--out", "OUT", "--network-takes", "unit"),
        "--network-takes applies only to an ONNX model",
    ),
    "takes nonsense": (
        ("predict", "ONNX", "FRAMES", "--out", "OUT", "--predictions-are", "depth", "--network-takes", "brg"),
        "this does not say what a network takes",
    ),
    "a shift": (
        ("predict", "ONNX", "FRAMES", "--out", "OUT", "--predictions-are", "disparity-affine"),
        "a disparity with an unknown shift gives no depth",
    ),
    "the metres of a shift": (
        ("calibrate", "ONNX", "--data", "FRAMES", "--height", "1", "--predictions-are", "disparity-affine"),
        "a disparity with an unknown shift gives no depth",
    ),
    "a shift averaged": (
        ("evaluate", "depth", "ONNX", "--data", "KITTI", "--predictions-are", "disparity-affine", "--post-process"),
        "two disparities with unknown shifts cannot be averaged",
    ),
    "a precision": (("predict", "EXPORT", "FRAMES", "--out", "OUT", "--precision", "bf16"), "its own precision"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_such_a_file_cannot_do_is_one_sentence(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    words, sentence = REFUSED[name]
    known = {
        "ONNX": place.onnx,
        "EXPORT": place.export,
        "RUN": place.run,
        "FRAMES": place.pictures,
        "KITTI": place.kitti,
        "OUT": tmp_path / "o",
    }
    assert run(*(known.get(word, word) for word in words)) == 2
    told = capsys.readouterr().err
    assert sentence in told and "Traceback" not in told
    assert not (tmp_path / "o").exists() or not list((tmp_path / "o").iterdir())
