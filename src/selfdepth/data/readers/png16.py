"""16-bit grey PNGs, the usual form of depth and disparity maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt16
from numpy import ndarray

from selfdepth.data.readers.pictures import opened_image
from selfdepth.errors import DataError


def read_png16(path: Path, *, what: str, expected: str) -> UInt16[ndarray, "h w"]:
    """The values of a 16-bit grey PNG, 0 to 65535.

    Args:
        what: what the file holds, for errors: "the depth map".
        expected: what it should be: "a 16-bit PNG with one channel: depth * 256".

    Raises:
        DataError: for any other file.
    """
    try:
        with opened_image(path) as image:
            kind = image.mode if image.format == "PNG" else str(image.format)
            # Of type "I;16", or "I" in older versions of Pillow.
            values = np.asarray(image).astype(np.uint16) if kind.startswith("I") else None
    except DataError as error:
        got = error.what if error.got is None else f"{error.what}: {error.got}"
        raise DataError(f"{what} cannot be read", where=path, expected=expected, got=got, fix=error.fix) from error
    if values is None:
        raise DataError(f"{what} cannot be used", where=path, expected=expected, got=f"pixels of type {kind}")
    return values
