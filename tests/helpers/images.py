"""Small image files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image


def write_images(folder: Path, numbers: Iterable[int], *, width: int = 40, height: int = 24) -> Path:
    """PNGs named by their number, whose grey level is the number. Returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        pixels = np.full((height, width, 3), number % 256, np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:06d}.png")
    return folder
