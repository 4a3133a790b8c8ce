"""Which topic of a bag is read, and the camera_info beside it."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import numpy as np
import pytest

from helpers.bags import (
    START_NS,
    Message,
    compressed,
    encoded,
    file_of,
    frames,
    image,
    info,
    odometry,
    stamps,
    write_bag,
)
from selfdepth.data.readers.bag_files import opened_bag
from selfdepth.data.readers.bag_topics import camera_beside, choose_topic, image_topics
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import Lens

CAMERA = Camera(fx=40.0, fy=41.0, cx=23.5, cy=15.5, width=48, height=32)
RGB = frames(1)[0]
DEPTH = np.full((32, 48), 1500, np.uint16)


def camera(topic: str, count: int = 3, **fields: object) -> list[Message]:
    return [image(RGB, stamp, topic=topic, **fields) for stamp in stamps(count)]


def jpegs(topic: str, count: int = 3) -> list[Message]:
    return [compressed(encoded(RGB), stamp, topic=topic) for stamp in stamps(count)]


def depth(topic: str = "/depth/image_rect_raw", encoding: str = "16UC1") -> list[Message]:
    return [image(DEPTH, stamp, topic=topic, encoding=encoding) for stamp in stamps(3)]


def chosen(path: Path, wanted: str | None = None) -> str:
    with opened_bag(path) as bag:
        return choose_topic(bag, wanted).topic.name


def test_the_only_camera_is_read_without_a_word(tmp_path: Path) -> None:
    path = write_bag(tmp_path / "a", [*camera("/image"), odometry((0, 0, 0), 1, START_NS)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert chosen(path) == "/image"


def test_several_cameras_are_refused_with_their_rates_and_sizes(tmp_path: Path) -> None:
    path = write_bag(tmp_path / "a", [*camera("/left/image_raw"), *camera("/right/image_raw"), *depth()])
    words = (
        r"several cameras: .*a; expected one topic of images, or --topic NAME; got /left/image_raw \(3 messages, "
        r"10 Hz, 48x32 rgb8\), /right/image_raw .*; choose one, such as --topic /left/image_raw$"
    )
    with pytest.raises(DataError, match=words):
        chosen(path)
    assert chosen(path, "/right/image_raw") == chosen(path, "right/image_raw") == "/right/image_raw"


@pytest.mark.parametrize(("raw", "jpeg", "expected"), [(3, 3, "/cam/image_raw"), (2, 5, "/cam/image_raw/compressed")])
def test_raw_and_compressed_images_of_one_camera_are_one_camera(
    tmp_path: Path, raw: int, jpeg: int, expected: str
) -> None:
    path = write_bag(tmp_path / "a", [*camera("/cam/image_raw", raw), *jpegs("/cam/image_raw/compressed", jpeg)])
    with pytest.warns(SelfDepthWarning, match=rf"images of {expected} \(.* are read, not those of /cam/image_raw"):
        assert chosen(path) == expected


def test_depth_beside_a_camera_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    path = write_bag(tmp_path / "a", [*camera("/color/image_raw"), *depth()])
    with pytest.warns(SelfDepthWarning, match=r"not those of /depth/image_rect_raw \(.*16UC1\); --topic takes others"):
        assert chosen(path) == "/color/image_raw"


def test_deep_grey_that_says_it_is_depth_is_read_only_on_demand(tmp_path: Path) -> None:
    path = write_bag(tmp_path / "a", depth("/thermal"))
    with pytest.raises(DataError, match=r"no topic of pictures.*/thermal .*thermal camera, choose it with --topic"):
        chosen(path)
    with pytest.warns(SelfDepthWarning, match="16UC1 is the encoding of depth, and is read as 16-bit grey"):
        assert chosen(path, "/thermal") == "/thermal"


def test_a_first_message_that_cannot_be_read_does_not_hide_the_topic(tmp_path: Path) -> None:
    first = image(RGB, START_NS - 1, topic="/image", data=np.zeros(0, np.uint8))
    path = write_bag(tmp_path / "a", [first, *camera("/image")])
    with opened_bag(path) as bag:
        (found,) = image_topics(bag)
        assert found.picture is not None and choose_topic(bag, None) == found


REFUSED: dict[str, tuple[list[Message], str | None, str]] = {
    "no images": (
        [odometry((0, 0, 0), 1, START_NS)],
        None,
        r"no topic of images: .*got /odom \(nav_msgs/msg/Odometry\)",
    ),
    "no such topic": (camera("/a"), "/b", r"no such topic: --topic /b; expected one of the topics of images in .*: /a"),
    "no topic of images": (
        [*camera("/a"), odometry((0, 0, 0), 1, START_NS)],
        "/odom",
        r"topic holds no images: --topic /odom; .*got 1 messages of type nav_msgs/msg/Odometry",
    ),
    "unknown encoding": (camera("/a", encoding="rgb10"), None, r"encoding of the images is not known: .*topic /a"),
    "floating-point depth": (depth("/a", encoding="32FC1"), None, r"depth or other floating-point maps"),
    "floating-point depth, wanted": (depth("/a", encoding="32FC1"), "/a", r"depth or other floating-point maps"),
    "unknown codec": ([compressed(bytes(50), START_NS, form="h265")], None, r'codec that is not read.*"h265"'),
    "no data": (camera("/a", data=np.zeros(0, np.uint8)), None, r"message has no data: .*topic /a"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bag_without_pictures_to_read_is_refused(tmp_path: Path, name: str) -> None:
    messages, wanted, words = REFUSED[name]
    with pytest.raises(DataError, match=words):
        chosen(write_bag(tmp_path / "a", messages), wanted)


def test_an_empty_bag_is_refused(tmp_path: Path) -> None:
    for kind in ("ros1", "sqlite3", "mcap"):
        with pytest.raises(DataError, match=r"bag is empty: .*expected messages with images; got none"):
            chosen(write_bag(tmp_path / kind, [], kind))  # type: ignore[arg-type]


def found_camera(path: Path, wanted: str | None = None) -> Camera | None:
    with opened_bag(path) as bag:
        return camera_beside(bag, choose_topic(bag, wanted))


@pytest.mark.parametrize(
    ("images", "infos"),
    [
        ("/cam/image_raw", "/cam/camera_info"),
        ("/cam/image_raw/compressed", "/cam/camera_info"),
        ("/image", "/camera_info"),
        ("/cam", "/cam/camera_info"),
        ("/device_0/sensor_1/Color_0/image/data", "/device_0/sensor_1/Color_0/info/camera_info"),
    ],
)
def test_the_camera_info_beside_the_images_is_theirs(tmp_path: Path, images: str, infos: str) -> None:
    pictures = jpegs(images) if images.endswith("compressed") else camera(images)
    D = (0.1, 0, 0, 0, 0)
    path = write_bag(tmp_path / "a", [*pictures, info(CAMERA, START_NS, topic=infos, D=D)])
    found = found_camera(path)
    assert found is not None and (found.fx, found.lens) == (40.0, Lens("brown", D))


@pytest.mark.parametrize("images", ["/cam/image_rect", "/cam/image_rect_color", "/cam/image_rect/compressed"])
def test_rectified_images_are_told_by_their_topic(tmp_path: Path, images: str) -> None:
    pictures = jpegs(images) if images.endswith("compressed") else camera(images)
    P = (30.0, 0, 20, 0, 0, 31, 14, 0, 0, 0, 1, 0)
    path = write_bag(tmp_path / "a", [*pictures, info(CAMERA, START_NS, D=(0.1, 0, 0, 0, 0), P=P)])
    assert found_camera(path) == Camera(fx=30, fy=31, cx=20, cy=14, width=48, height=32)


def test_a_camera_info_of_others_is_not_taken_and_that_is_said(tmp_path: Path) -> None:
    path = write_bag(tmp_path / "a", [*camera("/left/image"), info(CAMERA, START_NS, topic="/right/camera_info")])
    with pytest.warns(SelfDepthWarning, match="no camera_info beside /left/image, and /right/camera_info belong"):
        assert found_camera(path) is None


def test_a_driver_without_calibration_is_said(tmp_path: Path) -> None:
    path = write_bag(tmp_path / "a", [*camera("/cam/image"), info(CAMERA, START_NS, K=[0] * 9, P=[0] * 12, D=())])
    with pytest.warns(SelfDepthWarning, match="not calibrated: its K is zero"):
        assert found_camera(path) is None


def test_a_camera_info_that_changes_is_refused_or_if_little_said(tmp_path: Path) -> None:
    def bag(name: str, fx: float) -> Path:
        other = Camera(fx=fx, fy=41.0, cx=23.5, cy=15.5, width=48, height=32)
        infos = [info(CAMERA, START_NS), info(other, START_NS + 1)]
        return write_bag(tmp_path / name, [*camera("/cam/image"), *infos])

    with pytest.raises(DataError, match=r"camera_info changes within the bag.*K of 40,41,.*and later 50,41,"):
        found_camera(bag("zoom", 50))
    with pytest.warns(SelfDepthWarning, match="changes slightly"):
        found = found_camera(bag("focus", 40.1))
    assert found is not None and found.fx == 40


@pytest.mark.parametrize(
    ("later", "words"),
    [
        (info(CAMERA, START_NS + 1, D=[-0.1, 0, 0, 0, 0]), "got D of 0,0,0,0,0, and later -0.1,0,0,0,0"),
        (info(CAMERA, START_NS + 1, model="equidistant"), "got model of plumb_bob, and later equidistant"),
        (info(CAMERA, START_NS + 1, D=[]), "got D of 0,0,0,0,0, and later none"),
        (info(CAMERA, START_NS + 1, P=[60, *[0] * 11]), "got P of 40,0,23.5,.*, and later 60,0,"),
        (info(CAMERA, START_NS + 1, width=96), "got size of 48,32, and later 96,32"),
    ],
)
def test_what_changes_is_named(tmp_path: Path, later: Message, words: str) -> None:
    path = write_bag(tmp_path / "a", [*camera("/cam/image"), info(CAMERA, START_NS), later])
    with pytest.raises(DataError, match=f"camera_info changes within the bag.*{words}"):
        found_camera(path)


def test_coefficients_that_are_no_numbers_are_no_change(tmp_path: Path) -> None:
    nan = [info(CAMERA, START_NS + i, D=[math.nan] * 5) for i in range(3)]
    with pytest.raises(DataError, match="a coefficient of the lens brown is not finite"):
        found_camera(write_bag(tmp_path / "a", [*camera("/cam/image"), *nan]))


def test_messages_that_only_the_list_of_files_counts_are_said_to_be_missing(tmp_path: Path) -> None:
    path = write_bag(tmp_path / "a", [*camera("/cam/image"), info(CAMERA, START_NS)])
    metadata = path / "metadata.yaml"
    whole = metadata.read_text()
    metadata.write_text(whole.replace("/cam/camera_info", "/x/camera_info"))
    assert found_camera(path) is None
    metadata.write_text(whole.replace("/cam/image", "/x/image"))
    with pytest.raises(DataError, match=r"lacks the messages that its list counts: .*topic /x/image"):
        chosen(path)


def test_a_lone_file_has_the_same_topics(tmp_path: Path) -> None:
    path = write_bag(tmp_path / "a", [*camera("/cam/image"), info(CAMERA, START_NS)], "sqlite3")
    assert found_camera(file_of(path)) == found_camera(path) is not None
