"""Orientations: what EXIF and display matrices mean."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from selfdepth.data.readers.orientation import EXIF, UPRIGHT, Orientation, exif_of_png, of_display_matrix

STORED = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)


@pytest.mark.parametrize("value", range(1, 9))
def test_exif_means_what_pillow_says(value: int) -> None:
    image = Image.fromarray(STORED)
    image.getexif()[0x0112] = value
    expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(EXIF[value].apply(STORED), expected)
    assert EXIF[value].size(4, 2) == (expected.shape[1], expected.shape[0])


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ((1, 0, 0, 0, 1), UPRIGHT),
        ((-1, 0, 0, 0, 1), Orientation(flip_x=True)),
        ((-1, 0, 0, 0, -1), Orientation(flip_x=True, flip_y=True)),
        ((0, 1, 0, -1, 0), Orientation(transpose=True, flip_x=True)),
        ((0, -1, 0, 1, 0), Orientation(transpose=True, flip_y=True)),
        ((0, 1, 0, 1, 0), Orientation(transpose=True)),
    ],
)
def test_a_display_matrix_is_read_by_its_signs(matrix: tuple[int, ...], expected: Orientation) -> None:
    assert of_display_matrix(np.array([*matrix, 0, 0, 0, 1], np.int32).tobytes()) == expected


def test_a_display_matrix_that_is_cut_off_is_none() -> None:
    assert of_display_matrix(b"\x00" * 8) == UPRIGHT


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([_chunk(b"IHDR", bytes(13)), _chunk(b"eXIf", b"MM"), _chunk(b"IDAT", bytes(100))], b"MM"),
        ([_chunk(b"IDAT", bytes(100)), _chunk(b"eXIf", b"MM"), _chunk(b"IEND", b"")], b"MM"),
        ([_chunk(b"IDAT", bytes(100)), _chunk(b"IEND", b""), _chunk(b"eXIf", b"MM")], None),
        ([_chunk(b"IDAT", bytes(100))], None),
        ([_chunk(b"IDAT", bytes(100))[:50]], None),
        ([b"\xff\xff\xff\xffeXIf"], None),
        ([b"\x00\x00"], None),
    ],
)
def test_the_exif_of_a_png_is_found_behind_its_pixels_and_the_position_kept(
    chunks: list[bytes], expected: bytes | None
) -> None:
    file = io.BytesIO(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    file.seek(5)
    assert exif_of_png(file) == expected
    assert file.tell() == 5
