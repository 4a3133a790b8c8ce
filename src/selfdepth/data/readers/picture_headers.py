"""What Pillow does while it opens an image, or can only do slowly, judged before: from the first bytes of the file."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BufferedReader, BytesIO
from pathlib import Path

from selfdepth.errors import DataError
from selfdepth.limits import limit, require_within

_HEAD = 4096
_CHUNK, _MEGABYTE = 4096, 1 << 20
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
"""Of JPEG, also among compressed pixels: what follows FF there is a zero or a restart (D0 to D7)."""
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_START, _END, _SCAN, _BARE = 0xD8, 0xD9, 0xDA, 0x01
_LEAST_MEGAPIXELS = 0.1
"""What a scan costs, however small the image."""
_SPACE = rb"(?:\s|#[^\r\n]*[\r\n])+"
_NUMBER = _SPACE + rb"(\d{1,10})(?=\s)"
_PNM = re.compile(rb"P([1-6])" + 2 * _NUMBER + rb"(?:" + _NUMBER + rb")?")
_PLAIN, _COLOUR, _BITS = (1, 2, 3), (3, 6), (1, 4)
_FAST_LEVELS = {5: (255, 65535), 6: (255,)}
_MOST_ENTRIES = 100_000
"""Strips or tiles of a TIFF, one for each row of the highest images; and chunks of a PNG."""
_MOST_BYTES = 64_000_000
"""Of what describes an image, beside its pixels."""
_ITEM_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""By the type of a TIFF's tag."""
_PLACES = (273, 279, 324, 325)
"""Tags of TIFF: where its strips and tiles are, and how long."""
_RUNS = (1, 2)
"""Ways to compress a BMP."""
_SLOW = "the image takes too long to decode"


def judge_header(file: BytesIO | BufferedReader, pillow: str, path: Path) -> None:
    """Refuse an image that would take minutes or gigabytes, however few pixels it has, and go back to the beginning.

    Args:
        pillow: Pillow's name of the format.

    Raises:
        DataError: naming the file and the limit. Damage is left to Pillow to find.
    """
    with suppress(struct.error, IndexError):  # cut off
        _JUDGES[pillow](file, path)
    file.seek(0)


def _jpeg(file: BytesIO | BufferedReader, path: Path) -> None:
    """Each scan goes over all pixels again, and takes 20 bytes of the file."""
    megapixels, components, progressive, scans, described = 0.0, 0, False, 0, 0
    for marker, segment in _segments(file):
        if marker in _FRAMES:
            height, width, components = struct.unpack(">xHHB", segment[:6])
            megapixels = max(height * width / 1e6, _LEAST_MEGAPIXELS)
            progressive = marker in _PROGRESSIVE
        scans += marker == _SCAN
        # With all colours in its first scan, any other than a progressive one is decoded from it alone.
        is_alone = marker == _SCAN and scans == 1 and not progressive and segment[0] >= components
        if is_alone or (marker == _SCAN and scans == 1 and _has_few_scans(file, megapixels)):
            return
        described += len(segment)
        _require_small(described, path)
        what = "the image is stored in too many scans"
        require_within("jpeg_megapixels", scans * megapixels, what=what, where=path)


def _has_few_scans(file: BytesIO | BufferedReader, megapixels: float) -> bool:
    """Whether the limit holds even if every pair of bytes that could be a scan's marker is one: a fast test."""
    scans, last = 1, b""
    while chunk := file.read(_MEGABYTE):
        scans += (last + chunk).count(bytes((0xFF, _SCAN)))
        last = chunk[-1:]
        if scans * megapixels > limit("jpeg_megapixels"):
            return False
    return True


def _segments(file: BytesIO | BufferedReader) -> Iterator[tuple[int, bytes]]:
    """The markers of a JPEG with what belongs to them, up to the end of the image."""
    place = 2
    file.seek(place)
    while chunk := file.read(_CHUNK):
        found = _MARKER.search(chunk)
        if found is None:
            # The last byte may begin a marker.
            place += len(chunk) - (len(chunk) > 1 and chunk.endswith(b"\xff"))
        else:
            place, marker = place + found.end(), found[1][0]
            if marker == _END:
                return
            if marker not in (_START, _BARE):
                file.seek(place)
                (length,) = struct.unpack(">H", file.read(2))
                # A segment may hold anything, such as the bytes of a marker.
                yield marker, file.read(max(length, 2) - 2)
                place += max(length, 2)
        file.seek(place)


