"""Video files: frames in order, upright, and nothing lost in silence."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy import ndarray

from selfdepth.data.frames import find_gaps
from selfdepth.data.readers.containers import choose_track, opened_video
from selfdepth.data.readers.frame_names import SCENE_GAP
from selfdepth.data.readers.video import open_video
from selfdepth.errors import DataError, SelfDepthWarning

WriteVideo = Callable[..., Path]
CAMERA = "fov:60"


def _grey_steps(n: int, width: int = 64, height: int = 48) -> list[ndarray]:
    """Frame i is grey of level 4 i: it says which one it is."""
    return [np.full((height, width, 3), 4 * i, np.uint8) for i in range(n)]


def _noise(n: int) -> list[ndarray]:
    return list(np.random.default_rng(0).integers(0, 255, (n, 48, 64, 3), dtype=np.uint8))


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "avi", "ts"])
def test_frames_come_in_order_and_are_all_counted(tmp_path: Path, write_video: WriteVideo, suffix: str) -> None:
    path = write_video(tmp_path / f"drive.{suffix}", _grey_steps(40), fps=25)
    video = open_video(path, camera=CAMERA)
    assert (video.numbers, video.name, video.names[7]) == (tuple(range(40)), "drive", "000007")
    assert video.fps == pytest.approx(25, rel=0.01)
    levels = [image.mean() for image in video.read(video.numbers)]
    np.testing.assert_allclose(levels, 4 * np.arange(40), atol=3)


def test_any_subset_can_be_read(tmp_path: Path, write_video: WriteVideo) -> None:
    video = open_video(write_video(tmp_path / "drive.mp4", _grey_steps(40)), camera=CAMERA)
    np.testing.assert_allclose([image.mean() for image in video.read((3, 17, 39))], [12, 68, 156], atol=3)
    assert list(video.read(())) == []


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_phone_video_is_turned_upright(
    tmp_path: Path, write_video: WriteVideo, degrees: int, mirrored: bool, suffix: str
) -> None:
    stored = np.zeros((48, 64, 3), np.uint8)
    stored[:24, :32] = 255
    expected = np.rot90(stored, degrees // 90)  # the file's degrees are counter-clockwise
    if mirrored:
        expected = expected[:, ::-1]
    rotation = {"degrees": degrees, "hflip": mirrored}
    video = open_video(write_video(tmp_path / f"phone.{suffix}", [stored] * 4, rotation=rotation), camera=CAMERA)
    assert (video.camera.height, video.camera.width) == expected.shape[:2]
    image = next(video.read((0,))).astype(int)
    assert np.abs(image - expected).mean() < 8


@pytest.mark.parametrize("share", [0.97, 0.6, 0.3])
@pytest.mark.parametrize(
    ("suffix", "options"),
    [("mp4", {}), ("mp4", {"movflags": "faststart"}), ("mp4", {"movflags": "frag_keyframe+empty_moov"}), ("avi", {})],
)
def test_a_video_that_was_cut_off_is_refused_by_name(
    tmp_path: Path, write_video: WriteVideo, suffix: str, options: dict[str, str], share: float
) -> None:
    path = write_video(tmp_path / f"cut.{suffix}", _noise(40), options=options)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(DataError, match=f"cut.{suffix}"):
        open_video(path, camera=CAMERA)


def test_half_a_matroska_file_is_refused_though_it_decodes(tmp_path: Path, write_video: WriteVideo) -> None:
    path = write_video(tmp_path / "half.mkv", _noise(40))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=r"cut off.*half\.mkv.*seconds"):
        open_video(path, camera=CAMERA)


def test_a_stream_that_is_damaged_in_the_middle_is_refused_or_causes_a_warning(
    tmp_path: Path, write_video: WriteVideo
) -> None:
    path = write_video(tmp_path / "broken.mp4", _noise(40), options={"movflags": "faststart"})
    content = bytearray(path.read_bytes())
    start = len(content) // 2
    content[start : start + 20000] = bytes(20000)
    path.write_bytes(content)
    video = open_video(path, camera=CAMERA)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            n_read = sum(1 for _ in video.read(video.numbers))
        except DataError as error:
            assert "broken.mp4" in str(error)
        else:
            assert n_read == len(video.numbers) and any("broken.mp4" in str(item.message) for item in caught)


def test_many_missing_frames_are_refused_and_a_few_are_replaced_with_a_warning(
    tmp_path: Path, write_video: WriteVideo
) -> None:
    video = open_video(write_video(tmp_path / "short.mp4", _grey_steps(20)), camera=CAMERA)
    few, many = (replace(video, numbers=tuple(range(n))) for n in (22, 30))
    with pytest.warns(SelfDepthWarning, match="2 of 22 frames cannot be decoded"):
        images = list(few.read(few.numbers))
    assert len(images) == 22
    np.testing.assert_array_equal(images[21], images[19])
    with pytest.raises(DataError, match=r"ends early.*expected 30 frames; got 20"):
        list(many.read(many.numbers))


def test_frames_of_another_size_are_refused(tmp_path: Path, write_video: WriteVideo) -> None:
    video = open_video(write_video(tmp_path / "drive.mp4", _grey_steps(5)), camera=CAMERA)
    other = replace(video, camera=replace(video.camera, width=128))
    with pytest.raises(DataError, match=r"changes its size at frame 0.*expected 128x48; got 64x48"):
        list(other.read(other.numbers))


@pytest.mark.parametrize("n", [1, 2])
def test_too_few_frames_are_refused_with_their_count(tmp_path: Path, write_video: WriteVideo, n: int) -> None:
    path = write_video(tmp_path / "short.mp4", _grey_steps(n))
    with pytest.raises(DataError, match=f"too few frames.*short.mp4; expected at least 3; got {n}"):
        open_video(path, camera=CAMERA)
    assert len(open_video(path, camera=CAMERA, min_frames=1).numbers) == n


def test_a_file_with_sound_only_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(DataError, match=r"no video stream.*song\.mp4.*got audio only"):
        open_video(path, camera=CAMERA)


@pytest.mark.parametrize("content", [b"", b"not a video", bytes(5000)])
def test_a_file_that_is_not_a_video_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "drive.mp4"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"drive\.mp4"):
        open_video(path, camera=CAMERA)


def test_a_missing_video_is_reported_as_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such video"):
        open_video(tmp_path / "gone.mp4", camera=CAMERA)


def test_a_real_drive_is_counted_whole(shared: Path) -> None:
    video = open_video(shared / "video" / "residential.mp4", camera=CAMERA)
    assert (len(video.numbers), video.fps, video.camera.width, video.camera.height) == (268, 10.0, 1242, 374)
    assert next(video.read((0,))).shape == (374, 1242, 3)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_each_frame_has_the_time_of_its_packet(tmp_path: Path, suffix: str) -> None:
    expected = [i / 30 for i in range(30)] + [1 + i / 10 for i in range(30)]
    path = tmp_path / f"night.{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 600)
        for time in expected:
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 9, np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(600 * time), Fraction(1, 600)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    video = open_video(path, camera=CAMERA)
    assert video.times_s is not None
    np.testing.assert_allclose(video.times_s, expected, atol=0.002)


def _trimmed(path: Path, n: int, key_every: int, cut_s: float) -> Path:
    """An MP4 of n frames at 30 per second whose edit list skips its begin, as cutting without encoding makes it."""
    with av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "10", "g": str(key_every), "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        packets = []
        for image in _grey_steps(n):
            packets += stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24"))
        for packet in (*packets, *stream.encode()):
            packet.pts -= round(cut_s / packet.time_base)
            packet.dts -= round(cut_s / packet.time_base)
            container.mux(packet)
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize(("n", "key_every"), [(60, 40), (60, 250), (60, 1)])
def test_a_trimmed_video_begins_where_it_was_cut_and_loses_nothing(
    tmp_path: Path, suffix: str, n: int, key_every: int
) -> None:
    video = open_video(_trimmed(tmp_path / f"trimmed.{suffix}", n, key_every, 0.5), camera=CAMERA)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        levels = [image.mean() for image in video.read(video.numbers)]
    np.testing.assert_allclose(levels, 4 * np.arange(15, n), atol=3)
    assert video.times_s is not None
    np.testing.assert_allclose(video.times_s, np.arange(n - 15) / 30, atol=0.001)


@pytest.mark.parametrize("fps", [10, 25, 30])
def test_a_stream_without_times_has_those_of_its_rate(tmp_path: Path, write_video: WriteVideo, fps: int) -> None:
    path = write_video(tmp_path / "drive.h264", _grey_steps(6), fps=fps)
    video = open_video(path, camera=CAMERA)
    assert video.times_s is not None and len(video.times_s) == len(video.numbers) == 6
    np.testing.assert_allclose(np.diff(video.times_s), 1 / fps)


def test_what_is_shown_before_the_first_frame_that_can_be_decoded_is_left_out(
    tmp_path: Path, write_video: WriteVideo
) -> None:
    path = write_video(tmp_path / "drive.ts", _grey_steps(40))
    with opened_video(path) as container:
        track = choose_track(container, path, None)
    with opened_video(path) as container:
        frames = list(itertools.islice(container.decode(video=0), 3))
    track.begin_with(frames[2])
    assert track.n_frames == 38


def _muxed(path: Path, seconds: Sequence[float | None]) -> Path:
    """Grey frames at these times of their packets, without B-frames."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "10", "bf": "0", "g": "5"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        packets = []
        for image in _grey_steps(len(seconds)):
            packets += stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24"))
        for packet, time in zip((*packets, *stream.encode()), seconds, strict=True):
            packet.time_base, packet.pts = Fraction(1, 1000), None if time is None else round(1000 * time)
            packet.dts = packet.pts
            container.mux(packet)
    return path


