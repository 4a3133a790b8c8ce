"""Depth maps of LiDAR scans, kept for the next evaluation in a folder that the user names."""

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
    """The same depth maps as `truth`. One whose scan or calibration has changed since is computed anew.

    A file holds the pixels whose depth is known, and the fingerprint of what they were computed from.
    """

    truth: DepthTruth
    folder: Path
    _writing: threading.Lock = field(default_factory=threading.Lock, compare=False, repr=False)

    def __call__(self, ref: FrameRef) -> Float[ndarray, "h w"] | None:
        """Depth map in metres, 0 = unknown, or None if the frame has no scan.

        Raises:
            DataError: for bad scans or calibrations.
            OutputError: if the folder cannot be written to.
        """
        fingerprint = self.truth.fingerprint(ref)
        if fingerprint is None:
            return None
        path = self.folder / ref.sequence / f"{ref.number:010d}.npz"
        kept = _read(path, fingerprint)
        if kept is not None:
            return kept
        depth = self.truth(ref)
        if depth is None:  # the scan went away in between
            return None
        index = np.flatnonzero(depth)
        with self._writing, whole_file(path) as temporary, temporary.open("wb") as file:  # a frame may be listed twice
            np.savez(
                file, made_of=np.array(fingerprint), shape=depth.shape, index=index, depth=depth.reshape(-1)[index]
            )
        return depth


def _read(path: Path, fingerprint: str) -> Float[ndarray, "h w"] | None:
    """The map that a file keeps; None if there is no file, it is broken, or was computed from something else."""
    try:
        with np.load(path, allow_pickle=False) as entries:
            if str(entries["made_of"]) != fingerprint:
                return None
            height, width = entries["shape"].tolist()
            depth = np.zeros(height * width)
            depth[entries["index"]] = entries["depth"]
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile):
        return None
    return depth.reshape(height, width)
