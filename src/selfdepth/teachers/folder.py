"""A teacher that was asked before, by another program: a folder of 16-bit PNGs, one per frame."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from selfdepth.checks import check_map_aspect
from selfdepth.data.readers.frame_files import files_of_frames
from selfdepth.data.readers.png16 import read_png16
from selfdepth.data.store.store import Store
from selfdepth.data.store.teacher_maps import Targets
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.crop import Crop
from selfdepth.teachers.teacher import Quantity, Teacher, fitted, inverted


@dataclass(frozen=True, kw_only=True)
class MapFolder(Teacher):
    """16-bit PNGs of whole frames, before any crop, at any size; 0 where unknown.

    Attributes:
        folder: files named like the frames, as `files_of_frames` finds them.
        gives: what the values are, up to a factor.
    """

    folder: Path
    gives: Quantity

    def identity(self, targets: Targets) -> dict[str, Any]:
        """Names, sizes and times of the files. Reading them all would take too long at the start of every run."""
        digest = hashlib.sha256()
        for file in self._files(targets):
            status = file.stat()
            digest.update(json.dumps([file.name, status.st_size, status.st_mtime_ns]).encode())
        return {"name": self.folder.name, "kind": "folder", "files": digest.hexdigest(), "gives": self.gives}

    def disparities(self, store: Store, targets: Targets, start: int) -> Iterator[Float32[ndarray, "h w"]]:
        """The maps, cropped and resized like the frames. Raises DataError for a map that cannot be used."""
        files = self._files(targets)[start:]
        for file, ref in zip(files, targets.refs[start:], strict=True):
            camera = store.by_name[ref.sequence].camera
            disparity = self._read(file, camera)
            box = _box((disparity.shape[0], disparity.shape[1]), camera, store.crop)
            yield fitted(disparity, size=(store.width, store.height), where=str(file), box=box)

    def _files(self, targets: Targets) -> list[Path]:
        wanted = "map of the teacher"
        try:
            return files_of_frames(self.folder, targets.refs, targets.names, kinds=(".png",), wanted=wanted)
        except DataError as error:
            fix = "add a map for every training frame; --every, --crop and --split decide which these are"
            raise DataError(error.what, where=error.where, expected=error.expected, got=error.got, fix=fix) from error

    def _read(self, file: Path, camera: Camera) -> Float32[ndarray, "_h _w"]:
        expected = f"a 16-bit PNG with one channel: {self.gives} times any factor, 0 where unknown"
        values = read_png16(file, what="the teacher's map", expected=expected).astype(np.float32)
        shape, image = (values.shape[0], values.shape[1]), (camera.height, camera.width)
        check_map_aspect(shape, image, whose="teacher's", where=str(file))
        if self.gives == "depth":
            return inverted(values, str(file))
        return np.where(values > 0, values, np.float32(np.nan))


def _box(shape: tuple[int, int], camera: Camera, sides: Crop) -> tuple[float, float, float, float]:
    """The part of a map that the crop keeps, in pixels of the map; the crop is in pixels of the frame."""
    x, y = shape[1] / camera.width, shape[0] / camera.height
    return (sides.left * x, sides.top * y, (camera.width - sides.right) * x, (camera.height - sides.bottom) * y)
