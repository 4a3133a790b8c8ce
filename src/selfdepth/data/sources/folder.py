"""A folder of images in the order of time, or a folder of such folders, as a data source."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.frames import FrameSequence
from selfdepth.data.readers.cameras import ANY_CAMERA
from selfdepth.data.readers.file_kinds import IMAGE_SUFFIXES
from selfdepth.data.readers.folders import FEW, count_images, open_folder, survey
from selfdepth.data.readers.images import MIN_FRAMES
from selfdepth.data.readers.left_out import left_out_of
from selfdepth.data.sources.source import DataSource
from selfdepth.data.sources.video import find_videos
from selfdepth.errors import DataError, SelfDepthWarning


@dataclass(frozen=True, kw_only=True)
class ImageFolders(DataSource):
    """Folders of plain images, each one sequence.

    Attributes:
        folders: `path` itself, or the nearest folders below it that hold images.
        left_out: sentences on what else was found and is no footage.
        said: the folders whose images these sentences are about.
    """

    kind: ClassVar[str] = "folder"
    folders: tuple[Path, ...]
    left_out: tuple[str, ...] = ()
    said: frozenset[Path] = frozenset()

    @classmethod
    def recognise(cls, path: Path) -> DataSource | None:
        """Any folder that holds images, directly or a few levels down, unless they are a few pictures beside videos."""
        if not path.is_dir():
            return None
        found = survey(path)
        few = sum(count_images(folder) for folder in found.folders[:FEW]) < FEW
        if not found.folders or (few and find_videos(path)):
            return None
        return cls(path=path, folders=found.folders, left_out=found.left_out, said=found.said)

    def sequences(self, camera: str | None = None) -> tuple[FrameSequence, ...]:
        """One sequence per folder, named by its path below `path`. Folders with too few images are left out."""
        self.say_left_out()
        folders = self._long_enough()
        return tuple(open_folder(folder, camera=camera, name=folder_name(self.path, folder)) for folder in folders)

    def sequences_to_predict(self) -> tuple[FrameSequence, ...]:
        """Every folder, even with a single image, and with images of any size."""
        self.say_left_out()
        return plain_sequences(self.path, self.folders)

    def say_left_out(self) -> None:
        """Warn of what was found beside the footage."""
        for sentence in (*self.left_out, *left_out_of(self.path, self.folders, IMAGE_SUFFIXES, self.said)):
            warnings.warn(f"{self.path}: {sentence}", SelfDepthWarning, stacklevel=3)

    def _long_enough(self) -> tuple[Path, ...]:
        # A stray folder with an image or two is no reason to refuse the sequences beside it. If all folders are short,
        # all are opened, and the error of the first says what is missing.
        enough = [folder for folder in self.folders if count_images(folder) >= MIN_FRAMES]
        if not enough:
            return self.folders
        for folder in self.folders:
            if folder not in enough:
                warnings.warn(f"left out, because it has fewer than {MIN_FRAMES} images: {folder}", SelfDepthWarning, 2)
        return tuple(enough)


def plain_sequences(root: Path, folders: tuple[Path, ...]) -> tuple[FrameSequence, ...]:
    """One sequence per folder below `root`, or at it, for prediction image by image: any size, any number of images."""
    return tuple(
        open_folder(folder, camera=ANY_CAMERA, name=folder_name(root, folder), stills=True) for folder in folders
    )


def with_times(
    sequence: FrameSequence, file: Path, read: Callable[[Path, tuple[int, ...]], Float[ndarray, "n"] | None]
) -> FrameSequence:
    """The sequence with the times that a data set keeps in a file beside its images.

    Args:
        sequence: its numbers are the places of the frames in the file.
        file: where the times are. Without it, or if it cannot be used, the times stay unknown.
        read: the seconds of frames, from the file and their numbers.

    Warns:
        SelfDepthWarning: about a file that cannot be used.
    """
    if not file.is_file():
        return sequence
    try:
        times_s = read(file, sequence.numbers)
    except DataError as error:
        warnings.warn(f"the times in {file} are not used: {error}", SelfDepthWarning, stacklevel=3)
        return sequence
    if times_s is None or not (np.diff(times_s) > 0).all():
        warnings.warn(f"the times in {file} are not used: they do not increase", SelfDepthWarning, stacklevel=3)
        return sequence
    return replace(sequence, times_s=tuple(times_s.tolist()))


def folder_name(root: Path, folder: Path) -> str:
    """Name of a folder's sequence: its path below the root, or the root's own name."""
    return root.resolve().name if folder == root else folder.relative_to(root).as_posix()
