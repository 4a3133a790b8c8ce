"""Frames of videos: colours, deep grey, orientation, and what is said of footage that is not what it looks like."""

from __future__ import annotations

import io
import re
import warnings
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.sidedata.sidedata import Type
from numpy import ndarray
from PIL import Image

from selfdepth.data.readers.orientation import EXIF
from selfdepth.data.readers.video import open_video
from selfdepth.data.readers.video_frames import Converter, colour_space, is_deep_grey, what_is_odd
from selfdepth.errors import SelfDepthWarning

BT709, UNSPECIFIED, BT601 = 1, 2, 6
CAMERA = "fov:60"


def _red(height: int, matrix: int, tag: int, width: int = 64) -> av.VideoFrame:
    """A red frame that was encoded with one matrix, and is tagged with another."""
    rgb = av.VideoFrame.from_ndarray(np.full((height, width, 3), (200, 30, 40), np.uint8), format="rgb24")
    frame = rgb.reformat(format="yuv420p", dst_colorspace=matrix, dst_color_range=1)
    frame.colorspace = tag
    return frame


def _motion_jpeg(path: Path, orientation: int | None, stored: ndarray) -> Path:
    """A video whose frames carry EXIF, as those of some cameras do."""
    exif = Image.Exif()
    exif[271] = "Canon"
    if orientation is not None:
        exif[0x0112] = orientation
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(stored)).save(stream, "JPEG", exif=exif, quality=95)
    with av.open(str(path), "w") as container:
        video = container.add_stream("mjpeg", rate=10)
        video.width, video.height, video.pix_fmt = stored.shape[1], stored.shape[0], "yuvj420p"
        for i in range(4):
            packet = av.Packet(stream.getvalue())
            packet.stream, packet.pts, packet.dts, packet.time_base = video, i, i, Fraction(1, 10)
            container.mux(packet)
    return path


@pytest.mark.parametrize(
    ("width", "height", "matrix"),
    [
        (640, 480, BT601),
        (720, 576, BT601),
        (1242, 374, BT601),
        (640, 720, BT709),
        (1280, 720, BT709),
        (1280, 480, BT709),
        (1920, 544, BT709),
        (1080, 1920, BT709),
    ],
)
def test_colours_without_a_tag_are_taken_as_players_take_them(width: int, height: int, matrix: int) -> None:
    frame = _red(height, matrix, UNSPECIFIED, width)
    assert colour_space(frame) == matrix
    np.testing.assert_allclose(Converter()(frame)[0, 0], (200, 30, 40), atol=3)


@pytest.mark.parametrize("height", [480, 1080])
@pytest.mark.parametrize("matrix", [BT709, BT601, 5, 7, 9])
def test_colours_with_a_tag_are_taken_by_it_at_every_size(height: int, matrix: int) -> None:
    np.testing.assert_allclose(Converter()(_red(height, matrix, matrix))[0, 0], (200, 30, 40), atol=3)


@pytest.mark.parametrize("tag", [3, 8, 10, 14, 17])
def test_a_colour_space_that_is_not_known_is_converted_and_said(tag: int) -> None:
    frame = _red(1080, BT709, tag)
    assert Converter()(frame).shape == (1080, 64, 3)
    frame.colorspace = tag
    if tag == 10:  # differs from BT.2020 too little to be seen
        assert colour_space(frame) == 9
    else:
        (sentence,) = what_is_odd(frame, "drive.mp4")
        assert f"of drive.mp4 (number {tag}) is not known here: it is taken for BT.709" in sentence


@pytest.mark.parametrize("orientation", [None, *range(1, 9)])
def test_frames_with_exif_are_decoded_and_turned(tmp_path: Path, orientation: int | None) -> None:
    stored = np.zeros((48, 64, 3), np.uint8)
    stored[:24, :32] = 255
    path = _motion_jpeg(tmp_path / "camera.avi", orientation, stored)
    video = open_video(path, camera=CAMERA)
    expected = EXIF[orientation or 1].apply(stored)
    assert (video.camera.height, video.camera.width) == expected.shape[:2]
    for image in video.read(video.numbers):
        assert np.abs(image.astype(int) - expected).mean() < 8


