"""Raw images of ROS's encodings as RGB."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy import ndarray

from selfdepth.data.readers.pixel_formats import FORMATS, PATTERNS, demosaic, format_of, rgb_of_raw, to_8_bits
from selfdepth.errors import DataError

RGB = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
ALPHA = np.full((6, 8, 1), 9, np.uint8)


def decode(values: ndarray, encoding: str, *, big_endian: bool = False, padding: int = 0) -> ndarray:
    """Through bytes, with some bytes after each row."""
    rows = np.frombuffer(values.tobytes(), np.uint8).reshape(values.shape[0], -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    size = (RGB.shape[1], RGB.shape[0])
    return rgb_of_raw(
        rows.ravel(), encoding=encoding, size=size, step=rows.shape[1], big_endian=big_endian, where="topic /a"
    )


SAME = {
    "rgb8": RGB,
    "bgr8": RGB[..., ::-1],
    "8UC3": RGB[..., ::-1],
    "rgba8": np.concatenate([RGB, ALPHA], -1),
    "bgra8": np.concatenate([RGB[..., ::-1], ALPHA], -1),
    "8UC4": np.concatenate([RGB[..., ::-1], ALPHA], -1),
    "rgb16": RGB.astype("<u2") * 257,
    "bgr16": RGB[..., ::-1].astype("<u2") * 257,
}


@pytest.mark.parametrize("encoding", SAME)
@pytest.mark.parametrize("padding", [0, 5])
def test_colours_come_back_in_their_order_whatever_follows_a_row(encoding: str, padding: int) -> None:
    np.testing.assert_array_equal(decode(SAME[encoding], encoding, padding=padding), RGB)


@pytest.mark.parametrize("encoding", ["mono8", "8UC1"])
def test_grey_is_the_same_in_all_channels(encoding: str) -> None:
    grey = np.ascontiguousarray(RGB[..., 0])
    np.testing.assert_array_equal(decode(grey, encoding, padding=3), np.repeat(grey[..., None], 3, -1))


def test_the_high_byte_comes_first_if_the_message_says_so() -> None:
    grey = np.arange(48, dtype=np.uint16).reshape(6, 8) * 1300
    little, big = decode(grey.astype("<u2"), "mono16"), decode(grey.astype(">u2"), "mono16", big_endian=True)
    np.testing.assert_array_equal(little, big)
    np.testing.assert_allclose(little[..., 0], grey / 257, atol=0.5 + 1e-9)


def test_sixteen_bits_become_the_nearest_of_eight() -> None:
    values = np.arange(65536, dtype=np.uint16)
    np.testing.assert_array_equal(to_8_bits(values), np.floor(values / 257 + 0.5).astype(np.uint8))


@pytest.mark.parametrize(
    ("encoding", "code"),
    [
        ("yuv422", cv2.COLOR_YUV2RGB_UYVY),
        ("uyvy", cv2.COLOR_YUV2RGB_UYVY),
        ("yuv422_yuy2", cv2.COLOR_YUV2RGB_YUY2),
        ("yuyv", cv2.COLOR_YUV2RGB_YUY2),
    ],
)
def test_pairs_of_pixels_with_shared_colour_are_as_opencv_converts_them(encoding: str, code: int) -> None:
    pairs = np.random.default_rng(1).integers(0, 256, (6, 8, 2), dtype=np.uint8)
    # OpenCV computes in integers, and clips what is darker than black or brighter than white first.
    expected = cv2.cvtColor(pairs, code).astype(int)
    found = decode(pairs, encoding).astype(int)
    bright = pairs[..., 1] if encoding in ("yuv422", "uyvy") else pairs[..., 0]
    assert np.abs(found - expected)[bright >= 16].max() <= 2


CODES = {
    "rggb": cv2.COLOR_BayerBG2RGB,
    "bggr": cv2.COLOR_BayerRG2RGB,
    "gbrg": cv2.COLOR_BayerGR2RGB,
    "grbg": cv2.COLOR_BayerGB2RGB,
}


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("bits", [8, 16])
def test_a_mosaic_is_interpolated_as_opencv_does(pattern: str, bits: int) -> None:
    mosaic = np.random.default_rng(2).integers(0, 2**bits, (10, 12)).astype(np.uint8 if bits == 8 else np.uint16)
    expected = cv2.cvtColor(mosaic, CODES[pattern]).astype(int)
    np.testing.assert_allclose(demosaic(mosaic, pattern).astype(int)[1:-1, 1:-1], expected[1:-1, 1:-1], atol=1)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_mosaic_of_one_colour_is_that_colour_to_its_border(pattern: str) -> None:
    colour = {"r": 200, "g": 90, "b": 17}
    cell = np.array([[colour[pattern[0]], colour[pattern[1]]], [colour[pattern[2]], colour[pattern[3]]]], np.uint8)
    mosaic = np.tile(cell, (3, 4))
    np.testing.assert_array_equal(demosaic(mosaic, pattern), np.broadcast_to(np.uint8([200, 90, 17]), (6, 8, 3)))
    np.testing.assert_array_equal(decode(mosaic, f"bayer_{pattern}8"), demosaic(mosaic, pattern))


@pytest.mark.parametrize(
    ("encoding", "words"),
    {
        "32FC1": "floating-point maps, not pictures",
        "64FC1": "floating-point maps, not pictures",
        "rgb10": r'encoding of the images is not known: topic /a; expected one of rgb8, .*; got "rgb10"; .*--topic',
        "": r"encoding of the images is not known",
        "x" * 5000: r'got "x{40}"',
    }.items(),
    ids=lambda value: str(value)[:12],
)
def test_other_encodings_are_refused_by_name(encoding: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        format_of(encoding, "topic /a")


@pytest.mark.parametrize(
    "size_and_step", [(8, 6, 23), (8, 7, 24), (10**6, 10**6, 3 * 10**6), (0, 6, 24), (8, 6, 2**31), (2**31, 1, 24)]
)
def test_fewer_bytes_than_the_size_needs_are_refused_before_anything_is_allocated(
    size_and_step: tuple[int, int, int],
) -> None:
    *size, step = size_and_step
    data = np.zeros(8 * 6 * 3, np.uint8)
    with pytest.raises(DataError, match=r"shorter than it says: topic /a; expected .*rows of at least"):
        rgb_of_raw(data, encoding="rgb8", size=(size[0], size[1]), step=step, big_endian=False, where="topic /a")


def test_pairs_of_pixels_need_an_even_width() -> None:
    with pytest.raises(DataError, match="even width"):
        rgb_of_raw(np.zeros(42, np.uint8), encoding="uyvy", size=(7, 3), step=14, big_endian=False, where="a")


def test_every_format_gives_rgb_of_eight_bits() -> None:
    for encoding, form in FORMATS.items():
        values = np.zeros((6, 8 * form.pixel_bytes), np.uint8)
        assert decode(values, encoding).shape == (6, 8, 3)
        assert decode(values, encoding).dtype == np.uint8
