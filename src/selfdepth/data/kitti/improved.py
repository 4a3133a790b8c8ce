"""KITTI's improved ground truth: LiDAR depth accumulated over several scans, as 16-bit PNGs (the depth completion
archives; Uhrig et al., 3DV 2017).

ROOT/train/2011_09_26_drive_0005_sync/proj_depth/groundtruth/image_02/0000000005.png     (or val; 03: the right camera)

The same folders are also found beside the images, under ROOT/2011_09_26/, and under ROOT/data_depth_annotated, the
name of the archive.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.frames import FrameRef
from selfdepth.data.readers.png16 import read_png16
from selfdepth.data.truth import DepthTruth

LAYOUT = "DRIVE/proj_depth/groundtruth/image_02/0000000005.png, in train or val of data_depth_annotated.zip"
VALUE_OF_A_METRE = 256
"""Pixel value of one metre in KITTI's depth PNGs."""
IMPROVED = "eigen_benchmark"
"""Name of both the protocol and the published split that evaluate on this ground truth."""
_PARTS = ("", "train", "val", "data_depth_annotated/train", "data_depth_annotated/val")
"""Folders that may hold the drives. The archives sort drives into train and val by a division of their own."""


@dataclass(frozen=True)
class ImprovedTruth(DepthTruth):
    """Improved ground truth for the frames of KITTI raw.

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
        """Where the archives hold the map of a frame."""
        return LAYOUT

    def path(self, ref: FrameRef) -> Path | None:
        """The file of a frame, or None if there is none. The first and last five frames of a drive never have one."""
        drive, camera = ref.sequence.rsplit("/", 1)
        date, name = drive.split("/")
        inside = f"{name}/proj_depth/groundtruth/{camera}/{ref.number:010d}.png"
        candidates = [self.folder / part / inside for part in (*_PARTS, date)]
        return next((path for path in candidates if path.is_file()), None)

    def __call__(self, ref: FrameRef) -> Float[ndarray, "h w"] | None:
        """Depth map in metres, 0 where unknown, or None if the frame has none. Raises DataError for a broken file."""
        path = self.path(ref)
        return None if path is None else read_depth_png(path)


def read_depth_png(path: Path) -> Float[ndarray, "h w"]:
    """The values of a 16-bit grey PNG divided by 256, float64: metres in KITTI's files, 0 where the depth is unknown.

    Raises:
        DataError: for any other file.
    """
    values = read_png16(path, what="the depth map", expected="a 16-bit PNG with one channel: depth * 256")
    return values.astype(np.float64) / VALUE_OF_A_METRE
