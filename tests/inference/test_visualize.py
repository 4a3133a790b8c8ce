"""Pictures of disparity, masks and errors."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest

from selfdepth.inference.visualize import (
    colorize_disparity,
    colour_range,
    draw_mask,
    error_map,
    side_by_side,
    smooth_range,
    strip,
)


def test_near_is_bright_and_far_is_dark() -> None:
    disparity = np.linspace(0.01, 1, 200, dtype=np.float32).reshape(10, 20)
    brightness = colorize_disparity(disparity).astype(int).sum(-1).ravel()
    assert (np.diff(brightness) >= 0).all() and brightness[0] < 20 < 500 < brightness[-1]


def test_colours_are_those_of_magma_pixel_by_pixel() -> None:
    disparity = np.random.default_rng(0).random((6, 7)).astype(np.float32)
    picture = colorize_disparity(disparity, low=0.2, high=0.8)
    magma = matplotlib.colormaps["magma"]
    for row in range(6):
        for column in range(7):
            level = min(max(int((disparity[row, column] - np.float32(0.2)) * (255 / (0.8 - 0.2))), 0), 255)
            assert tuple(picture[row, column]) == tuple(magma(level, bytes=True)[:3])


def test_one_extreme_pixel_does_not_take_the_colours() -> None:
    disparity = np.linspace(0.1, 1, 10_000, dtype=np.float32).reshape(100, 100)
    spiked = disparity.copy()
    spiked[3, 3] = 1e6
    assert np.allclose(colour_range(spiked), colour_range(disparity), rtol=1e-3)


def test_a_flat_disparity_is_painted_without_a_warning() -> None:
    with np.errstate(all="raise"):
        picture = colorize_disparity(np.full((4, 5), 0.3, np.float32))
    assert picture.shape == (4, 5, 3) and picture.dtype == np.uint8


def test_the_colours_of_a_video_follow_slowly() -> None:
    assert smooth_range(None, (0.1, 0.5)) == (0.1, 0.5)
    colours = (0.0, 1.0)
    for _ in range(3):
        colours = smooth_range(colours, (1.0, 2.0), memory=0.5)
    assert colours == pytest.approx((0.875, 1.875))


def test_wide_pictures_are_stacked_and_upright_ones_stand_side_by_side() -> None:
    wide, upright = np.zeros((4, 6, 3), np.uint8), np.zeros((6, 4, 3), np.uint8)
    assert side_by_side(wide, wide + 1).shape == (8, 6, 3)
    assert side_by_side(wide, wide + 1)[0, 0, 0] == 0
    assert side_by_side(upright, upright + 1).shape == (6, 8, 3)


def test_the_mask_is_white_where_pixels_count() -> None:
    mask = draw_mask(np.array([[1, 0]], np.float32))
    assert mask.tolist() == [[[255] * 3, [0] * 3]]


def test_errors_are_bright_and_unknown_pixels_grey() -> None:
    truth = np.zeros((9, 20), np.float32)
    truth[4, 4], truth[4, 15] = 10, 10
    pred = np.full((9, 20), 10, np.float32)
    pred[4, 15] = 20
    with np.errstate(all="raise"):
        picture = error_map(pred, truth)
    assert picture[0, 0].tolist() == [64, 64, 64]
    assert picture[4, 4].sum() < 20 and picture[4, 15].sum() > 500
    assert np.array_equal(picture[3, 14], picture[4, 15]), "a single point is drawn three pixels wide"


def test_a_strip_puts_pictures_of_any_size_in_a_row_or_column() -> None:
    small, large = np.zeros((20, 30, 3), np.uint8), np.full((40, 60, 3), 200, np.uint8)
    assert strip([small, large], gap_px=4).shape == (20, 30 + 4 + 30, 3)
    assert strip([small, large], column=True, gap_px=2).shape == (20 + 2 + 20, 30, 3)
    labelled = strip([small, large], ["input", "disparity"])
    assert labelled.shape[0] > 20 and labelled.shape[1] == 64
    assert labelled.min() == 0 and labelled[:15].max() == 255