def _png(file: BytesIO | BufferedReader, path: Path) -> None:
    """Chunks that describe the image are read whole."""
    file.seek(8)
    described = 0
    for _ in range(_MOST_ENTRIES):
        length, kind = struct.unpack(">I4s", file.read(8))
        if kind == b"IEND":
            return
        described += 0 if kind == b"IDAT" else length
        _require_small(described, path)
        file.seek(length + 4, 1)
    raise _overloaded(path, f"at most {_MOST_ENTRIES:,} chunks", "more")


def _webp(file: BytesIO | BufferedReader, path: Path) -> None:
    """The file is read whole and its canvas allocated, that of an animation twice, as soon as it is opened."""
    n_bytes = file.seek(0, 2)
    require_within("webp_megabytes", n_bytes / 1e6, what="the image is too large", where=path)
    file.seek(0)
    head = file.read(30)
    if head[12:16] == b"VP8X":
        width, height = (1 + int.from_bytes(head[start : start + 3], "little") for start in (24, 27))
        name = "video_megapixels" if head[20] & 2 else "image_megapixels"
        require_within(name, width * height / 1e6, what="the image is too large", where=path)


def _pnm(file: BytesIO | BufferedReader, path: Path) -> None:
    """Text, and numbers up to another value than 255 or 65,535, are decoded in Python."""
    found = _PNM.match(file.read(_HEAD))
    if found is None:
        raise _overloaded(path, f"width and height within {_HEAD:,} bytes", "none")
    kind, width, height = (int(number) for number in found.groups()[:3])
    most = found[4] or b""
    if kind in _PLAIN or (kind not in _BITS and most.lstrip(b"0") not in map(_digits, _FAST_LEVELS[kind])):
        values = width * height * (3 if kind in _COLOUR else 1)
        require_within("slow_megapixels", values / 1e6, what=_SLOW, where=path)


def _digits(number: int) -> bytes:
    return str(number).encode()


def _bmp(file: BytesIO | BufferedReader, path: Path) -> None:
    """Runs of pixels are decoded in Python."""
    width, height, compression = struct.unpack_from("<ii4xI", file.read(34), 18)
    if compression in _RUNS:
        require_within("slow_megapixels", abs(width * height) / 1e6, what=_SLOW, where=path)


def _tiff(file: BytesIO | BufferedReader, path: Path) -> None:
    """All tags are read, and the list of strips or tiles is unpacked, when the file is opened."""
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    # Of the larger form, Pillow knows the Intel order only, and takes the other for the smaller form.
    forms = {b"*": (False,), b"+": (True,) if order == "<" else (True, False)}
    for is_big in forms.get(head[2:4].strip(b"\0"), ()):
        _tags(file, order, head, is_big, path)


def _tags(file: BytesIO | BufferedReader, order: str, head: bytes, is_big: bool, path: Path) -> None:
    size, entry_bytes, place = ("Q", 20, 8) if is_big else ("I", 12, 4)
    file.seek(struct.unpack_from(order + size, head, place)[0])
    (n_tags,) = struct.unpack(f"{order}Q", file.read(8)) if is_big else struct.unpack(f"{order}H", file.read(2))
    described = 0
    for _ in range(min(n_tags, _MOST_ENTRIES)):
        tag, kind, count = struct.unpack_from(f"{order}HH{size}", file.read(entry_bytes))
        described += count * _ITEM_BYTES.get(kind, 0)
        _require_small(described, path)
        if tag in _PLACES and count > _MOST_ENTRIES:
            raise _overloaded(path, f"at most {_MOST_ENTRIES:,} strips or tiles", f"{count:,}")
    if n_tags > _MOST_ENTRIES:
        raise _overloaded(path, f"at most {_MOST_ENTRIES:,} tags", f"{n_tags:,}")


def _require_small(described: int, path: Path) -> None:
    if described > _MOST_BYTES:
        raise _overloaded(path, f"at most {_MOST_BYTES:,} bytes beside the pixels", f"{described:,} or more")


def _overloaded(path: Path, expected: str, got: str) -> DataError:
    return DataError(
        "the image has an unusual header", where=path, expected=expected, got=got, fix="save it again, or remove it"
    )


_JUDGES: dict[str, Callable[[BytesIO | BufferedReader, Path], None]] = {
    "BMP": _bmp,
    "JPEG": _jpeg,
    "PNG": _png,
    "PPM": _pnm,
    "TIFF": _tiff,
    "WEBP": _webp,
}
"""By Pillow's name of the format."""
