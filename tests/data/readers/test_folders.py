"""Folders of images: which hold footage, the order of their images, and what is left out with a word."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray
from PIL import Image

from selfdepth.data.readers.folders import find_image_folders, open_folder
from selfdepth.errors import DataError

CAMERA = "fov:60"


def _picture(width: int = 40, height: int = 30, seed: int = 0) -> ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)


def _save(folder: Path, *names: str, width: int = 40, height: int = 30) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        Image.fromarray(_picture(width, height, seed)).save(folder / name)


def test_frames_come_in_natural_order_with_their_own_pixels(tmp_path: Path) -> None:
    _save(tmp_path, "frame1.png", "frame2.PNG", "frame10.png", "._frame3.png")
    sequence = open_folder(tmp_path, camera=CAMERA)
    assert sequence.names == ("frame1", "frame2", "frame10")
    assert (sequence.camera.width, sequence.camera.height) == (40, 30)
    for seed, image in enumerate(sequence.read(sequence.numbers)):
        np.testing.assert_array_equal(image, _picture(seed=seed))


def test_any_subset_can_be_read(tmp_path: Path) -> None:
    _save(tmp_path, "a.png", "b.png", "c.png", "d.png")
    images = list(open_folder(tmp_path, camera=CAMERA).read((1, 3)))
    np.testing.assert_array_equal(images, [_picture(seed=1), _picture(seed=3)])


@pytest.mark.parametrize("names", [(), ("1.png",), ("1.png", "2.png")])
def test_too_few_images_are_refused_with_their_count(tmp_path: Path, names: tuple[str, ...]) -> None:
    _save(tmp_path, *names)
    with pytest.raises(DataError, match=f"too few images.*got {len(names)}"):
        open_folder(tmp_path, camera=CAMERA)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        open_folder(tmp_path / "gone", camera=CAMERA)


def test_equal_stems_keep_their_suffixes_so_that_names_stay_different(tmp_path: Path) -> None:
    _save(tmp_path, "1.png", "1.bmp", "2.png")
    assert open_folder(tmp_path, camera=CAMERA).names == ("1.bmp", "1.png", "2")


def test_folders_with_images_are_found_below_and_masks_beside_images_are_not(tmp_path: Path) -> None:
    _save(tmp_path / "drive10" / "data", "1.png")
    _save(tmp_path / "drive2", "1.png")
    _save(tmp_path / "drive2" / "masks", "1.png")
    found = [folder.relative_to(tmp_path).as_posix() for folder in find_image_folders(tmp_path)]
    assert found == ["drive2", "drive10/data"]
