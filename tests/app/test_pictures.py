"""The pictures of the page: their size, marks where they belong, and a legend that tells metres only if known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selfdepth.app.pictures import (
    LONGEST_SIDE_PX,
    depth_of,
    describe_colours,
    photo_of,
    shown_size,
    with_marks,
    write_jpeg,
)
from selfdepth.structs import DepthPrediction


@pytest.mark.parametrize("size", [(16, 16), (640, 192), (1242, 375), (8000, 6000), (6000, 8000), (5000, 17)])
def test_pictures_fit_the_page_and_keep_their_aspect(size: tuple[int, int]) -> None:
    width, height = shown_size(*size)
    assert LONGEST_SIDE_PX[0] <= max(width, height) <= LONGEST_SIDE_PX[1]
    assert height == pytest.approx(width * size[1] / size[0], abs=1)


def test_a_photo_and_its_depth_have_one_size() -> None:
    disparity = np.linspace(0.1, 1, 30 * 50, dtype=np.float32).reshape(30, 50)
    prediction = DepthPrediction(depth=1 / disparity, disparity=disparity, scale="relative", camera=None)
    photo, depth = photo_of(np.zeros((30, 50, 3), np.uint8)), depth_of(prediction)
    assert photo.size == depth.size
    brightness = np.asarray(depth.convert("L"), dtype=float)
    assert brightness[-1].mean() > brightness[0].mean() + 100  # near is bright


def test_marks_lie_around_the_pixels_and_nowhere_else() -> None:
    photo = Image.new("RGB", (960, 480))
    marked = np.asarray(with_marks(photo, [(25, 10)], (100, 50))).any(2)
    rows, columns = np.nonzero(marked)
    assert abs(columns.mean() - (25.5 * 9.6 - 0.5)) < 1
    assert abs(rows.mean() - (10.5 * 9.6 - 0.5)) < 1
    assert np.ptp(columns) < 50
    assert not np.asarray(photo).any()


def test_two_marks_are_joined_by_a_line() -> None:
    marked = np.asarray(with_marks(Image.new("RGB", (960, 480)), [(10, 25), (90, 25)], (100, 50))).any(2)
    assert marked[245, 100:860].all()


def test_the_ends_of_the_scale_are_metres_only_where_they_are_known() -> None:
    disparity = np.linspace(0.1, 1, 1000, dtype=np.float32).reshape(20, 50)
    prediction = DepthPrediction(depth=1 / disparity, disparity=disparity, scale="relative", camera=None)
    assert describe_colours(prediction, None) == ("far", "near")
    far, near = describe_colours(prediction, 2.0)
    assert float(far.split()[1]) == pytest.approx(2 / np.percentile(disparity, 2), rel=0.01)
    assert float(near.split()[1]) == pytest.approx(2 / np.percentile(disparity, 95), rel=0.01)


def test_a_picture_is_written_whole(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "a" / "photo.jpg", Image.new("RGB", (64, 32), "red"))
    with Image.open(tmp_path / "a" / "photo.jpg") as picture:
        assert (picture.format, picture.size) == ("JPEG", (64, 32))
