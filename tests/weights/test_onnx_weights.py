"""A MODEL in an ONNX file: what it gives is disparity, at the size of what it was shown, or one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from helpers.onnx_models import PORT, description, write_exported, write_onnx
from selfdepth.config.network_input import NetworkInput
from selfdepth.config.quantity import Quantity
from selfdepth.errors import ConfigError, SelfDepthError
from selfdepth.geometry.crop import Crop
from selfdepth.structs import MetricScale
from selfdepth.weights.exported import FIRST, MOTION, SECOND
from selfdepth.weights.onnx_weights import device_of_onnx, open_network, open_onnx_weights


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (32, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize("gives", ["depth", "depth-metres"])
def test_depth_becomes_disparity(tmp_path: Path, image: np.ndarray, gives: Quantity) -> None:
    path = write_onnx(tmp_path / "m.onnx", scale=10, shift=1)
    model = open_onnx_weights(path, gives)
    np.testing.assert_allclose(model.disparity(image), 1 / (1 + 10 * (image / 255).mean(-1)), rtol=1e-5)
    in_metres = ("metric", 1.0) if gives == "depth-metres" else ("relative", None)
    assert (model.scale, model.metres_per_unit) == in_metres


def test_disparity_stays_and_what_is_not_positive_is_a_thousand_times_as_far_as_the_nearest(
    tmp_path: Path, image: np.ndarray
) -> None:
    model = open_onnx_weights(write_onnx(tmp_path / "m.onnx", scale=1, shift=-0.5), "disparity")
    expected = (image / 255).mean(-1) - 0.5
    np.testing.assert_allclose(model.disparity(image), np.maximum(expected, expected.max() / 1000), rtol=1e-4)


def test_depth_without_end_is_a_thousand_times_as_far_as_the_nearest(tmp_path: Path) -> None:
    model = open_onnx_weights(write_onnx(tmp_path / "m.onnx", scale=1, shift=0, power=-1), "depth")
    image = np.full((32, 64, 3), 255, np.uint8)
    image[:16] = 0  # 1 / 0
    np.testing.assert_allclose(model.disparity(image)[[0, -1], 0], [1 / 1000, 1], rtol=1e-5)


NONSENSE: dict[str, tuple[dict[str, float], Quantity, str]] = {
    "depths of 0": ({"scale": 0, "shift": 0}, "depth", "cannot be depth: .*if it gives disparity, say so"),
    "negative depth": (
        {"scale": 0, "shift": -1},
        "depth-metres",
        r"got -1 in 2048 pixels.*--predictions-are disparity",
    ),
    "no disparity at all": ({"scale": 0, "shift": 0}, "disparity", "cannot be disparity: .*some of them above 0"),
    "endless disparity": ({"scale": 0, "shift": 0, "power": -1}, "disparity", "got inf.*--predictions-are depth"),
    "no number": ({"scale": 0, "shift": -1, "power": 0.5}, "disparity", "got nan in 2048 pixels"),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_what_cannot_be_what_was_said_is_refused(tmp_path: Path, image: np.ndarray, name: str) -> None:
    options, gives, words = NONSENSE[name]
    model = open_onnx_weights(write_onnx(tmp_path / "m.onnx", **options), gives)  # type: ignore[arg-type]
    with pytest.raises(SelfDepthError, match=words):
        model.disparity(image)


def test_a_network_of_any_size_gets_the_aspect_of_the_frames_in_steps_that_all_take(tmp_path: Path) -> None:
    model = open_onnx_weights(write_onnx(tmp_path / "m.onnx", shape=(1, 3, "h", "w")), "depth")
    for width, height in ((1242, 375), (1920, 1080), (640, 480), (500, 500), (1080, 1920)):
        fit = model.for_frames(width, height).fit
        assert fit.width % 32 == fit.width % 14 == fit.height % 32 == fit.height % 14 == 0
        assert 0.65 < fit.width / fit.height / (width / height) < 1.5
    fixed = open_onnx_weights(write_onnx(tmp_path / "f.onnx"), "depth")
    assert fixed.for_frames(500, 500) is fixed and (fixed.fit.width, fixed.fit.height) == (64, 32)


def test_an_export_says_all_of_itself(tmp_path: Path) -> None:
    metric = MetricScale(factor=3.0, spread=0.02, witness="height 1.65 m")
    about = description(metric=metric, scale="metric", metres_per_unit=1.0, crop=Crop.parse("1,2,3,4"), depth_is="ray")
    model = open_onnx_weights(write_exported(tmp_path / "m.onnx", described=about))
    assert (model.scale, model.metres_per_unit, model.metric) == ("metric", 1.0, metric)
    assert (model.fit.width, model.fit.height, model.fit.crop, model.fit.rectify) == (64, 32, about.crop, True)
    assert (model.camera, model.depth_range, model.depth_is) == (about.camera, about.depth_range, "ray")


def test_an_export_is_not_scaled_by_its_factor_once_more(tmp_path: Path, image: np.ndarray) -> None:
    about = description(metric=MetricScale(factor=3.0, spread=0.02, witness="w"), scale="metric", metres_per_unit=1.0)
    model = open_onnx_weights(write_exported(tmp_path / "m.onnx", described=about))
    np.testing.assert_allclose(model.disparity(image), 0.3 - 0.2 * (image / 255).mean(-1), rtol=1e-4)


POSE = {"kind": "pose", "inputs": {FIRST: PORT, SECOND: PORT}, "outputs": {MOTION: PORT}}
BAD: dict[str, tuple[Callable[[Path], object], Quantity | None, str]] = {
    "unsaid": (write_onnx, None, "nobody says what .*--predictions-are disparity or depth or depth-metres"),
    "said twice": (write_exported, "depth", "says itself.*leave the option out"),
    "text": (lambda path: path.write_text("no model"), "depth", "cannot be read: .*m.onnx"),
    "a broken description": (lambda path: write_onnx(path, about={"selfdepth": "{"}), None, "description cannot be"),
    "a pose network": (lambda path: write_exported(path, described=description(**POSE)), None, "pose network, which"),
    "no picture": (lambda path: write_onnx(path, shape=(1, 1, 8, 8)), "depth", "cannot be a MODEL.*got 1x1x8x8"),
    "no size": (lambda path: write_onnx(path, shape=(1, 3, 28, "w")), "depth", "--network-takes"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_cannot_be_a_model_is_one_sentence(tmp_path: Path, name: str) -> None:
    make, gives, words = BAD[name]
    make(tmp_path / "m.onnx")
    with pytest.raises(SelfDepthError, match=words):
        open_onnx_weights(tmp_path / "m.onnx", gives)


@pytest.mark.parametrize(
    ("device", "precision", "words"),
    [("cpu", "bf16", "its own precision: --precision; got bf16"), ("nonsense", "auto", "device cannot be used")],
)
def test_a_device_or_precision_that_it_cannot_have_is_refused(
    tmp_path: Path, device: str, precision: Any, words: str
) -> None:
    model = open_onnx_weights(write_onnx(tmp_path / "m.onnx"), "depth")
    assert device_of_onnx(model, "cpu", "fp32").type == "cpu"
    with pytest.raises(SelfDepthError, match=words):
        device_of_onnx(model, device, precision)


def test_a_disparity_up_to_a_shift_may_have_any_sign(tmp_path: Path, image: np.ndarray) -> None:
    below = open_onnx_weights(write_onnx(tmp_path / "below.onnx", shift=-1.0), "disparity-affine").disparity(image)
    above = open_onnx_weights(write_onnx(tmp_path / "above.onnx", shift=9.0), "disparity-affine").disparity(image)
    assert below.min() > 0
    np.testing.assert_allclose(below, above, rtol=1e-3, atol=1e-4)


def test_the_colours_that_are_said_are_those_that_it_gets(tmp_path: Path) -> None:
    # A network that looks at the first of the three colours alone, and gives it as it is.
    reddish = np.full((32, 64, 3), (255, 51, 0), np.uint8)
    path = write_onnx(tmp_path / "first.onnx", scale=1.0, shift=0.0, channels=1)
    given = {"unit": 1.0, "unit-bgr": 0.0, "bytes": 255.0, "bytes-bgr": 0.0, "symmetric-bgr": -1.0}
    for word, first in given.items():
        network, _ = open_network(path, NetworkInput.parse(f"64x32,{word}"))
        assert network(reddish)[0, 0] == pytest.approx(first, abs=1e-4)


def test_a_size_that_is_said_is_that_of_a_network_of_any_size(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "any.onnx", shape=(1, 3, "h", "w"))
    opened = open_onnx_weights(path, "disparity", NetworkInput("96x64"))
    assert (opened.fit.width, opened.fit.height) == (96, 64) and opened.for_frames(500, 300) is opened
    with pytest.raises(ConfigError, match="takes another size: --network-takes"):
        open_onnx_weights(write_onnx(tmp_path / "fixed.onnx"), "disparity", NetworkInput("96x64"))
    with pytest.raises(ConfigError, match="says itself what it takes"):
        open_onnx_weights(write_exported(tmp_path / "ours.onnx"), None, NetworkInput("96x64"))
