"""Image files: pixels, orientation, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray
from PIL import Image

from selfdepth.data.readers.folders import open_folder
from selfdepth.data.readers.images import image_size, read_image
from selfdepth.errors import DataError

CAMERA = "fov:60"


def _picture(width: int = 40, height: int = 30, seed: int = 0) -> ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)


def _save(folder: Path, *names: str, width: int = 40, height: int = 30) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        Image.fromarray(_picture(width, height, seed)).save(folder / name)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_upright(tmp_path: Path, orientation: int) -> None:
    upright = np.zeros((32, 48, 3), np.uint8)
    upright[:16, :16] = 255  # white at the top left
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.jpg"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif, quality=95)
    assert image_size(path) == (48, 32)
    np.testing.assert_allclose(read_image(path).astype(int), upright, atol=12)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1", "LA"])
def test_every_kind_of_pixel_becomes_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("image.tif" if mode == "CMYK" else "image.png")
    Image.new(mode, (8, 6)).save(path)
    image = read_image(path)
    assert (image.shape, image.dtype) == ((6, 8, 3), np.uint8)


def test_sixteen_bit_grey_keeps_its_range(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 32896, 65535]], np.uint16)).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(read_image(tmp_path / "deep.png")[0, :, 0], [0, 128, 255])


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "webp", "tif"])
def test_a_truncated_image_is_refused_by_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"frame.{suffix}"
    Image.fromarray(_picture(200, 100)).save(path)
    whole = path.read_bytes()
    for share in (0.9, 0.5, 0.0):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(DataError, match=path.name):
            read_image(path)


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\nrubbish", bytes(500)])
def test_a_file_that_is_not_an_image_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "frame.png"
    path.write_bytes(content)
    for read in (read_image, image_size):
        with pytest.raises(DataError, match=r"frame\.png"):
            read(path)


def test_a_missing_image_is_reported_as_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such image.*gone\.png"):
        read_image(tmp_path / "gone.png")


def test_an_image_of_another_size_is_refused_with_both_sizes(tmp_path: Path) -> None:
    _save(tmp_path, "1.png", "2.png", "3.png")
    _save(tmp_path, "4.png", width=50)
    sequence = open_folder(tmp_path, camera=CAMERA)
    with pytest.raises(DataError, match=r"4\.png; expected 40x30; got 50x30"):
        list(sequence.read(sequence.numbers))
