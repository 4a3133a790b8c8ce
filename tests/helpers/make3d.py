"""A small Make3D: images of random colours, and laser grids of random depth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy import ndarray
from PIL import Image
from scipy.io import savemat

NAMES = ("10.21op2-p-015t000", "math6-p-077t0", "op47-p-139t000")
WIDTH, HEIGHT = 96, 128
ROWS, COLUMNS = 55, 305
"""The laser's grid: 21 of its rows are in the middle of a picture of 3 to 4."""


def write_make3d(root: Path, truths: dict[str, ndarray], size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    """Images of random colours, and a .mat for each of the truths."""
    for folder in ("Test134", "Gridlaserdata"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(NAMES):
        coarse = np.random.default_rng(number).integers(0, 256, (8, 6, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize(size).save(root / f"Test134/img-{name}.jpg", quality=95)
    for name, truth in truths.items():
        grid = np.zeros((*truth.shape, 4))
        grid[..., :3], grid[..., 3] = 999.0, truth
        savemat(root / f"Gridlaserdata/depth_sph_corr-{name}.mat", {"Position3DGrid": grid}, do_compression=True)


def some_truths() -> dict[str, ndarray]:
    """A grid of depths in metres for each image."""
    rng = np.random.default_rng(7)
    return {name: rng.uniform(2, 81, (ROWS, COLUMNS)) for name in NAMES}
