"""Decoding footage for a store: work that threads can share, in the order of the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from selfdepth.data.footage import Footage
from selfdepth.data.frames import FrameSequence
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera, crop, resize

_REDUCTIONS = (8, 4, 2)
"""At which JPEGs can be decoded at a fraction of the work."""
_CHUNK = 8
"""Frames of an image folder that one thread decodes at a time."""


@dataclass(frozen=True, kw_only=True)
class CropResize:
    """How frames are brought to the training size.

    Attributes:
        width, height: training size in pixels.
        crop: pixels cut off at top, bottom, left, right before resizing.
    """

    width: int
    height: int
    crop: tuple[int, int, int, int]

    def __call__(self, image: UInt8[ndarray, "h w 3"], camera: Camera) -> tuple[UInt8[ndarray, "_h _w 3"], Camera]:
        """Crop and resize an image, and its camera with it."""
        top, bottom, left, right = self.crop
        image, camera = crop(image, camera, top=top, bottom=bottom, left=left, right=right)
        return resize(image, camera, width=self.width, height=self.height)

    def reduction(self, camera: Camera) -> int:
        """By how much frames may be decoded smaller: as far as they stay at least as large as wanted."""
        top, bottom, left, right = self.crop
        spare = min((camera.width - left - right) / self.width, (camera.height - top - bottom) / self.height)
        return next((reduction for reduction in _REDUCTIONS if reduction <= spare), 1)

    def pixels(self, image: UInt8[ndarray, "_h _w 3"], camera: Camera) -> UInt8[ndarray, "_h2 _w2 3"]:
        """Crop and resize an image that may have been decoded smaller than its camera says."""
        if image.shape[:2] == (camera.height, camera.width):
            return self(image, camera)[0]
        # The crop in pixels of the smaller image: fractions of a pixel are kept, so that the camera stays exact.
        top, bottom, left, right = (side / self.reduction(camera) for side in self.crop)
        width, height = (side / self.reduction(camera) for side in (camera.width, camera.height))
        box = (left, top, width - right, height - bottom)
        small = Image.fromarray(image).resize((self.width, self.height), Image.Resampling.LANCZOS, box=box)
        return np.asarray(small)


def decoding_jobs(footage: Footage, fit: CropResize) -> Iterator[Callable[[], UInt8[ndarray, "n 3 h w"]]]:
    """Work for the threads, in the order of the rows.

    Separate images decode in the threads. A video can only be decoded in order: that happens here, as this is
    consumed, and the threads only resize.
    """
    for sequence in footage.sequences:
        if len(sequence.files) >= len(sequence.numbers):
            for i in range(0, len(sequence.numbers), _CHUNK):
                yield partial(_decode, sequence, sequence.numbers[i : i + _CHUNK], fit)
        else:
            n_read = 0
            for image in sequence.read(sequence.numbers):
                n_read += 1
                yield partial(_fit_all, [image], sequence.camera, fit)
            _check_count(sequence, n_read, len(sequence.numbers))


def _decode(sequence: FrameSequence, numbers: tuple[int, ...], fit: CropResize) -> UInt8[ndarray, "n 3 h w"]:
    images = list(sequence.read_reduced(numbers, fit.reduction(sequence.camera)))
    _check_count(sequence, len(images), len(numbers))
    return _fit_all(images, sequence.camera, fit)


def _fit_all(images: list[ndarray], camera: Camera, fit: CropResize) -> UInt8[ndarray, "n 3 h w"]:
    fitted = np.stack([fit.pixels(image, camera) for image in images])
    return np.ascontiguousarray(fitted.transpose(0, 3, 1, 2))


def _check_count(sequence: FrameSequence, got: int, expected: int) -> None:
    if got != expected:
        raise DataError(
            "the footage ends early",
            where=sequence.files[0] if sequence.files else sequence.name,
            expected=f"{expected} frames",
            got=f"{got}",
            fix="copy the file again, or convert it with ffmpeg",
        )
