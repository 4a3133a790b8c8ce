"""The storages of bags: ROS 1's format, and ROS 2's SQLite files and MCAP, alone or listed by a folder's metadata.

To read bags, `rosbags` is imported here and nowhere else, and only when one is opened.
"""

from __future__ import annotations

import bz2
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from selfdepth.data.readers.file_kinds import MCAP, ROS1_BAG, FileKind
from selfdepth.errors import DataError
from selfdepth.limits import require_within

ZSTD = b"\x28\xb5\x2f\xfd"
"""First bytes of what zstd has compressed. No message of ROS 2 begins so."""
_STEP = 1 << 20


class Storage:
    """A reader of `rosbags`, whatever its format.

    Attributes:
        is_ros1: whether messages are serialised as ROS 1 does.
    """

    def __init__(self, reader: Any, *, is_ros1: bool) -> None:
        self._reader, self.is_ros1 = reader, is_ros1

    def open(self) -> None:
        """Read the index. Raises whatever `rosbags` raises."""
        self._reader.open()
        if not self.is_ros1 and self._reader.metadata.compression_mode == "message":
            # `rosbags` would unpack them without a bound.
            self._reader.metadata = self._reader.metadata._replace(compression_mode=None)

    def close(self) -> None:
        """Close the files."""
        self._reader.close()

    @property
    def connections(self) -> Sequence[Any]:
        """Of each topic one or several: id, topic, msgtype, msgcount."""
        connections: Sequence[Any] = self._reader.connections
        return connections

    @property
    def duration_ns(self) -> int:
        """Nanoseconds from the first to the last message."""
        return int(self._reader.duration if self.is_ros1 else self._reader.metadata.duration)

    def messages(
        self, connections: Sequence[Any], start_ns: int | None, stop_ns: int | None
    ) -> Iterator[tuple[Any, int, bytes]]:
        """(connection, nanoseconds, bytes) of messages, in the order of their times in each file. Those that are
        compressed one by one stay so."""
        messages: Iterator[tuple[Any, int, bytes]] = self._reader.messages(connections, start_ns, stop_ns)
        return messages


def require_rosbags(path: Path) -> None:
    """Raise DataError, with the command that installs it, unless `rosbags` is there."""
    if importlib.util.find_spec("rosbags") is None:
        raise DataError(
            "reading ROS bags needs the package rosbags",
            where=path,
            fix='install it with: pip install "selfdepth[ros]" (or pip install rosbags)',
        )


def storage_of(path: Path, kind: FileKind | None) -> Storage:
    """The storage of a bag, not yet opened.

    Args:
        kind: of the file; None for a folder.

    Raises:
        DataError: for files that are compressed as a whole, and paths that SQLite cannot open.
    """
    if kind is ROS1_BAG:
        from rosbags.rosbag1 import Reader

        return Storage(Reader(path), is_ros1=True)
    if kind is MCAP:
        from rosbags.rosbag2.storage_mcap import McapReader

        return Storage(McapReader(path), is_ros1=False)
    if any(sign in str(path) for sign in "?#%"):
        raise DataError(
            "the bag cannot be opened under this name",
            where=path,
            expected="a path without ?, # and %",
            fix="rename it",
        )
    if kind is not None:
        from rosbags.rosbag2.storage_sqlite3 import Sqlite3Reader

        return Storage(Sqlite3Reader(path), is_ros1=False)
    from rosbags.rosbag2.reader import DirectoryReader

    _judge_metadata(path)
    return Storage(DirectoryReader(path), is_ros1=False)


def _judge_metadata(folder: Path) -> None:
    """Refuse what `rosbags` would unpack into the disk's temporary folder each time it opens it, or read whole."""
    metadata = folder / "metadata.yaml"
    require_within(
        "json_megabytes", metadata.stat().st_size / 1e6, what="the list of a bag's files is too large", where=metadata
    )
    packed = sorted(path.name for path in folder.iterdir() if path.suffix in (".zstd", ".zst"))
    if packed:
        raise DataError(
            "the files of the bag are compressed as a whole",
            where=folder,
            expected="files that can be read in parts",
            got=packed[0],
            fix="unpack it with: rosbags-convert --src BAG --dst NEW",
        )


def bounded_decompression() -> None:
    """Let `rosbags` unpack no chunk beyond the limit: a few kilobytes can hold gigabytes of zeros."""
    from rosbags.rosbag1 import reader
    from rosbags.rosbag2 import storage_mcap

    reader.decompressors.update({"bz2": _unbz2, "lz4": _unlz4})
    storage_mcap.DECOMPRESSORS.update(
        {"lz4": lambda data, size: _unlz4(data), "zstd": lambda data, size: unzipped(data)}
    )


def unzipped(data: bytes) -> bytes:
    """Bytes that zstd has compressed. Raises DataError beyond the limit."""
    if sys.version_info >= (3, 14):
        from compression.zstd import ZstdDecompressor
    else:
        from backports.zstd import ZstdDecompressor
    return _within_limit(ZstdDecompressor(), data)


def _unlz4(data: bytes) -> bytes:
    from lz4.frame import LZ4FrameDecompressor  # type: ignore[import-untyped]

    return _within_limit(LZ4FrameDecompressor(), data)


def _unbz2(data: bytes) -> bytes:
    return _within_limit(bz2.BZ2Decompressor(), data)


def _within_limit(decompressor: Any, data: bytes) -> bytes:
    parts, size, piece = [], 0, data
    while not decompressor.eof:
        part = decompressor.decompress(piece, max_length=_STEP)
        if not part and decompressor.needs_input:
            raise EOFError("a chunk ends early")
        parts.append(part)
        size += len(part)
        require_within("message_megabytes", size / 1e6, what="a chunk of the bag is too large", where="the bag")
        piece = b""
    return b"".join(parts)
