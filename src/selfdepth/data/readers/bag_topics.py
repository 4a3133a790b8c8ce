"""The cameras of a bag: its topics of images, which of them is read, and the camera_info beside it."""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

from selfdepth.data.readers.bag_files import Bag, Topic
from selfdepth.data.readers.bag_images import RAW, TYPES, Picture, is_depth, picture_of
from selfdepth.data.readers.camera_info import TYPE as CAMERA_INFO
from selfdepth.data.readers.camera_info import CameraInfo, camera_of_camera_info
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera

_PEEKED = 5
"""Messages that are looked at, until one can be read."""
_LISTED = 12
TRANSPORTS = re.compile(r"/(compressed|compressedDepth|republished)$")
_RECTIFIED = re.compile(r"(^|_)rect(ified)?(_|$)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class ImageTopic:
    """A topic of images, as its first messages show it.

    Attributes:
        topic: name, type, count and rate.
        picture: size and encoding; None if none of the first messages can be read.
        fault: why the first message cannot be read; None if one of the first can.
        depth: whether it says that it holds depth.
    """

    topic: Topic
    picture: Picture | None = None
    fault: DataError | None = None
    depth: bool = False

    @property
    def camera_name(self) -> str:
        """The name without that of a transport: raw and compressed images of one camera share it."""
        return TRANSPORTS.sub("", self.topic.name)

    def __str__(self) -> str:
        rate = f", {self.topic.rate_hz:.3g} Hz" if self.topic.rate_hz else ""
        return f"{self.topic.name} ({self.topic.count} messages{rate}, {self.contents})"

    @property
    def contents(self) -> str:
        """Size and encoding, for people."""
        if self.picture is None:
            return "depth" if self.depth else "cannot be read"
        return f"{self.picture.size[0]}x{self.picture.size[1]} {self.picture.encoding}"


def place(bag: Bag, topic: str) -> Path:
    """A topic of a bag, as errors name it."""
    return Path(f"{bag.path}, topic {topic}")


def image_topics(bag: Bag) -> tuple[ImageTopic, ...]:
    """All topics of images that have messages, by name."""
    return tuple(_look(bag, topic) for topic in bag.topics.values() if topic.type in TYPES and topic.count)


def _look(bag: Bag, topic: Topic) -> ImageTopic:
    first: DataError | None = None
    depth = False
    for number, record in enumerate(bag.records(topic.name)):
        try:
            message = bag.parsed(record, topic.name)
            depth = depth or is_depth(message, topic.type)
            return ImageTopic(topic=topic, picture=picture_of(message, topic.type, place(bag, topic.name)), depth=depth)
        except DataError as error:
            first = first or error
        if number + 1 >= _PEEKED:
            break
    fault = first or DataError("the bag lacks the messages that its list counts", where=place(bag, topic.name))
    return ImageTopic(topic=topic, fault=fault, depth=depth)


def choose_topic(bag: Bag, wanted: str | None) -> ImageTopic:
    """The topic of images to read.

    Without a wish it is that of the only camera. Of raw and compressed images of one camera, those of which there are
    more are read, else the raw ones, and that is said.

    Raises:
        DataError: if the wanted topic is not there or holds no images; without a wish, if there is no camera, or there
            are several.
    """
    if not any(topic.count for topic in bag.topics.values()):
        raise DataError("the bag is empty", where=bag.path, expected="messages with images", got="none")
    if wanted is not None:
        return _wanted(bag, wanted)
    found = image_topics(bag)
    cameras = [each for each in found if each.picture is not None and not each.depth]
    if not cameras:
        raise _no_camera(bag, found)
    names = sorted({each.camera_name for each in cameras})
    if len(names) > 1:
        raise DataError(
            "the bag has several cameras",
            where=bag.path,
            expected="one topic of images, or --topic NAME",
            got=", ".join(map(str, cameras[:_LISTED])) + (", ..." if len(cameras) > _LISTED else ""),
            fix=f"choose one, such as --topic {cameras[0].topic.name}",
        )
    chosen = max(cameras, key=lambda each: (each.topic.count, each.topic.type == RAW))
    others = [each for each in found if each is not chosen]
    if others:
        warnings.warn(
            f"{bag.path}: the images of {chosen} are read, not those of {', '.join(map(str, others))}; --topic takes "
            "others",
            SelfDepthWarning,
            stacklevel=3,
        )
    return chosen


def _wanted(bag: Bag, wanted: str) -> ImageTopic:
    name = wanted if wanted in bag.topics else f"/{wanted.strip('/')}"
    topic = bag.topics.get(name)
    if topic is None or topic.type not in TYPES or not topic.count:
        raise DataError(
            "the bag has no such topic" if topic is None else "the topic holds no images",
            where=f"--topic {wanted}",
            expected=f"one of the topics of images in {bag.path}: {_names(bag)}",
            got="none of this name" if topic is None else f"{topic.count} messages of type {topic.type}",
        )
    found = _look(bag, topic)
    if found.picture is None:
        raise found.fault or _no_camera(bag, (found,))
    if found.depth:
        warnings.warn(
            f"{place(bag, name)}: {found.picture.encoding} is the encoding of depth, and is read as 16-bit grey, as of "
            "a thermal camera",
            SelfDepthWarning,
            stacklevel=3,
        )
    return found


def _no_camera(bag: Bag, found: tuple[ImageTopic, ...]) -> DataError:
    if not found:
        listed = ", ".join(f"{each.name} ({each.type})" for each in list(bag.topics.values())[:_LISTED])
        return DataError(
            "the bag has no topic of images",
            where=bag.path,
            expected=f"messages of {' or '.join(TYPES)}",
            got=listed + (", ..." if len(bag.topics) > _LISTED else ""),
        )
    if found[0].fault is not None:
        return found[0].fault
    return DataError(
        "the bag has no topic of pictures",
        where=bag.path,
        expected="images in grey or colours",
        got=", ".join(map(str, found[:_LISTED])) + ", whose encoding is that of depth",
        fix="if it is a thermal camera, choose it with --topic",
    )


def _names(bag: Bag) -> str:
    names = [each.name for each in bag.topics.values() if each.type in TYPES and each.count]
    return ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "") or "there are none"


