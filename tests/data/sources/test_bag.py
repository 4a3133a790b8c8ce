"""ROS bags as a data source."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from helpers.bags import KINDS, Kind, file_of, frames, image, info, simple_bag, stamps, write_bag
from helpers.images import write_images
from selfdepth.config import TrainConfig
from selfdepth.data.inspect import inspect_source
from selfdepth.data.sources.bag import Bags, find_bags
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.sources.video import Videos
from selfdepth.errors import ConfigError, DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera

CAMERA = Camera(fx=40.0, fy=41.0, cx=23.5, cy=15.5, width=48, height=32)


def two_cameras(path: Path, kind: Kind = "mcap", count: int = 8) -> Path:
    """A dark camera with its camera_info, and a bright one without."""
    messages = []
    for i, stamp in enumerate(stamps(count)):
        dark, bright = np.full((32, 48, 3), 40 + i, np.uint8), np.full((32, 48, 3), 200 + i, np.uint8)
        messages += [image(dark, stamp, topic="/left/image_raw"), info(CAMERA, stamp, topic="/left/camera_info")]
        messages += [image(bright, stamp, topic="/right/image_raw")]
    return write_bag(path, messages, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_bag_is_one_sequence_with_the_camera_of_its_camera_info(tmp_path: Path, kind: Kind) -> None:
    source = recognise(simple_bag(tmp_path / "drive", kind))
    footage = source.footage()
    assert (footage.kind, footage.sequences[0].name, len(footage.train)) == ("bag", "drive", 4)
    assert (footage.sequences[0].camera, source.camera_origin(None)) == (CAMERA, "calibration")
    assert recognise(simple_bag(tmp_path / "other", kind)).camera_origin("fov:60") == "given"


def test_a_lone_storage_file_is_a_bag(tmp_path: Path) -> None:
    for kind in ("sqlite3", "mcap"):
        file = file_of(simple_bag(tmp_path / kind, kind))  # type: ignore[arg-type]
        assert recognise(file).sequences()[0].name == file.stem


def test_bags_in_a_folder_are_each_a_sequence_named_by_their_path(tmp_path: Path) -> None:
    root = tmp_path / "recordings"
    (root / "monday").mkdir(parents=True)
    simple_bag(root / "monday/a.bag", "ros1")
    simple_bag(root / "monday/b", "mcap")
    lone = file_of(simple_bag(tmp_path / "c", "mcap"))
    shutil.move(lone, root / "monday/c.mcap")
    (root / "monday/notes.txt").write_text("rain")
    source = recognise(root)
    assert [each.name for each in source.sequences()] == ["monday/a.bag", "monday/b", "monday/c.mcap"]
    contents = source.contents()
    assert contents is not None and contents.rows[0][0] == "monday/a.bag: /cam/camera_info"


def test_storage_files_whose_list_was_lost_are_bags_of_their_own(tmp_path: Path) -> None:
    path = simple_bag(tmp_path / "drive", "mcap")
    (path / "metadata.yaml").unlink()
    assert find_bags(path) == (path / "drive.mcap",)
    assert recognise(path).sequences()[0].name == "drive.mcap"


def test_images_in_a_folder_go_before_the_bag_beside_them_which_is_said(tmp_path: Path) -> None:
    write_images(tmp_path, range(10))
    simple_bag(tmp_path / "drive.bag", "ros1")
    with pytest.warns(SelfDepthWarning, match=r"not read as frames of this data: 1 \.bag"):
        assert recognise(tmp_path).footage(camera="fov:60").kind == "folder"


def test_a_video_called_a_bag_is_a_video_and_a_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.bag").write_bytes(b"\x1a\x45\xdf\xa3" + bytes(50))
    assert isinstance(recognise(tmp_path / "a.bag"), Videos)
    for name, data, got in (
        ("b.bag", b"a text", "a text"),
        ("c.mcap", b"", "an empty file"),
        ("d.db3", bytes(range(8)) * 9, "another format"),
        ("e.bag", b"PK\x03\x04" + bytes(20), "a ZIP archive"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=rf"called a bag and is none: .*{name}; expected .*; got {got}; copy"):
            recognise(tmp_path / name)


@pytest.mark.parametrize(("topic", "level"), [("/left/image_raw", 40), ("/right/image_raw", 200)])
def test_the_topic_that_was_asked_for_is_stored_and_part_of_what_a_store_is(
    tmp_path: Path, topic: str, level: int
) -> None:
    path = two_cameras(tmp_path / "drive")
    source = recognise(path, topic=topic)
    store = source.new_store(TrainConfig(width=96, camera="fov:60", topic=topic), tmp_path / "store")
    assert store.origin is not None and store.origin.topic == topic
    assert abs(int(store.frames[0].mean()) - level) <= 1
    assert recognise(store.folder, topic=topic).path == store.folder
    with pytest.raises(ConfigError, match=rf"--topic was fixed.*expected {topic}; got /other"):
        recognise(store.folder, topic="/other")


def test_several_cameras_need_a_choice(tmp_path: Path) -> None:
    path = two_cameras(tmp_path / "drive")
    with pytest.raises(DataError, match=r"several cameras.*--topic /left/image_raw"):
        recognise(path).footage()
    left, right = (recognise(path, topic=f"/{side}/image_raw") for side in ("left", "right"))
    assert left.sequences()[0].camera == CAMERA
    with pytest.warns(SelfDepthWarning, match="60 degrees is ASSUMED"):
        assert right.camera_origin(None) == "assumed" and right.sequences()[0].camera != CAMERA


def test_a_topic_is_for_bags_and_a_stream_for_videos(tmp_path: Path) -> None:
    path = simple_bag(tmp_path / "drive")
    write_images(tmp_path / "images", range(3))
    with pytest.raises(ConfigError, match=r"only videos have streams: --stream 0; got .*drive, bag"):
        recognise(path, stream=0)
    with pytest.raises(ConfigError, match=r"only ROS bags have topics: --topic /a; got .*images, folder"):
        recognise(tmp_path / "images", topic="/a")


def test_prediction_takes_even_a_single_image(tmp_path: Path) -> None:
    path = simple_bag(tmp_path / "drive", count=1)
    (sequence,) = recognise(path).sequences_to_predict()
    assert len(list(sequence.read(sequence.numbers))) == 1
    with pytest.raises(DataError, match="too few images"):
        recognise(path).sequences()


def test_one_message_that_cannot_be_read_is_one_frame_that_cannot(tmp_path: Path) -> None:
    pictures = frames(120)
    messages = [image(pictures[i], stamp) for i, stamp in enumerate(stamps(120))]
    messages[7] = image(pictures[7], stamps(120)[7], data=np.zeros(0, np.uint8))
    source = recognise(write_bag(tmp_path / "drive", messages))
    assert isinstance(source, Bags)
    summary = inspect_source(source, "fov:60")
    assert summary.n_unreadable == 1 and "message has no data" in summary.unreadable[0]
    config = TrainConfig(width=96, camera="fov:60")
    with pytest.raises(DataError, match=r"1 of 120 frames cannot be read.*--on-error skip"):
        source.new_store(config, tmp_path / "store")
    skipping = TrainConfig(width=96, camera="fov:60", on_error="skip")
    with pytest.warns(SelfDepthWarning, match="left out, because they cannot be read: 1 of the frames"):
        store = source.new_store(skipping, tmp_path / "store")
    assert len(store.frames) == 119 and 7 not in store.sequences[0].numbers
