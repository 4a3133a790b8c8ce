"""Decode an image file: its format, size, depth of bits, colours and orientation are judged here and nowhere else."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import UInt8, UInt16
from numpy import ndarray
from PIL import ExifTags, Image

from selfdepth.data.readers.file_kinds import RAW_PHOTO, FileKind, file_kind, kind_of_bytes, require_role
from selfdepth.data.readers.orientation import EXIF, Orientation, exif_of_png
from selfdepth.data.readers.picture_headers import judge_header
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.limits import require_within

Levels = tuple[int, int]
"""The 16-bit values that become black and white."""
ALL_LEVELS: Levels = (0, 65535)

_WIDTH, _HEIGHT, _SUBFILE, _TILE_WIDTH, _TILE_HEIGHT, _DNG = 256, 257, 254, 322, 323, 50706
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0
"""Tags of TIFF, and a value of the last."""
_RAW_PROFILE = "Raw profile type exif"
_SIXTEEN_BITS_AT_MOST = ("PNG", "PPM")
"""Formats whose pixels of Pillow's type "I" are 16-bit grey."""
_REDUCED_OR_MASK = 1 | 4
"""Bits of TIFF's tag on what a page is: another size of the picture before, or its transparency."""
_BOMB_CHECK = threading.Lock()


def read_image(path: Path, reduction: int = 1, levels: Levels = ALL_LEVELS) -> UInt8[ndarray, "h w 3"]:
    """Decode an image file to upright RGB. Grey becomes RGB, 16 bits become 8, transparency is dropped.

    Of a file with several pages or an animation, the first picture is taken, with a warning.

    Args:
        reduction: 2, 4 or 8 decodes a JPEG at 1/2, 1/4 or 1/8 of its size (rounded up); other formats ignore it.
        levels: values of 16-bit grey that become black and white; those beyond are clipped.

    Raises:
        DataError: naming the file, if it is missing, too large, truncated, corrupt, or no image that can be read.
    """
    with opened_image(path) as image:
        return decoded_image(image, path, reduction, levels)


