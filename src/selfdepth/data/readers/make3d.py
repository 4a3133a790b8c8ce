"""Make3D's test images and their laser depth (Saxena et al., PAMI 2009), and the part of both that is compared.

ROOT/Test134/img-10.21op2-p-015t000.jpg                         1704x2272 pixels, upright
ROOT/Gridlaserdata/depth_sph_corr-10.21op2-p-015t000.mat        Position3DGrid: 55 rows, 305 columns, x y z and depth

Depth covers the image: a row of it is about 41 rows of the image, a column 6 columns. Compared is the middle, twice as
wide as high: of the image 1704x852 pixels, of the depth all columns of 21 rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Shaped, UInt8
from numpy import ndarray

from selfdepth.data.frames import FrameRef, FrameSequence
from selfdepth.data.readers.cameras import any_camera
from selfdepth.data.readers.images import image_size, read_image
from selfdepth.data.truth import DepthTruth
from selfdepth.errors import DataError
from selfdepth.geometry.crop import Crop

IMAGES, TRUTHS = "Test134", "Gridlaserdata"
LAYOUT = f"{IMAGES}/img-NAME.jpg and {TRUTHS}/depth_sph_corr-NAME.mat"
WIDTH_TO_HEIGHT = 2.0
"""Of the part that is compared: about what networks trained on streets know."""
_GRID = "Position3DGrid"


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
        raise DataError("there is no ground truth", where=root, expected=LAYOUT, got=f"{len(files)} images without any")
    return tuple(_open_image(file) for file in files)


@dataclass(frozen=True, kw_only=True)
class Make3DImage(FrameSequence):
    """The part of one test image that is compared, as a sequence of the one frame 0."""

    def read(self, numbers: tuple[int, ...]) -> Iterator[UInt8[ndarray, "h w 3"]]:
        """The middle of the image. Raises DataError for what is no image."""
        for _ in numbers:
            image = read_image(self.files[0])
            yield centre(image, (image.shape[1], image.shape[0]))


@dataclass(frozen=True)
class Make3DTruth(DepthTruth):
    """The laser's depth of the same part of each image, at the laser's own resolution.

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
        """Where the grids are."""
        return LAYOUT

    def __call__(self, ref: FrameRef) -> Float[ndarray, "h w"] | None:
        """The map of an image, or None if it has none. Raises DataError for a file that is no such grid."""
        file = _truth_file(self.folder, ref.sequence.removeprefix(f"{IMAGES}/"))
        if not file.is_file():
            return None
        grid = _read_grid(file)
        depth = np.where(np.isfinite(grid[..., 3]) & (grid[..., 3] > 0), grid[..., 3], 0.0)
        return centre(depth, image_size(self.folder / f"{ref.sequence}.jpg"))


def _open_image(file: Path) -> Make3DImage:
    width, height = image_size(file)
    return Make3DImage(
        name=f"{IMAGES}/{file.stem}",
        camera=any_camera(*_margins((height, width), (width, height)).size_of(width, height)),
        numbers=(0,),
        names=(file.stem,),
        files=(file,),
    )


def centre(array: Shaped[ndarray, "h w ..."], image: tuple[int, int]) -> Shaped[ndarray, "_h _w ..."]:
    """The middle of an array that covers an image of that (width, height): the part twice as wide as high.

    As much is cut off on either side, so that the middle stays where it is; at any resolution of the array.
    """
    rows, columns = array.shape[:2]
    return array[_margins((rows, columns), image).window(columns, rows)]


def _margins(shape: tuple[int, int], image: tuple[int, int]) -> Crop:
    """What is cut off an array of that (rows, columns)."""
    width, height = image
    seen_rows = min(1.0, width / WIDTH_TO_HEIGHT / height)
    seen_columns = min(1.0, height * WIDTH_TO_HEIGHT / width)
    rows, columns = round(shape[0] * (1 - seen_rows) / 2), round(shape[1] * (1 - seen_columns) / 2)
    return Crop(top=rows, bottom=rows, left=columns, right=columns)


def _read_grid(file: Path) -> Float[ndarray, "h w 4"]:
    """x, y, z and depth in metres at each point of the laser's grid, float64. Raises DataError if there is none."""
    from scipy.io import loadmat

    expected = f"{_GRID} of 55x305x4: x, y, z and depth, metres"
    try:
        grid = loadmat(file, variable_names=[_GRID]).get(_GRID)
    except Exception as error:  # on damaged bytes it raises nearly anything
        got = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise DataError("the file cannot be read", where=file, expected=expected, got=got) from error
    if not isinstance(grid, ndarray) or grid.dtype.kind not in "iuf" or grid.ndim != 3 or grid.shape[2] != 4:
        got = f"{grid.dtype}, {'x'.join(map(str, grid.shape))}" if isinstance(grid, ndarray) else "no such array"
        raise DataError("the file does not hold the laser's grid", where=file, expected=expected, got=got)
    return np.asarray(grid, np.float64)


def _truth_file(root: Path, image: str) -> Path:
    return root / TRUTHS / f"depth_sph_corr-{image.removeprefix('img-')}.mat"
