"""16-bit grey PNGs, the usual form of depth and disparity maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt16
from numpy import ndarray

from selfdepth.errors import DataError


def read_png16(path: Path, *, what: str, expected: str) -> UInt16[ndarray, "h w"]:
    """The values of a 16-bit grey PNG, 0 to 65535.

    Args:
        what: what the file holds, for errors: "the depth map".
        expected: what it should be: "a 16-bit PNG with one channel: depth * 256".

    Raises:
        DataError: for any other file.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            mode = image.mode
            values = np.asarray(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{what} cannot be read", where=path, expected=expected, got=str(error)) from error
    if not mode.startswith("I"):  # "I;16", or "I" in older versions of Pillow
        raise DataError(f"{what} cannot be used", where=path, expected=expected, got=f"pixels of type {mode}")
    return values.astype(np.uint16)
