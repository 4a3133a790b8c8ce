"""The factor to metres in a model: written whole, for these weights alone, and said by every verb."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from helpers.models import tiny_config, write_model
from selfdepth.errors import CheckpointError, ConfigError
from selfdepth.files import checksum
from selfdepth.inference.odometry import MotionPredictor
from selfdepth.inference.predictor import Predictor
from selfdepth.structs import MetricScale
from selfdepth.weights.files import WeightsMeta, load_weights, save_weights
from selfdepth.weights.locate import CALIBRATION_FILES, CONFIG_FILE, WEIGHTS_FILE
from selfdepth.weights.metres import describe_unit, require_own, write_copy, write_metric

HEIGHT = MetricScale(factor=2.5, spread=0.031, witness="height 1.65 m")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model", tiny_config(), step=3)


def calibrate(folder: Path, metric: MetricScale) -> None:
    write_metric(folder, metric, measured_with=checksum(folder / WEIGHTS_FILE))


def test_a_model_without_a_factor_is_as_it_was(model: Path) -> None:
    loaded = load_weights(model)
    assert loaded.metric is None and loaded.metres_per_unit is None
    assert "metric" not in json.loads((model / CONFIG_FILE).read_text())


def test_a_written_factor_is_read_back_and_the_rest_of_the_model_stays(model: Path) -> None:
    before = load_weights(model)
    calibrate(model, HEIGHT)
    after = load_weights(model)
    assert after.metric == HEIGHT and after.metres_per_unit == 2.5
    assert (after.config, after.step, after.scale) == (before.config, before.step, before.scale)


def test_a_second_factor_replaces_the_first(model: Path) -> None:
    calibrate(model, HEIGHT)
    calibrate(model, dataclasses.replace(HEIGHT, factor=3.0, spread=None))
    assert load_weights(model).metric == MetricScale(factor=3.0, spread=None, witness="height 1.65 m")


def test_depth_and_paths_of_a_calibrated_model_are_the_old_ones_times_the_factor(model: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    old = Predictor.load(model, device="cpu", precision="fp32")
    calibrate(model, HEIGHT)
    new = Predictor.load(model, device="cpu", precision="fp32")
    before, after = old.predict(image), new.predict(image)
    np.testing.assert_allclose(after.depth, 2.5 * before.depth, rtol=1e-6)
    np.testing.assert_allclose(after.disparity * after.depth, 1, rtol=1e-6)
    assert (before.scale, before.metric, old.metres_per_unit) == ("relative", None, None)
    assert (after.scale, after.metric, new.metres_per_unit) == ("metric", HEIGHT, 1.0)
    assert new.depth_range.near == pytest.approx(2.5 * old.depth_range.near)
    motion = MotionPredictor(load_weights(model), device="cpu")
    step = np.eye(4)
    step[2, 3] = 1
    path = motion.trajectory([np.eye(4), step], np.arange(2.0))
    assert path.T_world_camera[1, 2, 3] == 2.5 and path.metric == HEIGHT and motion.scale == "metric"


def test_the_networks_own_range_does_not_change_so_that_training_from_it_does_not(model: Path) -> None:
    before = load_weights(model).depth_range
    calibrate(model, HEIGHT)
    assert load_weights(model).depth_range == before


def test_other_weights_lose_the_factor_and_its_report(model: Path) -> None:
    calibrate(model, HEIGHT)
    for name in CALIBRATION_FILES:
        (model / name).write_text("of the older weights")
    loaded = load_weights(model)
    save_weights(model, loaded.state, WeightsMeta(config=loaded.config, camera=None, scale="relative", step=4))
    assert load_weights(model).metric is None
    assert not any((model / name).exists() for name in CALIBRATION_FILES)


def test_weights_that_changed_while_they_were_measured_get_no_factor(model: Path) -> None:
    with pytest.raises(CheckpointError, match="changed while its factor was measured"):
        write_metric(model, HEIGHT, measured_with="0" * 64)
    assert load_weights(model).metric is None


def test_a_copy_holds_the_weights_and_the_factor(model: Path, tmp_path: Path) -> None:
    write_copy(tmp_path / "copy", load_weights(model), HEIGHT)
    copy, original = load_weights(tmp_path / "copy"), load_weights(model)
    assert copy.metric == HEIGHT and original.metric is None and copy.step == original.step
    assert all((copy.state[name] == tensor).all() for name, tensor in original.state.items())


def test_only_a_folder_of_selfdepth_is_written_into(model: Path, tmp_path: Path) -> None:
    require_own(str(model))
    published = tmp_path / "published"
    published.mkdir()
    for name in ("encoder.pth", "depth.pth"):
        (published / name).write_bytes(b"")
    with pytest.raises(ConfigError, match="--out FOLDER for a calibrated copy"):
        require_own(str(published))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"factor": 0.0, "spread": 0.1, "witness": "x"}, "factor above 0"),
        ({"factor": float("nan"), "spread": 0.1, "witness": "x"}, "factor above 0"),
        ({"factor": 1.0, "spread": -0.1, "witness": "x"}, "spread of 0 or more"),
        ({"factor": "1", "spread": 0.1, "witness": "x"}, "the number '1'"),
        ({"factor": None, "spread": 0.1, "witness": "x"}, "model cannot be read"),
        ({"factor": True, "spread": 0.1, "witness": "x"}, "the number 'True'"),
        ({"factor": 1.0, "spread": 0.1, "witness": 3}, "a witness that is no text"),
        ({"factor": 1.0, "witness": "x"}, "no 'spread' in it"),
        ([1.0, 0.1], "model cannot be read"),
    ],
)
def test_a_strangers_factor_is_judged(model: Path, written: object, said: str) -> None:
    values = json.loads((model / CONFIG_FILE).read_text())
    (model / CONFIG_FILE).write_text(json.dumps({**values, "metric": written}))
    with pytest.raises(CheckpointError, match=said):
        load_weights(model)


@pytest.mark.parametrize(
    ("scale", "factor", "metric", "phrase"),
    [
        ("relative", None, None, "relative: up to one unknown factor, not metres"),
        ("relative", 5.4, None, "relative: times 5.4 it is in metres"),
        ("metric", 1.0, None, "metric, in metres"),
        ("metric", 1.0, HEIGHT, "metric, in metres by height 1.65 m (spread 3.1 %)"),
    ],
)
def test_the_unit_has_a_phrase(scale: str, factor: float | None, metric: MetricScale | None, phrase: str) -> None:
    assert describe_unit(scale, factor, metric) == phrase
