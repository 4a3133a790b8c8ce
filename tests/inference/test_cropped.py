"""Frames of the training's own size are cropped as they were there, and their camera with them; others stay whole."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from selfdepth.geometry.camera import Camera
from selfdepth.inference.cropped import cropped_as_trained
from selfdepth.inference.save import FrameSource
from selfdepth.weights.files import LoadedWeights, load_weights

W, H = 96, 64


@pytest.fixture
def weights(model: Path) -> LoadedWeights:
    """Of frames of 96x64 pixels, of which 8 rows at the top, 4 at the bottom, 10 columns left and 2 right were cut."""
    loaded = load_weights(model)
    return dataclasses.replace(loaded, config=dataclasses.replace(loaded.config, crop="8,4,10,2"))


def image(width: int = W, height: int = H) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


def source(*images: np.ndarray, camera: Camera | None = None) -> FrameSource:
    return FrameSource(
        name="drive",
        names=tuple(map(str, range(len(images)))),
        read=lambda: iter(images),
        first_size=(images[0].shape[1], images[0].shape[0]),
        camera_for=lambda width, height: camera if camera and (width, height) == (W, H) else None,
    )


def test_the_part_that_the_model_knows_is_shown_to_it(weights: LoadedWeights) -> None:
    whole = image()
    cropped = cropped_as_trained(source(whole), weights)
    assert cropped.first_size == (84, 52)
    (shown,) = cropped.read()
    assert np.array_equal(shown, whole[8:60, 10:94])


def test_the_camera_follows_whether_it_was_given_or_is_the_models(weights: LoadedWeights) -> None:
    given = Camera(fx=70.0, fy=71.0, cx=40.0, cy=30.0, width=W, height=H)
    assert weights.camera is not None
    for camera, used in ((given, given), (None, weights.camera)):
        found = cropped_as_trained(source(image(), camera=camera), weights).camera_for(84, 52)
        assert found == dataclasses.replace(used, cx=used.cx - 10, cy=used.cy - 8, width=84, height=52)


def test_frames_of_another_size_stay_whole(weights: LoadedWeights) -> None:
    other = source(image(100, 64))
    assert cropped_as_trained(other, weights) is other
    mixed = source(image(), image(100, 64))
    assert [shown.shape[:2] for shown in cropped_as_trained(mixed, weights).read()] == [(52, 84), (64, 100)]
    assert cropped_as_trained(mixed, weights).camera_for(100, 64) is None


def test_without_a_crop_or_a_known_size_nothing_is_cut(weights: LoadedWeights) -> None:
    whole = source(image())
    uncropped = dataclasses.replace(weights, config=dataclasses.replace(weights.config, crop=None))
    assert cropped_as_trained(whole, uncropped) is whole
    assert cropped_as_trained(whole, dataclasses.replace(weights, camera=None)) is whole
