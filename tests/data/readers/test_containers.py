"""Video files: which formats are opened, how large frames may be, which stream is taken, and what was cut off."""

from __future__ import annotations

import io
import os
import struct
import sys
import warnings
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy import ndarray
from PIL import Image

from helpers.peak import run_measured
from selfdepth.data.readers.containers import choose_track, opened_video, video_stream
from selfdepth.data.readers.video import open_video
from selfdepth.errors import DataError, SelfDepthWarning

WriteVideo = Callable[..., Path]
CAMERA = "fov:60"


def _grey_steps(n: int, width: int = 64, height: int = 48) -> list[ndarray]:
    return [np.full((height, width, 3), 4 * i, np.uint8) for i in range(n)]


def _jpeg(level: int, width: int = 64, height: int = 48) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (width, height), (level, level, level)).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def _streams(path: Path, *streams: tuple[int, int, int], default: int | None = None) -> Path:
    """A file with several MJPEG streams, each given by its number of frames, level of grey and width."""
    with av.open(str(path), "w") as container:
        added = []
        for _, _, width in streams:
            stream = container.add_stream("mjpeg", rate=10)
            stream.width, stream.height, stream.pix_fmt = width, 48, "yuvj420p"
            added.append(stream)
        for number, stream in enumerate(added):
            stream.disposition = av.stream.Disposition.default if number == default else 0
        for i in range(max(n for n, _, _ in streams)):
            for stream, (n, level, width) in zip(added, streams, strict=True):
                if i < n:
                    packet = av.Packet(_jpeg(level, width))
                    packet.stream, packet.pts, packet.dts, packet.time_base = stream, i, i, Fraction(1, 10)
                    container.mux(packet)
    return path


def _gif(folder: Path, width: int = 12000, height: int = 12000) -> Path:
    """A GIF of a few bytes that declares a large size."""
    image = b"\x2c" + struct.pack("<HHHH", 0, 0, width, height) + b"\x00\x02\x02\x44\x01\x00"
    delay = b"\x21\xf9\x04\x00\x0a\x00\x00\x00"
    screen = b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\x00\x00" + b"\x00\x00\x00\xff\xff\xff"
    (folder / "huge.gif").write_bytes(screen + 5 * (delay + image) + b"\x3b")
    return folder / "huge.gif"


