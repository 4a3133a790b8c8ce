"""What a file is, by its first bytes."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from selfdepth.data.readers.file_kinds import file_kind, is_image, require_role
from selfdepth.errors import DataError


def _box(major: bytes, *compatible: bytes) -> bytes:
    body = b"ftyp" + major + bytes(4) + b"".join(compatible)
    return (4 + len(body)).to_bytes(4, "big") + body + bytes(100)


def _zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("0.png", b"")
    return stream.getvalue()


def _pillow(name: str, mode: str = "RGB") -> bytes:
    stream = io.BytesIO()
    Image.new(mode, (32, 32)).save(stream, format=name)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "role", "name"),
    [
        (_pillow("JPEG"), "image", "JPEG"),
        (_pillow("PNG"), "image", "PNG"),
        (_pillow("BMP"), "image", "BMP"),
        (_pillow("WEBP"), "image", "WebP"),
        (_pillow("TIFF"), "image", "TIFF"),
        (_pillow("PPM"), "image", "PPM"),
        (_pillow("PPM", "L"), "image", "PGM"),
        (_pillow("PPM", "1"), "image", "PPM"),
        (_pillow("GIF"), "video", "GIF"),
        (_box(b"isom", b"mp42"), "video", "video"),
        (_box(b"qt  "), "video", "video"),
        (_box(b"mp42", b"isom", b"heic"), "video", "video"),
        (b"\x1a\x45\xdf\xa3" + bytes(40), "video", "video"),
        (b"RIFF\x00\x00\x00\x00AVI ", "video", "video"),
        (b"\x00\x00\x01\xba" + bytes(40), "video", "video"),
        (_pillow("EPS"), "other", "PostScript"),
        (_pillow("PDF"), "other", "PDF"),
        (_pillow("DDS"), "other", "DDS"),
        (_pillow("JPEG2000"), "other", "JPEG 2000"),
        (b"\xff\x4f\xff\x51" + bytes(50), "other", "JPEG 2000"),
        (_box(b"heic", b"mif1", b"heic"), "other", "HEIC"),
        (_box(b"mif1", b"mif1", b"heic", b"miaf"), "other", "HEIC"),
        (_box(b"avif", b"mif1"), "other", "AVIF"),
        (_box(b"abcd", b"avif"), "other", "AVIF"),
        (_box(b"crx ", b"isom"), "other", "raw photo"),
        (b"II*\x00\x10\x00\x00\x00CR\x02\x00", "other", "raw photo"),
        (b"\xff\x0a" + bytes(50), "other", "JPEG XL"),
        (_zip(), "other", "ZIP"),
        (b"ffconcat version 1.0\nfile a.mp4\n", "other", "list of videos"),
        (b"#EXTM3U\na.ts\n", "other", "list of videos"),
        (b"file 'a.mp4'\nfile 'b.mp4'\n", "other", "text"),
        ("Straße 1\n".encode(), "other", "text"),
        (b"\xef\xbb\xbfa,b\r\n", "other", "text"),
        (b"#ROSBAG V2.0\n" + bytes(40), "other", "ROS bag"),
    ],
)
def test_a_file_is_known_by_its_contents_under_any_name(tmp_path: Path, content: bytes, role: str, name: str) -> None:
    for suffix in (".jpg", ".mp4", ""):
        path = tmp_path / f"frame{suffix}"
        path.write_bytes(content)
        kind = file_kind(path)
        assert kind is not None and kind.role == role and name in kind.name
        assert is_image(path) == (role == "image")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        bytes(300),
        b"\x47" + bytes(187) + b"\x47",
    ],
)
def test_what_may_be_a_video_is_of_no_kind_and_then_the_suffix_counts(tmp_path: Path, content: bytes) -> None:
    for name, image in (("frame.jpg", True), ("drive.mp4", False)):
        (tmp_path / name).write_bytes(content)
        assert file_kind(tmp_path / name) is None
        assert is_image(tmp_path / name) == image


def test_jpegs_one_after_the_other_are_a_video_by_their_suffix(tmp_path: Path) -> None:
    (tmp_path / "drive.mjpeg").write_bytes(2 * _pillow("JPEG"))
    kind = file_kind(tmp_path / "drive.mjpeg")
    assert kind is not None and kind.role == "video"


def test_a_file_of_another_role_is_refused_by_its_name_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "IMG_1.jpg"
    path.write_bytes(_box(b"heic"))
    with pytest.raises(DataError, match=r"IMG_1\.jpg; expected JPEG.*; got a HEIF photo \(HEIC\); convert it to PNG"):
        require_role(path, file_kind(path), "image")
    with pytest.raises(DataError, match=r"not a video.*IMG_1\.jpg.*got a HEIF photo"):
        require_role(path, file_kind(path), "video")
    path.write_bytes(_pillow("PNG"))
    with pytest.raises(DataError, match=r"not a video.*got a PNG image; give a folder"):
        require_role(path, file_kind(path), "video")
    path.write_bytes(_pillow("GIF"))
    with pytest.raises(DataError, match=r"not an image.*got a GIF; convert it"):
        require_role(path, file_kind(path), "image")
    require_role(path, None, "image")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "film.mp4")
    with pytest.raises(DataError, match=r"film\.mp4; got a pipe or a device"):
        file_kind(tmp_path / "film.mp4")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        file_kind(tmp_path)
