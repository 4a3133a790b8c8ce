"""What a prediction may be given, as pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from selfdepth.data.readers.levels import levels_of_files
from selfdepth.data.readers.pictures import read_image, rgb_of
from selfdepth.errors import DataError

ImageLike = str | Path | Image.Image | ndarray
"""A file, a PIL image, or RGB pixels: uint8, height x width x 3."""

MIN_SIDE_PX = 16
"""Smaller images show too little for any depth."""


def as_pixels(image: ImageLike) -> UInt8[ndarray, "h w 3"]:
    """RGB pixels of a file, a PIL image or an array.

    Raises:
        DataError: for an array that is not uint8 "h w 3", a side of fewer than 16 pixels, or a damaged file.
    """
    if isinstance(image, (str, Path)):
        path = Path(image)
        pixels, where = read_image(path, levels=levels_of_files([path], path)), str(image)
    else:
        where = "a PIL image" if isinstance(image, Image.Image) else "an array"
        pixels = rgb_of(image) if isinstance(image, Image.Image) else image
    if not isinstance(pixels, ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        is_array = isinstance(pixels, ndarray)
        raise DataError(
            "this is not an image",
            where=where,
            expected="a file, a PIL image, or an array of uint8, height x width x 3, RGB",
            got=f"{pixels.dtype} of shape {pixels.shape}" if is_array else type(pixels).__name__,
        )
    require_large_enough(pixels.shape[1], pixels.shape[0], where)
    return np.ascontiguousarray(pixels)


def require_large_enough(width: int, height: int, where: str | Path) -> None:
    """Raise DataError for an image of this width and height, if a side has fewer than 16 pixels."""
    if min(width, height) < MIN_SIDE_PX:
        expected = f"at least {MIN_SIDE_PX} pixels a side"
        raise DataError("the image is too small", where=where, expected=expected, got=f"{width}x{height}")
