"""What a prediction may be given, as pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from jaxtyping import TypeCheckError
from PIL import Image

from selfdepth.errors import DataError
from selfdepth.inference.pixels import as_pixels


def test_a_file_a_picture_and_an_array_are_the_same_pixels(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 80, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "street.png")
    for kind in (pixels, pixels[:, ::-1][:, ::-1], Image.fromarray(pixels), tmp_path / "street.png"):
        found = as_pixels(kind)
        assert np.array_equal(found, pixels)
        assert found.flags.c_contiguous


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (np.zeros((40, 60, 3), np.float32), "float32 of shape"),
        (np.zeros((40, 60), np.uint8), r"uint8 of shape \(40, 60\)"),
        (np.zeros((40, 60, 4), np.uint8), r"uint8 of shape \(40, 60, 4\)"),
        (np.zeros((15, 60, 3), np.uint8), "too small.*got 60x15"),
        (np.zeros((0, 60, 3), np.uint8), "too small"),
        (Image.new("RGB", (3, 3)), "too small"),
        ("no/such/image.png", "no/such/image.png"),
    ],
)
def test_what_is_no_image_is_refused_in_one_sentence(image, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        as_pixels(image)


@pytest.mark.parametrize("thing", [None, [[1, 2], [3, 4]], 7])
def test_what_is_neither_file_nor_pixels_is_refused(thing) -> None:
    with pytest.raises((DataError, TypeCheckError)):
        as_pixels(thing)
