"""Topics of images as sequences: their times, numbers and pictures."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from helpers.bags import (
    KINDS,
    START_NS,
    STEP_NS,
    Kind,
    compressed,
    encoded,
    frames,
    image,
    info,
    simple_bag,
    stamps,
    write_bag,
)
from selfdepth.data.frames import read_in_order
from selfdepth.data.readers.bags import BagSequence, open_bag
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera

FOV = "fov:60"


def pictures(sequence: BagSequence, numbers: tuple[int, ...] | None = None) -> list[np.ndarray]:
    return list(sequence.read(sequence.numbers if numbers is None else numbers))


@pytest.mark.parametrize("kind", KINDS)
def test_a_topic_is_a_sequence_with_the_stamps_as_names(tmp_path: Path, kind: Kind) -> None:
    sequence = open_bag(simple_bag(tmp_path / "drive", kind))
    assert (sequence.name, sequence.numbers, sequence.topic) == ("drive", (0, 1, 2, 3, 4, 5), "/cam/image_raw")
    assert sequence.names == tuple(map(str, stamps(6)))
    assert sequence.times_s == pytest.approx([stamp / 1e9 for stamp in stamps(6)], abs=1e-6)
    assert sequence.fps == pytest.approx(10)
    assert sequence.camera == Camera(fx=40.0, fy=41.0, cx=23.5, cy=15.5, width=48, height=32)
    np.testing.assert_array_equal(pictures(sequence), frames(6))


@pytest.mark.parametrize("kind", KINDS)
def test_any_increasing_numbers_can_be_read(tmp_path: Path, kind: Kind) -> None:
    sequence = open_bag(simple_bag(tmp_path / "drive", kind))
    for numbers in ((), (4,), (0, 3, 5)):
        np.testing.assert_array_equal(pictures(sequence, numbers), [frames(6)[i] for i in numbers])
    left = sequence.without(frozenset({2}))
    assert isinstance(left, BagSequence)
    np.testing.assert_array_equal(pictures(left), [frames(6)[i] for i in (0, 1, 3, 4, 5)])


@pytest.mark.parametrize("kind", KINDS)
def test_images_come_in_the_order_of_their_stamps_in_whichever_they_were_recorded(tmp_path: Path, kind: Kind) -> None:
    order = [2, 0, 1, 5, 4, 3]
    messages = [image(frames(6)[i], stamps(6)[i], log_ns=START_NS + place) for place, i in enumerate(order)]
    with pytest.warns(SelfDepthWarning, match="not recorded in the order of their times, and are sorted"):
        sequence = open_bag(write_bag(tmp_path / "drive", messages, kind), camera=FOV)
    assert sequence.numbers == tuple(range(6))
    np.testing.assert_array_equal(pictures(sequence), frames(6))
    np.testing.assert_array_equal(pictures(sequence, (1, 4)), [frames(6)[1], frames(6)[4]])


@pytest.mark.parametrize("kind", KINDS)
def test_messages_of_one_time_of_recording_are_told_apart(tmp_path: Path, kind: Kind) -> None:
    messages = [image(frames(6)[i], stamps(6)[i], log_ns=START_NS + i // 3) for i in range(6)]
    sequence = open_bag(write_bag(tmp_path / "drive", messages, kind), camera=FOV)
    np.testing.assert_array_equal(pictures(sequence, (1, 2, 4)), [frames(6)[i] for i in (1, 2, 4)])


def test_images_far_out_of_order_are_refused_rather_than_kept_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 300
    messages = [image(frames(1)[0], stamps(count)[-1 - i], log_ns=START_NS + i) for i in range(count)]
    with pytest.warns(SelfDepthWarning, match="sorted"):
        sequence = open_bag(write_bag(tmp_path / "drive", messages, "ros1"), camera=FOV)
    monkeypatch.setenv("SELFDEPTH_LIMITS", "message_megabytes=1")
    with pytest.raises(DataError, match="too far out of order"):
        pictures(sequence)


def test_repeated_stamps_are_left_out_and_counted(tmp_path: Path) -> None:
    times = stamps(6)
    messages = [image(frames(6)[i], times[min(i, 4)], log_ns=times[i]) for i in range(6)]
    with pytest.warns(SelfDepthWarning, match=r"topic /cam/image_raw: 1 images are left out: their times are those of"):
        sequence = open_bag(write_bag(tmp_path / "drive", messages), camera=FOV)
    assert len(sequence.numbers) == 5


@pytest.mark.parametrize("stamp", [0, START_NS])
def test_without_stamps_the_times_are_those_of_the_recording(tmp_path: Path, stamp: int) -> None:
    messages = [image(frames(6)[i], stamp, log_ns=time) for i, time in enumerate(stamps(6))]
    with pytest.warns(SelfDepthWarning, match="stamps of the headers are not set; the times are those at which"):
        sequence = open_bag(write_bag(tmp_path / "drive", messages), camera=FOV)
    assert sequence.names == tuple(map(str, stamps(6)))


def test_a_hole_in_the_time_is_a_gap_in_the_numbers(tmp_path: Path) -> None:
    times = [START_NS + i * STEP_NS + (12 * STEP_NS if i >= 10 else 0) for i in range(20)]
    messages = [image(frames(1)[0], time) for time in times]
    sequence = open_bag(write_bag(tmp_path / "drive", messages), camera=FOV)
    assert sequence.numbers == (*range(10), *range(22, 32))


def test_a_message_that_cannot_be_read_is_a_frame_that_cannot_and_no_other(tmp_path: Path) -> None:
    messages = [image(frames(6)[i], stamps(6)[i]) for i in range(6)]
    messages[0] = image(frames(6)[0], stamps(6)[0], data=np.zeros(0, np.uint8))
    messages[3] = image(frames(6)[3], stamps(6)[3], encoding="rgb10")
    sequence = open_bag(write_bag(tmp_path / "drive", messages), camera=FOV)
    found = {numbers: read for numbers, read in read_in_order(sequence, sequence.numbers)}
    assert {numbers for numbers, read in found.items() if isinstance(read, DataError)} == {(0,), (3,)}
    assert "topic /cam/image_raw, frame 3" in str(found[3,])
    np.testing.assert_array_equal(found[5,], frames(6)[5])


def test_two_sizes_in_a_topic_are_refused(tmp_path: Path) -> None:
    for name, other in (
        ("raw", image(frames(1, (64, 32))[0], stamps(6)[5], topic="/image")),
        ("jpeg", compressed(encoded(frames(1, (64, 32))[0]), stamps(6)[5], topic="/image")),
    ):
        same = (
            [image(frames(6)[i], stamps(6)[i], topic="/image") for i in range(5)]
            if name == "raw"
            else [compressed(encoded(frames(6)[i]), stamps(6)[i], topic="/image") for i in range(5)]
        )
        path = write_bag(tmp_path / name, [*same, other])
        with pytest.raises(DataError, match=r"two sizes: .*topic /image, message 5; expected 48x32.*got 64x32"):
            open_bag(path, camera=FOV)


def test_too_few_images_are_refused(tmp_path: Path) -> None:
    path = simple_bag(tmp_path / "drive", count=2)
    with pytest.raises(DataError, match=r"too few images: .*topic /cam/image_raw; expected at least 3; got 2"):
        open_bag(path)
    assert len(pictures(open_bag(path, min_frames=1))) == 2


def test_without_a_calibration_sixty_degrees_are_assumed(tmp_path: Path) -> None:
    camera = Camera(fx=40.0, fy=41.0, cx=23.5, cy=15.5, width=48, height=32)
    messages = [image(frames(6)[i], stamps(6)[i]) for i in range(6)]
    uncalibrated = [info(camera, START_NS, K=[0] * 9, P=[0] * 12)]
    for name, others in (("none", []), ("zeros", uncalibrated)):
        path = write_bag(tmp_path / name, [*messages, *others])
        with pytest.warns(SelfDepthWarning, match="60 degrees is ASSUMED"):
            assert open_bag(path).camera == Camera.from_fov(60, width=48, height=32)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert open_bag(path, camera="40,41,23.5,15.5").camera == camera


def test_deep_grey_is_stretched_alike_in_all_frames(tmp_path: Path) -> None:
    grey = [np.linspace(7000, 8000 + 100 * i, 48 * 32).astype(np.uint16).reshape(32, 48) for i in range(6)]
    messages = [image(grey[i], stamps(6)[i], encoding="mono16") for i in range(6)]
    path = write_bag(tmp_path / "drive", messages)
    with pytest.warns(SelfDepthWarning, match=r"topic /cam/image_raw use the values 70\d\d to 84\d\d only"):
        sequence = open_bag(path, camera=FOV)
    first, *_, last = pictures(sequence)
    assert first.max() < 200 and last.max() == 255 and first.min() == 0