def test_two_frames_of_one_time_do_not_cost_the_others_theirs(tmp_path: Path) -> None:
    seconds = [i / 10 + (0.3 if i >= 20 else 0) for i in range(30)]
    expected = tuple(seconds)
    seconds[10] = seconds[9]
    video = open_video(_muxed(tmp_path / "dashcam.mkv", seconds), camera=CAMERA)
    assert video.times_s == pytest.approx(expected, abs=0.0011)
    assert video.fps == pytest.approx(29 / 3.2, rel=0.01) and video.numbers == tuple(range(30))


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
def test_a_hole_in_the_time_is_a_gap_and_every_frame_is_still_found(tmp_path: Path, suffix: str) -> None:
    path = _muxed(tmp_path / f"paused.{suffix}", [i / 30 + (5 if i >= 15 else 0) for i in range(30)])
    video = open_video(path, camera=CAMERA)
    ((before, after),) = find_gaps(video.numbers)
    assert (before, after) == (14, pytest.approx(14 + 151, abs=2))
    assert video.names == tuple(f"{i:06d}" for i in range(30))
    np.testing.assert_allclose([image.mean() for image in video.read(video.numbers)], 4 * np.arange(30), atol=3)
    some = (3, 14, after, after + 5)
    np.testing.assert_allclose([image.mean() for image in video.read(some)], [12, 56, 60, 80], atol=3)
    left = video.without(frozenset({0, 14, after}))
    np.testing.assert_allclose([image.mean() for image in left.read((1, after + 1))], [4, 64], atol=3)


@pytest.mark.parametrize("first_s", [0, 20])
def test_recordings_that_were_joined_are_told_apart_and_none_is_lost(
    tmp_path: Path, write_video: WriteVideo, first_s: float
) -> None:
    first = _muxed(tmp_path / "a.ts", [first_s + i / 30 for i in range(30)])
    second = write_video(tmp_path / "b.ts", _grey_steps(30), fps=30)
    path = tmp_path / "joined.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    with pytest.warns(SelfDepthWarning, match=r"joined\.ts jumps back at frame 30, as where recordings were joined"):
        video = open_video(path, camera=CAMERA)
    assert len(video.numbers) == 60 and find_gaps(video.numbers) == ((29, 29 + SCENE_GAP),)
    assert video.times_s is not None
    np.testing.assert_allclose(np.diff(video.times_s), 1 / 30, atol=0.002)
    np.testing.assert_allclose([image.mean() for image in video.read(video.numbers)], [*range(0, 120, 4)] * 2, atol=3)
