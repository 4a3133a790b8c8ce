"""KITTI raw whose images have gone into a store: a folder in KITTI's layout with all else that is used of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from selfdepth.data.kitti.calibration import camera_from_calibration
from selfdepth.data.kitti.raw import ImageFolders
from selfdepth.data.readers.cameras import PAPER, parse_camera
from selfdepth.data.sources.kitti_raw import KittiRaw
from selfdepth.geometry.camera import Camera


class ListedImages(ImageFolders):
    """Images that are in no folder, by their frame numbers.

    Args:
        numbers: frame numbers of each sequence.
    """

    def __init__(self, root: Path, numbers: Mapping[str, tuple[int, ...]]) -> None:
        super().__init__(root)
        self._listed = {name: {n: f"{n:010d}.png" for n in of} for name, of in numbers.items()}

    def folder(self, sequence: str) -> Path:
        """Where the images of a sequence would be."""
        return self.root / sequence / "data"

    def has_images(self, sequence: str) -> bool:
        """Whether the sequence is listed."""
        return sequence in self._listed

    def files(self, sequence: str) -> dict[int, str]:
        """Name of each frame's file by number."""
        return self._listed.get(sequence, {})

    def size(self, path: Path) -> tuple[int, int]:
        """(width, height) of an image, which `ArchivedSequence` has compared with its calibration's."""
        return size_of(self.root, path.parent.parent.relative_to(self.root).as_posix())


@dataclass(frozen=True, kw_only=True)
class FetchedKitti(KittiRaw):
    """What is left of KITTI raw when its images are in a store.

    Attributes:
        numbers: frame numbers of each sequence that has been stored, or will be.
    """

    numbers: Mapping[str, tuple[int, ...]]

    @property
    def images(self) -> ImageFolders:
        """Those that have been stored."""
        return ListedImages(self.root, self.numbers)

    def camera_of(self, sequence: str, camera: str | None) -> Camera:
        """The camera of a sequence; `camera` is the user's, as in `ClipRequest`."""
        given = self._camera(camera)
        if given is None:
            return camera_from_calibration(self.root / sequence.split("/")[0], sequence[-len("image_02") :])
        return given(*size_of(self.root, sequence))

    def _camera(self, spec: str | None) -> Callable[[int, int], Camera] | None:
        if spec is None:
            return None
        if spec == PAPER or spec.startswith("fov:"):
            return lambda width, height: parse_camera(spec, width=width, height=height)
        # As for KITTI in folders: pixels refer to the size of the first images, and others are refused.
        width, height = size_of(self.root, min(self.numbers))
        camera = parse_camera(spec, width=width, height=height)
        return lambda width, height: camera


def size_of(root: Path, sequence: str) -> tuple[int, int]:
    """(width, height) of the images of a sequence, as its calibration says."""
    camera = camera_from_calibration(root / sequence.split("/")[0], sequence.rsplit("/", 1)[1])
    return camera.width, camera.height
