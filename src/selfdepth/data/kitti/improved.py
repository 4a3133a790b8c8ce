"""KITTI's improved ground truth: depth of several scans together, as 16-bit PNGs (the depth completion archives).

ROOT/train/2011_09_26_drive_0005_sync/proj_depth/groundtruth/image_02/0000000005.png     (or val; 03: the right camera)

The same folders are found beside the images, under ROOT/2011_09_26/, and under ROOT/data_depth_annotated, the
archive's name.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.frames import FrameRef
from selfdepth.data.truth import DepthTruth
from selfdepth.errors import DataError

LAYOUT = "DRIVE/proj_depth/groundtruth/image_02/0000000005.png, in train or val of data_depth_annotated.zip"
VALUE_OF_A_METRE = 256
IMPROVED = "eigen_benchmark"
"""Protocol, and published split, of this ground truth."""
_PARTS = ("", "train", "val", "data_depth_annotated/train", "data_depth_annotated/val")


@dataclass(frozen=True)
class ImprovedTruth(DepthTruth):
    """Improved depth of the frames of KITTI raw drives.

    Attributes:
        folder: the unpacked archive, or a root of KITTI raw that holds its files.
    """

    folder: Path

    @property
    def root(self) -> Path:
        """The folder that is searched."""
        return self.folder

    @property
    def layout(self) -> str:
        """Where the archives keep the map of a frame."""
        return LAYOUT

    def path(self, ref: FrameRef) -> Path | None:
        """The file of a frame, or None where there is none: the first and last five of a drive never have one."""
        drive, camera = ref.sequence.rsplit("/", 1)
        date, name = drive.split("/")
        inside = f"{name}/proj_depth/groundtruth/{camera}/{ref.number:010d}.png"
        places = [self.folder / part / inside for part in (*_PARTS, date)]
        return next((place for place in places if place.is_file()), None)

    def __call__(self, ref: FrameRef) -> Float[ndarray, "h w"] | None:
        """Depth map in metres, 0 = unknown, or None if the frame has none. Raises DataError for bad files."""
        path = self.path(ref)
        return None if path is None else read_depth_png(path)


def read_depth_png(path: Path) -> Float[ndarray, "h w"]:
    """The values of a 16-bit grey PNG over 256, float64: metres in KITTI's files, 0 where nothing is known.

    Raises:
        DataError: for whatever is not such a file.
    """
    from PIL import Image

    expected = "a PNG of one channel of 16 bits: depth * 256"
    try:
        with Image.open(path) as image:
            mode = image.mode
            values = np.asarray(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError("the depth map cannot be read", where=path, expected=expected, got=str(error)) from error
    if not mode.startswith("I"):
        raise DataError("the depth map cannot be used", where=path, expected=expected, got=f"pixels of type {mode}")
    return values.astype(np.float64) / VALUE_OF_A_METRE