def decoded_image(
    image: Image.Image, path: Path, reduction: int = 1, levels: Levels = ALL_LEVELS
) -> UInt8[ndarray, "h w 3"]:
    """The pixels of an opened image, as `read_image` returns those of the file `path`."""
    if reduction > 1:
        image.draft("RGB", (image.width // reduction, image.height // reduction))
    orientation = _orientation_after_loading(image)
    pixels = rgb_of(image, levels)
    if _holds_more(image):  # after the pixels, which turning a page would replace
        warnings.warn(
            # Of the folder, not the file: one sentence is enough for all of its frames.
            f"{path.parent}: there are {image.format} images that hold several pictures, as an animation or pages; "
            "the first of each is taken; if they are frames, convert each file to a video or a folder of images",
            SelfDepthWarning,
            stacklevel=3,
        )
    return orientation.apply(pixels)


def upright_rgb(image: Image.Image, levels: Levels = ALL_LEVELS) -> UInt8[ndarray, "h w 3"]:
    """The pixels of an opened image, as `read_image` returns them."""
    orientation = _orientation_after_loading(image)
    return orientation.apply(rgb_of(image, levels))


def rgb_of(image: Image.Image, levels: Levels = ALL_LEVELS) -> UInt8[ndarray, "h w 3"]:
    """The pixels of an image of Pillow as RGB, as `read_image` converts those of a file."""
    if _is_grey16(image):
        return grey_to_rgb(_grey16(image), levels)
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # Pillow warns where it is converted to RGB at once
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) in pixels of the upright image, from the file's header alone.

    Raises:
        DataError: naming the file, if it is missing, too large, or no image that can be read.
    """
    with opened_image(path) as image:
        return upright_size(image)


def upright_size(image: Image.Image) -> tuple[int, int]:
    """(width, height) in pixels of an opened image, once it is upright."""
    return EXIF[_exif_orientation(image)].size(*_stored_size(image))


def read_grey16(path: Path) -> UInt16[ndarray, "h w"] | None:
    """The values of an image in 16-bit grey, of which 0 is black; None for other images.

    Raises:
        DataError: as `read_image`.
    """
    with opened_image(path) as image:
        return grey16_of_image(image)


def grey16_of_image(image: Image.Image) -> UInt16[ndarray, "h w"] | None:
    """As `read_grey16`, of an opened image."""
    return _grey16(image) if _is_grey16(image) else None


@contextmanager
def opened_image(path: Path) -> Iterator[Image.Image]:
    """An image whose header has been read and judged, and whose pixels have not been decoded.

    Whatever Pillow raises, here or in the block, becomes a DataError that names the file: its plug-ins raise nearly
    every kind of exception, depending on the format and the damage.

    Raises:
        DataError: if the file is missing, too large, damaged, or no image that can be read.
    """
    if not path.exists():
        raise DataError("there is no such image", where=path)
    kind = file_kind(path)
    require_role(path, kind, "image")
    if kind is None:
        raise _unreadable(path, "not an image")
    with _refusing(path), path.open("rb") as file, _header(file, kind, path) as image:
        _judge(image, path)
        yield image


@contextmanager
def opened_bytes(data: bytes, where: Path) -> Iterator[Image.Image]:
    """As `opened_image`, of an image's bytes, as a message of ROS or a member of an archive holds them.

    Args:
        where: what errors name.
    """
    kind = kind_of_bytes(data)
    if kind is None or kind.role != "image":
        raise _unreadable(where, "not an image" if kind is None else kind.name)
    with _refusing(where), _header(BytesIO(data), kind, where) as image:
        _judge(image, where)
        yield image


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except MemoryError as error:
        raise _unreadable(path, "more pixels than fit into memory") from error
    except Exception as error:
        raise _unreadable(path, str(error) or type(error).__name__) from error


def _header(file: BytesIO | BufferedReader, kind: FileKind, path: Path) -> Image.Image:
    """The image, opened. Only the plug-in of its format is tried: others start programs, or are not tested here."""
    # Pillow has a limit of its own, a global; ours is judged right after. Nothing is decoded in between.
    judge_header(file, kind.pillow, path)
    with _BOMB_CHECK:
        theirs, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(file, formats=(kind.pillow,))
        finally:
            Image.MAX_IMAGE_PIXELS = theirs


def _judge(image: Image.Image, path: Path) -> None:
    """Refuse what would be too large to decode, or decoded into something else than the picture."""
    width, height = _stored_size(image)
    if min(width, height) < 1:
        raise _unreadable(path, f"{width}x{height} pixels")
    require_within("image_megapixels", width * height / 1e6, what="the image is too large", where=path)
    if image.mode == "F" or (image.mode == "I" and image.format not in _SIXTEEN_BITS_AT_MOST):
        raise DataError(
            "the image has 32-bit pixels",
            where=path,
            expected="8 or 16 bits a channel",
            fix="convert the images, or leave them out",
        )
    tags = getattr(image, "tag_v2", {})  # of TIFF alone
    if _DNG in tags or tags.get(_SUBFILE, 0) & 1:  # the first picture in a raw photo is a preview
        require_role(path, RAW_PHOTO, "image")
    # A tile is decoded whole, whatever part of it lies in the image.
    tile = tags.get(_TILE_WIDTH, 0) * tags.get(_TILE_HEIGHT, 0)
    require_within("image_megapixels", tile / 1e6, what="a tile of the image is too large", where=path)


def _holds_more(image: Image.Image) -> bool:
    """Whether there are pictures after the first one, other than copies of it."""
    if image.format == "MPO":  # a photo of a camera that adds a preview, or a second eye's view
        return False
    tags = getattr(image, "tag_v2", None)
    if tags is None:
        return int(getattr(image, "n_frames", 1)) > 1
    if not tags.next:  # Pillow would read all pages to count them
        return False
    try:
        image.seek(1)
    except Exception:  # nothing that anybody could have meant
        return False
    return not getattr(image, "tag_v2", {}).get(_SUBFILE, 0) & _REDUCED_OR_MASK


def _stored_size(image: Image.Image) -> tuple[int, int]:
    """(width, height) of the pixels as they are stored. Pillow gives that of a TIFF as it will be once turned."""
    tags = getattr(image, "tag_v2", None)
    return image.size if tags is None else (tags[_WIDTH], tags[_HEIGHT])


def _exif_orientation(image: Image.Image) -> int:
    """The value of EXIF's tag, 1 (upright) to 8. Viewers ignore damaged EXIF, and so does this."""
    try:
        value = _exif(image).get(ExifTags.Base.Orientation, 1)
    except Exception:
        return 1
    return value if value in EXIF else 1


def _exif(image: Image.Image) -> Image.Exif:
    if image.format != "PNG":
        return image.getexif()
    # A PNG may hold its EXIF behind the pixels, and Pillow would decode the whole image to look for it there.
    # ImageMagick writes it as text.
    if "exif" in image.info or _RAW_PROFILE in image.info:
        return Image.Image.getexif(image)
    exif = Image.Exif()
    file = getattr(image, "fp", None)
    data = exif_of_png(file) if file is not None else None
    if data:
        exif.load(b"Exif\0\0" + data)
    return exif


def _orientation_after_loading(image: Image.Image) -> Orientation:
    """Decode the image. Returns what is left to turn: Pillow turns TIFFs by itself, and then removes their tag."""
    orientation = _exif_orientation(image)
    image.load()
    return EXIF[_exif_orientation(image) if image.format == "TIFF" else orientation]


def _is_grey16(image: Image.Image) -> bool:
    # Older versions of Pillow, and all of them for PGM, call 16-bit grey "I"; `_judge` refused any other "I".
    return image.mode.startswith("I")


def _grey16(image: Image.Image) -> UInt16[ndarray, "h w"]:
    values = np.asarray(image).astype(np.uint16, copy=False)
    # Pillow inverts 8 bits of a TIFF whose 0 is white, and leaves 16 bits as they are.
    return 65535 - values if getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO else values


def grey_to_rgb(values: UInt16[ndarray, "h w"], levels: Levels) -> UInt8[ndarray, "h w 3"]:
    """16-bit grey as RGB of 8 bits, with these levels as black and white."""
    # By a table: Pillow's own conversion would clip at 255, and arithmetic would take four times the memory.
    black, white = levels
    steps = (np.arange(65536, dtype=np.float64) - black) / max(1, white - black)
    table = np.rint(255 * steps.clip(0, 1)).astype(np.uint8)
    return np.repeat(table[values][:, :, None], 3, axis=2)


def _unreadable(path: Path, reason: str) -> DataError:
    return DataError("the image cannot be read", where=path, got=reason, fix="copy or extract it again, or remove it")
