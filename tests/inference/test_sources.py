"""What is to be predicted: images, folders and videos as frames in their order, under names of their own."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera
from selfdepth.inference.sources import open_inputs

SIZE = (40, 32)


def write_images(folder: Path, *names: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in names]
    for number, path in enumerate(paths):
        Image.new("RGB", SIZE, (10 * number, 0, 0)).save(path)
    return paths


def write_video(path: Path, n_frames: int, rate: int = 20) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for number in range(n_frames):
            pixels = np.full((SIZE[1], SIZE[0], 3), 40 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_single_images_are_one_source_together_whose_frames_do_not_follow_each_other(tmp_path: Path) -> None:
    first, second = write_images(tmp_path, "0001.png", "0002.jpg")
    (source,) = open_inputs((str(second), str(first)), camera=None)
    assert (source.name, source.names, source.files) == ("images", ("0002", "0001"), (second, first))
    assert not source.continuous and source.first_size == SIZE
    assert [image.shape for image in source.read()] == [(32, 40, 3)] * 2


def test_a_folder_of_numbered_images_is_a_drive_with_its_gaps(tmp_path: Path) -> None:
    write_images(tmp_path / "street", "7.png", "8.png", "12.png", "13.png")
    (source,) = open_inputs((str(tmp_path / "street"),), camera=None)
    assert (source.name, source.names) == ("street", ("7", "8", "12", "13"))
    assert source.continuous and source.gaps == ((8, 12),)
    assert [int(image[0, 0, 0]) for image in source.read()] == [0, 10, 20, 30]


def test_a_folder_of_named_images_is_no_drive(tmp_path: Path) -> None:
    write_images(tmp_path / "album", "cat.png", "dog.png")
    (source,) = open_inputs((str(tmp_path / "album"),), camera=None)
    assert not source.continuous and source.gaps == ()


def test_folders_below_a_folder_are_sources_of_their_own(tmp_path: Path) -> None:
    write_images(tmp_path / "city/left", "0.png")
    write_images(tmp_path / "city/right", "0.png")
    sources = open_inputs((str(tmp_path / "city"),), camera=None)
    assert [source.name for source in sources] == ["city_left", "city_right"]


def test_a_video_has_its_rate_its_times_and_numbers_for_names(tmp_path: Path) -> None:
    (source,) = open_inputs((str(write_video(tmp_path / "street.mp4", 3)),), camera=None)
    assert (source.name, source.rate, source.first_size) == ("street", Fraction(20), SIZE)
    assert source.times_s == pytest.approx((0.0, 0.05, 0.1))
    assert len(set(source.names)) == len(list(source.read())) == 3


def test_what_has_the_same_name_gets_a_longer_one_and_then_a_number(tmp_path: Path) -> None:
    write_images(tmp_path / "a", "0.png", "0.jpg", "1.png")
    (source,) = open_inputs((str(tmp_path / "a"),), camera=None)
    assert sorted(source.names) == ["0.jpg", "0.png", "1"]
    write_images(tmp_path / "b/a", "0.png")
    names = [source.name for source in open_inputs((str(tmp_path / "a"), str(tmp_path / "b/a")), camera=None)]
    assert names == ["a", "a-2"]


def test_a_camera_is_for_frames_of_every_size(tmp_path: Path) -> None:
    write_images(tmp_path / "a", "0.png")
    (source,) = open_inputs((str(tmp_path / "a"),), camera="fov:90")
    for width in (40, 80):
        assert source.camera_for(width, 32) == Camera.from_fov(90.0, width=width, height=32)
    (without,) = open_inputs((str(tmp_path / "a"),), camera=None)
    assert without.camera_for(*SIZE) is None


def test_a_camera_that_cannot_be_used_is_refused_before_the_work(tmp_path: Path) -> None:
    write_images(tmp_path / "a", "0.png")
    with pytest.raises(DataError, match="fov:180"):
        open_inputs((str(tmp_path / "a"),), camera="fov:180")


def test_what_holds_no_images_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"holds no images: .*empty; expected files ending in"):
        open_inputs((str(tmp_path / "empty"),), camera=None)
    with pytest.raises(DataError, match=r"no such input: .*gone\.jpg"):
        open_inputs((str(tmp_path / "gone.jpg"),), camera=None)
