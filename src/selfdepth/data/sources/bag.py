"""ROS bags and MCAP files, or a folder of them, as a data source."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from selfdepth.data.footage import ClipRequest, Origin
from selfdepth.data.frames import FrameSequence
from selfdepth.data.readers.bag_files import BAG_SUFFIXES, is_bag, opened_bag
from selfdepth.data.readers.bag_topics import camera_beside, choose_topic, image_topics
from selfdepth.data.readers.bags import BagSequence, open_bag
from selfdepth.data.readers.cameras import ANY_CAMERA
from selfdepth.data.readers.file_kinds import file_kind
from selfdepth.data.readers.frame_names import natural_key
from selfdepth.data.readers.left_out import left_out_of
from selfdepth.data.readers.no_footage import is_own_folder
from selfdepth.data.readers.trees import MAX_DEPTH, FolderTree
from selfdepth.data.sources.contents import Contents
from selfdepth.data.sources.source import DataSource
from selfdepth.errors import DataError, SelfDepthWarning


@dataclass(frozen=True, kw_only=True)
class Bags(DataSource):
    """ROS bags, each one sequence: the images of one topic.

    Attributes:
        bags: `path` itself, or the bags in it or in the nearest folders below it that hold some.
        topic: name of the topic to read; None: that of the only camera.
    """

    kind: ClassVar[str] = "bag"
    bags: tuple[Path, ...]
    topic: str | None = None

    @classmethod
    def recognise(cls, path: Path) -> DataSource | None:
        """A bag, by its contents, or a folder that holds bags.

        Raises:
            DataError: for a file that is called a bag and is none.
        """
        if path.is_dir():
            bags = find_bags(path)
            return cls(path=path, bags=bags) if bags else None
        if is_bag(path):
            return cls(path=path, bags=(path,))
        _refuse_false_name(path)
        return None

    def at(self, *, stream: int | None = None, topic: str | None = None) -> DataSource:
        """The same bags, of which this topic is read. Raises ConfigError for a stream."""
        super().at(stream=stream)
        return replace(self, topic=topic)

    def sequences(self, camera: str | None = None) -> tuple[FrameSequence, ...]:
        """One sequence per bag, named by its stem; in a folder, where stems may repeat, by its path below that."""
        self._say_left_out()
        return self._named(tuple(open_bag(bag, camera=camera, topic=self.topic) for bag in self.bags))

    def sequences_to_predict(self) -> tuple[FrameSequence, ...]:
        """Every bag, even with a single image."""
        self._say_left_out()
        return self._named(tuple(open_bag(bag, camera=ANY_CAMERA, topic=self.topic, min_frames=1) for bag in self.bags))

    def camera_origin(self, camera: str | None) -> str:
        """As of any source; "calibration" if every bag has a camera_info beside its images."""
        if camera is None and all(_is_calibrated(bag, self.topic) for bag in self.bags):
            return "calibration"
        return super().camera_origin(camera)

    def contents(self) -> Contents | None:
        """The topics of every bag: name, type, number and rate of the messages, size and encoding of images."""
        rows = []
        for bag in self.bags:
            with opened_bag(bag) as opened:
                pictures = {each.topic.name: each.contents for each in image_topics(opened)}
                for topic in opened.topics.values():
                    rate = "" if topic.rate_hz is None else f"{topic.rate_hz:.2f}"
                    name = topic.name if self.path == bag else f"{bag.relative_to(self.path)}: {topic.name}"
                    rows.append((name, topic.type, str(topic.count), rate, pictures.get(topic.name, "")))
        return Contents(title="topics", columns=("topic", "type", "messages", "per second", "images"), rows=tuple(rows))

    def _named(self, opened: tuple[BagSequence, ...]) -> tuple[FrameSequence, ...]:
        if self.bags == (self.path,):
            return opened
        return tuple(replace(each, name=each.path.relative_to(self.path).as_posix()) for each in opened)

    def _origin(self, request: ClipRequest) -> Origin:
        return replace(super()._origin(request), topic=self.topic)

    def _say_left_out(self) -> None:
        if self.bags == (self.path,):
            return
        folders = {bag.parent for bag in self.bags} | {bag for bag in self.bags if bag.is_dir()}
        for sentence in left_out_of(self.path, folders, BAG_SUFFIXES):
            warnings.warn(f"{self.path}: {sentence}", SelfDepthWarning, stacklevel=3)


def find_bags(folder: Path) -> tuple[Path, ...]:
    """A folder itself if it is a bag of ROS 2; else the bags directly in it, else those in the nearest folders below
    it, in natural order."""
    return (folder,) if is_bag(folder) else _find(FolderTree(root=folder), folder, MAX_DEPTH)


def _find(tree: FolderTree, folder: Path, depth: int) -> tuple[Path, ...]:
    if is_own_folder(folder):
        return ()
    files = (
        path
        for path in folder.iterdir()
        if path.suffix.lower() in BAG_SUFFIXES and not path.name.startswith(".") and path.is_file() and is_bag(path)
    )
    below = tree.below(folder) if depth else ()
    here = sorted((*files, *(path for path in below if is_bag(path))), key=lambda path: natural_key(path.name))
    return tuple(here) or tuple(bag for path in below for bag in _find(tree, path, depth - 1))


def _is_calibrated(bag: Path, topic: str | None) -> bool:
    with opened_bag(bag) as opened, warnings.catch_warnings():
        warnings.simplefilter("ignore", SelfDepthWarning)  # they were shown when the sequence was opened
        return camera_beside(opened, choose_topic(opened, topic)) is not None


def _refuse_false_name(path: Path) -> None:
    """Refuse a file that is called a bag, unless it is a video or an image under a wrong name."""
    if path.suffix.lower() not in BAG_SUFFIXES:
        return
    kind = file_kind(path)
    if kind is None or kind.role == "other":
        raise DataError(
            "the file is called a bag and is none",
            where=path,
            expected="a bag of ROS 1, an MCAP recording, or a SQLite file of ROS 2",
            got="an empty file" if not path.stat().st_size else "another format" if kind is None else kind.name,
            fix="copy or record it again",
        )
