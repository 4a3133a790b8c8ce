"""A root of KITTI odometry as a data source."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.footage import ClipRequest, Footage
from selfdepth.data.frames import FrameSequence
from selfdepth.data.hold_out import hold_out
from selfdepth.data.kitti.inventory import USUAL, Inventory, odometry_layout, take_inventory
from selfdepth.data.kitti.odometry import (
    KIND,
    is_kitti_odometry,
    odometry_times,
    odometry_truth,
    open_odometry_sequences,
    open_odometry_split,
    with_partners,
)
from selfdepth.data.kitti.splits import ODOMETRY, find_split
from selfdepth.data.readers.folders import find_image_folders
from selfdepth.data.sources.folder import plain_sequences, with_times
from selfdepth.data.sources.source import DataSource
from selfdepth.structs import Trajectory


@dataclass(frozen=True, kw_only=True)
class KittiOdometry(DataSource):
    """The folder with `sequences` and `poses`: calibrated stereo, ground-truth poses, listed by the split odom."""

    kind: ClassVar[str] = KIND
    calibrated: ClassVar[bool] = True
    stereo: ClassVar[bool] = True
    usual_splits: ClassVar[tuple[str, ...]] = USUAL[ODOMETRY]
    poses_are_in: ClassVar[str] = "poses/NN.txt"

    @classmethod
    def recognise(cls, path: Path) -> DataSource | None:
        """A folder with numbered sequences that hold KITTI odometry's calibration or colour images."""
        return cls(path=path) if is_kitti_odometry(path) else None

    def sequences(self, camera: str | None = None) -> tuple[FrameSequence, ...]:
        """The left colour camera of every sequence."""
        return open_odometry_sequences(self.path, camera=camera)

    def sequences_to_predict(self) -> tuple[FrameSequence, ...]:
        """Every folder of images, of any camera, with the times of its times.txt."""
        sequences = plain_sequences(self.path, find_image_folders(self.path))
        return tuple(with_times(each, each.files[0].parent.parent / "times.txt", odometry_times) for each in sequences)

    def clips(self, request: ClipRequest) -> Footage:
        """Targets of the split; without a split, of the left camera of every sequence."""
        camera = request.camera
        if request.split is None:
            sequences = self.sequences(camera)
            train, val = hold_out({sequence.name: sequence.numbers for sequence in sequences}, request.steps)
            footage = Footage(kind=KIND, sequences=sequences, train=train, val=val)
        else:
            listed = open_odometry_split(self.path, find_split(request.split), camera=camera, offsets=request.steps)
            # The fields of `OdometrySplit` have the names of `Footage`'s.
            footage = Footage(kind=KIND, **vars(listed))
        footage = replace(footage, sequences=tuple(self._timed(each) for each in footage.sequences))
        if not request.stereo:
            return footage
        refs_of = {"train": footage.train, "val": footage.val}
        return replace(footage, sequences=with_partners(self.path, footage.sequences, refs_of, camera=camera))

    def _timed(self, sequence: FrameSequence) -> FrameSequence:
        return with_times(sequence, self._times_file(sequence), odometry_times)

    def _times_file(self, sequence: FrameSequence) -> Path:
        return self.path / "sequences" / sequence.name.split("/")[0] / "times.txt"

    def poses(self, sequence: FrameSequence) -> Trajectory | None:
        """The poses of camera 0; KITTI published those of the first eleven sequences."""
        return odometry_truth(self.path, sequence.name, sequence.numbers)

    def times(self, sequence: FrameSequence) -> Float[ndarray, "n"]:
        """Seconds from times.txt."""
        times = odometry_times(self._times_file(sequence), sequence.numbers)
        return super().times(sequence) if times is None else times

    def inventory(self, splits: tuple[str, ...] = (), lists: Path | None = None) -> Inventory:
        """Which frames of the splits the root holds, and what is missing."""
        return take_inventory(odometry_layout(self.path), splits, lists)
