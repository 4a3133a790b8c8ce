"""What a client is shown of one prediction: two JPEGs, made once however many clients ask, and never if none does."""

from __future__ import annotations

import io
import threading
from typing import Any, Literal

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from selfdepth.inference.visualize import ColourRange, colorize_disparity
from selfdepth.structs import DepthPrediction

View = Literal["picture", "depth"]

_WIDEST_PX, _HIGHEST_PX = 1280, 960
"""Larger pictures are made smaller for the page: a 4K frame as JPEG takes longer than its depth."""
_GRID = (24, 48)
"""Rows and columns of the depths that the page tells under the pointer."""


class Shown:
    """A frame and its depth.

    Args:
        image: RGB.
        prediction: of the same size.
        colours: disparities of the darkest and the brightest colour.
        metres_per_unit: factor from the depths to metres; None if unknown.
    """

    def __init__(
        self,
        image: UInt8[ndarray, "h w 3"],
        prediction: DepthPrediction,
        colours: ColourRange,
        metres_per_unit: float | None,
    ) -> None:
        self._image, self._prediction, self._colours = image, prediction, colours
        self._factor = 1.0 if metres_per_unit is None else metres_per_unit
        self._lock = threading.Lock()
        self._jpegs: dict[View, bytes] = {}

    def jpeg(self, view: View) -> bytes:
        """One of the two pictures as a JPEG."""
        with self._lock:  # clients that ask at the same time wait for the first of them, instead of doing it again
            if view not in self._jpegs:
                self._jpegs[view] = _encode(self._image if view == "picture" else self.coloured())
            return self._jpegs[view]

    def coloured(self) -> UInt8[ndarray, "h w 3"]:
        """The disparity in colours."""
        return colorize_disparity(self._prediction.disparity, low=self._colours[0], high=self._colours[1])

    def figures(self) -> dict[str, Any]:
        """Depths as JSON takes them, in metres or in the model's unit; None where there is none.

        Returns:
            `size`, width and height in pixels; `middle`, the depth in the middle; `far` and `near`, those of the ends
            of the colours; `depths`, a grid over the image.
        """
        depth = self._prediction.depth * np.float32(self._factor)
        height, width = depth.shape
        rows, columns = (
            np.minimum((np.arange(n) + 0.5) * side / n, side - 1).astype(int)
            for n, side in zip(_GRID, (height, width), strict=True)
        )
        low, high = self._colours
        return {
            "size": [width, height],
            "middle": _number(depth[height // 2, width // 2]),
            "far": _number(self._factor / low if low > 0 else 0.0),
            "near": _number(self._factor / high if high > 0 else 0.0),
            "depths": [[_number(value) for value in row] for row in depth[np.ix_(rows, columns)]],
        }


NOTHING_SHOWN: dict[str, Any] = {"size": None, "middle": None, "far": None, "near": None, "depths": []}
"""`Shown.figures` before the first prediction."""


def _number(value: np.floating[Any] | float) -> float | None:
    return float(f"{float(value):.4g}") if value > 0 else None


def _encode(pixels: UInt8[ndarray, "h w 3"]) -> bytes:
    picture = Image.fromarray(pixels)
    picture.thumbnail((_WIDEST_PX, _HIGHEST_PX), Image.Resampling.BILINEAR)
    file = io.BytesIO()
    picture.save(file, format="JPEG", quality=80)
    return file.getvalue()
