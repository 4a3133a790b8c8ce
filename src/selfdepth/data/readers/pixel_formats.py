"""From the bytes of a raw image, in one of the encodings of ROS's sensor_msgs/Image, to RGB."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8, UInt16
from numpy import ndarray

from selfdepth.data.readers.pictures import ALL_LEVELS, Levels, grey_to_rgb
from selfdepth.errors import DataError


@dataclass(frozen=True, kw_only=True)
class PixelFormat:
    """How the pixels of an encoding are stored.

    Attributes:
        samples: numbers per pixel.
        bits: of each number, 8 or 16.
        convert: from the numbers, "h w samples", to RGB of the same bits, or to grey ("h w", 16 bits only).
    """

    samples: int
    bits: int
    convert: Callable[[ndarray], ndarray]

    @property
    def pixel_bytes(self) -> int:
        """Bytes per pixel."""
        return self.samples * self.bits // 8


def rgb_of_raw(
    data: UInt8[ndarray, "n"],
    *,
    encoding: str,
    size: tuple[int, int],
    step: int,
    big_endian: bool,
    levels: Levels = ALL_LEVELS,
    where: str,
) -> UInt8[ndarray, "h w 3"]:
    """The RGB pixels of a raw image. Grey becomes RGB, 16 bits become 8, transparency is dropped.

    Args:
        data: the bytes of the image.
        encoding: a name that `format_of` knows.
        size: width and height in pixels.
        step: bytes from one row to the next.
        big_endian: whether numbers of 16 bits come with their high byte first.
        levels: values of 16-bit grey that become black and white.
        where: of the image, for errors.

    Raises:
        DataError: for an encoding that is not known, or fewer bytes than the size needs.
    """
    pixels = raw_pixels(data, encoding=encoding, size=size, step=step, big_endian=big_endian, where=where)
    if pixels.dtype == np.uint16 and pixels.ndim == 2:
        return grey_to_rgb(pixels, levels)
    return to_8_bits(pixels) if pixels.dtype == np.uint16 else pixels


def raw_pixels(
    data: UInt8[ndarray, "n"], *, encoding: str, size: tuple[int, int], step: int, big_endian: bool, where: str
) -> ndarray:
    """RGB of 8 or 16 bits ("h w 3"), or 16-bit grey ("h w"). Arguments and errors as `rgb_of_raw`."""
    form, (width, height) = format_of(encoding, where), size
    row_bytes = width * form.pixel_bytes
    needed = step * (height - 1) + row_bytes
    if min(width, height) < 1 or step < row_bytes or data.size < needed:
        raise DataError(
            "the image is shorter than it says",
            where=where,
            expected=f"{width}x{height} in {encoding}: rows of at least {row_bytes} bytes, {row_bytes * height} in all",
            got=f"a step of {step} and {data.size} bytes",
            fix="record it again",
        )
    if form is _YUV_TOP or form is _YUV_MIDDLE:
        _require_even(width, encoding, where)
    rows = np.lib.stride_tricks.as_strided(data, (height, row_bytes), (step, 1), writeable=False)
    numbers = np.ascontiguousarray(rows)
    if form.bits == 16:
        numbers = numbers.view(">u2" if big_endian else "<u2").astype(np.uint16)
    return form.convert(numbers.reshape(height, width, form.samples))


def format_of(encoding: str, where: str) -> PixelFormat:
    """The format of an encoding's name. Raises DataError for one that is not known, and for depth."""
    form = FORMATS.get(encoding.strip().casefold())
    if form is None:
        depth = encoding.upper().startswith(("32F", "64F"))
        raise DataError(
            "the topic holds depth or other floating-point maps, not pictures"
            if depth
            else "the encoding of the images is not known",
            where=where,
            expected=f"one of {', '.join(FORMATS)}",
            got=f'"{encoding[:40]}"',
            fix="choose a topic of pictures with --topic",
        )
    return form


def _require_even(width: int, encoding: str, where: str) -> None:
    if width % 2:
        raise DataError(
            "the image cannot have this encoding",
            where=where,
            expected=f"an even width, as {encoding} has pairs of pixels",
            got=f"{width} pixels",
        )


def to_8_bits(pixels: UInt16[ndarray, "*shape"]) -> UInt8[ndarray, "*shape"]:
    """16 bits as 8: 65535 becomes 255."""
    rounded: ndarray = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return rounded


