"""The speed over time that a ROS bag knows: by odometry, a measured twist, or the positions of a GPS receiver."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.readers.bag_files import Bag, Topic, is_bag, opened_bag
from selfdepth.data.readers.bag_images import stamp_ns_of
from selfdepth.data.readers.bag_topics import place
from selfdepth.data.readers.positions import speeds_of_positions
from selfdepth.data.readers.speed_log import SpeedLog, clock_of
from selfdepth.errors import DataError
from selfdepth.limits import require_within

Values = Float[ndarray, "n k"]
_Speeds = tuple[Float[ndarray, "m"], Float[ndarray, "m"], str]
"""Times in seconds, speeds in m/s, and what these are."""


def bag_and_topic(path: Path) -> tuple[Path, str | None] | None:
    """The bag that a path names, with the topic of BAG:/TOPIC; None if it names no bag.

    Raises:
        DataError: for a file that cannot be read.
    """
    if path.exists():
        return (path, None) if _is_bag(path) else None
    bag, colon, topic = str(path).rpartition(":")
    return (Path(bag), topic) if colon and _is_bag(Path(bag)) else None


def _is_bag(path: Path) -> bool:
    return (path.is_dir() or path.is_file()) and is_bag(path)  # a pipe can be read once only


def read_bag_speeds(path: Path, topic: str | None = None) -> SpeedLog:
    """The speed of the vehicle that recorded a bag, at the stamps of its messages.

    Args:
        topic: of Odometry, TwistStamped or NavSatFix; None: the only one of the first of these types that is there.

    Raises:
        DataError: for a bag that cannot be read, without such a topic or with several, or speeds that cannot be used.
    """
    with opened_bag(path) as bag:
        chosen = _choose(bag, topic)
        values_of, speeds_of = _TYPES[chosen.type]
        times, values, notes = _rising(bag, chosen, values_of)
        where = str(place(bag, chosen.name))
    if len(times) < 2:
        raise DataError("the topic tells no speed", where=where, expected="two messages or more", got=str(len(times)))
    at, speeds, what = speeds_of(times, values)
    return SpeedLog(
        source=where,
        times_s=at,
        speeds_m_s=speeds,
        clock=clock_of(at),
        notes=(f"the speed is {what} of {chosen.name} ({chosen.type})", *notes),
    )


def speed_topics(bag: Bag) -> tuple[Topic, ...]:
    """The topics that tell a speed, the most reliable types first."""
    found = [topic for topic in bag.topics.values() if topic.type in _TYPES and topic.count]
    return tuple(sorted(found, key=lambda topic: list(_TYPES).index(topic.type)))


def _choose(bag: Bag, wanted: str | None) -> Topic:
    topics = speed_topics(bag)
    listed = ", ".join(f"{topic.name} ({topic.type})" for topic in topics) or "no such topic"
    if wanted is not None:
        chosen = next((topic for topic in topics if topic.name == f"/{wanted.strip('/')}"), None)
        if chosen is None:
            raise DataError("the topic tells no speed", where=place(bag, wanted), expected=listed, got="none of these")
        return chosen
    first = [topic for topic in topics if topic.type == topics[0].type]
    if len(first) != 1:
        raise DataError(
            "the bag has several topics that tell a speed" if first else "the bag has no topic that tells a speed",
            where=bag.path,
            expected=f"one of type {', '.join(_TYPES)}",
            got=listed,
            fix=f"choose one: {bag.path}:{first[0].name}" if first else "give a speed log, or another witness",
        )
    return first[0]


def _rising(
    bag: Bag, topic: Topic, values_of: Callable[[Any], tuple[float, ...] | None]
) -> tuple[Float[ndarray, "n"], Values, tuple[str, ...]]:
    """Times in seconds, strictly increasing, with the numbers of the messages, and what was left out of them."""
    stamps: list[int] = []
    logs: list[int] = []
    rows: list[tuple[float, ...]] = []
    empty = 0
    for record in bag.records(topic.name):
        require_within("trajectory_lines", len(rows) + 1, what="the topic is too long", where=place(bag, topic.name))
        message = bag.parsed(record, topic.name)
        row = values_of(message)
        if row is None or not all(map(math.isfinite, row)):
            empty += 1
            continue
        stamps.append(stamp_ns_of(message))
        logs.append(record.log_ns)
        rows.append(row)
    notes: tuple[str, ...] = ()
    if empty:
        notes += (f"left out: {empty} messages of {topic.name} without a measurement",)
    if 0 in stamps:
        notes += (f"the stamps of {topic.name} are not set: the times are those at which the bag was recorded",)
    times_ns, first = np.unique(np.array(logs if 0 in stamps else stamps, np.int64), return_index=True)
    if len(times_ns) < len(rows):
        notes += (f"left out: {len(rows) - len(times_ns)} messages of {topic.name} with the time of another",)
    return times_ns / 1e9, np.array(rows, np.float64)[first] if rows else np.zeros((0, 1)), notes


def _of_odometry(message: Any) -> tuple[float, ...]:
    at, speed = message.pose.pose.position, message.twist.twist.linear
    return at.x, at.y, at.z, speed.x, speed.y, speed.z


def _speeds_of_odometry(times_s: Float[ndarray, "n"], values: Values) -> _Speeds:
    # A pose may jump where a map corrects it, and the twist does not; some odometry leaves it empty.
    if values[:, 3:].any():
        return times_s, np.linalg.norm(values[:, 3:], axis=1), "the twist"
    steps_m = np.linalg.norm(np.diff(values[:, :3], axis=0), axis=1)
    return (times_s[1:] + times_s[:-1]) / 2, steps_m / np.diff(times_s), "that between the positions"


def _of_twist(message: Any) -> tuple[float, ...]:
    twist = message.twist
    linear = getattr(twist, "twist", twist).linear
    return linear.x, linear.y, linear.z


def _speeds_of_twist(times_s: Float[ndarray, "n"], values: Values) -> _Speeds:
    return times_s, np.linalg.norm(values, axis=1), "the twist"


def _of_fix(message: Any) -> tuple[float, ...] | None:
    return (message.latitude, message.longitude) if message.status.status >= 0 else None


def _speeds_of_fixes(times_s: Float[ndarray, "n"], values: Values) -> _Speeds:
    return (*speeds_of_positions(times_s, values[:, 0], values[:, 1]), "that between the positions")


_TYPES: dict[
    str, tuple[Callable[[Any], tuple[float, ...] | None], Callable[[Float[ndarray, "n"], Values], _Speeds]]
] = {
    "nav_msgs/msg/Odometry": (_of_odometry, _speeds_of_odometry),
    "geometry_msgs/msg/TwistStamped": (_of_twist, _speeds_of_twist),
    "geometry_msgs/msg/TwistWithCovarianceStamped": (_of_twist, _speeds_of_twist),
    "sensor_msgs/msg/NavSatFix": (_of_fix, _speeds_of_fixes),
}
"""Of each type, the most reliable first: the numbers of a message, and the speeds that they make."""
