"""A folder of images in the order of time, or a folder of such folders."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from selfdepth.data.frames import FrameSequence
from selfdepth.data.readers.images import MIN_FRAMES, find_image_folders, list_images, open_folder
from selfdepth.data.sources.source import DataSource
from selfdepth.errors import SelfDepthWarning


@dataclass(frozen=True, kw_only=True)
class ImageFolders(DataSource):
    """Images as they are: one sequence for each folder that holds some.

    Attributes:
        folders: `path` itself, or the nearest folders below it that hold images.
    """

    kind: ClassVar[str] = "folder"
    folders: tuple[Path, ...]

    @classmethod
    def recognise(cls, path: Path) -> DataSource | None:
        """Any folder that holds images, directly or a few levels down."""
        folders = find_image_folders(path) if path.is_dir() else ()
        return cls(path=path, folders=folders) if folders else None

    def sequences(self, camera: str | None = None) -> tuple[FrameSequence, ...]:
        """One sequence per folder, named by its path below the root; folders with too few images are left out."""
        return tuple(open_folder(folder, camera=camera, name=self.name_of(folder)) for folder in self._long_enough())

    def _long_enough(self) -> tuple[Path, ...]:
        # A folder with an image or two beside the drives is no reason to refuse the drives. If all folders are short,
        # all are opened, and the first one's refusal says what is missing.
        enough = [folder for folder in self.folders if len(list_images(folder)) >= MIN_FRAMES]
        if not enough:
            return self.folders
        for folder in self.folders:
            if folder not in enough:
                warnings.warn(f"left out, as it has fewer than {MIN_FRAMES} images: {folder}", SelfDepthWarning, 2)
        return tuple(enough)

    def name_of(self, folder: Path) -> str:
        """The name of a folder's sequence: its path below the root, or the root's own name."""
        return self.path.resolve().name if folder == self.path else folder.relative_to(self.path).as_posix()
