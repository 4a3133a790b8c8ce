"""Decoding footage for a store: work that threads can share, in the order of the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from selfdepth.data.footage import Footage
from selfdepth.data.frames import FrameSequence
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.crop_resize import CropResize

_CHUNK = 8
"""Frames of an image folder that one thread decodes at a time."""


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
    fitted = np.stack([fit.reduced(image, camera)[0] for image in images])
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
