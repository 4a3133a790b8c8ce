"""A cache of depth maps computed from LiDAR scans, in a folder that the user names."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.frames import FrameRef
from selfdepth.data.readers.arrays import read_arrays
from selfdepth.data.truth import DepthTruth
from selfdepth.errors import DataError
from selfdepth.files import whole_file
from selfdepth.geometry.ray_depth import DepthIs
from selfdepth.limits import limit


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

    def depth_is(self, ref: FrameRef) -> DepthIs:
        """What the maps are that it caches."""
        return self.truth.depth_is(ref)


def _read(path: Path, fingerprint: str) -> Float[ndarray, "h w"] | None:
    """The map in a file; None if the file is missing, broken, or of another fingerprint."""
    if not path.is_file():
        return None
    # A broken file costs time only: the map is computed again and replaces it.
    try:
        entries = read_arrays(path, what="the cached map cannot be read", expected=", ".join(_ENTRIES), wanted=_ours)
    except DataError:
        return None
    if entries.keys() != set(_ENTRIES) or str(entries["made_of"]) != fingerprint:
        return None
    index, values = entries["index"], entries["depth"]
    height, width = _size(entries["shape"])
    if not (height and index.dtype.kind == "i" and values.dtype == np.float64 and index.shape == values.shape):
        return None
    if index.ndim != 1 or not (np.isfinite(values).all() and (values > 0).all()):
        return None
    if index.size and not (index.min() >= 0 and index.max() < height * width):
        return None
    depth = np.zeros(height * width)
    depth[index] = values
    return depth.reshape(height, width)


_ENTRIES = ("made_of", "shape", "index", "depth")


def _ours(names: Collection[str]) -> Collection[str]:
    return _ENTRIES


def _size(shape: ndarray) -> tuple[int, int]:
    """Height and width of a map, or zeros for what is no size of an image."""
    if shape.shape != (2,) or shape.dtype.kind != "i" or shape.min() < 1:
        return 0, 0
    height, width = shape.tolist()
    return (height, width) if height * width <= limit("image_megapixels") * 1e6 else (0, 0)
