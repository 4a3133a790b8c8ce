"""What is cut off an image. A plain value: the configuration gives one, so nothing here imports arrays."""

from __future__ import annotations

from dataclasses import dataclass

from selfdepth.checks import require
from selfdepth.errors import DataError

FORM = "top,bottom,left,right"
"""How a crop is written, in the order of its fields."""


@dataclass(frozen=True)
class Crop:
    """Pixels to cut off each side of an image. True if it cuts off any.

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
        """Read "top,bottom,left,right" in pixels, as `str` writes it. Raises ConfigError for anything else."""
        parts = [part.strip() for part in text.split(",")]
        is_crop = len(parts) == 4 and all(part.isdecimal() for part in parts)
        require(is_crop, "--crop", f"{FORM} in whole pixels", text)
        return Crop(*map(int, parts))

    def size_of(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of what is left of an image. Raises DataError if that is nothing."""
        kept_width, kept_height = width - self.left - self.right, height - self.top - self.bottom
        if kept_width < 1 or kept_height < 1:
            raise DataError(
                "the crop leaves nothing of the image",
                where=f"--crop {FORM}",
                expected=f"pixels to cut off each side of {width}x{height}",
                got=str(self),
            )
        return kept_width, kept_height

    def window(self, width: int, height: int) -> tuple[slice, slice]:
        """The rows and the columns that are left of an image. Raises DataError as `size_of`."""
        kept_width, kept_height = self.size_of(width, height)
        return slice(self.top, self.top + kept_height), slice(self.left, self.left + kept_width)


NO_CROP = Crop()
"""Nothing is cut off."""
