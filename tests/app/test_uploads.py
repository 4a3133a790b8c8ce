"""Uploads: harmless names, one sentence for whatever is no photo or video or is too large."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selfdepth.app.uploads import fov_of, open_upload, safe_name, take
from selfdepth.errors import ConfigError, DataError
from selfdepth.inference.writers import create_video


def video(path: Path, count: int = 3) -> Path:
    # As a camera's: what predict writes is marked, and not taken for footage everywhere.
    with create_video(path, Fraction(10)) as writer:
        for number in range(count):
            writer.write(np.full((32, 64, 3), 40 * number % 256, np.uint8))
    return path


def bomb(path: Path) -> Path:
    """A PNG that declares 60,000 x 60,000 pixels in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    end = chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + end)
    return path


def test_a_photo_is_one_frame_and_a_video_many(tmp_path: Path) -> None:
    Image.new("RGB", (64, 32)).save(tmp_path / "street.jpg")
    photo, film = (
        open_upload(tmp_path / "street.jpg", fov_deg=None),
        open_upload(video(tmp_path / "a.mp4"), fov_deg=None),
    )
    assert (photo.is_video, photo.source.names) == (False, ("street",))
    assert (film.is_video, len(film.source.names)) == (True, 3)


def test_a_photo_is_told_by_its_contents_whatever_its_name(tmp_path: Path) -> None:
    Image.new("RGB", (64, 32)).save(tmp_path / "movie.mp4", format="PNG")
    assert not open_upload(tmp_path / "movie.mp4", fov_deg=None).is_video


def test_a_field_of_view_becomes_the_camera(tmp_path: Path) -> None:
    Image.new("RGB", (64, 32)).save(tmp_path / "street.jpg")
    camera = open_upload(tmp_path / "street.jpg", fov_deg=90.0).source.camera_for(64, 32)
    assert camera is not None
    assert camera.fx == pytest.approx(32.0)


HOSTILE = {
    "a text": (b"hello, I am no photo", "neither a photo nor a video"),
    "a page": (b"<html><script>alert(1)</script></html>", "neither a photo nor a video"),
    "a drawing": (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "neither a photo"),
    "a list of videos": (b"#EXTM3U\nfile:///etc/passwd\n", "neither a photo nor a video"),
    "an archive": (b"PK\x03\x04" + bytes(100), "a ZIP archive"),
    "a pickle in numpy's form": (b"\x93NUMPY" + bytes(100), "a NumPy array"),
    "a bag": (b"#ROSBAG V2.0\n" + bytes(100), "a ROS bag"),
    "nothing": (b"", "the file is empty"),
    "half a photo": (b"\xff\xd8\xff\xe0" + bytes(40), "cannot be read"),
    "noise": (bytes(np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8)), "noise|upload"),
    "half a video": (b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41" + bytes(200), "video|image"),
}


@pytest.mark.parametrize("suffix", [".jpg", ".mp4", ".svg", ""])
@pytest.mark.parametrize("kind", HOSTILE)
def test_whatever_is_no_photo_and_no_video_is_one_sentence(kind: str, suffix: str, tmp_path: Path) -> None:
    content, words = HOSTILE[kind]
    path = tmp_path / f"upload{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words) as refusal:
        upload = open_upload(path, fov_deg=None)
        next(iter(upload.source.read()))
    assert "\n" not in str(refusal.value)


def test_a_decompression_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="too large"):
        open_upload(bomb(tmp_path / "bomb.png"), fov_deg=None)


def test_a_cut_video_is_one_sentence(tmp_path: Path) -> None:
    path = video(tmp_path / "a.mp4", 30)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match="video"):
        open_upload(path, fov_deg=None)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ("app_megapixels=0", "too large for this page"),
        ("app_seconds=0", "too long for this page"),
        ("app_frames=2", "too many frames for this page"),
    ],
)
def test_what_is_too_much_for_the_page_is_refused(
    limits: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (64, 32)).save(tmp_path / "street.jpg")
    path = tmp_path / "street.jpg" if "megapixels" in limits else video(tmp_path / "a.mp4")
    open_upload(path, fov_deg=None)
    monkeypatch.setenv("SELFDEPTH_LIMITS", limits)
    with pytest.raises(DataError, match=words):
        open_upload(path, fov_deg=None)


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("street.jpg", "street.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\system32.dll", "system32.dll"),
        ("..", "upload"),
        ("", "upload"),
        (".hidden.png", "hidden.png"),
        ("a b<img src=x onerror=alert(1)>.jpg", "a_b_img_src=x_onerror=alert_1.jpg"),
        ("x\x00y\nz.png", "x_y_z.png"),
        ("~root.png", "root.png"),
        ("straße.JPG", "straße.JPG"),
        ("a" * 500 + ".mp4", "a" * 60 + ".mp4"),
        ("a." + "b" * 500, "a.bbbbbbbb"),
    ],
)
def test_names_become_harmless(given: str, safe: str) -> None:
    assert safe_name(given) == safe


def test_a_file_is_moved_into_the_visitors_folder(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "a b.jpg").write_bytes(b"x")
    assert take(tmp_path / "a b.jpg", tmp_path / "mine") == tmp_path / "mine" / "a_b.jpg"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    with pytest.raises(DataError, match="has not arrived"):
        take(tmp_path / "a b.jpg", tmp_path / "mine")


def test_a_file_that_is_too_large_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFDEPTH_LIMITS", "app_megabytes=0")
    (tmp_path / "a.jpg").write_bytes(b"x")
    with pytest.raises(DataError, match="the file is too large"):
        take(tmp_path / "a.jpg", tmp_path)


@pytest.mark.parametrize(("text", "degrees"), [("", None), ("  ", None), ("70", 70.0), ("62,5°", 62.5)])
def test_a_field_of_view_is_a_number_or_nothing(text: str, degrees: float | None) -> None:
    assert fov_of(text) == degrees


@pytest.mark.parametrize("text", ["wide", "0", "-60", "180", "nan", "inf", "1e9", "9" * 400, "/etc/passwd"])
def test_what_is_no_field_of_view_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="no such field of view"):
        fov_of(text)
