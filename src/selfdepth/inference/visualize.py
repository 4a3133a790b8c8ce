"""Pictures of disparity, auto-masks and errors, as RGB in uint8."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

ColourRange = tuple[float, float]

_PERCENTILES = (2.0, 95.0)
_SAMPLE_PX = 100_000
"""Percentiles are taken over about this many pixels: more would take time and not change the picture."""

_UNKNOWN = np.array([64, 64, 64], dtype=np.uint8)
_TEXT_PX = 14


def colour_range(disparity: Float[ndarray, "h w"]) -> ColourRange:
    """The 2nd and 95th percentile of a disparity. A few extreme pixels would otherwise use up the colours.

    Zeros stand for no depth, and do not count.
    """
    values = disparity[disparity > 0] if (disparity == 0).any() else disparity.ravel()
    if not values.size:
        return 0.0, 0.0
    values = values[:: max(1, values.size // _SAMPLE_PX)]
    low, high = np.percentile(values, _PERCENTILES)
    return float(low), float(high)


def smooth_range(previous: ColourRange | None, current: ColourRange, *, memory: float = 0.9) -> ColourRange:
    """Exponential moving average of colour ranges along a video, so that the colours do not flicker.

    Args:
        previous: the average so far; None at the first frame.
        memory: weight of `previous`, 0 to 1.
    """
    if previous is None:
        return current
    low, high = (memory * old + (1 - memory) * new for old, new in zip(previous, current, strict=True))
    return low, high


def colorize_disparity(
    disparity: Float[ndarray, "h w"], *, low: float | None = None, high: float | None = None
) -> UInt8[ndarray, "h w 3"]:
    """Disparity in magma, a perceptually uniform colour map: near is bright, far is dark. No depth, a 0, is black.

    Args:
        low, high: disparities of the darkest and the brightest colour. Default: those of `colour_range`.
    """
    if low is None or high is None:
        auto_low, auto_high = colour_range(disparity)
        low, high = auto_low if low is None else low, auto_high if high is None else high
    painted = _paint(disparity, low, high, "magma")
    painted[disparity == 0] = 0
    return painted


def side_by_side(image: UInt8[ndarray, "h w 3"], colored: UInt8[ndarray, "h w 3"]) -> UInt8[ndarray, "_h _w 3"]:
    """Two pictures of one size as one: the first above the second, or to its left if they are in portrait format."""
    height, width = image.shape[:2]
    return np.concatenate([image, colored], axis=0 if width >= height else 1)


def draw_mask(automask: Float[ndarray, "h w"]) -> UInt8[ndarray, "h w 3"]:
    """The auto-mask as a picture: white where a pixel counts (1), black where it is masked (0)."""
    grey = np.rint(np.clip(automask, 0, 1) * 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def error_map(
    pred: Float[ndarray, "h w"], truth: Float[ndarray, "h w"], *, limit: float = 0.25
) -> UInt8[ndarray, "h w 3"]:
    """Relative depth error |pred - truth| / truth: dark for none, bright from `limit` on, grey without ground truth.

    Points of the ground truth are drawn three pixels wide, with the larger error on top: LiDAR is so sparse that single
    pixels would not be visible.

    Args:
        pred: depth, in the unit of `truth` (after median scaling, if any).
        truth: ground-truth depth, 0 where there is none.
        limit: relative error of the brightest colour.
    """
    measured = truth > 0
    relative = np.abs(pred - truth) / np.where(measured, truth, 1)
    levels = np.where(measured, 1 + np.rint(np.clip(relative / limit, 0, 1) * 254), 0).astype(np.uint8)
    # Level 0 means no ground truth, so the maximum spreads errors into empty pixels and never the other way round.
    wide = np.asarray(Image.fromarray(levels).filter(ImageFilter.MaxFilter(3)))
    colours = _paint(wide.astype(np.float32), 1.0, 255.0, "inferno")
    colours[wide == 0] = _UNKNOWN
    return colours


def strip(
    images: Sequence[UInt8[ndarray, "_h _w 3"]],
    labels: Sequence[str] | None = None,
    *,
    column: bool = False,
    gap_px: int = 4,
) -> UInt8[ndarray, "_hh _ww 3"]:
    """Pictures in a row (resized to the height of the first) or a column (to its width), each below its label.

    Args:
        labels: one per picture; None: no labels.
        column: whether they are stacked instead of side by side.
        gap_px: width of the white gap between neighbours, pixels.
    """
    tiles = [_fit(image, images[0], column=column) for image in images]
    if labels is not None:
        tiles = [_label(tile, text) for tile, text in zip(tiles, labels, strict=True)]
    axis = 0 if column else 1
    gap_shape = list(tiles[0].shape)
    gap_shape[axis] = gap_px
    gap = np.full(gap_shape, 255, dtype=np.uint8)
    parts = [part for tile in tiles for part in (gap, tile)][1:]
    return np.concatenate(parts, axis=axis)


def _paint(values: Float[ndarray, "h w"], low: float, high: float, colours: str) -> UInt8[ndarray, "h w 3"]:
    span = high - low if high > low else 1.0  # a constant picture gets the darkest colour, and no division by zero
    levels = np.clip((values - low) * (255 / span), 0, 255).astype(np.uint8)
    painted: UInt8[ndarray, "h w 3"] = _palette(colours)[levels]
    return painted


@functools.cache
def _palette(name: str) -> UInt8[ndarray, "256 3"]:
    import matplotlib  # slow to import, and only its colour maps are needed

    colours = matplotlib.colormaps[name](np.arange(256), bytes=True)
    return np.ascontiguousarray(colours[:, :3])


def _fit(
    image: UInt8[ndarray, "h w 3"], first: UInt8[ndarray, "_h _w 3"], *, column: bool
) -> UInt8[ndarray, "_hh _ww 3"]:
    factor = first.shape[1] / image.shape[1] if column else first.shape[0] / image.shape[0]
    if factor == 1:
        return image
    width, height = (max(1, round(side * factor)) for side in (image.shape[1], image.shape[0]))
    size = (first.shape[1], height) if column else (width, first.shape[0])
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


def _label(image: UInt8[ndarray, "h w 3"], text: str) -> UInt8[ndarray, "_h w 3"]:
    bar = Image.new("RGB", (image.shape[1], _TEXT_PX + 6), "white")
    ImageDraw.Draw(bar).text((3, 2), text, fill="black", font=ImageFont.load_default(_TEXT_PX))
    return np.concatenate([np.asarray(bar), image])