def camera_beside(bag: Bag, chosen: ImageTopic) -> Camera | None:
    """The camera of the camera_info beside a topic of images; None, with a warning if there is one of no use.

    Raises:
        DataError: for one that changes, or cannot be the camera of these images.
    """
    assert chosen.picture is not None, "a chosen topic has pictures"
    name = next((each for each in _places_of_info(chosen.camera_name) if _is_info(bag, each)), None)
    if name is None:
        others = [topic.name for topic in bag.topics.values() if topic.type == CAMERA_INFO]
        if others:
            _warn(
                f"{bag.path}: there is no camera_info beside {chosen.topic.name}, and {', '.join(others[:_LISTED])} "
                "belong to other topics"
            )
        return None
    rectified = bool(_RECTIFIED.search(chosen.camera_name.rpartition("/")[2]))
    info, where = _only_info(bag, name), str(place(bag, name))
    if info is None:
        return None
    camera = camera_of_camera_info(info, size=chosen.picture.size, rectified=rectified, where=where)
    if camera is None:
        _warn(f"{place(bag, name)} is not calibrated: its K is zero")
    return camera


def _places_of_info(images: str) -> tuple[str, ...]:
    """Where drivers put the camera_info of a topic of images; the last is that of RealSense's own recordings."""
    above, _, _ = images.rpartition("/")
    further, _, _ = above.rpartition("/")
    return f"{above}/camera_info", f"{images}/camera_info", f"{further}/info/camera_info"


def _is_info(bag: Bag, name: str) -> bool:
    return name in bag.topics and bag.topics[name].type == CAMERA_INFO and bag.topics[name].count > 0


def _only_info(bag: Bag, name: str) -> CameraInfo | None:
    """The camera_info of a topic, of which all messages must say the same, but for the focus; None if the bag lacks
    the messages that its list counts."""
    first: CameraInfo | None = None
    changed = False
    for record in bag.records(name):
        info = CameraInfo.of_message(bag.parsed(record, name))
        if first is None:
            first = info
            if not all(map(math.isfinite, (*info.K, *info.P, *info.D))):
                return info  # which is refused; and NaN is never like itself
        elif info != first:
            changed = True
            if not info.is_like(first):
                raise DataError(
                    "the camera_info changes within the bag",
                    where=place(bag, name),
                    expected="one camera",
                    got=_change(first, info),
                    fix="give the camera with --camera, or record the parts in bags of their own",
                )
    if changed:
        _warn(f"{place(bag, name)} changes slightly within the bag, as with the focus: its first message is used")
    return first


def _change(first: CameraInfo, later: CameraInfo) -> str:
    """What differs between two messages, for people: of what must stay, the first; else K, or P alone."""
    if first.K != later.K and replace(first, K=later.K, P=later.P) == later:
        return f"K of {_text(first)}, and later {_text(later)}"
    names = ("size", "model", "D", "binning", "region", "P")
    name = next(name for name in names if name == "P" or getattr(first, name) != getattr(later, name))
    one, other = (_listed(getattr(info, name)) for info in (first, later))
    return f"{name} of {one}, and later {other}"


def _text(info: CameraInfo) -> str:
    return _listed(tuple(info.K[i] for i in (0, 4, 2, 5)))


def _listed(value: str | tuple[float, ...]) -> str:
    return (value if isinstance(value, str) else ",".join(f"{number:g}" for number in value))[:80] or "none"


def _warn(sentence: str) -> None:
    warnings.warn(sentence, SelfDepthWarning, stacklevel=4)
