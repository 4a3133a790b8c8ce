"""Topics of images in ROS bags as sequences of frames."""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import ClassVar

from jaxtyping import UInt8, UInt16
from numpy import ndarray

from selfdepth.data.frames import FrameSequence
from selfdepth.data.readers.bag_files import Bag, Record, opened_bag
from selfdepth.data.readers.bag_images import grey16_of_message, picture_of, rgb_of_message
from selfdepth.data.readers.bag_topics import ImageTopic, camera_beside, choose_topic, place
from selfdepth.data.readers.cameras import parse_camera
from selfdepth.data.readers.images import MIN_FRAMES
from selfdepth.data.readers.levels import stretched
from selfdepth.data.readers.pictures import ALL_LEVELS, Levels
from selfdepth.data.readers.video_times import timeline
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.limits import require_within

_LOOKED_AT = 16
"""Frames of deep grey that are looked at, evenly spread, to find its range."""
_MOST_REPEATED = 0.5
"""Share of messages that may repeat the stamp of another: with more, the stamps are no times."""
_Place = tuple[int, int]
"""Nanoseconds at which a message was recorded, and how many of its topic were recorded at the same before it."""


@dataclass(frozen=True, slots=True)
class Header:
    """What belongs to an image beside its pixels.

    Attributes:
        stamp_ns: nanoseconds since 1970 at which it was taken.
        log_ns: at which it was recorded.
        frame_id: name of the camera's coordinate frame.
    """

    stamp_ns: int
    log_ns: int
    frame_id: str


@dataclass(frozen=True, kw_only=True)
class BagSequence(FrameSequence):
    """The images of one topic of a bag, in the order of their stamps, by which they are named.

    Numbers jump where the time has a hole.

    Attributes:
        path: of the bag's file or folder.
        topic: its name.
        places: where the message of each number is.
        levels: values of 16-bit grey that become black and white.
        headers: of the messages, in the order of `numbers`.
        calibrated: whether the camera is that of a camera_info beside the images.
    """

    frames_are_independent: ClassVar[bool] = True

    path: Path
    topic: str
    places: Mapping[int, _Place] = field(compare=False, repr=False)
    levels: Levels = ALL_LEVELS
    headers: tuple[Header, ...] = field(default=(), compare=False, repr=False)
    calibrated: bool = False

    def read(self, numbers: tuple[int, ...]) -> Iterator[UInt8[ndarray, "h w 3"]]:
        """Decode the frames with these numbers: RGB, upright, one at a time.

        Raises:
            DataError: naming bag, topic and frame, for a message that cannot be decoded or an image of another size.
        """
        with opened_bag(self.path) as bag:
            for number, record in _in_order(bag, self.topic, numbers, self.places):
                where = self._where(number)
                image = rgb_of_message(bag.parsed(record, self.topic), record.type, self.levels, where)
                self._require_size(image, where)
                yield image

    def _where(self, number: int) -> Path:
        return Path(f"{self.path}, topic {self.topic}, frame {number}")

    def _require_size(self, image: UInt8[ndarray, "h w 3"], where: Path) -> None:
        size = (image.shape[1], image.shape[0])
        if size != (self.camera.width, self.camera.height):
            raise _other_size(where, (self.camera.width, self.camera.height), size)


@dataclass(frozen=True, kw_only=True)
class _Message:
    """A message of images. Its stamp is None if it cannot be read."""

    place: _Place
    stamp_ns: int | None
    frame_id: str = ""


def open_bag(
    path: Path,
    *,
    camera: str | None = None,
    topic: str | None = None,
    min_frames: int = MIN_FRAMES,
    assumed: str | None = None,
) -> BagSequence:
    """A topic of images in a bag as a sequence. Every message is read, and none is decoded but for its header.

    Args:
        camera: as `parse_camera` reads it; None: the camera_info beside the images.
        topic: its name; None: that of the only camera.
        assumed: as `camera`, of a bag without camera_info; None: 60 degrees, with a warning.
        min_frames: the fewest frames to accept; training needs 3, prediction 1.

    Raises:
        DataError: for a bag that cannot be read, has no such topic or several cameras, images of two sizes, or too few.
    """
    with opened_bag(path) as bag:
        chosen = choose_topic(bag, topic)
        assert chosen.picture is not None, "a chosen topic has pictures"
        width, height = chosen.picture.size
        messages = _messages(bag, chosen)
        own = camera_beside(bag, chosen) if camera is None else None
    where = place(bag, chosen.topic.name)
    timed = _timed(messages, where)
    if len(timed) < min_frames:
        raise DataError(
            "the topic has too few images", where=where, expected=f"at least {min_frames}", got=str(len(timed))
        )
    first_ns = timed[0][0]
    frame_ids = {each.place: each.frame_id for each in messages}
    shown = timeline([[(time - first_ns) / 1e9 for time, _ in timed]], stated_fps=0, start_s=0, path=where)
    sequence = BagSequence(
        name=path.stem if path.is_file() else path.resolve().name,
        camera=own or parse_camera(camera or assumed, width=width, height=height),
        numbers=shown.numbers,
        names=tuple(str(time) for time, _ in timed),
        files=bag_files(path),
        fps=shown.fps,
        times_s=tuple(time / 1e9 for time, _ in timed),
        path=path,
        topic=chosen.topic.name,
        places=dict(zip(shown.numbers, (each for _, each in timed), strict=True)),
        headers=tuple(Header(time, each[0], frame_ids[each]) for time, each in timed),
        calibrated=own is not None,
    )
    return _stretched(sequence)


