"""Which of 65,536 grey levels a sequence uses. A thermal camera uses a few hundred, which 8 bits would round to ten."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt16
from numpy import ndarray

from selfdepth.data.readers.pictures import ALL_LEVELS, Levels, read_grey16
from selfdepth.errors import DataError, SelfDepthWarning

ENOUGH = 1 / 4
"""A sequence that uses at least this share of the 16-bit range is left as it is: 8 bits show 64 levels of it."""
_LOOKED_AT = 16
"""Frames that are looked at, evenly spread."""
_PERCENTILES = (0.1, 99.9)
"""Single pixels, such as dead ones, do not set the range."""


def levels_of_files(files: Sequence[Path], where: Path) -> Levels:
    """The levels to stretch to black and white, the same for all images of a sequence. Warns if they are stretched.

    Args:
        where: what the warning names: the folder, or the file.

    Of images with 8 bits, which most are, only the headers are read.
    """
    step = max(1, -(-len(files) // _LOOKED_AT))
    return stretched((values for file in files[::step] if (values := _grey16_if_readable(file)) is not None), where)


def stretched(images: Iterable[UInt16[ndarray, "_h _w"]], where: Path) -> Levels:
    """The range of values in images of 16-bit grey if it is small, else all levels. Warns if it is small."""
    counts = np.zeros(65536, np.int64)
    for image in images:
        counts += np.bincount(image.reshape(-1), minlength=65536)
    counts[[0, 65535]] = 0  # they often stand for pixels without a measurement
    total = np.cumsum(counts)
    if total[-1] == 0:
        return ALL_LEVELS
    black, white = (int(np.searchsorted(total, share / 100 * total[-1])) for share in _PERCENTILES)
    if white - black >= ENOUGH * 65535:
        return ALL_LEVELS
    white = max(white, black + 1)
    warnings.warn(
        f"the 16-bit images of {where} use the values {black} to {white} only: these are stretched to black and white, "
        "the same in all of them",
        SelfDepthWarning,
        stacklevel=3,
    )
    return black, white


def _grey16_if_readable(file: Path) -> UInt16[ndarray, "h w"] | None:
    try:
        return read_grey16(file)
    except DataError:  # it is reported when the frames are decoded, with all others that cannot be
        return None
