"""A crop of an image, as a plain value. The configuration holds one, so this file imports neither torch nor numpy."""

from __future__ import annotations

from dataclasses import dataclass

from selfdepth.checks import LARGEST, require
from selfdepth.errors import DataError
from selfdepth.texts import whole_number

FORM = "top,bottom,left,right"
"""The text form of a crop: its fields in their order."""


@dataclass(frozen=True)
class Crop:
    """Pixels to cut off each side of an image. A crop that cuts off nothing is false.

    Raises:
        DataError: for a negative number.
    """

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    def __post_init__(self) -> None:
        if min(self.top, self.bottom, self.left, self.right) < 0:
            raise DataError("a crop cannot add pixels", where="--crop", expected=f"{FORM}, 0 or more", got=str(self))

    def __bool__(self) -> bool:
        return any((self.top, self.bottom, self.left, self.right))

    def __str__(self) -> str:
        return f"{self.top},{self.bottom},{self.left},{self.right}"

    @staticmethod
    def parse(text: str) -> Crop:
        """Read "top,bottom,left,right" in whole pixels, as `str` writes it. Raises ConfigError for anything else."""
        numbers = [whole_number(part.strip(), most=LARGEST) for part in text.split(",")]
        sides = [number for number in numbers if number is not None]
        require(len(numbers) == len(sides) == 4, "--crop", f"{FORM} in whole pixels", text)
        return Crop(*sides)

    def size_of(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of an image after the crop. Raises DataError if nothing is left of it."""
        kept_width, kept_height = width - self.left - self.right, height - self.top - self.bottom
        if kept_width < 1 or kept_height < 1:
            raise DataError(
                "the crop leaves nothing of the image",
                where=f"--crop {FORM}",
                expected=f"fewer pixels than the image has, {width}x{height}",
                got=str(self),
            )
        return kept_width, kept_height

    def window(self, width: int, height: int) -> tuple[slice, slice]:
        """The rows and columns of an image that the crop keeps. Raises DataError as `size_of`."""
        kept_width, kept_height = self.size_of(width, height)
        return slice(self.top, self.top + kept_height), slice(self.left, self.left + kept_width)


NO_CROP = Crop()
"""The crop that cuts off nothing."""
