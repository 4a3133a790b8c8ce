"""Make3D: its layout, the middle that is compared, and its four errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy import ndarray
from PIL import Image
from scipy.io import savemat

from selfdepth.cli.main import main
from selfdepth.config import TrainConfig
from selfdepth.data.frames import FrameRef
from selfdepth.data.readers.make3d import Make3DTruth, centre, is_make3d, open_make3d
from selfdepth.errors import DataError
from selfdepth.evaluation.depth.compare import ComparisonOptions
from selfdepth.evaluation.depth.metrics import MAKE3D_ERRORS, METRICS, PROTOCOLS, compute_errors, evaluate_set
from selfdepth.evaluation.depth.run import evaluate_model, evaluate_predictions
from selfdepth.inference.predictor import Predictor
from selfdepth.networks.depth import DepthNet
from selfdepth.weights.files import WeightsMeta, save_weights

NAMES = ("10.21op2-p-015t000", "math6-p-077t0", "op47-p-139t000")
WIDTH, HEIGHT = 96, 128
ROWS, COLUMNS = 55, 305
"""The laser's grid: 21 of its rows are in the middle of a picture of 3 to 4."""


def write_make3d(root: Path, truths: dict[str, ndarray], size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    """Images of random colours, and a .mat for each of the truths."""
    for folder in ("Test134", "Gridlaserdata"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(NAMES):
        coarse = np.random.default_rng(number).integers(0, 256, (8, 6, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize(size).save(root / f"Test134/img-{name}.jpg", quality=95)
    for name, truth in truths.items():
        grid = np.zeros((*truth.shape, 4))
        grid[..., :3], grid[..., 3] = 999.0, truth
        savemat(root / f"Gridlaserdata/depth_sph_corr-{name}.mat", {"Position3DGrid": grid}, do_compression=True)


def some_truths() -> dict[str, ndarray]:
    rng = np.random.default_rng(7)
    return {name: rng.uniform(2, 81, (ROWS, COLUMNS)) for name in NAMES}


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


@pytest.mark.parametrize(
    ("shape", "image", "kept"),
    [
        ((2272, 1704), (1704, 2272), (852, 1704)),
        ((ROWS, COLUMNS), (1704, 2272), (21, COLUMNS)),
        ((HEIGHT, WIDTH), (WIDTH, HEIGHT), (48, WIDTH)),
        ((100, 200), (200, 100), (100, 200)),
        ((100, 300), (300, 100), (100, 200)),
        ((10, 10), (300, 100), (10, 6)),
    ],
)
def test_the_middle_is_twice_as_wide_as_high_at_any_resolution(
    shape: tuple[int, int], image: tuple[int, int], kept: tuple[int, int]
) -> None:
    array = np.arange(shape[0] * shape[1], dtype=np.float64).reshape(shape)
    middle = centre(array, image)
    assert middle.shape == kept
    assert middle.mean() == pytest.approx(array.mean()), "as much is cut off on either side"


def test_a_marker_in_the_centre_stays_in_the_centre_of_image_and_truth(tmp_path: Path) -> None:
    truth = np.full((ROWS, COLUMNS), 30.0)
    truth[ROWS // 2, COLUMNS // 2] = 5
    write_make3d(tmp_path, {NAMES[0]: truth}, size=(WIDTH, HEIGHT))
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[HEIGHT // 2 - 4 : HEIGHT // 2 + 4, WIDTH // 2 - 4 : WIDTH // 2 + 4] = 255
    Image.fromarray(pixels).save(tmp_path / f"Test134/img-{NAMES[0]}.jpg", quality=95)
    ref = FrameRef(f"Test134/img-{NAMES[0]}", 0)
    image = open_make3d(tmp_path)[0]
    (seen,), depth = image.read((0,)), Make3DTruth(tmp_path)(ref)
    assert seen.shape[:2] == (48, WIDTH)
    assert (image.camera.width, image.camera.height) == (WIDTH, 48)
    bright = np.argwhere(seen[..., 0] > 128)
    np.testing.assert_allclose(bright.mean(axis=0), [23.5, 47.5])
    assert depth is not None
    assert depth.shape == (21, COLUMNS)
    assert np.argwhere(depth == 5).tolist() == [[10, 152]]


def test_the_layout_is_recognised_and_read_by_name(root: Path, tmp_path: Path) -> None:
    assert is_make3d(root)
    assert not is_make3d(tmp_path)
    images = open_make3d(root)
    assert [image.name for image in images] == [f"Test134/img-{name}" for name in NAMES]
    for image, truth in zip(images, some_truths().values(), strict=True):
        assert np.array_equal(Make3DTruth(root)(FrameRef(image.name, 0)), truth[17:38])


def test_what_is_no_distance_is_not_known(tmp_path: Path) -> None:
    truth = np.full((ROWS, COLUMNS), 30.0)
    truth[27, :4] = [np.nan, np.inf, -3, 0]
    write_make3d(tmp_path, {NAMES[0]: truth})
    depth = Make3DTruth(tmp_path)(FrameRef(f"Test134/img-{NAMES[0]}", 0))
    assert depth is not None
    assert depth[10, :5].tolist() == [0, 0, 0, 0, 30]


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


FILE = f"Gridlaserdata/depth_sph_corr-{NAMES[0]}.mat"
BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "no depth at all": (
        lambda root: [file.unlink() for file in (root / "Gridlaserdata").iterdir()],
        "no ground truth: .*expected Test134/img-NAME.jpg and Gridlaserdata.*got 3 images",
    ),
    "no MATLAB file": (
        lambda root: (root / FILE).write_bytes(b"depth"),
        "cannot be read: .*015t000.mat; expected Position3DGrid",
    ),
    "another array": (
        lambda root: savemat(root / FILE, {"depthMap": np.eye(3)}),
        "laser's grid: .*got no such array",
    ),
    "depth alone": (
        lambda root: savemat(root / FILE, {"Position3DGrid": np.ones((55, 305))}),
        "laser's grid: .*015t000.mat; expected Position3DGrid of 55x305x4.*got float64, 55x305",
    ),
    "three layers": (
        lambda root: savemat(root / FILE, {"Position3DGrid": np.ones((55, 305, 3))}),
        "laser's grid.*got float64, 55x305x3",
    ),
    "cells": (
        lambda root: savemat(root / FILE, {"Position3DGrid": np.full((55, 305, 4), "a", dtype=object)}),
        "laser's grid.*got object, 55x305x4",
    ),
    "cut short": (
        lambda root: (root / FILE).write_bytes((root / FILE).read_bytes()[:9000]),
        "cannot be read: .*015t000.mat",
    ),
    "empty": (lambda root: (root / FILE).write_bytes(b""), "cannot be read: .*015t000.mat"),
    "broken image": (
        lambda root: (root / f"Test134/img-{NAMES[0]}.jpg").write_bytes(b"no picture"),
        f"img-{NAMES[0]}.jpg",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_files_that_are_not_make3ds_are_refused(tmp_path: Path, model: Path, name: str) -> None:
    spoil, sentence = BAD[name]
    write_make3d(tmp_path, some_truths())
    spoil(tmp_path)
    with pytest.raises(DataError, match=sentence) as refusal:
        evaluate_model(str(model), tmp_path, device="cpu")
    assert "\n" not in str(refusal.value)


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
