"""Image files: what is read, which way up, in how many levels, and what is refused before it is decoded."""

from __future__ import annotations

import io
import re
import struct
import subprocess
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from helpers.peak import run_measured
from selfdepth.data.readers.pictures import image_size, read_grey16, read_image
from selfdepth.errors import DataError, SelfDepthWarning

EXIF_ORIENTATION = 0x0112


def _picture(width: int = 40, height: int = 30, seed: int = 0) -> ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)


def _png_header(width: int, height: int) -> bytes:
    """A PNG that declares this size, with pixels for a row or two."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )


UPRIGHT = np.zeros((32, 48, 3), np.uint8)
UPRIGHT[:16, :16] = 255  # white at the top left
STORED = {
    1: UPRIGHT,
    2: UPRIGHT[:, ::-1],
    3: UPRIGHT[::-1, ::-1],
    4: UPRIGHT[::-1],
    5: UPRIGHT.transpose(1, 0, 2),
    6: np.rot90(UPRIGHT, 1),
    7: UPRIGHT[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90(UPRIGHT, -1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("photo.jpg", {"quality": 95}),
        ("photo.webp", {"lossless": True}),
        ("photo.png", {}),
        ("plain.tif", {}),
        ("photo.tif", {"compression": "tiff_lzw"}),
        ("photo.tiff", {"compression": "tiff_adobe_deflate"}),
        ("photo.tif", {"compression": "jpeg", "quality": 95}),
    ],
)
def test_a_photo_is_turned_upright_once(
    tmp_path: Path, orientation: int, name: str, options: dict[str, str | int | bool]
) -> None:
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    path = tmp_path / name
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation]))
    if path.suffix.startswith(".tif"):
        stored.save(path, tiffinfo={EXIF_ORIENTATION: orientation}, **options)
    else:
        stored.save(path, exif=exif, **options)
    assert image_size(path) == (48, 32)
    np.testing.assert_allclose(read_image(path).astype(int), UPRIGHT, atol=12)


def _with_late_exif(path: Path, orientation: int) -> None:
    """Move the EXIF of a PNG behind its pixels, as some programs write it."""
    content, chunks, at = path.read_bytes(), [], 8
    while at < len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")
        chunks.append(content[at:end])
        at = end
    chunks.sort(key=lambda chunk: (chunk[4:8] == b"IEND", chunk[4:8] == b"eXIf"))
    path.write_bytes(content[:8] + b"".join(chunks))


def _with_profile_as_text(path: Path, orientation: int) -> None:
    """The EXIF of a PNG as ImageMagick writes it."""
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    data, text = exif.tobytes(), PngInfo()
    text.add_text("Raw profile type exif", f"\nexif\n{len(data):8}\n{data.hex()}\n", zip=True)
    with Image.open(path) as image:
        image.copy().save(path, pnginfo=text, exif=b"")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("rewrite", [_with_late_exif, _with_profile_as_text])
def test_a_png_is_turned_wherever_its_exif_stands(
    tmp_path: Path, orientation: int, rewrite: Callable[[Path, int], None]
) -> None:
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    path = tmp_path / "photo.png"
    Image.fromarray(np.ascontiguousarray(STORED[orientation])).save(path, exif=exif)
    rewrite(path, orientation)
    with Image.open(path) as image:
        assert "exif" not in image.info
    assert image_size(path) == (48, 32)
    np.testing.assert_array_equal(read_image(path), UPRIGHT)


@pytest.mark.parametrize("white_is_zero", [False, True])
def test_a_tiff_may_call_white_zero(tmp_path: Path, white_is_zero: bool) -> None:
    values = np.array([[0, 32639, 65535]], np.uint16)
    path = tmp_path / "deep.tif"
    Image.fromarray(values).save(path, tiffinfo={262: 0 if white_is_zero else 1})
    with Image.open(path) as image:
        assert image.tag_v2[262] == (0 if white_is_zero else 1)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(read_image(path)[0, :, 0], [255, 128, 0] if white_is_zero else [0, 127, 255])
    read = read_grey16(path)
    assert read is not None
    np.testing.assert_array_equal(read, 65535 - values if white_is_zero else values)


def test_sixteen_bit_grey_in_a_tiff_is_turned_too(tmp_path: Path) -> None:
    values = np.zeros((30, 40), np.uint16)
    values[:10, :10] = 65535
    Image.fromarray(values).save(tmp_path / "deep.tif", tiffinfo={EXIF_ORIENTATION: 6})
    assert image_size(tmp_path / "deep.tif") == (30, 40)
    np.testing.assert_array_equal(read_image(tmp_path / "deep.tif")[..., 0], np.rot90(values, -1) // 257)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1", "LA", "YCbCr", "LAB"])
def test_every_kind_of_pixel_becomes_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("image.tif" if mode in ("CMYK", "YCbCr", "LAB") else "image.png")
    # Pillow 12 does not read its own YCbCr images if they are not compressed.
    Image.new(mode, (8, 6)).save(path, compression="tiff_lzw" if mode == "YCbCr" else None)
    image = read_image(path)
    assert (image.shape, image.dtype) == ((6, 8, 3), np.uint8)


@pytest.mark.parametrize("name", ["image.jpg", "image.tif"])
def test_the_four_inks_of_print_become_rgb(tmp_path: Path, name: str) -> None:
    Image.new("CMYK", (8, 6), (0, 255, 255, 0)).save(tmp_path / name)
    np.testing.assert_allclose(read_image(tmp_path / name)[0, 0], (255, 0, 0), atol=6)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("transparency", [0, bytes([0, 128, 255])])
def test_a_palette_with_transparency_is_read_without_a_warning(tmp_path: Path, transparency: int | bytes) -> None:
    image = Image.new("P", (8, 6), 1)
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.save(tmp_path / "icon.png", transparency=transparency)
    assert read_image(tmp_path / "icon.png")[0, 0].tolist() == [40, 50, 60]


@pytest.mark.parametrize("name", ["deep.png", "deep.tif", "deep.pgm"])
def test_sixteen_bit_grey_keeps_its_range(tmp_path: Path, name: str) -> None:
    values = np.array([[0, 32896, 65535]], np.uint16)
    if name.endswith("pgm"):
        (tmp_path / name).write_bytes(b"P5 3 1 65535\n" + values.astype(">u2").tobytes())
    else:
        Image.fromarray(values).save(tmp_path / name)
    np.testing.assert_array_equal(read_image(tmp_path / name)[0, :, 0], [0, 128, 255])
    read = read_grey16(tmp_path / name)
    assert read is not None
    np.testing.assert_array_equal(read, values)


def test_levels_of_sixteen_bit_grey_become_black_and_white(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 7000, 8000, 9000, 65535]], np.uint16)).save(tmp_path / "heat.png")
    np.testing.assert_array_equal(
        read_image(tmp_path / "heat.png", levels=(7000, 9000))[0, :, 0], [0, 0, 128, 255, 255]
    )


def test_only_sixteen_bit_grey_has_sixteen_bit_values(tmp_path: Path) -> None:
    Image.fromarray(_picture()).save(tmp_path / "colour.png")
    assert read_grey16(tmp_path / "colour.png") is None


def test_floating_point_pixels_are_refused(tmp_path: Path) -> None:
    for number, mode in enumerate(("F", "I")):
        path = tmp_path / f"{number}.tif"
        Image.new(mode, (4, 4)).save(path)
        for read in (read_image, image_size):
            with pytest.raises(DataError, match=rf"32-bit pixels: .*{number}\.tif; expected 8 or 16 bits"):
                read(path)


def test_the_first_page_of_a_file_is_taken(tmp_path: Path) -> None:
    pages = [Image.fromarray(_picture(seed=seed)) for seed in range(3)]
    for name in ("scan.tif", "moving.webp", "moving.png"):
        options = {"lossless": True} if name.endswith("webp") else {}
        pages[0].save(tmp_path / name, save_all=True, append_images=pages[1:], **options)
        np.testing.assert_array_equal(read_image(tmp_path / name), _picture())


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "webp", "tif", "ppm"])
def test_a_truncated_image_is_refused_by_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"frame.{suffix}"
    Image.fromarray(_picture(200, 100)).save(path)
    whole = path.read_bytes()
    for share in (0.9, 0.5, 0.1, 0.01, 0.001, 0.0):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(DataError, match=path.name):
            read_image(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"not an image", b"\x89PNG\r\n\x1a\nrubbish", bytes(500), b"BM", b"P6\n", b"II*\x00", b"\xff\xd8\xff"],
)
def test_a_file_that_is_not_an_image_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "frame.png"
    path.write_bytes(content)
    for read in (read_image, image_size):
        with pytest.raises(DataError, match=r"frame\.png"):
            read(path)


def test_a_missing_image_is_reported_as_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such image.*gone\.png"):
        read_image(tmp_path / "gone.png")


def test_damaged_exif_does_not_hide_the_picture(tmp_path: Path) -> None:
    Image.fromarray(UPRIGHT).save(tmp_path / "photo.jpg", exif=b"Exif\x00\x00MM\x00*\x00\x00\xff\xff\x00", quality=95)
    np.testing.assert_allclose(read_image(tmp_path / "photo.jpg").astype(int), UPRIGHT, atol=12)


def test_contents_decide_and_not_the_suffix(tmp_path: Path) -> None:
    Image.fromarray(_picture()).save(tmp_path / "frame.png")
    (tmp_path / "frame.png").rename(tmp_path / "frame.jpg")
    np.testing.assert_array_equal(read_image(tmp_path / "frame.jpg"), _picture())


def test_a_postscript_file_called_jpg_starts_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "frame.jpg"
    Image.fromarray(_picture()).save(path, format="EPS")
    started: list[object] = []
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **options: started.append(args))
    for read in (read_image, image_size):
        with pytest.raises(DataError, match=r"frame\.jpg; expected JPEG, PNG.*; got a PostScript file"):
            read(path)
    assert started == []


@pytest.mark.parametrize(
    "plugin", ["DDS", "ICO", "ICNS", "PCX", "SGI", "TGA", "IM", "SPIDER", "MSP", "JPEG2000", "PDF"]
)
def test_other_formats_of_pillow_are_refused_under_any_name(tmp_path: Path, plugin: str) -> None:
    path = tmp_path / "frame.png"
    image = Image.fromarray(_picture(64, 64))
    image = image.convert({"MSP": "1", "SPIDER": "F"}.get(plugin, "RGB"))
    stream = io.BytesIO()
    image.save(stream, format=plugin)
    path.write_bytes(stream.getvalue())
    for read in (read_image, image_size):
        with pytest.raises(DataError, match=r"frame\.png"):
            read(path)


def _huge_tile(folder: Path) -> Path:
    tags = {256: 16, 257: 16, 258: 8, 259: 5, 262: 1, 277: 1, 322: 32768, 323: 32768, 324: 200, 325: 50}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", len(tags)) + entries + bytes(4)
    (folder / "tile.tif").write_bytes(head + bytes(400))
    return folder / "tile.tif"


def _huge_png(folder: Path) -> Path:
    (folder / "huge.png").write_bytes(_png_header(20000, 20000))
    return folder / "huge.png"


def _huge_ppm(folder: Path) -> Path:
    (folder / "huge.ppm").write_bytes(b"P6 20000 20000 255\n")
    return folder / "huge.ppm"


def _huge_bmp(folder: Path) -> Path:
    Image.new("L", (4, 4)).save(folder / "huge.bmp")
    content = bytearray((folder / "huge.bmp").read_bytes())
    content[18:26] = struct.pack("<ii", 20000, 20000)
    (folder / "huge.bmp").write_bytes(content)
    return folder / "huge.bmp"


@pytest.mark.parametrize("make", [_huge_png, _huge_ppm, _huge_bmp, _huge_tile])
def test_a_size_beyond_the_limit_is_refused_before_it_is_decoded(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    path = make(tmp_path)
    for read in (read_image, image_size):
        with pytest.raises(
            DataError, match=rf"too large: .*{path.name}; expected at most 200 megapixels.*LIMITS=image"
        ):
            read(path)


def test_an_image_between_the_limit_of_pillow_and_ours_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(_picture()).save(tmp_path / "frame.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    np.testing.assert_array_equal(read_image(tmp_path / "frame.png"), _picture())
    assert Image.MAX_IMAGE_PIXELS == 10


@pytest.mark.parametrize("size", [(0, 10), (10, 0)])
def test_an_image_without_pixels_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "none.png"
    path.write_bytes(_png_header(*size))
    for read in (read_image, image_size):
        with pytest.raises(DataError, match=re.escape("none.png")):
            read(path)


@pytest.mark.parametrize("tags", [{254: 1}, {50706: b"\x01\x04\x00\x00"}])
def test_a_raw_photo_is_not_taken_for_its_preview(tmp_path: Path, tags: dict[int, int | bytes]) -> None:
    Image.fromarray(_picture()).save(tmp_path / "photo.tif", tiffinfo=tags)
    with pytest.raises(DataError, match=r"photo\.tif.*got a raw photo; develop it"):
        read_image(tmp_path / "photo.tif")


def test_the_largest_refusal_takes_less_than_two_gigabytes(tmp_path: Path) -> None:
    """A truncated image of nearly the largest size, whose end is missed only once it has been decoded."""
    path = tmp_path / "large.png"
    path.write_bytes(_png_header(14000, 14000))
    code = (
        "import pathlib; from selfdepth.data.readers.pictures import read_image\n"
        "from selfdepth.errors import DataError\n"
        f"try: read_image(pathlib.Path({str(path)!r}))\n"
        "except DataError: pass"
    )
    _, peak = run_measured(code)
    assert peak < 2e9


@pytest.mark.parametrize("name", ["a.webp", "a.png", "a.tif"])
def test_pictures_after_the_first_are_said_once_for_a_folder(tmp_path: Path, name: str) -> None:
    pages = [Image.new("RGB", (40, 30), (level, level, level)) for level in (0, 120, 240)]
    for path in (tmp_path / name, tmp_path / f"b{name}"):
        pages[0].save(path, save_all=True, append_images=pages[1:])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for path in (tmp_path / name, tmp_path / f"b{name}"):
            assert read_image(path).max() < 3
    (warning,) = caught
    assert issubclass(warning.category, SelfDepthWarning)
    assert re.search(rf"{re.escape(str(tmp_path))}: .*hold several pictures.*the first of each", str(warning.message))


def test_smaller_copies_of_a_picture_and_previews_are_no_more_pictures(tmp_path: Path) -> None:
    picture = Image.fromarray(_picture())
    picture.save(tmp_path / "plain.tif")
    smaller = picture.resize((20, 15))
    smaller.encoderinfo = {"tiffinfo": {254: 1}}
    picture.save(tmp_path / "pyramid.tif", save_all=True, append_images=[smaller])
    picture.save(tmp_path / "stereo.jpg", "MPO", save_all=True, append_images=[picture])
    for name in ("plain.png", "plain.jpg", "plain.webp"):
        picture.save(tmp_path / name)
    content = bytearray((tmp_path / "plain.tif").read_bytes())
    (first,) = struct.unpack_from("<I", content, 4)
    struct.pack_into("<I", content, first + 2 + 12 * struct.unpack_from("<H", content, first)[0], 10**9)
    (tmp_path / "to_nowhere.tif").write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path in tmp_path.iterdir():
            assert read_image(path).shape == (30, 40, 3)
