"""Make3D's test images and their laser depth (Saxena et al., PAMI 2009), and the crop of both that is evaluated.

ROOT/Test134/img-10.21op2-p-015t000.jpg                         1704x2272 pixels, upright
ROOT/Gridlaserdata/depth_sph_corr-10.21op2-p-015t000.mat        Position3DGrid: 55 rows, 305 columns, x y z and depth

The depth grid covers the whole image: one of its rows is about 41 image rows, one of its columns 6 image columns. The
evaluation uses the middle, twice as wide as high: 1704x852 pixels of the image, 21 rows with all columns of the grid.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Shaped, UInt8
from numpy import ndarray

from selfdepth.data.frames import FrameRef, FrameSequence
from selfdepth.data.readers.cameras import any_camera
from selfdepth.data.readers.matlab import read_matrix
from selfdepth.data.readers.pictures import image_size, read_image
from selfdepth.data.truth import DepthTruth
from selfdepth.errors import DataError
from selfdepth.geometry.crop import Crop

IMAGES, TRUTHS = "Test134", "Gridlaserdata"
LAYOUT = f"{IMAGES}/img-NAME.jpg and {TRUTHS}/depth_sph_corr-NAME.mat"
WIDTH_TO_HEIGHT = 2.0
"""Aspect ratio of the crop that is evaluated: close to the wide images that networks trained on KITTI expect."""
_GRID = "Position3DGrid"
_MOST_NUMBERS = 10_000_000
"""In a grid, above which it is no grid of this laser: its own have 67,100."""


def is_make3d(path: Path) -> bool:
    """Whether a folder holds Make3D's test images under their names."""
    return any((path / IMAGES).glob("img-*.jpg"))


def open_make3d(root: Path) -> tuple[Make3DImage, ...]:
    """The images in the order of their names.

    Raises:
        DataError: if no image has depth, or one cannot be opened.
    """
    files = sorted((root / IMAGES).glob("img-*.jpg"))
    if not any(_truth_file(root, file.stem).is_file() for file in files):
        raise DataError("there is no ground truth", where=root, expected=LAYOUT, got=f"{len(files)} images without it")
    return tuple(_open_image(file) for file in files)


@dataclass(frozen=True, kw_only=True)
class Make3DImage(FrameSequence):
    """The crop of one test image that is evaluated, as a sequence with the single frame 0."""

    def read(self, numbers: tuple[int, ...]) -> Iterator[UInt8[ndarray, "h w 3"]]:
        """The middle of the image. Raises DataError for a file that is not an image."""
        for _ in numbers:
            image = read_image(self.files[0])
            yield centre(image, (image.shape[1], image.shape[0]))


@dataclass(frozen=True)
class Make3DTruth(DepthTruth):
    """The laser's depth of the same crop of each image, at the laser's own resolution (21 x 305).

    Attributes:
        folder: root of Make3D.
    """

    folder: Path

    @property
    def root(self) -> Path:
        """Root of Make3D."""
        return self.folder

    @property
    def layout(self) -> str:
        """Where the depth grids are expected."""
        return LAYOUT

    def __call__(self, ref: FrameRef) -> Float[ndarray, "h w"] | None:
        """Depth in metres, 0 where unknown, or None if the image has none. Raises DataError for a broken file."""
        file = _truth_file(self.folder, ref.sequence.removeprefix(f"{IMAGES}/"))
        if not file.is_file():
            return None
        image = image_size(self.folder / f"{ref.sequence}.jpg")
        grid = _read_grid(file)
        depth = np.where(np.isfinite(grid[..., 3]) & (grid[..., 3] > 0), grid[..., 3], 0.0)
        return centre(depth, image)


def _open_image(file: Path) -> Make3DImage:
    width, height = image_size(file)
    # The images come without calibration, and single-image depth needs none.
    return Make3DImage(
        name=f"{IMAGES}/{file.stem}",
        camera=any_camera(*_margins((height, width), (width, height)).size_of(width, height)),
        numbers=(0,),
        names=(file.stem,),
        files=(file,),
    )


def centre(array: Shaped[ndarray, "h w ..."], image: tuple[int, int]) -> Shaped[ndarray, "_h _w ..."]:
    """The middle of an array that covers an image of this (width, height): the crop twice as wide as high.

    The array may have any resolution. The margins on opposite sides are equal, so image and depth stay aligned.
    """
    rows, columns = array.shape[:2]
    return array[_margins((rows, columns), image).window(columns, rows)]


def _margins(shape: tuple[int, int], image: tuple[int, int]) -> Crop:
    """The rows and columns to cut off an array of this (rows, columns) that covers an image of (width, height)."""
    width, height = image
    kept_rows = min(1.0, width / WIDTH_TO_HEIGHT / height)
    kept_columns = min(1.0, height * WIDTH_TO_HEIGHT / width)
    rows, columns = round(shape[0] * (1 - kept_rows) / 2), round(shape[1] * (1 - kept_columns) / 2)
    return Crop(top=rows, bottom=rows, left=columns, right=columns)


def _read_grid(file: Path) -> Float[ndarray, "h w 4"]:
    """x, y, z and depth in metres at each point of the laser's grid, float64. Raises DataError for a broken file."""
    expected = f"{_GRID} of 55x305x4: x, y, z and depth, metres"

    def fits(shape: tuple[int, ...]) -> bool:
        return len(shape) == 3 and shape[2] == 4 and min(shape) > 0 and math.prod(shape) <= _MOST_NUMBERS

    return np.asarray(read_matrix(file, _GRID, expected=expected, fits=fits), np.float64)


def _truth_file(root: Path, image: str) -> Path:
    return root / TRUTHS / f"depth_sph_corr-{image.removeprefix('img-')}.mat"
