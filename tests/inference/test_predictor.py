"""Depth from images with a trained model."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError
from PIL import Image

from selfdepth.errors import CheckpointError, ConfigError, DataError
from selfdepth.geometry.camera import Camera, resize
from selfdepth.geometry.depth_range import DepthRange
from selfdepth.inference.predictor import Predictor, load
from selfdepth.weights.files import depth_network, load_weights


@pytest.fixture(scope="module")
def predictor(model: Path) -> Predictor:
    return load(model, device="cpu", precision="fp32")


def _image(height: int, width: int, seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


@pytest.mark.parametrize(("height", "width"), [(64, 96), (100, 150), (37, 211), (128, 64)])
def test_the_prediction_has_the_resolution_of_the_image(predictor: Predictor, height: int, width: int) -> None:
    prediction = predictor.predict(_image(height, width))
    assert prediction.depth.shape == prediction.disparity.shape == (height, width)
    assert prediction.depth.dtype == prediction.disparity.dtype == np.float32
    assert prediction.scale == "relative"


def test_depth_is_one_over_disparity_and_within_the_range_of_the_model(predictor: Predictor) -> None:
    prediction = predictor.predict(_image(70, 90))
    assert np.array_equal(prediction.depth, 1 / prediction.disparity)
    assert prediction.depth.min() >= 0.0999 and prediction.depth.max() <= 100.001


def test_an_image_of_the_training_size_gives_the_network_s_own_depth(predictor: Predictor, model: Path) -> None:
    image = _image(64, 96)
    with torch.no_grad():
        frame = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
        expected = DepthRange(0.1, 100.0).depth(depth_network(load_weights(model))(frame)[0])
    np.testing.assert_allclose(predictor.predict(image).depth, expected[0, 0].numpy(), rtol=1e-4)


def test_the_disparity_of_a_larger_image_is_that_of_the_resized_one_interpolated(predictor: Predictor) -> None:
    image = _image(128, 192)
    small, _ = resize(image, Camera.from_fov(60.0, width=192, height=128), width=96, height=64)
    coarse, fine = predictor.predict(small).disparity, predictor.predict(image).disparity
    # Half-pixel centres, factor two: pixel 1 lies a quarter of the way from coarse pixel 0 to 1.
    middle = 0.75 * (0.75 * coarse[0, 0] + 0.25 * coarse[0, 1]) + 0.25 * (0.75 * coarse[1, 0] + 0.25 * coarse[1, 1])
    np.testing.assert_allclose(fine[1, 1], middle, rtol=1e-5)
    np.testing.assert_allclose(fine[0, 0], coarse[0, 0], rtol=1e-5)


def test_files_pil_images_and_arrays_give_the_same(predictor: Predictor, tmp_path: Path) -> None:
    image = _image(50, 80)
    Image.fromarray(image).save(tmp_path / "street.png")
    kinds = (image, Image.fromarray(image), tmp_path / "street.png", str(tmp_path / "street.png"))
    depths = [predictor.predict(kind).depth for kind in kinds]
    assert all(np.array_equal(depth, depths[0]) for depth in depths)


def test_a_batch_of_different_sizes_equals_single_predictions(predictor: Predictor) -> None:
    images = [_image(64, 96, 1), _image(50, 120, 2), _image(200, 90, 3)]
    for together, image in zip(predictor.predict_batch(images), images, strict=True):
        np.testing.assert_allclose(together.depth, predictor.predict(image).depth, rtol=1e-4)
    assert predictor.predict_batch([]) == []


def test_a_stream_keeps_the_order_and_reads_no_more_than_a_batch_ahead(predictor: Predictor) -> None:
    read = []

    def frames():
        for seed in range(5):
            read.append(seed)
            yield _image(40 + seed, 60, seed)

    stream = predictor.predict_stream(frames(), batch_size=2)
    assert read == []
    assert next(stream).depth.shape[0] == 40
    assert read == [0, 1]
    assert [prediction.depth.shape[0] for prediction in stream] == [41, 42, 43, 44]


def test_the_training_camera_is_passed_on_where_the_aspect_fits(predictor: Predictor) -> None:
    camera = predictor.predict(_image(128, 192)).camera
    assert camera == Camera(fx=160.0, fy=162.0, cx=94.5, cy=60.5, width=192, height=128)
    assert predictor.predict(_image(128, 193)).camera is not None
    assert predictor.predict(_image(128, 200)).camera is None


def test_a_camera_that_is_given_is_passed_on(predictor: Predictor) -> None:
    camera = Camera.from_fov(70.0, width=80, height=40)
    assert predictor.predict(_image(40, 80), camera).camera == camera
    with pytest.raises(DataError, match="expected a camera for 80x41; got 80x40"):
        predictor.predict(_image(41, 80), camera)


def test_a_model_trained_on_cropped_frames_gives_whole_ones_no_camera(model: Path) -> None:
    weights = load_weights(model)
    cropped = dataclasses.replace(weights, config=dataclasses.replace(weights.config, crop="0,10,0,0"))
    assert Predictor(cropped, device="cpu").predict(_image(64, 96)).camera is None


def test_devices_and_precisions_that_are_not_there_are_refused(model: Path) -> None:
    with pytest.raises(ConfigError, match=r"--device.*abacus"):
        Predictor.load(model, device="abacus")
    with pytest.raises(ConfigError, match="--device"):
        Predictor.load(model, device="cuda:63")
    with pytest.raises((ConfigError, TypeCheckError), match="fp8"):
        Predictor.load(model, device="cpu", precision="fp8")  # type: ignore[arg-type]
    with pytest.raises(CheckpointError):
        Predictor.load("nowhere")


def test_bf16_is_close_to_fp32(predictor: Predictor, model: Path) -> None:
    image = _image(64, 96)
    low = Predictor.load(model, device="cpu", precision="bf16")
    assert low.precision == "bf16"
    coarse = low.predict(image)
    assert coarse.depth.dtype == np.float32
    np.testing.assert_allclose(coarse.depth, predictor.predict(image).depth, rtol=0.05)


def test_predicting_changes_no_global_state(predictor: Predictor) -> None:
    before = (torch.is_grad_enabled(), torch.get_num_threads(), torch.get_default_dtype(), torch.get_rng_state())
    predictor.predict(_image(64, 96))
    after = (torch.is_grad_enabled(), torch.get_num_threads(), torch.get_default_dtype(), torch.get_rng_state())
    assert before[:3] == after[:3] and torch.equal(before[3], after[3])
