"""Frames are decoded no larger than they need to be, and the camera stays exact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray
from PIL import Image

from selfdepth.data.readers.folders import open_folder
from selfdepth.data.readers.images import ImageSequence
from selfdepth.errors import DataError
from selfdepth.geometry.crop import NO_CROP, Crop
from selfdepth.geometry.crop_resize import CropResize

WIDTH, HEIGHT = 411, 203  # odd, so that no reduction divides them


def picture() -> ndarray:
    """Two ramps and a smooth pattern: a shift of the image by a pixel changes every value."""
    v, u = np.mgrid[0:HEIGHT, 0:WIDTH]
    waves = 127 + 90 * np.sin(u / 29) * np.cos(v / 23)
    return np.stack([u * 255 / WIDTH, v * 255 / HEIGHT, waves], axis=-1).astype(np.uint8)


def sequence(folder: Path, suffix: str) -> ImageSequence:
    for number in range(3):
        Image.fromarray(picture()).save(folder / f"{number}.{suffix}", **({"quality": 98} if suffix == "jpg" else {}))
    return open_folder(folder, camera="fov:70")


@pytest.mark.parametrize(
    ("size", "crop", "reduction"),
    [
        ((320, 160), NO_CROP, 1),
        ((192, 96), NO_CROP, 2),
        ((96, 32), NO_CROP, 4),
        ((32, 32), NO_CROP, 4),
        ((32, 16), NO_CROP, 8),
        ((96, 32), Crop(top=11, bottom=31, left=5, right=102), 2),
    ],
    ids=str,
)
def test_a_jpeg_is_decoded_as_small_as_serves_and_shows_the_same(
    tmp_path: Path, size: tuple[int, int], crop: Crop, reduction: int
) -> None:
    frames = sequence(tmp_path, "jpg")
    fit = CropResize(width=size[0], height=size[1], crop=crop)
    assert fit.reduction(frames.camera) == reduction
    small = next(frames.read_reduced((1,), reduction))
    assert small.shape[:2] == (-(-HEIGHT // reduction), -(-WIDTH // reduction))
    got, camera = fit.reduced(small, frames.camera)
    wanted, same_camera = fit(next(frames.read((1,))), frames.camera)
    assert camera == same_camera == fit.camera(frames.camera)
    got, wanted = got.astype(float), wanted.astype(float)
    assert np.abs(got - wanted).mean() < 1.0
    assert np.abs(got - wanted)[1:-1, 1:-1].max() < 6, "half a pixel more would be seen in the ramps"


def test_other_files_are_decoded_whole(tmp_path: Path) -> None:
    frames = sequence(tmp_path, "png")
    fit = CropResize(width=96, height=32)
    image = next(frames.read_reduced((1,), 4))
    assert image.shape == (HEIGHT, WIDTH, 3)
    np.testing.assert_array_equal(fit.reduced(image, frames.camera)[0], fit(image, frames.camera)[0])


def test_a_jpeg_of_another_size_is_refused_at_every_reduction(tmp_path: Path) -> None:
    frames = sequence(tmp_path, "jpg")
    Image.fromarray(picture()[:-40]).save(tmp_path / "1.jpg")
    for reduction in (1, 2, 4, 8):
        with pytest.raises(DataError, match=r"1\.jpg"):
            list(frames.read_reduced((0, 1), reduction))
