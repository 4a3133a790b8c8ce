"""ROS bags of both generations and MCAP files, read with `rosbags`: what is one, its topics, and its messages.

The definitions of messages that a bag brings along are never used: `rosbags` turns them into program text and runs it.
Messages are read by the definitions that ROS itself publishes; a bag with others under the same names is refused.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from selfdepth.data.readers.bag_storage import (
    ZSTD,
    Storage,
    bounded_decompression,
    require_rosbags,
    storage_of,
    unzipped,
)
from selfdepth.data.readers.file_kinds import MCAP, ROS1_BAG, SQLITE, FileKind, file_kind
from selfdepth.errors import DataError, SelfDepthError
from selfdepth.limits import require_within
from selfdepth.texts import open_regular

BAG_SUFFIXES = frozenset({".bag", ".mcap", ".db3"})
"""How the bags in a folder are told from other files. One that is named itself may have any suffix."""
METADATA = "metadata.yaml"
_MARK = b"rosbag2_bagfile_information"
_HEAD = 4096
_MENDED = {
    ROS1_BAG.name: "mend it with: rosbag reindex BAG",
    MCAP.name: "mend it with: mcap recover IN.mcap -o OUT.mcap",
    SQLITE.name: 'mend it with: sqlite3 IN.db3 ".recover" | sqlite3 OUT.db3',
}


@dataclass(frozen=True, kw_only=True)
class Topic:
    """A topic of a bag.

    Attributes:
        name: such as "/camera/image_raw".
        type: of its messages, as ROS 2 writes it: "sensor_msgs/msg/Image". Several types are joined by " and ".
        count: number of messages.
        rate_hz: messages per second, as a mean over the bag; None if there are fewer than two.
    """

    name: str
    type: str
    count: int
    rate_hz: float | None


@dataclass(frozen=True, kw_only=True)
class Record:
    """A message as it is stored.

    Attributes:
        type: of the message.
        log_ns: nanoseconds since 1970 at which it was recorded.
        data: its bytes.
    """

    type: str
    log_ns: int
    data: bytes


def is_bag(path: Path) -> bool:
    """Whether a file, or a folder with ROS 2's metadata.yaml, is a bag, by its contents.

    Raises:
        DataError: for a file that cannot be read.
    """
    if path.is_dir():
        return _is_bag_folder(path)
    return file_kind(path) in (ROS1_BAG, MCAP, SQLITE)


def _is_bag_folder(folder: Path) -> bool:
    try:
        with open_regular(folder / METADATA) as file:
            return _MARK in file.read(_HEAD)
    except OSError:
        return False


@contextmanager
def opened_bag(path: Path) -> Iterator[Bag]:
    """A bag, whose index has been read.

    Raises:
        DataError: for what is no bag, is damaged or cut off, or needs a package that is missing.
    """
    require_rosbags(path)
    bounded_decompression()
    storage = None
    try:
        with _refusing(path, "the bag cannot be opened"):
            storage = storage_of(path, None if path.is_dir() else file_kind(path))
            storage.open()
        yield Bag(path, storage)
    finally:
        if storage is not None:
            with suppress(Exception):  # it was never opened, or is damaged, which was said
                storage.close()


class Bag:
    """An opened bag.

    Attributes:
        path: of its file or folder.
        topics: all topics, by name.
    """

    def __init__(self, path: Path, storage: Storage) -> None:
        self.path, self._storage = path, storage
        with _refusing(path, "the index of the bag cannot be read"):
            self._duration_s = storage.duration_ns / 1e9
            ordered = sorted(storage.connections, key=lambda each: str(each.topic))
            self._connections = {
                name: list(group) for name, group in itertools.groupby(ordered, key=lambda each: str(each.topic))
            }
            self.topics = {name: self._topic(name) for name in self._connections}

    def _topic(self, name: str) -> Topic:
        connections = self._connections[name]
        count = sum(int(each.msgcount) for each in connections)
        types = sorted({str(each.msgtype) for each in connections})
        rate = (count - 1) / self._duration_s if count > 1 and self._duration_s > 0 else None
        return Topic(name=name, type=" and ".join(types), count=count, rate_hz=rate)

    def records(self, topic: str, start_ns: int | None = None, stop_ns: int | None = None) -> Iterator[Record]:
        """The messages of a topic in the order in which they were recorded, one at a time.

        Args:
            start_ns, stop_ns: only those that were recorded at or after, and before, this time.

        Raises:
            DataError: where the bag is damaged, or a message is too large.
        """
        connections = self._connections[topic]
        messages, n_read = iter(self._storage.messages(connections, start_ns, stop_ns)), 0
        while True:
            with _refusing(self.path, f"the bag is damaged after {n_read} messages of {topic}"):
                found = next(messages, None)
                if found is None:
                    return
                connection, log_ns, data = found
                record = Record(type=str(connection.msgtype), log_ns=int(log_ns), data=self._unpacked(bytes(data)))
            require_within(
                "message_megabytes",
                len(record.data) / 1e6,
                what="a message of the bag is too large",
                where=f"{self.path}, {topic}",
            )
            yield record
            n_read += 1

    def parsed(self, record: Record, topic: str) -> Any:
        """A message with its fields, by the definition that ROS publishes. Arrays are views of its bytes.

        Raises:
            DataError: for another definition of this type, or bytes that do not follow it.
        """
        self._refuse_other_definition(topic)
        with _refusing(self.path, f"a message of {topic} is not what its type says", where=f"{self.path}, {topic}"):
            store = self._types
            read = store.deserialize_ros1 if self._storage.is_ros1 else store.deserialize_cdr
            return read(record.data, record.type)

    def _refuse_other_definition(self, topic: str) -> None:
        for connection in self._connections[topic] if self._storage.is_ros1 else ():
            digest = str(connection.digest)
            # "*" stands for any.
            if digest not in ("", "*") and digest != self._digest_of(str(connection.msgtype)):
                raise DataError(
                    "the bag has another definition of a message than ROS",
                    where=f"{self.path}, {topic}",
                    expected=f"{connection.msgtype} as ROS defines it",
                    got=f"one with the checksum {digest}",
                    fix="record it again with the standard messages",
                )

    def _digest_of(self, kind: str) -> str:
        if kind not in self._digests:
            with _refusing(self.path, "the type of a message is not known"):
                self._digests[kind] = str(self._types.generate_msgdef(kind)[1])
        return self._digests[kind]

    @cached_property
    def _digests(self) -> dict[str, str]:
        return {}

    @cached_property
    def _types(self) -> Any:
        from rosbags.typesys import Stores, get_typestore

        return get_typestore(Stores.ROS1_NOETIC if self._storage.is_ros1 else Stores.ROS2_HUMBLE)

    def _unpacked(self, data: bytes) -> bytes:
        # A file of a bag that compresses each message does not say so: the folder's metadata do.
        zipped = not self._storage.is_ros1 and data.startswith(ZSTD)
        return unzipped(data) if zipped else data


@contextmanager
def _refusing(path: Path, what: str, where: str | None = None) -> Iterator[None]:
    """Turn whatever a damaged bag makes `rosbags` raise, which is nearly anything, into a DataError of one sentence."""
    try:
        yield
    except SelfDepthError:
        raise
    except MemoryError as error:
        raise DataError(what, where=where or path, got="a claim of more than fits into memory") from error
    except Exception as error:
        got = " ".join(str(error).split()) or type(error).__name__
        raise DataError(what, where=where or path, got=got[:300], fix=_way_out(path, got)) from error


def _way_out(path: Path, fault: str) -> str:
    """What mends a bag: a command of its kind, which for a folder is that of its storages."""
    if "files are missing" in fault:
        return "copy them there, too; if they have other names now: ros2 bag reindex BAG"
    kinds: list[FileKind | None] = []
    with suppress(OSError, DataError):
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        kinds = [file_kind(each) for each in files if each == path or each.suffix in BAG_SUFFIXES]
    kind = next((each for each in kinds if each is not None and each.name in _MENDED), None)
    return "copy or record it again" if kind is None else _MENDED[kind.name]
