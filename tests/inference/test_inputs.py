"""Inputs of `predict`: images, folders and videos as frames in order, under unique names, cropped as at training."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from selfdepth.errors import ConfigError, DataError
from selfdepth.geometry.camera import Camera
from selfdepth.inference.inputs import PredictionInput, cropped_as_trained, open_inputs
from selfdepth.weights.files import LoadedWeights, load_weights

SIZE = (40, 32)
W, H = 96, 64
"""Size of the frames that the model was trained on."""


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


def test_single_images_form_one_input_whose_frames_do_not_follow_each_other(tmp_path: Path) -> None:
    first, second = write_images(tmp_path, "0001.png", "0002.jpg")
    (source,) = open_inputs((str(second), str(first)), camera=None)
    assert (source.name, source.names, source.files) == ("images", ("0002", "0001"), (second, first))
    assert not source.continuous and source.first_size == SIZE
    assert [image.shape for image in source.read()] == [(32, 40, 3)] * 2


def test_a_folder_of_numbered_images_is_a_sequence_with_its_gaps(tmp_path: Path) -> None:
    write_images(tmp_path / "street", "7.png", "8.png", "12.png", "13.png")
    (source,) = open_inputs((str(tmp_path / "street"),), camera=None)
    assert (source.name, source.names) == ("street", ("7", "8", "12", "13"))
    assert source.continuous and source.gaps == ((8, 12),)
    assert [int(image[0, 0, 0]) for image in source.read()] == [0, 10, 20, 30]


@pytest.mark.parametrize("name", ["{:.3f}_left.png", "cam0_12-30-{:06.3f}Z.png", "t{:.3f}s.png"])
def test_a_folder_of_images_named_by_times_is_a_sequence_at_their_rate(tmp_path: Path, name: str) -> None:
    write_images(tmp_path, *(name.format(5 + i / 20) for i in range(6)))
    (source,) = open_inputs((str(tmp_path),), camera=None)
    assert (source.continuous, source.gaps, source.rate) == (True, (), 20)
    assert source.times_s is not None


def test_a_folder_of_images_without_numbers_is_no_sequence(tmp_path: Path) -> None:
    write_images(tmp_path / "album", "cat.png", "dog.png")
    (source,) = open_inputs((str(tmp_path / "album"),), camera=None)
    assert not source.continuous and source.gaps == ()


def test_each_folder_inside_a_folder_is_an_input_of_its_own(tmp_path: Path) -> None:
    write_images(tmp_path / "city/left", "0.png")
    write_images(tmp_path / "city/right", "0.png")
    sources = open_inputs((str(tmp_path / "city"),), camera=None)
    assert [source.name for source in sources] == ["city_left", "city_right"]


def test_a_video_keeps_its_rate_and_times_and_names_its_frames_by_number(tmp_path: Path) -> None:
    (source,) = open_inputs((str(write_video(tmp_path / "street.mp4", 3)),), camera=None)
    assert (source.name, source.rate, source.first_size) == ("street", Fraction(20), SIZE)
    assert source.times_s == pytest.approx((0.0, 0.05, 0.1))
    assert len(set(source.names)) == len(list(source.read())) == 3


def test_equal_names_get_their_suffix_and_then_a_number(tmp_path: Path) -> None:
    write_images(tmp_path / "a", "0.png", "0.jpg", "1.png")
    (source,) = open_inputs((str(tmp_path / "a"),), camera=None)
    assert sorted(source.names) == ["0.jpg", "0.png", "1"]
    write_images(tmp_path / "b/a", "0.png")
    names = [source.name for source in open_inputs((str(tmp_path / "a"), str(tmp_path / "b/a")), camera=None)]
    assert names == ["a", "a-2"]


def test_a_given_camera_serves_frames_of_every_size(tmp_path: Path) -> None:
    write_images(tmp_path / "a", "0.png")
    (source,) = open_inputs((str(tmp_path / "a"),), camera="fov:90")
    for width in (40, 80):
        assert source.camera_for(width, 32) == Camera.from_fov(90.0, width=width, height=32)
    (without,) = open_inputs((str(tmp_path / "a"),), camera=None)
    assert without.camera_for(*SIZE) is None


@pytest.mark.parametrize("as_folder", [True, False])
@pytest.mark.parametrize("camera", ["100,100,20,16", "fov:60", "cam.yaml"])
def test_one_camera_for_unlike_images_is_refused_wherever_they_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, camera: str, as_folder: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cam.yaml").write_text("width: 40\nheight: 32\nfx: 30\nfy: 30\ncx: 20\ncy: 16\n")
    images = write_images(tmp_path / "a", "0.png", "1.png", "2.png", "3.png")
    images[1].write_bytes(b"")  # reported with all others that cannot be read, when they are
    Image.new("RGB", (32, 40)).save(images[3])
    inputs = (str(tmp_path / "a"),) if as_folder else (str(images[0]), str(images[2]), str(images[3]))
    with pytest.raises(DataError, match=r"40x32.*32x40|32x40.*40x32"):
        open_inputs(inputs, camera=camera)
    Image.new("RGB", SIZE).save(images[3])
    (source,) = open_inputs(inputs, camera=camera)
    assert source.camera_for(*SIZE) is not None


def test_a_field_of_view_serves_images_of_one_shape_in_several_sizes(tmp_path: Path) -> None:
    first, second = write_images(tmp_path, "0.png", "1.png")
    Image.new("RGB", (80, 64)).save(second)
    (source,) = open_inputs((str(first), str(second)), camera="fov:60")
    assert source.camera_for(80, 64) == Camera.from_fov(60.0, width=80, height=64)
    with pytest.raises(DataError, match=r"in pixels.*40x32 \(.*0\.png\) and 80x64 \(.*1\.png\)"):
        open_inputs((str(first), str(second)), camera="30,30,20,16")


def test_an_invalid_camera_is_refused_before_any_frame_is_read(tmp_path: Path) -> None:
    write_images(tmp_path / "a", "0.png")
    with pytest.raises(DataError, match="fov:180"):
        open_inputs((str(tmp_path / "a"),), camera="fov:180")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("https://example.org/a.mp4", "download it first"),
        ("s3://bucket/a.mp4", "download it first"),
        ("'a.mp4'", "write the path without quotes"),
        ('"a b.mp4"', "write the path without quotes"),
        ("d/*.mp4", "patterns are not expanded"),
        ("$HOME/a.mp4", "variables are not expanded"),
        ("d\\a.mp4", "write / between folders"),
        ("C:/a.mp4", None),
        ("a.mp4", None),
    ],
)
def test_a_path_that_is_meant_as_something_else_comes_with_what_to_do(word: str, hint: str | None) -> None:
    with pytest.raises(DataError, match="there is no such input") as refusal:
        open_inputs((word,), camera=None)
    assert refusal.value.fix is None if hint is None else hint in str(refusal.value)


def test_an_input_without_images_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty; expected .*images"):
        open_inputs((str(tmp_path / "empty"),), camera=None)
    with pytest.raises(DataError, match=r"no such input: .*gone\.jpg"):
        open_inputs((str(tmp_path / "gone.jpg"),), camera=None)


@pytest.fixture
def weights(model: Path) -> LoadedWeights:
    """A model trained on 96x64 frames without their top 8, bottom 4, left 10 and right 2 pixels."""
    loaded = load_weights(model)
    return dataclasses.replace(loaded, config=dataclasses.replace(loaded.config, crop="8,4,10,2"))


def noise(width: int = W, height: int = H) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


def input_of(*images: np.ndarray, camera: Camera | None = None) -> PredictionInput:
    return PredictionInput(
        name="drive",
        names=tuple(map(str, range(len(images)))),
        read=lambda: iter(images),
        first_size=(images[0].shape[1], images[0].shape[0]),
        camera_for=lambda width, height: camera if camera and (width, height) == (W, H) else None,
    )


def test_frames_of_the_training_size_are_cropped_as_at_training(weights: LoadedWeights) -> None:
    whole = noise()
    cropped = cropped_as_trained(input_of(whole), weights)
    assert cropped.first_size == (84, 52)
    (shown,) = cropped.read()
    assert np.array_equal(shown, whole[8:60, 10:94])


def test_the_camera_follows_the_crop_whether_given_or_the_models(weights: LoadedWeights) -> None:
    given = Camera(fx=70.0, fy=71.0, cx=40.0, cy=30.0, width=W, height=H)
    assert weights.camera is not None
    for camera, used in ((given, given), (None, weights.camera)):
        found = cropped_as_trained(input_of(noise(), camera=camera), weights).camera_for(84, 52)
        assert found == dataclasses.replace(used, cx=used.cx - 10, cy=used.cy - 8, width=84, height=52)


def test_frames_of_another_size_stay_whole(weights: LoadedWeights) -> None:
    other = input_of(noise(100, 64))
    assert cropped_as_trained(other, weights) is other
    mixed = input_of(noise(), noise(100, 64))
    assert [shown.shape[:2] for shown in cropped_as_trained(mixed, weights).read()] == [(52, 84), (64, 100)]
    assert cropped_as_trained(mixed, weights).camera_for(100, 64) is None


def test_without_a_crop_or_a_known_training_size_nothing_is_cut_off(weights: LoadedWeights) -> None:
    whole = input_of(noise())
    uncropped = dataclasses.replace(weights, config=dataclasses.replace(weights.config, crop=None))
    assert cropped_as_trained(whole, uncropped) is whole
    assert cropped_as_trained(whole, dataclasses.replace(weights, camera=None)) is whole


def test_contents_tell_images_from_videos_and_other_photos_are_refused_by_name(tmp_path: Path) -> None:
    write_video(tmp_path / "street.mp4", 3).rename(tmp_path / "street.png")
    write_images(tmp_path, "photo.png")[0].rename(tmp_path / "photo.dat")
    photo, video = open_inputs((str(tmp_path / "street.png"), str(tmp_path / "photo.dat")), camera=None)
    assert (photo.name, photo.names, video.name, len(video.names)) == ("images", ("photo",), "street", 3)
    (tmp_path / "IMG_1.HEIC").write_bytes(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(50))
    with pytest.raises(DataError, match=r"IMG_1\.HEIC.*got a HEIF photo \(HEIC\); convert it to PNG or JPEG"):
        open_inputs((str(tmp_path / "IMG_1.HEIC"),), camera=None)


def test_an_image_that_is_too_small_is_refused_by_its_name(tmp_path: Path) -> None:
    Image.new("RGB", (8, 40)).save(tmp_path / "icon.png")
    with pytest.raises(DataError, match=r"too small: .*icon\.png; expected at least 16 pixels a side; got 8x40"):
        open_inputs((str(tmp_path / "icon.png"),), camera=None)


def test_a_frame_is_named_by_its_file_or_in_its_video(tmp_path: Path) -> None:
    files = write_images(tmp_path, "1.png", "2.png")
    video, images = sorted(
        open_inputs((*map(str, files), str(write_video(tmp_path / "street.mp4", 3))), camera=None),
        key=lambda source: not source.continuous,
    )
    assert (images.place(1), video.place(2)) == (str(files[1]), "frame 000002 of street")


@pytest.mark.filterwarnings("ignore")
def test_thermal_images_share_their_levels(tmp_path: Path) -> None:
    for name, high in (("a.png", 8000), ("b.png", 9000)):
        Image.fromarray(np.linspace(7000, high, 1024).astype(np.uint16).reshape(32, 32)).save(tmp_path / name)
    (source,) = open_inputs((str(tmp_path / "a.png"), str(tmp_path / "b.png")), camera=None)
    first, second = source.read()
    assert abs(int(first.max()) - 128) < 4 and second.max() == 255


def test_a_stream_is_for_videos_alone(tmp_path: Path) -> None:
    (image,) = write_images(tmp_path, "1.png")
    with pytest.raises(ConfigError, match=r"only videos have streams: --stream 1; got .*1\.png"):
        open_inputs((str(image),), camera=None, stream=1)
    with pytest.raises(DataError, match=r"no such video stream.*expected --stream 0, its only one; got --stream 1"):
        open_inputs((str(write_video(tmp_path / "street.mp4", 3)),), camera=None, stream=1)
