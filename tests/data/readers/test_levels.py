"""Levels of 16-bit grey: stretched for a whole sequence where it uses few of them, and said."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selfdepth.data.readers.levels import levels_of_files, stretched
from selfdepth.data.readers.pictures import ALL_LEVELS
from selfdepth.errors import SelfDepthWarning


def _write(folder: Path, *ranges: tuple[int, int]) -> list[Path]:
    files = []
    for number, (low, high) in enumerate(ranges):
        values = np.linspace(low, high, 64 * 48).astype(np.uint16).reshape(48, 64)
        files.append(folder / f"{number}.png")
        Image.fromarray(values).save(files[-1])
    return files


@pytest.mark.parametrize(("low", "high"), [(7000, 8968), (0, 4095), (0, 16383), (60000, 64000)])
def test_a_small_range_is_stretched_for_the_whole_sequence(tmp_path: Path, low: int, high: int) -> None:
    middle = (low + high) // 2
    files = _write(tmp_path, (low, middle), (low, middle), (middle, high))
    with pytest.warns(SelfDepthWarning, match=r"use the values \d+ to \d+ only: these are stretched"):
        black, white = levels_of_files(files, tmp_path)
    assert black == pytest.approx(low, abs=(high - low) / 100) and white == pytest.approx(high, abs=(high - low) / 100)


@pytest.mark.parametrize(("low", "high"), [(0, 65535), (20000, 50000), (0, 20000)])
def test_a_large_range_is_left_as_it_is(tmp_path: Path, low: int, high: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert levels_of_files(_write(tmp_path, (low, high)), tmp_path) == ALL_LEVELS


def test_dead_pixels_and_missing_measurements_do_not_widen_the_range() -> None:
    values = np.full((100, 100), 8000, np.uint16)
    values[:50] = 7000
    values[0, :] = 0
    values[1, :] = 65535
    values[2, 0] = 40000
    with pytest.warns(SelfDepthWarning):
        assert stretched([values], Path("heat")) == (7000, 8000)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("value", [0, 65535])
def test_images_without_a_measurement_are_left_as_they_are(value: int) -> None:
    assert stretched([np.full((4, 4), value, np.uint16)], Path("heat")) == ALL_LEVELS


@pytest.mark.filterwarnings("ignore")
def test_one_value_alone_still_gives_two_levels() -> None:
    assert stretched([np.full((4, 4), 7000, np.uint16)], Path("heat")) == (7000, 7001)


def test_eight_bits_are_never_stretched(tmp_path: Path) -> None:
    Image.new("L", (8, 8), 3).save(tmp_path / "dark.png")
    assert levels_of_files([tmp_path / "dark.png"], tmp_path) == ALL_LEVELS
    assert levels_of_files([], tmp_path) == ALL_LEVELS
