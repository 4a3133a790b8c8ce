"""The pictures of the page: a photo and its depth at one size, with marks where it was clicked, and the legend."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, ImageDraw

from selfdepth.app.clicks import Pixel
from selfdepth.files import whole_file
from selfdepth.inference.visualize import colorize_disparity, colour_range
from selfdepth.structs import DepthPrediction

LONGEST_SIDE_PX = (960, 1600)
"""Of a picture on the page, at least and at most: as many as a screen shows. Results for download have every pixel."""
_RING, _HALO = "#ff2d55", "#ffffff"


def shown_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of the picture of a frame: its own, or the nearest with its aspect that fits the page."""
    least, most = LONGEST_SIDE_PX
    longest = max(width, height)
    factor = min(max(longest, least), most) / longest
    return max(1, round(width * factor)), max(1, round(height * factor))


def photo_of(image: UInt8[ndarray, "h w 3"]) -> Image.Image:
    """The picture of a frame."""
    size = shown_size(image.shape[1], image.shape[0])
    return Image.fromarray(image).resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def depth_of(prediction: DepthPrediction) -> Image.Image:
    """The picture of a frame's disparity, near bright, of the size of `photo_of`."""
    return photo_of(colorize_disparity(prediction.disparity))


def with_marks(photo: Image.Image, pixels: Sequence[Pixel], frame: tuple[int, int]) -> Image.Image:
    """A copy of a photo with a ring around each pixel, and a line between two.

    Args:
        pixels: of the frame.
        frame: width and height of the frame.
    """
    marked = photo.copy()
    draw = ImageDraw.Draw(marked)
    sides = (photo.width / frame[0], photo.height / frame[1])
    places = [tuple((at + 0.5) * side - 0.5 for at, side in zip(pixel, sides, strict=True)) for pixel in pixels]
    radius = max(5, round(max(photo.size) / 90))
    thick = max(2, radius // 3)
    for colour, more in ((_HALO, 2), (_RING, 0)):
        if len(places) == 2:
            draw.line([places[0], places[1]], fill=colour, width=thick + more)
        for x, y in places:
            reach = radius + more / 2
            draw.ellipse((x - reach, y - reach, x + reach, y + reach), outline=colour, width=thick + more)
    return marked


def write_jpeg(path: Path, picture: Image.Image) -> None:
    """Write a picture for a browser. Raises OutputError if the file cannot be written."""
    with whole_file(path) as temporary:
        picture.save(temporary, format="JPEG", quality=92, subsampling=0)


def describe_colours(prediction: DepthPrediction, metres_per_unit: float | None) -> tuple[str, str]:
    """What the ends of the colour scale stand for: words for far and for near, with metres if they are known."""
    low, high = colour_range(prediction.disparity)
    if metres_per_unit is None or low <= 0 or not np.isfinite([low, high]).all():
        return "far", "near"
    return f"far: {metres_per_unit / low:.3g} m", f"near: {metres_per_unit / high:.3g} m"