def test_side_data_without_a_name_has_a_number() -> None:
    assert Type(9999).value == 9999 and Type(9999).name == "TYPE_9999"
    assert Type(Type.DISPLAYMATRIX.value) is Type.DISPLAYMATRIX


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_high_dynamic_range_is_said(transfer: int, name: str) -> None:
    frame = av.VideoFrame(64, 48, "yuv420p10le")
    frame.color_trc, frame.colorspace = transfer, 9
    (sentence,) = what_is_odd(frame, "drive.mp4")
    assert re.match(rf"drive\.mp4 is HDR \({name}\).*ffmpeg -i IN -vf .*tonemap", sentence)


def _tape(path: Path, n: int, *, interlaced: bool) -> Path:
    options = {"flags": "+ildct+ilme"} if interlaced else {}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(n):
            pixels = np.full((48, 64, 3), 10 * i, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_interlaced_footage_is_said(tmp_path: Path) -> None:
    path = _tape(tmp_path / "tape.mpg", 6, interlaced=True)
    with pytest.warns(SelfDepthWarning, match=r"tape\.mpg is interlaced.*ffmpeg -i IN -vf bwdif=mode=send_frame OUT"):
        video = open_video(path, camera=CAMERA)
    with warnings.catch_warnings():  # and only once
        warnings.simplefilter("error")
        assert len(list(video.read(video.numbers))) == 6


def test_a_part_that_is_interlaced_is_said_when_it_is_decoded(tmp_path: Path) -> None:
    parts = [_tape(tmp_path / f"{name}.ts", 20, interlaced=name == "b") for name in ("a", "b")]
    path = tmp_path / "mixed.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    with pytest.warns(SelfDepthWarning) as caught:
        video = open_video(path, camera=CAMERA)
    assert "is interlaced" not in "".join(str(item.message) for item in caught)
    with pytest.warns(SelfDepthWarning) as caught:
        assert len(list(video.read(video.numbers))) == 40
    (sentence,) = (str(item.message) for item in caught if "is interlaced" in str(item.message))
    assert re.match(r"a part of .*mixed\.ts is interlaced: ", sentence)


def test_nothing_is_said_of_ordinary_frames() -> None:
    assert what_is_odd(_red(720, BT709, UNSPECIFIED), "drive.mp4") == ()


@pytest.mark.parametrize(
    ("name", "deep"),
    [
        ("gray16le", True),
        ("gray10le", True),
        ("gray12le", True),
        ("gray", False),
        ("ya16le", False),
        ("rgb48le", False),
    ],
)
def test_grey_of_more_than_eight_bits_is_known(name: str, deep: bool) -> None:
    assert is_deep_grey(av.VideoFrame(16, 16, name)) == deep


@pytest.mark.parametrize(("low", "high", "stretched"), [(7000, 9000, True), (0, 60000, False)])
def test_a_thermal_video_is_stretched_for_the_whole_of_it(tmp_path: Path, low: int, high: int, stretched: bool) -> None:
    path = tmp_path / "heat.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "gray16le"
        for i in range(20):
            values = np.linspace(low, low + (high - low) * (i + 1) / 20, 48 * 64).astype(np.uint16).reshape(48, 64)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(values, format="gray16le")))
        container.mux(stream.encode())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        video = open_video(path, camera=CAMERA)
    assert any("are stretched to black and white" in str(item.message) for item in caught) == stretched
    first, last = video.read((0, 19))
    if stretched:
        assert first.max() < 40 and last.min() == 0 and last.max() > 230
    else:
        assert last.max() == round(60000 / 65535 * 255)
