"""ROS bags and MCAP files: what is one, its topics and messages, and bags that cannot be read."""

from __future__ import annotations

import builtins
import importlib.util
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.bags import IMAGE, KINDS, START_NS, Kind, Message, file_of, frames, image, simple_bag, stamps, write_bag
from selfdepth.data.readers.bag_files import is_bag, opened_bag
from selfdepth.errors import DataError


def read_all(path: Path) -> list[Any]:
    """Every message of every topic."""
    with opened_bag(path) as bag:
        return [bag.parsed(record, name) for name in bag.topics for record in bag.records(name)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_bag_tells_its_topics_with_their_rates(tmp_path: Path, kind: Kind) -> None:
    path = simple_bag(tmp_path / "drive", kind)
    with opened_bag(path) as bag:
        topic = bag.topics["/cam/image_raw"]
        assert (topic.type, topic.count, list(bag.topics)) == (IMAGE, 6, ["/cam/camera_info", "/cam/image_raw"])
        assert topic.rate_hz == pytest.approx(10)


@pytest.mark.parametrize("kind", KINDS)
def test_messages_come_one_by_one_within_the_times_that_are_asked_for(tmp_path: Path, kind: Kind) -> None:
    path = simple_bag(tmp_path / "drive", kind)
    with opened_bag(path) as bag:
        times = stamps(6)
        found = [record.log_ns for record in bag.records("/cam/image_raw", times[2], times[4])]
        assert found == times[2:4]
        assert [record.log_ns for record in bag.records("/cam/image_raw")] == times


@pytest.mark.parametrize(
    ("kind", "zipped"), [("ros1", "bz2"), ("ros1", "lz4"), ("sqlite3", "message"), ("mcap", "message")]
)
@pytest.mark.parametrize("alone", [False, True])
def test_compressed_messages_are_unpacked(tmp_path: Path, kind: Kind, zipped: str, alone: bool) -> None:
    path = simple_bag(tmp_path / "drive", kind, zipped=zipped)
    assert len(read_all(file_of(path) if alone else path)) == 12


@pytest.mark.parametrize("kind", KINDS)
def test_a_bag_is_told_by_its_contents_and_not_by_its_name(tmp_path: Path, kind: Kind) -> None:
    path = simple_bag(tmp_path / "drive", kind)
    renamed = file_of(path).rename(tmp_path / "footage.dat")
    assert is_bag(renamed) and len(read_all(renamed)) == 12
    (tmp_path / "text.bag").write_text("a text")
    (tmp_path / "folder").mkdir()
    assert not is_bag(tmp_path / "text.bag") and not is_bag(tmp_path / "folder")


def cut(share: float) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        data = file_of(path).read_bytes()
        file_of(path).write_bytes(data[: int(len(data) * share)])

    return damage


def overwrite(at: float, data: bytes) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        whole = bytearray(file_of(path).read_bytes())
        place = int(len(whole) * at)
        whole[place : place + len(data)] = data
        file_of(path).write_bytes(bytes(whole))

    return damage


def unindex(path: Path) -> None:
    """As a recorder that crashed leaves it: without index."""
    whole = path.read_bytes()
    at = whole.index(b"index_pos=") + len(b"index_pos=")
    path.write_bytes(whole[:at] + bytes(8) + whole[at + 8 :])


def lose(path: Path) -> None:
    file_of(path).unlink()


def without_tables(path: Path) -> None:
    file_of(path).unlink()
    with sqlite3.connect(path / f"{path.name}.db3") as other:
        other.execute("CREATE TABLE songs (name TEXT)")
    other.close()


def metadata(text: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        (path / "metadata.yaml").write_text(text)

    return damage


BAD: dict[str, tuple[Kind, Callable[[Path], None], str]] = {
    "ROS 1, cut off": ("ros1", cut(0.6), r"bag cannot be opened: .*drive; got .*; mend it with: rosbag reindex"),
    "ROS 1, cut off in its head": ("ros1", cut(0.001), r"bag cannot be opened: .*drive; got "),
    "ROS 1, without index": ("ros1", unindex, r"not indexed.*rosbag reindex"),
    "ROS 1, old version": ("ros1", overwrite(0, b"#ROSBAG V1.2\n"), r"version 102 is not supported"),
    "MCAP, cut off": ("mcap", cut(0.7), r"bag cannot be opened.*got .*; mend it with: mcap recover"),
    "MCAP, half a head": ("mcap", cut(0.002), r"bag cannot be opened.*got "),
    "SQLite, cut off": ("sqlite3", cut(0.5), r"bag cannot be opened|damaged after \d+ messages|index of the bag"),
    "SQLite, cut off early": ("sqlite3", cut(0.3), r"malformed; mend it with: sqlite3 "),
    "SQLite of another program": ("sqlite3", without_tables, r"missing tables"),
    "missing file": ("mcap", lose, r"files are missing.*ros2 bag reindex"),
    "metadata are no YAML": ("mcap", metadata("rosbag2_bagfile_information: ]["), r"Could not load YAML"),
    "metadata lack everything": ("mcap", metadata("rosbag2_bagfile_information:\n  version: 5\n"), "key is missing"),
    "metadata of the future": ("mcap", metadata("rosbag2_bagfile_information:\n  version: 55\n"), "55 not supported"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_damaged_bag_is_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    kind, damage, words = BAD[name]
    path = simple_bag(tmp_path / "drive", kind)
    damage(path)
    with pytest.raises(DataError, match=words) as refusal:
        read_all(path)
    assert "\n" not in str(refusal.value) and "Traceback" not in str(refusal.value)


def test_an_mcap_file_of_another_profile_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.mcap"
    header = struct.pack("<I", 8) + b"protobuf" + struct.pack("<I", 0)
    path.write_bytes(b"\x89MCAP0\r\n\x01" + struct.pack("<Q", len(header)) + header + bytes(60))
    with pytest.raises(DataError, match="Profile is not ros2"):
        read_all(path)


def claim_in_mcap(whole: bytearray) -> None:
    (summary,) = struct.unpack("<Q", whole[-28:-20])
    whole[summary + 1 : summary + 9] = struct.pack("<Q", 2**60)


def claim_in_ros1(whole: bytearray) -> None:
    header = whole.index(b"op=\x05") - 4  # of a chunk, whose length of data follows the last of its fields
    end = whole.index(b"size=", header) + len(b"size=") + 4
    whole[end : end + 4] = struct.pack("<I", 2**32 - 8)


@pytest.mark.parametrize(("kind", "claim"), [("mcap", claim_in_mcap), ("ros1", claim_in_ros1)])
def test_a_claim_of_gigabytes_is_refused(tmp_path: Path, kind: Kind, claim: Callable[[bytearray], None]) -> None:
    path = simple_bag(tmp_path / "drive", kind)
    whole = bytearray(file_of(path).read_bytes())
    claim(whole)
    file_of(path).write_bytes(bytes(whole))
    with pytest.raises(DataError, match=r"damaged|cannot be opened"):
        read_all(path)


def test_a_chunk_that_unpacks_to_more_than_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = simple_bag(tmp_path / "drive", "ros1", count=400, zipped="bz2")
    monkeypatch.setenv("SELFDEPTH_LIMITS", "message_megabytes=0")
    with pytest.raises(
        DataError, match=r"chunk of the bag is too large.*expected at most 0 megabytes.*SELFDEPTH_LIMITS"
    ):
        read_all(path)


def test_a_message_above_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = simple_bag(tmp_path / "drive", "ros1")
    monkeypatch.setenv("SELFDEPTH_LIMITS", "message_megabytes=0")
    with pytest.raises(DataError, match=r"message of the bag is too large: .*drive, /cam/camera_info"):
        read_all(path)


def test_bytes_that_do_not_follow_their_type_are_refused(tmp_path: Path) -> None:
    good = image(frames(1)[0], START_NS)
    for i, data in enumerate((b"", b"\x00\x01\x00\x00", b"\x07" * 40, b"\x00\x01\x00\x00" + b"\xff" * 60)):
        path = write_bag(tmp_path / f"bag{i}", [Message("/cam/image_raw", IMAGE, START_NS, good.make, data)])
        with pytest.raises(DataError, match=r"message of /cam/image_raw is not what its type says: .*bag\d, /cam"):
            read_all(path)


def test_a_definition_of_the_bags_own_is_never_used(tmp_path: Path) -> None:
    path = simple_bag(tmp_path / "drive", "ros1")
    whole = path.read_bytes()
    digest = b"060021388200f6f0f447d0fcd9c64743"
    assert digest in whole
    path.write_bytes(whole.replace(digest, b"f" * 32))
    with pytest.raises(DataError, match=r"another definition of a message than ROS: .*sensor_msgs/msg/Image as ROS"):
        read_all(path)


def test_an_unknown_type_is_refused_where_its_messages_are_read_and_nowhere_else(tmp_path: Path) -> None:
    other = Message("/other", "std_msgs/msg/String", START_NS, lambda s: s.types["std_msgs/msg/String"](data="a"))
    path = write_bag(tmp_path / "drive", [image(frames(1)[0], START_NS), other], "ros1")
    whole = path.read_bytes().replace(b"std_msgs/String", b"my_messages/Own")
    path.write_bytes(whole)
    with opened_bag(path) as bag:
        assert bag.topics["/other"].type == "my_messages/msg/Own"
        assert len([bag.parsed(record, "/cam/image_raw") for record in bag.records("/cam/image_raw")]) == 1
        with pytest.raises(DataError, match="type of a message is not known"):
            bag.parsed(next(bag.records("/other")), "/other")


def test_the_package_that_is_missing_is_named_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = simple_bag(tmp_path / "drive")
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "rosbags" else find(name))
    with pytest.raises(DataError, match=r'needs the package rosbags: .*drive; .*pip install "selfdepth\[ros\]"'):
        read_all(path)


def test_rosbags_is_imported_only_when_a_bag_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = simple_bag(tmp_path / "drive")
    real = builtins.__import__

    def guarded(name: str, *args: Any, **kwargs: Any) -> Any:
        assert not name.startswith("rosbags"), "imported too early"
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", guarded)
    assert is_bag(path)


@pytest.mark.parametrize("sign", ["?", "#", "%41"])
def test_a_name_that_sqlite_takes_for_an_address_is_refused(tmp_path: Path, sign: str) -> None:
    path = simple_bag(tmp_path / "drive", "sqlite3").rename(tmp_path / f"drive{sign}1")
    with pytest.raises(DataError, match=r"cannot be opened under this name.*rename it"):
        read_all(path)


def test_a_bag_that_is_compressed_as_a_whole_is_refused_with_the_command_that_unpacks_it(tmp_path: Path) -> None:
    path = simple_bag(tmp_path / "drive", "mcap", zipped="file")
    with pytest.raises(DataError, match=r"compressed as a whole.*drive\.mcap\.zstd; .*rosbags-convert"):
        read_all(path)
