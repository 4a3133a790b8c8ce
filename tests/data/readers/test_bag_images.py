"""Pictures in messages of ROS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.typesys import Stores, get_typestore

from helpers.bags import COMPRESSED, IMAGE, Message, compressed, encoded, frames, image
from selfdepth.data.readers.bag_images import grey16_of_message, is_depth, picture_of, rgb_of_message, stamp_ns_of
from selfdepth.data.readers.pictures import ALL_LEVELS, read_image
from selfdepth.data.readers.pixel_formats import demosaic
from selfdepth.errors import DataError

STORE = get_typestore(Stores.ROS2_HUMBLE)
WHERE = Path("drive.mcap, topic /cam")
RGB = frames(1)[0]
GREY16 = (np.arange(48 * 32, dtype=np.uint16) * 20).reshape(32, 48)


def made(message: Message) -> Any:
    """The message as it is read: its arrays are views of bytes."""
    return STORE.deserialize_cdr(STORE.serialize_cdr(message.make(STORE), message.type), message.type)


def test_a_raw_image_is_what_it_was() -> None:
    message = made(image(RGB, 5_000_000_007))
    np.testing.assert_array_equal(rgb_of_message(message, IMAGE, ALL_LEVELS, WHERE), RGB)
    found = picture_of(message, IMAGE, WHERE)
    assert (found.size, found.encoding, found.stamp_ns) == ((48, 32), "rgb8", 5_000_000_007)
    assert stamp_ns_of(message) == found.stamp_ns


def test_a_compressed_image_is_decoded_as_its_file_would_be(tmp_path: Path) -> None:
    png = made(compressed(encoded(RGB, "PNG"), 1, form="rgb8; png compressed bgr8"))
    np.testing.assert_array_equal(rgb_of_message(png, COMPRESSED, ALL_LEVELS, WHERE), RGB)
    jpeg = made(compressed(encoded(RGB), 1, form="png"))  # the name lies, and the contents tell
    assert picture_of(jpeg, COMPRESSED, WHERE).encoding == "jpeg"
    (tmp_path / "a.jpg").write_bytes(encoded(RGB))
    found = rgb_of_message(jpeg, COMPRESSED, ALL_LEVELS, WHERE)
    np.testing.assert_array_equal(found, read_image(tmp_path / "a.jpg"))


def test_a_compressed_mosaic_is_demosaiced() -> None:
    mosaic = np.ascontiguousarray(RGB[..., 0])
    message = made(compressed(encoded(mosaic, "PNG"), 1, form="bayer_grbg8; png compressed "))
    np.testing.assert_array_equal(rgb_of_message(message, COMPRESSED, ALL_LEVELS, WHERE), demosaic(mosaic, "grbg"))


def test_deep_grey_is_stretched_between_its_levels_raw_or_compressed() -> None:
    raw = made(image(GREY16, 1, encoding="mono16"))
    png = made(compressed(encoded(GREY16, "PNG"), 1, form="mono16; png compressed "))
    for message, kind in ((raw, IMAGE), (png, COMPRESSED)):
        found = grey16_of_message(message, kind, WHERE)
        assert found is not None
        np.testing.assert_array_equal(found, GREY16)
        pixels = rgb_of_message(message, kind, (0, int(GREY16.max())), WHERE)
        assert (pixels.min(), pixels.max()) == (0, 255)
    assert grey16_of_message(made(image(RGB, 1)), IMAGE, WHERE) is None


def test_depth_is_told_from_pictures() -> None:
    assert is_depth(made(image(GREY16, 1, encoding="16UC1")), IMAGE)
    assert is_depth(made(compressed(b"\x00", 1, form="16UC1; compressedDepth png")), COMPRESSED)
    assert not is_depth(made(image(RGB, 1)), IMAGE)


BAD: dict[str, tuple[Message, str]] = {
    "no data": (image(RGB, 1, data=np.zeros(0, np.uint8)), r"message has no data: drive\.mcap, topic /cam"),
    "no compressed data": (compressed(b"", 1), r"message has no data"),
    "no size": (image(RGB, 1, width=0, height=0), "has no pixels.*at least 1; got 0x0"),
    "more than there is": (image(RGB, 1, height=33), r"shorter than it says.*expected 4752 bytes for 48x33.*got 4608"),
    "gigabytes": (image(RGB, 1, height=50_000, width=50_000), r"too large.*at most 200 megapixels; got 2,500 meg"),
    "a step that is too short": (image(RGB, 1, step=100), r"shorter than it says.*a step of 100"),
    "unknown encoding": (image(RGB, 1, encoding="jpeg2000"), r"encoding of the images is not known.*jpeg2000"),
    "H.264": (compressed(b"\x00\x00\x00\x01\x67" + bytes(99), 1, form="h264"), r'codec that is not read.*"h264"'),
    "compressed depth": (
        compressed(encoded(GREY16, "PNG"), 1, form="16UC1; compressedDepth"),
        "codec that is not read",
    ),
    "half a JPEG": (compressed(encoded(RGB)[:400], 1), r"image cannot be read: drive\.mcap, topic /cam"),
    "text": (compressed(b"not an image at all", 1), r"codec that is not read: drive\.mcap"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_message_without_a_picture_is_refused(name: str) -> None:
    message, words = BAD[name]
    with pytest.raises(DataError, match=words):
        rgb_of_message(made(message), message.type, ALL_LEVELS, WHERE)
