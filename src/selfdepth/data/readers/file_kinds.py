"""What a file is, by its first bytes. Suffixes lie: phones write HEIF into files called .jpg, and people rename."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from selfdepth.errors import DataError
from selfdepth.texts import open_regular

Role = Literal["image", "video", "other"]

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pnm"}
)
"""How the images in a folder are told from other files, without opening them all."""
PHOTO_SUFFIXES = frozenset(
    {".heic", ".heif", ".hif", ".avif", ".jxl", ".jp2", ".j2k", ".jpf", ".jpx", ".exr", ".hdr", ".pfm", ".tga", ".psd"}
    | {".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw", ".raw", ".insp", ".insv"}
)
"""Photos and films that are not read. If they are left out in a folder of their own, that is said."""
READ_IMAGES = "JPEG, PNG, BMP, WebP, TIFF, PPM or PGM"
"""The formats of images that are read, for sentences."""

_HEAD = 4096
"""Bytes that are looked at."""
_TO_PNG = "convert it to PNG or JPEG (ImageMagick: magick IN OUT.png)"
_TO_MP4 = "convert it to a video (ffmpeg -i IN OUT.mp4), and give that"
_UNPACK = "unpack it, and give the folder"


@dataclass(frozen=True, kw_only=True)
class FileKind:
    """A kind of file.

    Attributes:
        name: with its article, for sentences: "a HEIF photo (HEIC)".
        role: whether it is read as an image, as a video, or not at all.
        pillow: Pillow's name of the format, of images that are read.
        fix: what to do with a file that is not read.
    """

    name: str
    role: Role
    pillow: str = ""
    fix: str | None = None


def _image(name: str, pillow: str) -> FileKind:
    return FileKind(name=name, role="image", pillow=pillow)


def _other(name: str, fix: str | None = None) -> FileKind:
    return FileKind(name=name, role="other", fix=fix)


_JPEG = _image("a JPEG image", "JPEG")
_TIFF = _image("a TIFF image", "TIFF")
_PNM = _image("a PPM or PGM image", "PPM")
_WEBP = _image("a WebP image", "WEBP")
_VIDEO = FileKind(name="a video", role="video")
GIF = FileKind(name="a GIF", role="video")
ROS1_BAG = _other("a ROS bag", "give it on its own, as DATA")
MCAP = _other("an MCAP recording", "give it on its own, as DATA")
SQLITE = _other("a SQLite file (a ROS 2 bag?)", "give it on its own, as DATA")
"""Recordings of robots, which are no videos, and read by `bag_files`."""
_HEIF = _other("a HEIF photo (HEIC)", f"{_TO_PNG}, or set the camera to JPEG (iPhone: Most Compatible)")
_AVIF = _other("an AVIF image", _TO_PNG)
_JPEG_2000 = _other("a JPEG 2000 image", _TO_PNG)
_JPEG_XL = _other("a JPEG XL image", _TO_PNG)
RAW_PHOTO = _other("a raw photo", "develop it into PNG or JPEG")
_POSTSCRIPT = _other("a PostScript file", _TO_PNG)
_ZIP = _other("a ZIP archive", _UNPACK)
_PACKED = _other("a compressed archive", _UNPACK)
_VIDEO_LIST = _other("a list of videos", "give one of the videos that it names, or the folder that holds them")
TEXT = _other("a text")

_MAGIC: tuple[tuple[bytes, FileKind], ...] = (
    (b"\xff\xd8\xff", _JPEG),
    (b"\x89PNG\r\n\x1a\n", _image("a PNG image", "PNG")),
    (b"BM", _image("a BMP image", "BMP")),
    (b"IIU\x00", RAW_PHOTO),
    (b"IIRO", RAW_PHOTO),
    (b"IIRS", RAW_PHOTO),
    (b"FUJIFILMCCD-RAW", RAW_PHOTO),
    (b"II*\x00", _TIFF),
    (b"MM\x00*", _TIFF),
    (b"II+\x00", _TIFF),
    (b"MM\x00+", _TIFF),
    *((b"P%c%c" % (number, space), _PNM) for number in b"123456" for space in b" \t\r\n"),
    (b"\x1a\x45\xdf\xa3", _VIDEO),
    (b"FLV\x01", _VIDEO),
    (b"OggS", _VIDEO),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", _VIDEO),
    (b"\x00\x00\x01\xba", _VIDEO),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"\xff\x0a", _JPEG_XL),
    (b"\x00\x00\x00\x0cJXL ", _JPEG_XL),
    (b"\x00\x00\x00\x0cjP  ", _JPEG_2000),
    (b"\xff\x4f\xff\x51", _JPEG_2000),
    (b"%!PS", _POSTSCRIPT),
    (b"\xc5\xd0\xd3\xc6", _POSTSCRIPT),
    (b"%PDF", _other("a PDF", _TO_PNG)),
    (b"8BPS", _other("a Photoshop file", _TO_PNG)),
    (b"gimp xcf", _other("a GIMP file", _TO_PNG)),
    (b"DDS ", _other("a DDS texture", _TO_PNG)),
    (b"qoif", _other("a QOI image", _TO_PNG)),
    (b"BPG\xfb", _other("a BPG image", _TO_PNG)),
    (b"\x76\x2f\x31\x01", _other("an OpenEXR image", _TO_PNG)),
    (b"#?RADIANCE", _other("a Radiance HDR image", _TO_PNG)),
    (b"SIMPLE  =", _other("a FITS image", _TO_PNG)),
    (b"SDPX", _other("a DPX image", _TO_PNG)),
    (b"XPDS", _other("a DPX image", _TO_PNG)),
    (b"Pf", _other("a floating-point PFM image", "convert it to PNG")),
    (b"PF", _other("a floating-point PFM image", "convert it to PNG")),
    (b"P7\n", _other("a PAM image", _TO_PNG)),
    (b"\x93NUMPY", _other("a NumPy array", "save its frames as PNG")),
    (b"\x89HDF", _other("an HDF5 file", "save its frames as PNG")),
    (b"#ROSBAG", ROS1_BAG),
    (b"\x89MCAP", MCAP),
    (b"SQLite format 3", SQLITE),
    (b"PK\x03\x04", _ZIP),
    (b"PK\x05\x06", _ZIP),
    (b"\x1f\x8b", _PACKED),
    (b"BZh", _PACKED),
    (b"\xfd7zXZ", _PACKED),
    (b"7z\xbc\xaf\x27\x1c", _PACKED),
    (b"\x28\xb5\x2f\xfd", _PACKED),
    (b"Rar!", _PACKED),
    (b"ffconcat", _VIDEO_LIST),
    (b"#EXTM3U", _VIDEO_LIST),
)
"""First bytes, and what they begin. The first match counts."""

_BRANDS: dict[bytes, FileKind] = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"), _HEIF),
    **dict.fromkeys((b"mif2", b"avci", b"avcs", b"jpgs", b"jpeg", b"j2ki"), _HEIF),
    **dict.fromkeys((b"avif", b"avis"), _AVIF),
    **dict.fromkeys((b"jp2 ", b"jpx ", b"jpm "), _JPEG_2000),
    b"crx ": RAW_PHOTO,
}
"""Major brands of files that are made of boxes like MP4, but hold photos. A video decoder would return one tile of a
photo, unturned."""


def file_kind(path: Path) -> FileKind | None:
    """What an existing file is, by its contents; None if these are not known, as those of most videos.

    Raises:
        DataError: if it cannot be read.
    """
    try:
        with open_regular(path) as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise DataError("the file cannot be read", where=path, got=error.strerror or str(error)) from error
    kind = kind_of_bytes(head)
    if kind is _JPEG and path.suffix.lower() in (".mjpeg", ".mjpg"):  # JPEGs one after the other
        return FileKind(name="a stream of JPEG images", role="video")
    return kind


def kind_of_bytes(head: bytes) -> FileKind | None:
    """What bytes are, by the first of them; None if they are not known."""
    head = head[:_HEAD]
    # Raw photos that are TIFF in form, and files whose marks do not come first.
    tests: tuple[tuple[Callable[[bytes], bool], FileKind], ...] = (
        (lambda head: head[:4] == b"II*\x00" and head[8:10] == b"CR", RAW_PHOTO),
        (lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP", _WEBP),
        (lambda head: head[:4] == b"RIFF" and head[8:12] == b"AVI ", _VIDEO),
        (lambda head: head[257:262] == b"ustar", _other("a TAR archive", _UNPACK)),
        (lambda head: head[128:132] == b"DICM", _other("a DICOM image", _TO_PNG)),
    )
    kind = next((kind for holds, kind in tests if holds(head)), None)
    kind = kind or next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
    if kind is None and head[4:8] == b"ftyp":
        kind = _brand(head)
    return kind or (TEXT if _is_text(head) else None)


def is_image(path: Path) -> bool:
    """Whether a file is to be opened as an image: by its contents or, if these are unknown, by its suffix."""
    kind = file_kind(path)
    return path.suffix.lower() in IMAGE_SUFFIXES if kind is None else kind.role == "image"


def require_role(path: Path, kind: FileKind | None, role: Role) -> None:
    """Refuse a file of a known kind that does not have this role, by the name of its kind."""
    if kind is not None and kind.role != role:
        raise DataError(
            f"the file is not {'an image' if role == 'image' else 'a video'} that can be read",
            where=path,
            expected=READ_IMAGES if role == "image" else f"a video (images: {READ_IMAGES})",
            got=kind.name,
            fix=_TO_PNG
            if kind is GIF
            else "give it on its own"
            if kind is _VIDEO
            else _give_images(kind)
            if kind.role == "image"
            else kind.fix,
        )


def _give_images(kind: FileKind) -> str:
    return "give a folder of at least three such images, or a video"


def _brand(head: bytes) -> FileKind:
    """The kind of a file made of boxes, by its major brand."""
    major = head[8:12]
    # Some writers call photos by the brand of videos, and name what they are among the compatible ones only.
    compatible = {head[i : i + 4] for i in range(16, min(int.from_bytes(head[:4], "big"), 256), 4)}
    if major in _BRANDS:
        return _BRANDS[major]
    photos = {b"heic", b"heix", b"avif"} & compatible
    return _BRANDS[photos.pop()] if photos and not compatible & {b"isom", b"mp41", b"mp42", b"qt  "} else _VIDEO


def _is_text(head: bytes) -> bool:
    """Whether these bytes are printable text in UTF-8 (whose last sign may be cut)."""
    if not head.strip():
        return False
    text = head.decode("utf-8", "replace").rstrip("�")
    return "�" not in text and all(sign.isprintable() or sign in "\t\r\n\f\ufeff" for sign in text)
