"""Evaluation on Make3D: the middle of images and ground truth, and its four errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.make3d import HEIGHT, NAMES, WIDTH, some_truths, write_make3d
from selfdepth.cli.main import main
from selfdepth.config import TrainConfig
from selfdepth.data.readers.make3d import centre
from selfdepth.errors import DataError
from selfdepth.evaluation.depth.compare import ComparisonOptions
from selfdepth.evaluation.depth.metrics import MAKE3D_ERRORS, METRICS, PROTOCOLS, compute_errors, evaluate_set
from selfdepth.evaluation.depth.run import evaluate_model, evaluate_predictions
from selfdepth.inference.predictor import Predictor
from selfdepth.networks.depth import DepthNet
from selfdepth.weights.files import WeightsMeta, save_weights


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("make3d")
    write_make3d(folder, some_truths())
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model")
    state = {f"depth_net.{name}": tensor for name, tensor in DepthNet("resnet18").state_dict().items()}
    config = TrainConfig(width=96, height=64, crop="8,4,16,0")
    save_weights(folder, state, WeightsMeta(config=config, camera=None, scale="relative"))
    return folder


def test_log10_is_the_mean_distance_in_powers_of_ten() -> None:
    rng = np.random.default_rng(0)
    truth, depth = rng.uniform(0.5, 70, (2, 200))
    twin = sum(abs(np.log(t) / np.log(10) - np.log(p) / np.log(10)) for t, p in zip(truth, depth, strict=True)) / 200
    assert compute_errors(truth, depth).log10 == pytest.approx(twin, rel=1e-12)
    assert compute_errors(truth, truth * 10).log10 == pytest.approx(1)
    assert compute_errors(truth, truth / 10).log10 == pytest.approx(1)


def test_truth_of_70_m_and_beyond_does_not_count_and_predictions_are_moved_there() -> None:
    protocol = PROTOCOLS["make3d"]
    truth = np.array([[69.999, 70.0, 80.0, 0.0]])
    assert protocol.mask(truth).tolist() == [[True, False, False, False]]
    report = evaluate_set([np.full((1, 4), 1e-3)], [truth], protocol, median_scaling=False)
    assert report.rmse == pytest.approx(0.001, abs=1e-6)


def test_a_perfect_prediction_has_no_error(root: Path, tmp_path: Path) -> None:
    for name, truth in some_truths().items():
        np.save(tmp_path / f"img-{name}.npy", 3 / centre(truth, (WIDTH, HEIGHT)).astype(np.float32))
    done = evaluate_predictions(stretched(tmp_path), root)
    assert done.report.protocol.name == "make3d"
    assert [image.pixels for image in done.report.images] == [
        int((truth[17:38] < 70).sum()) for truth in some_truths().values()
    ]
    assert all(getattr(done.report, name) < 1e-5 for name in MAKE3D_ERRORS)
    assert done.report.ratio_median == pytest.approx(3)


def stretched(folder: Path) -> Path:
    """The same maps with each row many times, so that they have the aspect of the part of the image."""
    for file in folder.glob("*.npy"):
        np.save(file, np.repeat(np.load(file), 7, axis=0))
    return folder


def test_a_model_sees_the_middle_of_the_image_and_is_compared_with_the_middle_of_the_truth(
    root: Path, model: Path
) -> None:
    done = evaluate_model(str(model), root, device="cpu")
    predictor = Predictor.load(model, device="cpu", precision="fp32")
    disparities = []
    for name in NAMES:
        with Image.open(root / f"Test134/img-{name}.jpg") as image:
            middle = image.crop((0, 40, WIDTH, 88)).resize((96, 64), Image.Resampling.LANCZOS)
        disparities.append(predictor.predict(middle).disparity)
    by_hand = evaluate_set(disparities, [truth[17:38] for truth in some_truths().values()], PROTOCOLS["make3d"])
    for name in MAKE3D_ERRORS:
        assert getattr(done.report, name) == pytest.approx(getattr(by_hand, name), rel=1e-5)
    assert done.frames == "test frames"


def test_the_table_has_the_four_published_errors(
    root: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "evaluate",
        "depth",
        str(model),
        "--data",
        str(root),
        "--device",
        "cpu",
        "--json",
        str(tmp_path / "a.json"),
    ]
    assert main(words) == 0
    shown = capsys.readouterr().out
    heads = next(line for line in shown.splitlines() if "abs_rel" in line).split()
    assert tuple(heads) == MAKE3D_ERRORS
    assert "protocol: make3d" in shown
    values: dict[str, Any] = json.loads((tmp_path / "a.json").read_text())
    assert f"{values['log10']:.3f}" in shown
    assert {"log10", *METRICS} <= values.keys()
    assert values["protocol"]["metrics"] == list(MAKE3D_ERRORS)
    assert [image["name"] for image in values["images"]] == [f"Test134/img-{name} 0" for name in NAMES]


def test_images_without_depth_are_left_out_and_counted(tmp_path: Path, model: Path) -> None:
    write_make3d(tmp_path, {NAMES[1]: some_truths()[NAMES[1]]})
    report = evaluate_model(str(model), tmp_path, device="cpu").report
    assert ([image.name for image in report.images], report.skipped) == ([f"Test134/img-{NAMES[1]} 0"], 2)


@pytest.mark.parametrize(
    ("measure", "options", "sentence"),
    [
        (ComparisonOptions(part="train"), {}, "no training frames"),
        (ComparisonOptions(truth_cache=Path("cache")), {}, "no depth maps to keep"),
        (ComparisonOptions(), {"split": Path("split")}, "a split applies to KITTI only"),
    ],
)
def test_options_about_other_data_are_refused(
    root: Path, model: Path, measure: ComparisonOptions, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        evaluate_model(str(model), root, options=measure, device="cpu", **options)
    assert (
        evaluate_model(str(model), root, options=ComparisonOptions(part="test"), device="cpu").frames == "test frames"
    )


def test_a_missing_prediction_is_asked_for_by_the_images_name(root: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "other.npy", np.ones((2, 4)))
    with pytest.raises(DataError, match=f"expected Test134/img-{NAMES[0]}/img-{NAMES[0]} .*without the folder"):
        evaluate_predictions(tmp_path, root)
