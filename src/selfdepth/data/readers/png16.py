"""16-bit grey PNGs, the usual form of depth and disparity maps."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from jaxtyping import UInt16
from numpy import ndarray

from selfdepth.errors import DataError
from selfdepth.limits import require_within
from selfdepth.texts import decoding


def read_png16(path: Path, *, what: str, expected: str) -> UInt16[ndarray, "h w"]:
    """The values of a 16-bit grey PNG, 0 to 65535.

    Args:
        what: what the file holds, for errors: "the depth map".
        expected: what it should be: "a 16-bit PNG with one channel: depth * 256".

    Raises:
        DataError: for any other file.
    """
    from PIL import Image

    def refusal(got: str) -> DataError:
        return DataError(f"{what} cannot be read", where=path, expected=expected, got=got)

    # Pillow knows dozens of formats, and starts another program for one of them; it may try no other than PNG.
    with decoding(refusal), warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit is ours
        with Image.open(path, formats=["PNG"]) as image:
            mode, (width, height) = image.mode, image.size
            require_within("image_megapixels", width * height / 1e6, what=f"{what} is too large", where=path)
            values = np.asarray(image)
    if not mode.startswith("I"):  # "I;16", or "I" in older versions of Pillow
        raise DataError(f"{what} cannot be used", where=path, expected=expected, got=f"pixels of type {mode}")
    return values.astype(np.uint16)
