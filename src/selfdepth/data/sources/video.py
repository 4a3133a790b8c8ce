"""A video file, or a folder of video files, as a data source."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from selfdepth.data.footage import ClipRequest, Origin
from selfdepth.data.frames import FrameSequence
from selfdepth.data.readers.cameras import ANY_CAMERA
from selfdepth.data.readers.file_kinds import is_image
from selfdepth.data.readers.folders import refuse_dangling
from selfdepth.data.readers.frame_names import natural_key
from selfdepth.data.readers.left_out import left_out_of
from selfdepth.data.readers.no_footage import is_own_folder
from selfdepth.data.readers.trees import MAX_DEPTH, FolderTree
from selfdepth.data.readers.video import VIDEO_SUFFIXES, is_own_video, open_video
from selfdepth.data.sources.source import DataSource
from selfdepth.errors import DataError, SelfDepthWarning


@dataclass(frozen=True, kw_only=True)
class Videos(DataSource):
    """Video files, each one sequence.

    Attributes:
        files: `path` itself, or the videos in it or in the nearest folders below it that hold some.
        stream: number of the video stream to read; None: the one with the most frames.
        left_out: sentences on what else was found and is not read.
    """

    kind: ClassVar[str] = "video"
    files: tuple[Path, ...]
    stream: int | None = None
    left_out: tuple[str, ...] = ()

    def at(self, *, stream: int | None = None, topic: str | None = None) -> DataSource:
        """The same videos, of which this stream is read. Raises ConfigError for a topic."""
        super().at(topic=topic)
        return replace(self, stream=stream)

    @classmethod
    def recognise(cls, path: Path) -> DataSource | None:
        """Any folder that holds videos, and any file: containers have too many suffixes to list them.

        Raises:
            DataError: for a single image, or links to videos that lead nowhere.
        """
        if path.is_file():
            if is_image(path):
                raise DataError(
                    "one image is not a sequence",
                    where=path,
                    expected="a folder of images or a video",
                    fix="give its folder",
                )
            return cls(path=path, files=(path,))
        files, repeats = _without_repeats(find_videos(path))
        if not files:
            refuse_dangling(path, VIDEO_SUFFIXES)
        return cls(path=path, files=files, left_out=repeats) if files else None

    def sequences(self, camera: str | None = None) -> tuple[FrameSequence, ...]:
        """One sequence per file, named by its stem; in a folder, where stems may repeat, by its path below that."""
        self._say_left_out()
        return self._named(tuple(open_video(file, camera=camera, stream=self.stream) for file in self.files))

    def sequences_to_predict(self) -> tuple[FrameSequence, ...]:
        """Every video, even with a single frame."""
        self._say_left_out()
        return self._named(
            tuple(open_video(file, camera=ANY_CAMERA, min_frames=1, stream=self.stream) for file in self.files)
        )

    def _named(self, opened: tuple[FrameSequence, ...]) -> tuple[FrameSequence, ...]:
        if self.path.is_file():
            return opened
        return tuple(replace(sequence, name=sequence.files[0].relative_to(self.path).as_posix()) for sequence in opened)

    def _origin(self, request: ClipRequest) -> Origin:
        return replace(super()._origin(request), stream=self.stream)

    def _say_left_out(self) -> None:
        if self.path.is_file():
            return
        elsewhere = left_out_of(self.path, {file.parent for file in self.files}, VIDEO_SUFFIXES)
        for sentence in (*self.left_out, *elsewhere):
            warnings.warn(f"{self.path}: {sentence}", SelfDepthWarning, stacklevel=3)


def find_videos(folder: Path) -> tuple[Path, ...]:
    """The videos directly in a folder, else those in the nearest folders below it, in natural order.

    Videos that `predict` has written are no footage, and neither is what lies in a run or a store.
    """
    return _find(FolderTree(root=folder), folder, MAX_DEPTH)


def _find(tree: FolderTree, folder: Path, depth: int) -> tuple[Path, ...]:
    if is_own_folder(folder):
        return ()
    entries = sorted(
        (path for path in folder.iterdir() if not path.name.startswith(".") and path.suffix.lower() in VIDEO_SUFFIXES),
        key=lambda path: natural_key(path.name),
    )
    here = tuple(path for path in entries if path.is_file() and not is_own_video(path))
    if here or depth == 0:
        return here
    return tuple(video for path in tree.below(folder) for video in _find(tree, path, depth - 1))


def _without_repeats(files: tuple[Path, ...]) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """The videos without links to others of them, and a sentence on these links."""
    first_of: dict[Path, Path] = {}
    for file in sorted(files, key=Path.is_symlink):
        first_of.setdefault(file.resolve(), file)
    kept = frozenset(first_of.values())
    repeats = ", ".join(file.name for file in files if file not in kept)
    sentence = f"left out, because they are links to videos that are read: {repeats}"
    return tuple(file for file in files if file in kept), (sentence,) if repeats else ()
