"""Video files as a data source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray

from selfdepth.data.sources.recognise import recognise
from selfdepth.data.sources.video import Videos
from selfdepth.errors import DataError

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
