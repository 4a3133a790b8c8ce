"""Models and given predictions on Make3D: the middle of its images, and its four errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.depth_world import save_depth_model
from helpers.make3d import HEIGHT, NAMES, WIDTH, some_truths, write_make3d
from selfdepth.cli.main import main
from selfdepth.data.readers.make3d import centre
from selfdepth.errors import DataError
from selfdepth.evaluation.depth.compare import ComparisonOptions
from selfdepth.evaluation.depth.metrics import MAKE3D_ERRORS, METRICS, PROTOCOLS, evaluate_set
from selfdepth.evaluation.depth.run import evaluate_model, evaluate_predictions
from selfdepth.inference.predictor import Predictor


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("make3d")
    write_make3d(folder, some_truths())
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_depth_model(tmp_path_factory.mktemp("model"), crop="8,4,16,0")


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
    """The same maps with each row seven times, so that they have the aspect of the middle of an image."""
    for file in folder.glob("*.npy"):
        np.save(file, np.repeat(np.load(file), 7, axis=0))
    return folder


def test_a_model_sees_the_middle_of_an_image_and_is_compared_with_the_middle_of_the_ground_truth(
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
    ("options", "split", "sentence"),
    [
        (ComparisonOptions(part="train"), None, "no training frames"),
        (ComparisonOptions(truth_cache=Path("cache")), None, "no computed depth maps to cache"),
        (ComparisonOptions(), Path("split"), "a split applies to KITTI only"),
    ],
)
def test_options_that_apply_to_other_data_are_refused(
    root: Path, model: Path, options: ComparisonOptions, split: Path | None, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        evaluate_model(str(model), root, split=split, options=options, device="cpu")
    assert (
        evaluate_model(str(model), root, options=ComparisonOptions(part="test"), device="cpu").frames == "test frames"
    )


def test_a_missing_prediction_is_named_after_its_image(root: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "other.npy", np.ones((2, 4)))
    with pytest.raises(DataError, match=f"expected Test134/img-{NAMES[0]}/img-{NAMES[0]} .*without the folder"):
        evaluate_predictions(tmp_path, root)