@pytest.mark.parametrize("name", ["list.mp4", "list.txt", "list"])
@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile {}\n",
        "file '{}'\nfile '{}'\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:4,\n{}\n#EXT-X-ENDLIST\n",
        "<?xml version='1.0'?><MPD><Period><BaseURL>{}</BaseURL></Period></MPD>",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n# {}\n",
    ],
)
def test_a_list_under_any_name_opens_no_other_file(
    tmp_path: Path, write_video: WriteVideo, name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = write_video(tmp_path / "drive.mp4", _grey_steps(4))
    (tmp_path / name).write_text(text.replace("{}", target.name))
    opened: list[str] = []
    monkeypatch.setattr(av, "open", lambda file, *args, **options: opened.append(file))
    with pytest.raises(DataError, match=r"not a video.*list.*got a (list of videos|text)"):
        open_video(tmp_path / name, camera=CAMERA)
    assert opened == []


def test_a_list_that_does_not_begin_like_a_text_is_refused_by_its_format(
    tmp_path: Path, write_video: WriteVideo
) -> None:
    write_video(tmp_path / "drive.mp4", _grey_steps(4))
    (tmp_path / "list.mp4").write_bytes(b"ffconcat version 1.0\nfile drive.mp4\n#\x00\xff\n"[2:])
    (tmp_path / "second.mp4").write_bytes(b"\xef\xbb\xbf\x01\nffconcat version 1.0\nfile drive.mp4\n")
    for name in ("list.mp4", "second.mp4"):
        with pytest.raises(DataError, match=name):
            open_video(tmp_path / name, camera=CAMERA)


@pytest.mark.parametrize("name", ["12:30:15.mp4", "http:x.mp4", "%03d.mp4", "a?b#c.mp4", "-i.mp4", "pipe:0"])
def test_any_name_is_that_of_a_file(
    tmp_path: Path, write_video: WriteVideo, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_video(tmp_path / "drive.mp4", _grey_steps(4)).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    video = open_video(Path(name), camera=CAMERA)
    assert len(list(video.read(video.numbers))) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux only")
def test_a_name_that_is_no_unicode_is_opened(tmp_path: Path, write_video: WriteVideo) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.mp4"))
    write_video(tmp_path / "drive.mp4", _grey_steps(4)).rename(path)
    assert len(open_video(path, camera=CAMERA).numbers) == 4


def test_photos_under_the_name_of_a_video_are_refused_by_their_format(tmp_path: Path) -> None:
    (tmp_path / "photo.mp4").write_bytes(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(50))
    with pytest.raises(DataError, match=r"photo\.mp4.*got a HEIF photo \(HEIC\); convert it to PNG or JPEG"):
        open_video(tmp_path / "photo.mp4", camera=CAMERA)
    (tmp_path / "photo.mp4").write_bytes(_jpeg(9))
    with pytest.raises(DataError, match=r"photo\.mp4.*got a JPEG image; give a folder"):
        open_video(tmp_path / "photo.mp4", camera=CAMERA)


def test_frames_beyond_the_limit_are_refused_before_they_are_decoded(
    tmp_path: Path, write_video: WriteVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "large.mp4", _grey_steps(4, width=1280, height=1024))
    monkeypatch.setenv("SELFDEPTH_LIMITS", "video_megapixels=1")
    with pytest.raises(DataError, match=r"too large: .*large\.mp4; expected at most 1 megapixels; got 1\.3"):
        open_video(path, camera=CAMERA)
    monkeypatch.setenv("SELFDEPTH_LIMITS", "video_megapixels=2")
    assert len(open_video(path, camera=CAMERA).numbers) == 4


def test_a_frame_that_is_larger_than_its_container_states_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "drive.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for i in range(4):
            packet = av.Packet(_jpeg(9, *((64, 48) if i < 2 else (2000, 1000))))
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, i, i, Fraction(1, 10)
            container.mux(packet)
    monkeypatch.setenv("SELFDEPTH_LIMITS", "video_megapixels=1")
    video = open_video(path, camera=CAMERA)
    with pytest.raises(DataError, match=r"damaged after 2 frames: .*drive\.avi"):
        list(video.read(video.numbers))


def test_a_gif_that_would_take_gigabytes_is_refused_in_little_memory(tmp_path: Path) -> None:
    code = (
        "import pathlib; from selfdepth.data.readers.video import open_video; from selfdepth.errors import DataError\n"
        f"try: open_video(pathlib.Path({str(_gif(tmp_path))!r}), camera='fov:60')\n"
        "except DataError as error: print(error)"
    )
    sentence, peak = run_measured(code)
    assert "too large" in sentence and "got 144 megapixels" in sentence and "video_megapixels=145" in sentence
    assert peak < 1e9


def test_the_film_is_taken_and_not_its_preview_and_the_others_are_named(tmp_path: Path) -> None:
    path = _streams(tmp_path / "dashcam.mov", (1, 250, 64), (30, 80, 64))
    with pytest.warns(
        SelfDepthWarning, match=r"2 video streams: 0 \(64x48, 1 frames\), 1 \(64x48, 30 frames\); stream 1"
    ):
        video = open_video(path, camera=CAMERA)
    assert (len(video.numbers), video.stream) == (30, 1)
    np.testing.assert_allclose([image.mean() for image in video.read((0, 29))], 80, atol=3)


@pytest.mark.parametrize("suffix", ["mkv", "mov", "avi"])
def test_another_stream_is_taken_when_it_is_named(tmp_path: Path, suffix: str) -> None:
    path = _streams(tmp_path / f"dashcam.{suffix}", (12, 80, 64), (10, 200, 96))
    for stream, width, n, level in ((0, 64, 12, 80), (1, 96, 10, 200)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            video = open_video(path, camera=CAMERA, stream=stream)
        assert (video.stream, video.camera.width, len(video.numbers)) == (stream, width, n)
        np.testing.assert_allclose([image.mean() for image in video.read(video.numbers)], level, atol=3)


def test_among_cameras_of_one_length_the_default_is_taken_then_the_largest(tmp_path: Path) -> None:
    for default, expected in ((0, 0), (2, 2), (None, 1)):
        path = _streams(tmp_path / f"{default}.mkv", (10, 10, 64), (10, 20, 96), (10, 30, 64), default=default)
        with pytest.warns(SelfDepthWarning, match="3 video streams"):
            assert open_video(path, camera=CAMERA).stream == expected


def test_a_stream_that_is_not_there_is_refused(tmp_path: Path, write_video: WriteVideo) -> None:
    path = write_video(tmp_path / "drive.mp4", _grey_steps(4))
    with pytest.raises(
        DataError, match=r"no such video stream: .*drive\.mp4; expected --stream 0, its only one; got --st"
    ):
        open_video(path, camera=CAMERA, stream=1)
    path = _streams(tmp_path / "two.mkv", (4, 10, 64), (4, 20, 64))
    with pytest.raises(DataError, match="expected --stream 0 to 1; got --stream 7"):
        open_video(path, camera=CAMERA, stream=7)


def test_whatever_pyav_raises_names_the_file(
    tmp_path: Path, write_video: WriteVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "drive.mp4", _grey_steps(4))
    for error in (
        ValueError("99 is not a valid Type"),
        KeyError("x"),
        RuntimeError("closed"),
        MemoryError(),
        OSError(5, "x"),
    ):

        def fail(*args: object, raised: Exception = error, **options: object) -> None:
            raise raised

        with monkeypatch.context() as patch, pytest.raises(DataError, match=r"cannot be read: .*drive\.mp4"):
            patch.setattr(av, "open", fail)
            open_video(path, camera=CAMERA)


def test_packets_are_counted_without_decoding(tmp_path: Path, write_video: WriteVideo) -> None:
    path = write_video(tmp_path / "drive.mp4", _grey_steps(12))
    with opened_video(path) as container:
        assert video_stream(container, 0, path).type == "video"
        track = choose_track(container, path, None)
    assert (track.number, track.n_frames, track.begin_s, track.broken_at) == (0, 12, 0.0, None)
    assert track.end_s == pytest.approx(1.2)
