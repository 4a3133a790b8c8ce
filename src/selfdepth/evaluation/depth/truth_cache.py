"""Depth maps of LiDAR scans, kept for the next time in a folder that the user named."""

from __future__ import annotations

import threading
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.frames import FrameRef
from selfdepth.data.kitti.raw import KittiTruth
from selfdepth.files import whole_file


@dataclass(frozen=True)
class CachedTruth:
    """The same depth maps as `truth`. One whose scan or calibration has changed since is made anew.

    A file holds the pixels that are known, and what they were made of: paths, sizes and times of the files.
    """

    truth: KittiTruth
    folder: Path
    _writing: threading.Lock = field(default_factory=threading.Lock, compare=False, repr=False)

    def __call__(self, ref: FrameRef) -> Float[ndarray, "h w"] | None:
        """Depth map in metres, 0 = unknown, or None if the frame has no scan.

        Raises:
            DataError: for bad scans or calibrations.
            OutputError: if the folder cannot be written to.
        """
        made_of = self.truth.made_of(ref)
        if made_of is None:
            return None
        path = self.folder / ref.sequence / f"{ref.number:010d}.npz"
        kept = _read(path, made_of)
        if kept is not None:
            return kept
        depth = self.truth(ref)
        assert depth is not None, "there is a scan"
        index = np.flatnonzero(depth)
        with self._writing, whole_file(path) as temporary, temporary.open("wb") as file:  # a frame may be listed twice
            np.savez(file, made_of=np.array(made_of), shape=depth.shape, index=index, depth=depth.reshape(-1)[index])
        return depth


def _read(path: Path, made_of: str) -> Float[ndarray, "h w"] | None:
    """What a file keeps; None if there is none, it is broken, or was made of something else."""
    try:
        with np.load(path, allow_pickle=False) as entries:
            if str(entries["made_of"]) != made_of:
                return None
            height, width = entries["shape"].tolist()
            depth = np.zeros(height * width)
            depth[entries["index"]] = entries["depth"]
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile):
        return None
    return depth.reshape(height, width)
