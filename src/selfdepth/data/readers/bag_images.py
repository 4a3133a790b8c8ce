"""Messages of pictures, sensor_msgs/Image and sensor_msgs/CompressedImage: their sizes, stamps and pixels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8, UInt16
from numpy import ndarray

from selfdepth.data.readers.file_kinds import kind_of_bytes
from selfdepth.data.readers.pictures import (
    Levels,
    grey16_of_image,
    opened_bytes,
    upright_rgb,
    upright_size,
)
from selfdepth.data.readers.pixel_formats import demosaic, format_of, raw_pixels, rgb_of_raw
from selfdepth.errors import DataError
from selfdepth.limits import require_within

RAW, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
TYPES = (RAW, COMPRESSED)
"""The types of messages that hold pictures."""
_DEPTH = ("16UC1", "32FC1", "64FC1")
"""Encodings of depth images (REP 118). Thermal cameras write 16UC1, too."""
_MOSAIC = re.compile(r"bayer_([rgb]{4})8\b")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What a message says of its picture.

    Attributes:
        size: width and height in pixels, upright.
        encoding: such as "rgb8", or "jpeg".
        stamp_ns: nanoseconds of its header; 0 if it is not set.
        frame_id: name of the camera's coordinate frame in its header.
    """

    size: tuple[int, int]
    encoding: str
    stamp_ns: int
    frame_id: str = ""


def stamp_ns_of(message: Any) -> int:
    """Nanoseconds of a message's header."""
    stamp = message.header.stamp
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)


def picture_of(message: Any, kind: str, where: Path) -> Picture:
    """Size, encoding and stamp of a message, without its pixels being decoded.

    Args:
        kind: RAW or COMPRESSED.
        where: what errors name.

    Raises:
        DataError: for a message without a picture, too large a one, or an encoding or codec that is not known.
    """
    stamp_ns, frame_id = stamp_ns_of(message), str(message.header.frame_id)
    if not len(message.data):
        raise DataError("the message has no data", where=where)
    if kind == COMPRESSED:
        _refuse_other_codecs(message, where)
        with opened_bytes(message.data.tobytes(), where) as image:
            size, encoding = upright_size(image), str(image.format).lower()
            return Picture(size=size, encoding=encoding, stamp_ns=stamp_ns, frame_id=frame_id)
    size = int(message.width), int(message.height)
    require_within("image_megapixels", size[0] * size[1] / 1e6, what="the image is too large", where=where)
    form = format_of(message.encoding, str(where))
    if min(size) < 1:
        raise DataError(
            "the image has no pixels",
            where=where,
            expected="a width and a height of at least 1",
            got=f"{size[0]}x{size[1]}",
            fix="let the driver set them, and record it again",
        )
    if len(message.data) < size[0] * size[1] * form.pixel_bytes:
        raise DataError(
            "the image is shorter than it says",
            where=where,
            expected=f"{size[0] * size[1] * form.pixel_bytes} bytes for {size[0]}x{size[1]} in {message.encoding[:20]}",
            got=str(len(message.data)),
        )
    return Picture(size=size, encoding=str(message.encoding), stamp_ns=stamp_ns, frame_id=frame_id)


def is_depth(message: Any, kind: str) -> bool:
    """Whether a message says that it holds depth rather than a picture."""
    if kind == COMPRESSED:
        return "compresseddepth" in message.format.casefold()
    return message.encoding.upper() in _DEPTH


def rgb_of_message(message: Any, kind: str, levels: Levels, where: Path) -> UInt8[ndarray, "h w 3"]:
    """The picture of a message: RGB, upright.

    Args:
        kind: RAW or COMPRESSED.
        levels: values of 16-bit grey that become black and white.
        where: what errors name.

    Raises:
        DataError: as `picture_of`, and for pixels that cannot be decoded.
    """
    picture_of(message, kind, where)
    if kind == RAW:
        return rgb_of_raw(**_raw(message), levels=levels, where=str(where))
    with opened_bytes(message.data.tobytes(), where) as image:
        # image_transport compresses the mosaic of a Bayer camera as it is, as a grey picture.
        mosaic = _MOSAIC.match(message.format.casefold())
        if mosaic and image.mode == "L":
            return demosaic(np.asarray(image), mosaic[1])
        return upright_rgb(image, levels)


def grey16_of_message(message: Any, kind: str, where: Path) -> UInt16[ndarray, "h w"] | None:
    """The values of a picture in 16-bit grey; None for other pictures. Raises DataError as `rgb_of_message`."""
    picture_of(message, kind, where)
    if kind == COMPRESSED:
        with opened_bytes(message.data.tobytes(), where) as image:
            return grey16_of_image(image)
    if format_of(message.encoding, str(where)) is not format_of("mono16", ""):
        return None
    return raw_pixels(**_raw(message), where=str(where))


def _raw(message: Any) -> dict[str, Any]:
    return {
        "data": message.data,
        "encoding": message.encoding,
        "size": (int(message.width), int(message.height)),
        "step": int(message.step),
        "big_endian": bool(message.is_bigendian),
    }


def _refuse_other_codecs(message: Any, where: Path) -> None:
    kind = kind_of_bytes(message.data[:4096].tobytes())
    if is_depth(message, COMPRESSED) or kind is None or kind.role != "image":
        raise DataError(
            "the images are compressed by a codec that is not read",
            where=where,
            expected="JPEG or PNG",
            got=f'the format "{message.format[:60]}"',
            fix="choose another topic with --topic, or record the raw images",
        )
