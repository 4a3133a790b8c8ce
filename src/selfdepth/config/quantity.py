"""What a map of depth may hold: the words of --predictions-are, for files and for models alike."""

from __future__ import annotations

from typing import Literal

from selfdepth.errors import ConfigError

Stored = Literal["disparity", "depth"]
"""What the numbers of a map are: disparity, which is 1 / depth, or depth."""
Quantity = Literal["disparity", "depth", "depth-metres", "disparity-affine"]
"""disparity and depth are known up to a factor, which may differ from image to image. depth-metres is in metres.
disparity-affine is known up to a factor and a shift, which both may differ from image to image."""
SHIFTED: Quantity = "disparity-affine"


def stored(quantity: Quantity) -> Stored:
    """What the numbers are, whatever their unit."""
    return "disparity" if quantity in ("disparity", SHIFTED) else "depth"


def require_depth(quantity: Quantity) -> None:
    """Refuse what becomes depth only beside ground truth. Raises ConfigError."""
    if quantity == SHIFTED:
        raise ConfigError(
            "a disparity with an unknown shift gives no depth: what is twice as far as something else cannot be told",
            where=f"--predictions-are {SHIFTED}",
            expected="disparity, depth or depth-metres",
            got=SHIFTED,
            fix="evaluate depth and compare take it: there each image is aligned before it is judged",
        )
