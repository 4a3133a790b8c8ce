"""A cache of depth maps computed from LiDAR scans, in a folder that the user names."""

from __future__ import annotations

import threading
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.frames import FrameRef
from selfdepth.data.truth import DepthTruth
from selfdepth.files import whole_file


@dataclass(frozen=True)
class CachedTruth(DepthTruth):
    """The depth maps of `truth`, read from the cache where they are in it, and written to it where they are not.

    A file holds the pixels with ground truth, and the fingerprint of the scan and calibration. A map whose fingerprint
    has changed is computed again.

    Attributes:
        truth: computes the maps.
        folder: of the cache; made when the first map is written.
    """

    truth: DepthTruth
    folder: Path
    _writing: threading.Lock = field(default_factory=threading.Lock, compare=False, repr=False)

    def __call__(self, ref: FrameRef) -> Float[ndarray, "h w"] | None:
        """Depth map in metres, 0 where unknown, or None if the frame has no scan.

        Raises:
            DataError: for a scan or calibration that cannot be used.
            OutputError: if the folder cannot be written to.
        """
        fingerprint = self.truth.fingerprint(ref)
        if fingerprint is None:
            return None
        path = self.folder / ref.sequence / f"{ref.number:010d}.npz"
        cached = _read(path, fingerprint)
        if cached is not None:
            return cached
        depth = self.truth(ref)
        if depth is None:  # the scan was deleted after its fingerprint was taken
            return None
        # LiDAR covers about 5 % of the pixels: a sparse map is a tenth of the whole one.
        index = np.flatnonzero(depth)
        # Several threads ask for maps at once, and a split may list a frame twice: two writers would share one file.
        with self._writing, whole_file(path) as temporary, temporary.open("wb") as file:
            np.savez(
                file, made_of=np.array(fingerprint), shape=depth.shape, index=index, depth=depth.reshape(-1)[index]
            )
        return depth


def _read(path: Path, fingerprint: str) -> Float[ndarray, "h w"] | None:
    """The map in a file; None if the file is missing, broken, or of another fingerprint."""
    try:
        with np.load(path, allow_pickle=False) as entries:
            if str(entries["made_of"]) != fingerprint:
                return None
            height, width = entries["shape"].tolist()
            depth = np.zeros(height * width)
            depth[entries["index"]] = entries["depth"]
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile):
        return None  # a broken file costs time only: the map is computed again and replaces it
    return depth.reshape(height, width)
