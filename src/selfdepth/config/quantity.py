"""What a map of depth may hold: the words of --predictions-are, for files and for models alike."""

from __future__ import annotations

from typing import Literal

Stored = Literal["disparity", "depth"]
"""What the numbers of a map are: disparity, which is 1 / depth, or depth."""
Quantity = Literal["disparity", "depth", "depth-metres"]
"""disparity and depth are known up to a factor, which may differ from image to image. depth-metres is in metres."""


def stored(quantity: Quantity) -> Stored:
    """What the numbers are, whatever their unit."""
    return "disparity" if quantity == "disparity" else "depth"
