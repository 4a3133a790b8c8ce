"""Sequences of image files: what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray
from PIL import Image

from selfdepth.data.readers.folders import open_folder
from selfdepth.errors import DataError

CAMERA = "fov:60"


def _picture(width: int = 40, height: int = 30, seed: int = 0) -> ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)


def _save(folder: Path, *names: str, width: int = 40, height: int = 30) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        Image.fromarray(_picture(width, height, seed)).save(folder / name)


def test_an_image_of_another_size_is_refused_with_both_sizes(tmp_path: Path) -> None:
    _save(tmp_path, "1.png", "2.png", "3.png")
    _save(tmp_path, "4.png", width=50)
    sequence = open_folder(tmp_path, camera=CAMERA)
    with pytest.raises(DataError, match=r"4\.png; expected 40x30; got 50x30"):
        list(sequence.read(sequence.numbers))


@pytest.mark.parametrize("reduction", [1, 2])
def test_an_image_of_another_size_is_refused_before_it_is_decoded(tmp_path: Path, reduction: int) -> None:
    _save(tmp_path, "1.png", "2.png", "3.png")
    sequence = open_folder(tmp_path, camera=CAMERA)
    _save(tmp_path, "2.png", width=50)
    content = (tmp_path / "2.png").read_bytes()
    (tmp_path / "2.png").write_bytes(content[:60])  # no more than the header
    with pytest.raises(DataError, match=r"2\.png; expected 40x30; got 50x30"):
        list(sequence.read_reduced(sequence.numbers, reduction))
