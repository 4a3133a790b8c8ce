"""Image files, and sequences of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import UInt8
from numpy import ndarray

from selfdepth.data.frames import FrameSequence
from selfdepth.data.readers.pictures import ALL_LEVELS, Levels, image_size, read_image
from selfdepth.errors import DataError

MIN_FRAMES = 3
"""A clip is a frame and its two neighbours."""


@dataclass(frozen=True, kw_only=True)
class ImageSequence(FrameSequence):
    """A sequence with one image file per frame: files[i] holds frame numbers[i].

    Attributes:
        any_size: whether images may differ in size from the camera, as in a folder of stills.
        levels: the 16-bit values that become black and white.
    """

    any_size: bool = False
    levels: Levels = ALL_LEVELS

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
            if not self.any_size:
                # Before it is decoded, which may take a thousand times the memory; and the reduced sizes of images that
                # differ by a few pixels may be the same.
                require_size(files[number], image_size(files[number]), self.size)
            image = read_image(files[number], reduction, self.levels)
            size = (image.shape[1], image.shape[0])
            if size != reduced and not self.any_size:
                require_size(files[number], size, self.size)
            yield image

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of every frame, in pixels."""
        return self.camera.width, self.camera.height


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