def bag_files(path: Path) -> tuple[Path, ...]:
    """The files of a bag."""
    return (path,) if path.is_file() else tuple(sorted(each for each in path.iterdir() if each.is_file()))


def _messages(bag: Bag, chosen: ImageTopic) -> list[_Message]:
    """All messages of a topic, in the order in which they were recorded.

    Raises:
        DataError: for images of two sizes.
    """
    assert chosen.picture is not None, "a chosen topic has pictures"
    messages: list[_Message] = []
    name, counts = chosen.topic.name, Counter[int]()
    for record in bag.records(name):
        require_within("video_samples", len(messages) + 1, what="the topic has too many images", where=place(bag, name))
        where = Path(f"{place(bag, name)}, message {len(messages)}")
        stamp_ns, frame_id = None, ""
        try:
            picture = picture_of(bag.parsed(record, name), record.type, where)
        except DataError:  # it is a frame that cannot be read, which is said when frames are decoded
            pass
        else:
            # The same text for all messages, of which there may be millions.
            stamp_ns, frame_id = picture.stamp_ns, sys.intern(picture.frame_id)
            if picture.size != chosen.picture.size:
                raise _other_size(where, chosen.picture.size, picture.size)
        stored_at = (record.log_ns, counts[record.log_ns])
        messages.append(_Message(place=stored_at, stamp_ns=stamp_ns, frame_id=frame_id))
        counts[record.log_ns] += 1
    return messages


def _timed(messages: list[_Message], where: Path) -> list[tuple[int, _Place]]:
    """Time in nanoseconds and place of each frame, by increasing time: that of its header, if these are set.

    Warns:
        SelfDepthWarning: of times taken from the recording, repeated times, and another order.
    """
    offsets = [each.stamp_ns - each.place[0] for each in messages if each.stamp_ns is not None]
    stamps = {each.stamp_ns for each in messages if each.stamp_ns is not None}
    if 0 in stamps or len(stamps) < _MOST_REPEATED * len(offsets):
        _warn(f"{where}: the stamps of the headers are not set; the times are those at which the bag was recorded")
        times = [(each.place[0], each.place) for each in messages]
    else:
        # A message that cannot be read keeps its place among the others.
        offset = round(median(offsets)) if offsets else 0
        times = [(each.place[0] + offset if each.stamp_ns is None else each.stamp_ns, each.place) for each in messages]
    ordered = sorted(times, key=lambda each: each[0])
    if ordered != times:
        _warn(f"{where}: the images were not recorded in the order of their times, and are sorted")
    kept = [each for i, each in enumerate(ordered) if i == 0 or each[0] > ordered[i - 1][0]]
    if len(kept) < len(ordered):
        _warn(f"{where}: {len(ordered) - len(kept)} images are left out: their times are those of others")
    return kept


def _in_order(
    bag: Bag, topic: str, numbers: tuple[int, ...], places: Mapping[int, _Place]
) -> Iterator[tuple[int, Record]]:
    """The messages of these frames in the order of their numbers, read in that in which they were recorded."""
    number_at = {places[number]: number for number in numbers}
    logs = [log_ns for log_ns, _ in number_at]
    counts, waiting, waiting_bytes, done = Counter[int](), dict[int, Record](), 0, 0
    for record in bag.records(topic, min(logs), max(logs) + 1) if logs else ():
        number = number_at.get((record.log_ns, counts[record.log_ns]))
        counts[record.log_ns] += 1
        if number is None:
            continue
        waiting[number] = record
        waiting_bytes += len(record.data)
        while done < len(numbers) and numbers[done] in waiting:
            first = waiting.pop(numbers[done])
            waiting_bytes -= len(first.data)
            yield numbers[done], first
            done += 1
        require_within(
            "message_megabytes",
            waiting_bytes / 1e6,
            what="the images were recorded too far out of order",
            where=place(bag, topic),
        )
    if done < len(numbers):
        raise DataError("the bag ends early", where=place(bag, topic), expected=f"{len(numbers)} images", got=str(done))


def _stretched(sequence: BagSequence) -> BagSequence:
    """The sequence with the levels of its 16-bit grey, if it is of such."""
    step = max(1, -(-len(sequence.numbers) // _LOOKED_AT))

    def samples() -> Iterator[UInt16[ndarray, "_h _w"]]:
        with opened_bag(sequence.path) as bag:
            for number, record in _in_order(bag, sequence.topic, sequence.numbers[::step], sequence.places):
                try:
                    message = bag.parsed(record, sequence.topic)
                    grey = grey16_of_message(message, record.type, Path(str(number)))
                except DataError:  # it is reported when the frames are decoded, with all others that cannot be
                    continue
                if grey is None:
                    return
                yield grey

    return replace(sequence, levels=stretched(samples(), Path(f"{sequence.path}, topic {sequence.topic}")))


def _other_size(where: Path, expected: tuple[int, int], got: tuple[int, int]) -> DataError:
    return DataError(
        "the images of the topic have two sizes",
        where=where,
        expected=f"{expected[0]}x{expected[1]}, as before",
        got=f"{got[0]}x{got[1]}",
        fix="record the images of each size in a topic of their own",
    )


def _warn(sentence: str) -> None:
    warnings.warn(sentence, SelfDepthWarning, stacklevel=4)
