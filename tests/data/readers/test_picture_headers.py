"""Images of few bytes that would take minutes or gigabytes: refused by their first bytes."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selfdepth.data.readers.pictures import image_size, read_image
from selfdepth.errors import DataError
from selfdepth.limits import VARIABLE

PIXELS = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
HEADS = {"II*": b"II*\0", "MM*": b"MM\0*", "II+": b"II+\0", "MM+": b"MM\0+"}


def encoded(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, kind, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def with_scans(extra: int, before: bytes = b"") -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    jpeg = encoded("JPEG", progressive=True)
    return jpeg[:-2] + extra * (before + jpeg[jpeg.rindex(b"\xff\xda") : -2]) + jpeg[-2:]


def tiff(form: str, *tags: tuple[int, int, int]) -> bytes:
    """A TIFF of nothing but tags: number, type and count."""
    order, is_big = "<" if form[0] == "I" else ">", form[2] == "+"
    start = struct.pack(f"{order}HHQQ", 8, 0, 16, len(tags)) if is_big else struct.pack(f"{order}IH", 8, len(tags))
    entry = f"{order}HHQQ" if is_big else f"{order}HHII"
    return HEADS[form] + start + b"".join(struct.pack(entry, *tag, 0) for tag in tags) + bytes(8)


def png(*chunks: tuple[bytes, int]) -> bytes:
    """A PNG whose first chunk is followed by others that state their lengths."""
    whole = encoded("PNG")
    return whole[:33] + b"".join(struct.pack(">I", length) + kind for kind, length in chunks) + whole[33:]


def webp(width: int, height: int, flags: int = 0) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF\x00\x01\x00\x00WEBPVP8X\x0a\x00\x00\x00" + bytes((flags, 0, 0, 0)) + sides + bytes(300)


def bmp(width: int, height: int, compression: int) -> bytes:
    return b"BM" + struct.pack("<IIIIiiHHI", 0, 0, 54, 40, width, height, 1, 8, compression) + bytes(100)


TOO_MUCH = {
    "scans": (with_scans(50_000), f"too many scans: .*{VARIABLE}=jpeg_megapixels="),
    "scans after a filled marker": (with_scans(50_000, b"\xff"), "too many scans"),
    "scans after a marker alone": (with_scans(50_000, b"\xff\x01"), "too many scans"),
    "a text of 12 megapixels": (b"P2 4000 3000 255\n", f"too long to decode.*{VARIABLE}=slow_megapixels=13"),
    "a text in three colours": (b"P3\n2000 2000\n255\n", "at most 10 megapixels; got 12"),
    "levels in between": (b"P5\n# camera\n4000 # wide\n3000 4095\n", "too long to decode"),
    "levels in three colours": (b"P6 2000 2000 65535\n", "too long to decode"),
    "levels that go on after a comment": (b"P5 4000 3000 255# \n1 ", "too long to decode"),
    "a width that goes on after a comment": (b"P5 4# \n000 3000 254 ", "unusual header"),
    "an endless comment": (b"P5\n#" + bytes(5000) + b"\n4 3 255\n", "unusual header.*first|unusual header.*4,096"),
    "runs": (bmp(4000, -3000, 1), "too long to decode"),
    "runs of four bits": (bmp(4000, 3000, 2), "too long to decode"),
    **{f"strips {form}": (tiff(form, (273, 4, 200_000)), "100,000 strips or tiles; got 200,000") for form in HEADS},
    **{f"tags {form}": (tiff(form, *((700 + i, 7, 30_000_000) for i in range(3))), "64,000,000") for form in HEADS},
    "a large chunk": (png((b"zTXt", 2_000_000_000)), "64,000,000 bytes beside the pixels; got 2,000,000,0"),
    "a canvas": (webp(16383, 16383), "too large: .*at most 200 megapixels; got 268"),
    "a canvas of an animation": (webp(8000, 8000, 2), "too large: .*at most 40 megapixels; got 64"),
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_what_would_take_minutes_or_gigabytes_is_refused_before_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    content, sentence = TOO_MUCH[name]
    (tmp_path / "frame").write_bytes(content)
    monkeypatch.setattr(Image, "open", lambda *arguments, **options: pytest.fail("it was opened"))
    for read in (read_image, image_size):
        with pytest.raises(DataError, match=sentence):
            read(tmp_path / "frame")


@pytest.mark.parametrize(
    "content",
    [
        encoded("JPEG"),
        encoded("JPEG", progressive=True),
        with_scans(100),
        encoded("JPEG", exif=b"Exif\0\0" + 100 * encoded("JPEG", progressive=True)[:600]),
        encoded("JPEG", progressive=True) + 100_000 * b"\xff\xda\x00\x02",  # such as the film of a moving photo
        encoded("PNG"),
        encoded("BMP"),
        encoded("TIFF"),
        encoded("TIFF", big_tiff=True),
        encoded("PPM"),
        encoded("PPM").replace(b"P6\n", b"P6\n# from a camera\n# or two\n"),
        b"P3\n40 30 # small\n 255\n" + b" ".join(b"%d" % value for value in PIXELS.ravel()),
        b"P5\n40 30\n4095\n" + PIXELS.astype(">u2").tobytes()[:2400],
        b"P4 40 30\n" + bytes(150),
        encoded("WEBP"),
        encoded("WEBP", lossless=True, exif=b"Exif\0\0"),
    ],
)
def test_ordinary_images_are_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "frame").write_bytes(content)
    assert read_image(tmp_path / "frame").shape == (30, 40, 3)


def test_a_webp_is_judged_by_its_length_before_it_is_read_whole(tmp_path: Path) -> None:
    with (tmp_path / "frame").open("wb") as file:
        file.write(encoded("WEBP"))
        file.truncate(10**10)  # a hole, which takes no space
    with pytest.raises(DataError, match=f"10,000 megabytes.*{VARIABLE}=webp_megabytes"):
        read_image(tmp_path / "frame")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "PPM", "WEBP"])
def test_a_header_that_ends_early_is_one_sentence(tmp_path: Path, kind: str) -> None:
    whole = encoded(kind, **({"progressive": True} if kind == "JPEG" else {}))
    for length in range(4, min(len(whole), 200)):
        (tmp_path / "frame").write_bytes(whole[:length])
        with pytest.raises(DataError, match="frame"):
            read_image(tmp_path / "frame")
