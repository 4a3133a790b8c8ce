"""A root of KITTI raw as a data source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.footage import ClipRequest, Footage, FrameSelection, no_frames
from selfdepth.data.frames import FrameRef, FrameSequence
from selfdepth.data.kitti.improved import ImprovedTruth
from selfdepth.data.kitti.inventory import USUAL, Inventory, raw_layout, take_inventory
from selfdepth.data.kitti.oxts import camera_poses, read_timestamps
from selfdepth.data.kitti.raw import KIND, ImageFolders, KittiTruth, is_kitti_raw, open_kitti_raw, root_of_part
from selfdepth.data.kitti.splits import RAW, find_split, lists_frames
from selfdepth.data.readers.cameras import ANY_CAMERA, PAPER, any_camera, parse_camera
from selfdepth.data.readers.file_kinds import IMAGE_SUFFIXES
from selfdepth.data.readers.folders import find_image_folders
from selfdepth.data.readers.pictures import image_size
from selfdepth.data.sources.folder import plain_sequences, with_times
from selfdepth.data.sources.source import DataSource
from selfdepth.data.truth import DepthTruth
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera
from selfdepth.structs import Trajectory


@dataclass(frozen=True, kw_only=True)
class KittiRaw(DataSource):
    """The folder of the date folders: calibrated stereo with LiDAR scans and GPS/IMU, listed by several splits.

    Attributes:
        path: that folder, or a date, drive or camera below it; without a split, only what lies there is opened.
    """

    kind: ClassVar[str] = KIND
    calibrated: ClassVar[bool] = True
    stereo: ClassVar[bool] = True
    measures_depth: ClassVar[bool] = True
    usual_splits: ClassVar[tuple[str, ...]] = USUAL[RAW]
    poses_are_in: ClassVar[str] = "DATE/DRIVE/oxts/data"

    @classmethod
    def recognise(cls, path: Path) -> DataSource | None:
        """A folder of date folders with KITTI's calibration file or drives."""
        return cls(path=path) if is_kitti_raw(path) or root_of_part(path) is not None else None

    @cached_property
    def root(self) -> Path:
        """The folder of the date folders."""
        return self.path if is_kitti_raw(self.path) else root_of_part(self.path) or self.path

    @property
    def images(self) -> ImageFolders:
        """The images of all drives."""
        return ImageFolders(self.root)

    @property
    def within(self) -> Path:
        """The part that is opened without a split, below `root`."""
        return self.path if self.root == self.path else self.path.resolve()

    def sequences(self, camera: str | None = None) -> tuple[FrameSequence, ...]:
        """The left camera of every drive."""
        # With 0 as the only offset every frame is its own neighbour, so all frames are opened.
        return open_kitti_raw(self.root, None, camera=self._camera(camera), offsets=(0,), within=self.within).sequences

    def sequences_to_predict(self) -> tuple[FrameSequence, ...]:
        """Every folder of images, of any camera, with the times of its timestamps.txt."""
        sequences = plain_sequences(self.path, find_image_folders(self.path))
        return tuple(with_times(each, _timestamps(each.files[0].parent), read_timestamps) for each in sequences)

    def clips(self, request: ClipRequest) -> Footage:
        """Targets of the split, of either camera; without a split, of the left camera of every drive."""
        folder = None if request.split is None else find_split(request.split)
        camera = self._camera(request.camera)
        footage = open_kitti_raw(
            self.root,
            folder,
            camera=camera,
            offsets=request.steps,
            stereo=request.stereo,
            within=self.within,
            folders=self.images,
        )
        timed = (
            with_times(each, self.root / each.name / "timestamps.txt", read_timestamps) for each in footage.sequences
        )
        return replace(footage, sequences=tuple(timed))

    @property
    def truth(self) -> DepthTruth:
        """LiDAR scans projected into the image."""
        return KittiTruth(self.root)

    def improved_truth(self, root: Path | None) -> DepthTruth | None:
        """The improved ground truth of the same frames, below `root` or beside the images."""
        return ImprovedTruth(root or self.root)

    def select(self, *, split: str | None, part: str | None, whole: bool) -> FrameSelection:
        """With a split: its test frames, else its validation frames, else its training frames.

        Without a split: the held-out validation frames, or all frames if there are none or `whole` is set.
        """
        if split is None:
            # Depth is compared pixel by pixel, without intrinsics, so a missing calibration is no obstacle.
            footage = self.footage(camera=ANY_CAMERA)
            chosen = part or ("val" if footage.val and not whole else "all")
        else:
            # Only this part is opened, and without neighbours: a user who evaluates needs no training images.
            folder = find_split(split)
            chosen = part or next((name for name in ("test", "val", "train") if lists_frames(folder, name)), "test")
            footage = open_kitti_raw(self.root, folder, camera=any_camera, offsets=(), parts=(chosen,))
        if chosen == "all":
            refs = tuple(FrameRef(sequence.name, n) for sequence in footage.sequences for n in sequence.numbers)
        else:
            refs = footage.part(chosen)
        if not refs:
            raise no_frames(chosen, self.path if split is None else Path(split))
        return FrameSelection(part=chosen, refs=refs, sequences=footage.sequences)

    def poses(self, sequence: FrameSequence) -> Trajectory | None:
        """Poses measured by the GPS/IMU (oxts)."""
        return camera_poses(self.root, sequence.name, sequence.numbers)

    def times(self, sequence: FrameSequence) -> Float[ndarray, "n"]:
        """Seconds from timestamps.txt."""
        return read_timestamps(self.root / sequence.name / "timestamps.txt", sequence.numbers)

    def inventory(self, splits: tuple[str, ...] = (), lists: Path | None = None) -> Inventory:
        """Which frames of the splits the root holds, and what is missing."""
        return take_inventory(raw_layout(self.root), splits, lists)

    def describe_truth(self) -> str:
        """A sentence with the root."""
        return f"read from {self.root} where it has scans"

    def _camera(self, spec: str | None) -> Callable[[int, int], Camera] | None:
        """The user's camera as a function of the images' (width, height), because these differ between dates.

        Raises:
            DataError: if there is no image, or as `parse_camera`.
        """
        if spec is None:
            return None
        paths = (path for below in ("data/*", "*") for path in self.root.glob(f"*/*/image_0[0-3]/{below}"))
        first = next((path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES), None)
        if first is None:
            raise DataError("there are no images", where=self.path, expected="DATE/DRIVE/image_02/data/0000000000.jpg")
        if spec == PAPER or spec.startswith("fov:"):
            return lambda width, height: parse_camera(spec, width=width, height=height)
        width, height = image_size(first)
        camera = parse_camera(spec, width=width, height=height)
        return lambda width, height: camera  # pixels refer to one size: images of another size are refused later


def _timestamps(images: Path) -> Path:
    """The file of times beside the folder `data` of a camera's images, or among images that lie where `data` should."""
    among = images / "timestamps.txt"
    return among if among.is_file() else images.parent / among.name
