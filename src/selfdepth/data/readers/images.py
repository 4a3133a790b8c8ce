"""Image files, and sequences of them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from selfdepth.data.frames import FrameSequence
from selfdepth.errors import DataError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
MIN_FRAMES = 3
"""A clip is a frame and its two neighbours."""

_NOT_READABLE = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)
"""What Pillow raises for damaged files, depending on format and damage."""
_SIDEWAYS = frozenset({5, 6, 7, 8})
"""EXIF orientations that swap width and height."""


@dataclass(frozen=True, kw_only=True)
class ImageSequence(FrameSequence):
    """A sequence with one image file per frame: files[i] holds frame numbers[i].

    Attributes:
        any_size: whether images may differ in size from the camera, as in a folder of stills.
    """

    any_size: bool = False

    def read(self, numbers: tuple[int, ...]) -> Iterator[UInt8[ndarray, "h w 3"]]:
        """Decode the frames with these numbers: RGB, upright.

        Raises:
            DataError: naming the file, if it cannot be decoded or its size differs from the camera's.
        """
        return self.read_reduced(numbers, 1)

    def read_reduced(self, numbers: tuple[int, ...], reduction: int) -> Iterator[UInt8[ndarray, "_h _w 3"]]:
        """As `read`; JPEGs come at 1/reduction of their size, decoded from their low frequencies alone."""
        files = dict(zip(self.numbers, self.files, strict=True))
        reduced = tuple(-(-side // reduction) for side in self.size)  # the JPEG decoder rounds up
        for number in numbers:
            if reduction > 1 and not self.any_size:
                # The reduced sizes of images that differ by a few pixels may be the same.
                require_size(files[number], image_size(files[number]), self.size)
            image = read_image(files[number], reduction)
            size = (image.shape[1], image.shape[0])
            if size != reduced and not self.any_size:
                require_size(files[number], size, self.size)
            yield image

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of every frame, in pixels."""
        return self.camera.width, self.camera.height


def read_image(path: Path, reduction: int = 1) -> UInt8[ndarray, "h w 3"]:
    """Decode an image file to upright RGB. Grey becomes RGB, 16 bits become 8, transparency is dropped.

    Args:
        reduction: 2, 4 or 8 decodes a JPEG at 1/2, 1/4 or 1/8 of its size (rounded up); other formats ignore it.

    Raises:
        DataError: naming the file, if it is missing, truncated, corrupt or not an image.
    """
    try:
        with Image.open(path) as image:
            orientation = _orientation(image)
            if reduction > 1:
                image.draft("RGB", (image.width // reduction, image.height // reduction))
            if image.mode in ("I", "F"):
                raise DataError(
                    "the image has 32-bit pixels",
                    where=path,
                    expected="8 or 16 bits a channel",
                    fix="convert the images, or leave them out",
                )
            if image.mode.startswith("I;16"):
                # Pillow's own conversion to RGB would clip 16-bit values at 255.
                grey = np.asarray(image, dtype=np.float32) * np.float32(255 / 65535)
                upright = Image.fromarray(np.rint(grey).astype(np.uint8)).convert("RGB")
            else:
                upright = image.convert("RGB")
    except _NOT_READABLE as error:
        raise _not_an_image(path, error) from error
    if orientation != 1:
        # The conversion above may have dropped the tag that `exif_transpose` reads.
        upright.getexif()[ExifTags.Base.Orientation] = orientation
        upright = ImageOps.exif_transpose(upright)
    return np.asarray(upright)


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) in pixels of the upright image, from the file's header alone.

    Raises:
        DataError: naming the file, if it is missing or not an image.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            return (height, width) if _orientation(image) in _SIDEWAYS else (width, height)
    except _NOT_READABLE as error:
        raise _not_an_image(path, error) from error


def require_size(path: Path, got: tuple[int, int], expected: tuple[int, int]) -> None:
    """Raise DataError, naming the file, unless an image has the (width, height) of its sequence."""
    if got != expected:
        raise DataError(
            "the image does not have the size of its sequence",
            where=path,
            expected=f"{expected[0]}x{expected[1]}",
            got=f"{got[0]}x{got[1]}",
            fix="give images of each size a folder of their own, or remove it",
        )


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 (upright) to 8."""
    # A PNG may hold the tag behind its pixels, and Pillow would decode the whole image to look for it there.
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    value = image.getexif().get(ExifTags.Base.Orientation, 1)
    return value if value in range(1, 9) else 1


def _not_an_image(path: Path, error: Exception) -> DataError:
    if not path.exists():
        return DataError("there is no such image", where=path)
    reason = "not an image" if isinstance(error, UnidentifiedImageError) else str(error)
    return DataError("the image cannot be read", where=path, got=reason, fix="copy or extract it again, or remove it")
