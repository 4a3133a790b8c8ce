"""Video files as a data source."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray
from PIL import Image

from helpers.images import write_images
from helpers.videos import write_two_streams
from selfdepth.config import TrainConfig
from selfdepth.data.frames import find_gaps
from selfdepth.data.inspect import uneven_rate
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.sources.video import Videos, find_videos
from selfdepth.data.store.build import fingerprint
from selfdepth.errors import ConfigError, DataError, SelfDepthWarning
from selfdepth.inference.writers import create_video

WriteVideo = Callable[..., Path]
Texture = Callable[..., list[ndarray]]
CAMERA = "fov:60"


def test_a_video_is_one_sequence_named_by_its_stem(
    tmp_path: Path, write_video: WriteVideo, moving_texture: Texture
) -> None:
    footage = recognise(write_video(tmp_path / "b.mp4", moving_texture(6, 1))).footage(camera=CAMERA)
    assert (footage.kind, footage.sequences[0].name, len(footage.train)) == ("video", "b", 4)


def test_videos_in_a_folder_are_named_by_their_files_because_stems_may_repeat(
    tmp_path: Path, write_video: WriteVideo, moving_texture: Texture
) -> None:
    for name in ("b.mp4", "a.mkv", "a.mp4"):
        write_video(tmp_path / name, moving_texture(6, 1))
    (tmp_path / "notes.txt").write_text("not a video")
    footage = recognise(tmp_path).footage(camera=CAMERA)
    assert [sequence.name for sequence in footage.sequences] == ["a.mkv", "a.mp4", "b.mp4"]


def test_prediction_takes_even_a_single_frame(tmp_path: Path, write_video: WriteVideo, moving_texture: Texture) -> None:
    path = write_video(tmp_path / "short.mp4", moving_texture(1, 0))
    (sequence,) = recognise(path).sequences_to_predict()
    assert sequence.numbers == (0,)
    with pytest.raises(DataError, match=r"too few frames.*short\.mp4"):
        recognise(path).sequences(CAMERA)


def test_the_times_of_a_video_come_from_its_rate(
    tmp_path: Path, write_video: WriteVideo, moving_texture: Texture
) -> None:
    source = recognise(write_video(tmp_path / "b.mp4", moving_texture(6, 1), fps=25))
    (sequence,) = source.sequences(CAMERA)
    np.testing.assert_allclose(source.times(sequence), np.arange(6) / 25, rtol=0.01)


def test_a_single_image_is_refused_and_an_empty_folder_is_no_folder_of_videos(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"one image is not a sequence: .*a\.JPG; .*give its folder"):
        (tmp_path / "a.JPG").write_bytes(b"")
        Videos.recognise(tmp_path / "a.JPG")
    assert Videos.recognise(tmp_path) is None


@pytest.mark.parametrize(("stream", "level"), [(0, 40), (1, 200)])
def test_the_stream_that_was_asked_for_is_stored_and_part_of_what_a_store_is(
    tmp_path: Path, stream: int, level: int
) -> None:
    path = write_two_streams(tmp_path / "dashcam.mp4")
    source = recognise(path, stream)
    store = source.new_store(TrainConfig(width=96, camera=CAMERA, stream=stream), tmp_path / "store")
    assert store.origin is not None and store.origin.stream == stream
    assert abs(float(store.frames[0].mean()) - level) < 4
    other = recognise(path, 1 - stream).footage(camera=CAMERA)
    assert fingerprint(other, width=96, height=64) != store.fingerprint
    assert recognise(store.folder, stream).path == store.folder
    with pytest.raises(ConfigError, match=rf"--stream was fixed.*expected {stream}; got {1 - stream}"):
        recognise(store.folder, 1 - stream)


def test_a_stream_of_anything_but_videos_is_refused(tmp_path: Path) -> None:
    for number in range(3):
        Image.new("RGB", (32, 32)).save(tmp_path / f"{number}.png")
    with pytest.raises(ConfigError, match=r"only videos have streams: --stream 1; got .*, folder; leave it out"):
        recognise(tmp_path, 1)


def test_every_frame_has_the_time_of_its_packet(tmp_path: Path, moving_texture: Texture) -> None:
    images = moving_texture(30, 1)
    seconds = [i / 30 if i < 15 else 0.5 + (i - 15) / 10 for i in range(30)]
    with create_video(tmp_path / "uneven.mp4", Fraction(30)) as video:
        for image, time_s in zip(images, seconds, strict=True):
            video.write(image, time_s)
    (sequence,) = recognise(tmp_path / "uneven.mp4").sequences("fov:60")
    assert sequence.times_s is not None
    np.testing.assert_allclose(sequence.times_s, seconds, atol=1e-3)
    np.testing.assert_allclose(recognise(tmp_path / "uneven.mp4").times(sequence), seconds, atol=1e-3)
    (sentence,) = uneven_rate(sequence)
    assert "from 10 to 30 frames per second" in sentence


def test_no_clip_crosses_a_hole_in_the_time(tmp_path: Path, moving_texture: Texture) -> None:
    with create_video(tmp_path / "paused.mp4", Fraction(30)) as video:
        for i, image in enumerate(moving_texture(60, 1)):
            video.write(image, i / 30 if i < 25 else 10 + i / 30)
    source = recognise(tmp_path / "paused.mp4")
    (sequence,) = source.sequences(CAMERA)
    numbers = sequence.numbers
    assert find_gaps(numbers) == ((24, numbers[25]),) and numbers[25] == pytest.approx(325, abs=5)
    store = source.new_store(TrainConfig(width=192, camera=CAMERA), tmp_path / "store")
    targets = {ref.number for ref in (*store.train, *store.val)}
    assert len(targets) > 50 and targets <= {n for n in numbers if {n - 1, n, n + 1} <= set(numbers)}
    assert store.sequences[0].names == tuple(f"{i:06d}" for i in range(60))
    rows = store.sequences[0].rows(np.array([24, numbers[25]]))
    expected = [image.transpose(2, 0, 1) for image in sequence.read((24, numbers[25]))]
    assert np.abs(store.frames[rows].astype(int) - np.stack(expected)).mean() < 3
    assert uneven_rate(sequence) == ()


def test_own_results_and_pictures_beside_videos_are_no_footage(
    tmp_path: Path, write_video: WriteVideo, moving_texture: Texture
) -> None:
    write_video(tmp_path / "a.mp4", moving_texture(6, 1))
    with create_video(tmp_path / "video.mp4", Fraction(10)) as video:
        video.write(moving_texture(1, 1)[0])
    write_images(tmp_path, range(4))
    source = recognise(tmp_path)
    with pytest.warns(SelfDepthWarning, match=r"left out.*4 \.png"):
        (sequence,) = source.sequences("fov:60")
    assert (source.kind, sequence.name) == ("video", "a.mp4")


def test_videos_further_down_are_said_and_links_repeat_none(
    tmp_path: Path, write_video: WriteVideo, moving_texture: Texture
) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("x.mp4", "sub/y.mp4"):
        write_video(tmp_path / name, moving_texture(6, 1))
    (tmp_path / "a.mp4").symlink_to("x.mp4")
    source = recognise(tmp_path)
    with pytest.warns(SelfDepthWarning, match="left out") as caught:
        (sequence,) = source.sequences(CAMERA)
    assert sequence.name == "x.mp4"
    links, below = (str(warning.message) for warning in caught)
    assert links.endswith("links to videos that are read: a.mp4")
    assert below.endswith("the folders that are read: 1 .mp4 in sub")


def test_a_link_to_a_folder_of_videos_beside_it_repeats_none(
    tmp_path: Path, write_video: WriteVideo, moving_texture: Texture
) -> None:
    (tmp_path / "monday").mkdir()
    write_video(tmp_path / "monday/x.mp4", moving_texture(6, 1))
    (tmp_path / "latest").symlink_to("monday")
    assert find_videos(tmp_path) == (tmp_path / "monday/x.mp4",)
