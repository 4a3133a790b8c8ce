"""What is cut off an image is read, written, and measured in one way."""

from __future__ import annotations

import numpy as np
import pytest

from selfdepth.errors import ConfigError, DataError
from selfdepth.geometry.crop import Crop


def test_what_is_written_is_read_back() -> None:
    crop = Crop(top=1, bottom=2, left=3, right=4)
    assert str(crop) == "1,2,3,4"
    assert Crop.parse(str(crop)) == Crop.parse(" 1, 2,3 ,4") == crop


def test_only_a_crop_that_cuts_something_off_is_true() -> None:
    assert not Crop()
    assert all((Crop(top=1), Crop(bottom=1), Crop(left=1), Crop(right=1)))


def test_the_size_is_that_of_the_window() -> None:
    crop, image = Crop(top=1, bottom=2, left=3, right=0), np.zeros((6, 8))
    left = image[crop.window(8, 6)]
    assert crop.size_of(8, 6) == (left.shape[1], left.shape[0]) == (5, 3)


@pytest.mark.parametrize("crop", [Crop(top=3, bottom=3), Crop(left=9)])
def test_nothing_left_is_refused(crop: Crop) -> None:
    for question in (crop.size_of, crop.window):
        with pytest.raises(DataError, match=f"leaves nothing.*--crop.*8x6; got {crop}"):
            question(8, 6)


@pytest.mark.parametrize("side", ["top", "bottom", "left", "right"])
def test_a_crop_that_adds_pixels_is_refused(side: str) -> None:
    with pytest.raises(DataError, match=r"--crop.*got .*-1"):
        Crop(**{side: -1})


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "1,2,3,-4", "a,b,c,d", "1.5,0,0,0"])
def test_anything_else_than_four_whole_numbers_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--crop.*top,bottom,left,right"):
        Crop.parse(text)