def demosaic(mosaic: ndarray, pattern: str) -> ndarray:
    """The RGB image of a Bayer mosaic: each colour is the mean of its nearest samples, as bilinear interpolation.

    Beyond the border, the mosaic is mirrored about its outermost pixels, which keeps the pattern.

    Args:
        mosaic: "h w", of 8 or 16 bits.
        pattern: colours of the first two pixels of the first and of the second row, such as "rggb".

    Returns:
        "h w 3" of the same type.
    """
    height, width = mosaic.shape
    padded = np.pad(mosaic, 1, mode="reflect" if min(mosaic.shape) > 1 else "edge").astype(np.uint32)
    rows, columns = np.ogrid[-1 : height + 1, -1 : width + 1]
    place = 2 * (rows % 2) + columns % 2
    result = np.empty((height, width, 3), mosaic.dtype)
    for channel, letter in enumerate("rgb"):
        own = np.isin(place, [i for i, each in enumerate(pattern) if each == letter])
        total, weight = _box(padded * own), _box(own.astype(np.uint32))
        mean = (total + weight // 2) // np.maximum(weight, 1)
        result[..., channel] = np.where(own[1:-1, 1:-1], padded[1:-1, 1:-1], mean)
    return result


def _box(values: ndarray) -> ndarray:
    """Sums over 3 x 3 neighbours with weights 1 2 1 in both directions: of the nearest samples of one colour in a
    mosaic, all that contribute have the same weight."""
    down = values[:-2] + 2 * values[1:-1] + values[2:]
    across: ndarray = down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:]
    return across


def _rgb_of_yuv(Y: ndarray, U: ndarray, V: ndarray) -> UInt8[ndarray, "h w 3"]:
    """BT.601 with 16 to 235 for black to white, as ROS's drivers and OpenCV have it."""
    y, u, v = 1.164 * (Y.astype(np.float32) - 16), U.astype(np.float32) - 128, V.astype(np.float32) - 128
    colours: Float[ndarray, "h w 3"] = np.stack((y + 1.596 * v, y - 0.813 * v - 0.391 * u, y + 2.018 * u), axis=-1)
    pixels: ndarray = np.rint(colours).clip(0, 255).astype(np.uint8)
    return pixels


def _yuv(order: str) -> Callable[[ndarray], ndarray]:
    """Pairs of pixels that share their colour: two brightnesses, one U, one V, in this order of bytes."""
    first, u, second, v = (order.index(letter) for letter in "yuYv")

    def convert(numbers: ndarray) -> ndarray:
        pairs = numbers.reshape(numbers.shape[0], -1, 4)
        Y = np.stack((pairs[..., first], pairs[..., second]), axis=-1).reshape(numbers.shape[:2])
        return _rgb_of_yuv(Y, *(np.repeat(pairs[..., place], 2, axis=1) for place in (u, v)))

    return convert


def _channels(*order: int) -> Callable[[ndarray], ndarray]:
    return lambda numbers: np.ascontiguousarray(numbers[..., order])


def _grey8(numbers: ndarray) -> ndarray:
    return np.repeat(numbers, 3, axis=2)


def _grey16(numbers: ndarray) -> ndarray:
    grey: ndarray = numbers[..., 0]
    return grey


def _bayer(pattern: str) -> Callable[[ndarray], ndarray]:
    return lambda numbers: demosaic(numbers[..., 0], pattern)


def _colours(order: str, bits: int) -> PixelFormat:
    return PixelFormat(samples=len(order), bits=bits, convert=_channels(*(order.index(letter) for letter in "rgb")))


PATTERNS = ("rggb", "bggr", "gbrg", "grbg")
"""Of Bayer mosaics."""
_YUV_TOP = PixelFormat(samples=2, bits=8, convert=_yuv("uyvY"))
_YUV_MIDDLE = PixelFormat(samples=2, bits=8, convert=_yuv("yuYv"))
_GREY16 = PixelFormat(samples=1, bits=16, convert=_grey16)
FORMATS: dict[str, PixelFormat] = {
    **{f"{order}8": _colours(order, 8) for order in ("rgb", "bgr", "rgba", "bgra")},
    **{f"{order}16": _colours(order, 16) for order in ("rgb", "bgr", "rgba", "bgra")},
    "mono8": PixelFormat(samples=1, bits=8, convert=_grey8),
    "mono16": _GREY16,
    **{
        f"bayer_{each}{bits}": PixelFormat(samples=1, bits=bits, convert=_bayer(each))
        for each in PATTERNS
        for bits in (8, 16)
    },
    **dict.fromkeys(("yuv422", "uyvy"), _YUV_TOP),
    **dict.fromkeys(("yuv422_yuy2", "yuyv", "yuy2"), _YUV_MIDDLE),
    # OpenCV's names, for what ROS's drivers put into them.
    "8uc1": PixelFormat(samples=1, bits=8, convert=_grey8),
    "8uc3": _colours("bgr", 8),
    "8uc4": _colours("bgra", 8),
    "16uc1": _GREY16,
}
"""The encodings by their names in lower case."""
