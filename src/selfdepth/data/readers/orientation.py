"""Which way up stored pixels are shown: EXIF of photos, and the display matrix of videos, as one kind of value."""

from __future__ import annotations

from dataclasses import dataclass
from io import BufferedIOBase

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray


@dataclass(frozen=True, kw_only=True)
class Orientation:
    """What makes stored pixels upright: they are transposed, and then mirrored.

    Attributes:
        transpose: swap rows and columns.
        flip_x: then mirror left and right.
        flip_y: then mirror top and bottom.
    """

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    def size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of the upright image."""
        return (height, width) if self.transpose else (width, height)

    def apply(self, image: UInt8[ndarray, "_h _w *c"]) -> UInt8[ndarray, "h w *c"]:
        """The upright image."""
        if self == UPRIGHT:
            return image
        turned = image.swapaxes(0, 1) if self.transpose else image
        return np.ascontiguousarray(turned[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1])


UPRIGHT = Orientation()

EXIF: dict[int, Orientation] = {
    1: UPRIGHT,
    2: Orientation(flip_x=True),
    3: Orientation(flip_x=True, flip_y=True),
    4: Orientation(flip_y=True),
    5: Orientation(transpose=True),
    6: Orientation(transpose=True, flip_x=True),
    7: Orientation(transpose=True, flip_x=True, flip_y=True),
    8: Orientation(transpose=True, flip_y=True),
}
"""By the value of EXIF's tag."""


def of_display_matrix(data: bytes) -> Orientation:
    """The orientation in a video's display matrix: nine 32-bit numbers, of which only the signs are used.

    It maps a stored pixel to (x', y') = (a x + c y, b x + d y), in 16.16 fixed point, y down. Players apply quarter
    turns and mirrors, and so does this; an incomplete matrix is none.
    """
    if len(data) < 20:
        return UPRIGHT
    a, b, _, c, d = np.frombuffer(data[:20], dtype=np.int32).tolist()
    if abs(a) >= abs(b):
        return Orientation(flip_x=a < 0, flip_y=d < 0)
    return Orientation(transpose=True, flip_x=c < 0, flip_y=b < 0)


_MOST_CHUNKS, _MOST_BYTES = 200_000, 1_000_000


def exif_of_png(file: BufferedIOBase) -> bytes | None:
    """The EXIF of a PNG wherever it stands, behind the pixels too; None if there is none. The pixels are skipped, not
    decoded, and the position in the file is kept."""
    position = file.tell()
    try:
        file.seek(8)  # the signature
        for _ in range(_MOST_CHUNKS):
            header = file.read(8)
            length, name = int.from_bytes(header[:4], "big"), header[4:]
            if name == b"eXIf":
                return file.read(length) if length <= _MOST_BYTES else None
            if len(header) < 8 or name == b"IEND":
                return None
            file.seek(length + 4, 1)  # its data and its checksum
        return None
    finally:
        file.seek(position)
