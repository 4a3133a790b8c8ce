"""The speed over time that a bag knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.bags import KINDS, START_NS, STEP_NS, Kind, Message, frames, header, image, odometry, stamps, write_bag
from selfdepth.data.readers.bag_speeds import bag_and_topic, read_bag_speeds
from selfdepth.data.readers.speeds import read_speed_log
from selfdepth.errors import DataError

METRES_PER_DEGREE = 6_371_008.8 * np.pi / 180


def fix(lat: float, stamp_ns: int, status: int = 0, topic: str = "/fix") -> Message:
    name = "sensor_msgs/msg/NavSatFix"

    def make(store: Any) -> Any:
        return store.types[name](
            header=header(store, stamp_ns),
            status=store.types["sensor_msgs/msg/NavSatStatus"](status=status, service=1),
            latitude=lat,
            longitude=8.0,
            altitude=100.0,
            position_covariance=np.zeros(9),
            position_covariance_type=0,
        )

    return Message(topic, name, stamp_ns, make)


def twist(speed: float, stamp_ns: int, log_ns: int | None = None) -> Message:
    name = "geometry_msgs/msg/TwistStamped"

    def make(store: Any) -> Any:
        vector = store.types["geometry_msgs/msg/Vector3"]
        linear, angular = vector(0.6 * speed, 0.8 * speed, 0.0), vector(0.0, 0.0, 1.0)
        return store.types[name](
            header=header(store, stamp_ns), twist=store.types["geometry_msgs/msg/Twist"](linear, angular)
        )

    return Message("/vehicle/twist", name, stamp_ns if log_ns is None else log_ns, make)


@pytest.mark.parametrize("kind", KINDS)
def test_the_twist_of_odometry_is_the_speed_at_the_stamps(tmp_path: Path, kind: Kind) -> None:
    messages = [odometry((0, 0, 0), 5 + i, stamp) for i, stamp in enumerate(stamps(4))]
    path = write_bag(tmp_path / "drive", messages, kind)
    log = read_speed_log(path)
    np.testing.assert_allclose(log.speeds_m_s, [5, 6, 7, 8])
    np.testing.assert_allclose(log.times_s, np.array(stamps(4)) / 1e9, atol=1e-6)
    assert log.clock == "unix" and "the twist of /odom (nav_msgs/msg/Odometry)" in log.notes[0]


def test_odometry_without_a_twist_tells_the_speed_by_its_positions(tmp_path: Path) -> None:
    messages = [odometry((3 * i, 4 * i, 0), 0, stamp) for i, stamp in enumerate(stamps(4))]
    log = read_bag_speeds(write_bag(tmp_path / "drive", messages))
    np.testing.assert_allclose(log.speeds_m_s, 50, rtol=1e-5)
    np.testing.assert_allclose(log.times_s, np.array(stamps(4)[:3]) / 1e9 + 0.05, atol=1e-6)
    assert "between the positions of /odom" in log.notes[0]


def test_a_twist_is_the_length_of_its_vector(tmp_path: Path) -> None:
    log = read_bag_speeds(write_bag(tmp_path / "drive", [twist(7, stamp) for stamp in stamps(3)]))
    np.testing.assert_allclose(log.speeds_m_s, 7)


def test_gps_tells_the_speed_between_its_fixes_and_says_what_has_none(tmp_path: Path) -> None:
    second = 10 * STEP_NS
    messages = [fix(50 + 20 * i / METRES_PER_DEGREE, START_NS + i * second) for i in range(5)]
    messages += [fix(0.0, START_NS + 5 * second, status=-1), fix(float("nan"), START_NS + 6 * second)]
    log = read_bag_speeds(write_bag(tmp_path / "drive", messages))
    np.testing.assert_allclose(log.speeds_m_s, 20, rtol=1e-4)
    assert log.notes[1] == "left out: 2 messages of /fix without a measurement"


def test_messages_are_sorted_and_those_of_the_same_time_left_out(tmp_path: Path) -> None:
    order = [0, 2, 1, 1, 3]
    messages = [twist(5 + i, stamps(4)[i], START_NS + place) for place, i in enumerate(order)]
    log = read_bag_speeds(write_bag(tmp_path / "drive", messages))
    np.testing.assert_allclose(log.speeds_m_s, [5, 6, 7, 8])
    assert "left out: 1 messages of /vehicle/twist with the time of another" in log.notes


def test_without_stamps_the_times_are_those_of_the_recording(tmp_path: Path) -> None:
    log = read_bag_speeds(write_bag(tmp_path / "drive", [twist(5, 0, stamp) for stamp in stamps(3)]))
    np.testing.assert_allclose(log.times_s, np.array(stamps(3)) / 1e9, atol=1e-6)
    assert "the stamps of /vehicle/twist are not set" in log.notes[1]


def test_of_several_topics_the_most_reliable_type_is_taken_or_the_one_that_is_named(tmp_path: Path) -> None:
    messages = [m for i, s in enumerate(stamps(3)) for m in (odometry((0, 0, 0), 5, s), fix(50 + i / 1e4, s))]
    path = write_bag(tmp_path / "drive", messages)
    assert "/odom" in read_speed_log(path).source
    assert "/fix" in read_speed_log(Path(f"{path}:/fix")).source
    assert bag_and_topic(Path(f"{path}:/fix")) == (path, "/fix")
    with pytest.raises(DataError, match=r"topic tells no speed: .*topic /imu; expected /odom \(.*\), /fix \(.*\)"):
        read_speed_log(Path(f"{path}:/imu"))


def test_two_topics_of_one_type_are_refused_with_their_names(tmp_path: Path) -> None:
    messages = [odometry((0, 0, 0), 5, s, topic) for s in stamps(3) for topic in ("/wheel", "/visual")]
    path = write_bag(tmp_path / "drive", messages)
    with pytest.raises(DataError, match=r"several topics that tell a speed.*got /visual .*, /wheel .*:/visual"):
        read_speed_log(path)


BAD: dict[str, tuple[list[Message], str]] = {
    "none": ([image(frames(1)[0], START_NS)], r"no topic that tells a speed: .*expected one of type nav_msgs/msg/Odom"),
    "one message": ([twist(5, START_NS)], r"topic tells no speed: .*expected two messages or more; got 1"),
    "no fix": ([fix(0, s, status=-1) for s in stamps(3)], r"topic tells no speed: .*got 0"),
    "standing": ([twist(0, s) for s in stamps(3)], r"speed is 0 throughout: .*topic /vehicle/twist"),
    "impossible": ([twist(5000, s) for s in stamps(3)], r"speed log cannot be used: .*at most 400 m/s"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bag_without_a_speed_is_refused(tmp_path: Path, name: str) -> None:
    messages, words = BAD[name]
    with pytest.raises(DataError, match=words):
        read_speed_log(write_bag(tmp_path / "drive", messages))


def test_a_file_that_is_no_bag_is_read_as_before(tmp_path: Path) -> None:
    (tmp_path / "log:1.csv").write_text("time_s,speed_m_s\n0,5\n1,6\n")
    assert bag_and_topic(tmp_path / "log:1.csv") is None
    assert bag_and_topic(tmp_path / "absent.csv") is None
    np.testing.assert_allclose(read_speed_log(tmp_path / "log:1.csv").speeds_m_s, [5, 6])
