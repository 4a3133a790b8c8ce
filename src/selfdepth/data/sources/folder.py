"""A folder of images in the order of time, or a folder of such folders."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from selfdepth.data.frames import FrameSequence
from selfdepth.data.readers.cameras import ANY_CAMERA
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
        return tuple(
            open_folder(folder, camera=camera, name=folder_name(self.path, folder)) for folder in self._long_enough()
        )

    def sequences_to_predict(self) -> tuple[FrameSequence, ...]:
        """Every folder, even of a single image, and with images of any sizes."""
        return plain_sequences(self.path, self.folders)

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


def plain_sequences(root: Path, folders: tuple[Path, ...]) -> tuple[FrameSequence, ...]:
    """Folders of images below `root`, or at it, whatever they are parts of: to predict them image by image."""
    return tuple(
        open_folder(folder, camera=ANY_CAMERA, name=folder_name(root, folder), stills=True) for folder in folders
    )


def folder_name(root: Path, folder: Path) -> str:
    """What the sequence of a folder is called: its path below the root, or the root's own name."""
    return root.resolve().name if folder == root else folder.relative_to(root).as_posix()
