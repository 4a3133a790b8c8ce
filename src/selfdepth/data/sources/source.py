"""The interface of every kind of data, so that no other part of the program needs to know which kind it has.

Each kind is a class that derives from `DataSource`, in a file of its own; `recognise.py` holds the table of them.
Training, evaluation, odometry, `check` and `prepare` use a source through this interface alone.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from selfdepth.config import TrainConfig
from selfdepth.data.footage import ClipRequest, Footage, FrameSelection, Origin, no_frames, too_short
from selfdepth.data.frames import FrameRef, FrameSequence, increasing_runs
from selfdepth.data.hold_out import hold_out
from selfdepth.data.kitti.inventory import Inventory
from selfdepth.data.kitti.splits import split_path
from selfdepth.data.motion import choose_spacing, measure_motion, without_parked
from selfdepth.data.readers.cameras import ANY_CAMERA, PAPER, is_camera_file
from selfdepth.data.readers.trajectories import POSES_FILE, read_trajectory
from selfdepth.data.sources.choices import refuse_choices
from selfdepth.data.sources.contents import Contents
from selfdepth.data.sources.one_camera import require_one_camera
from selfdepth.data.store.build import Accept, Progress
from selfdepth.data.store.prepare import require_learnable, store_of
from selfdepth.data.store.store import Store
from selfdepth.data.truth import DepthTruth, NoTruth
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.crop_resize import CropResize
from selfdepth.places import path_of
from selfdepth.structs import Trajectory

CheckRun = Callable[[TrainConfig, int], None]
"""Raises an error for a configuration and its number of training targets, before any frame is decoded."""


@dataclass(frozen=True, kw_only=True)
class DataSource(ABC):
    """One data set on disk: a folder of images, a video, a root of KITTI, ...

    The defaults below suit plain images and videos, which have nothing but their frames. A kind with more (a
    calibration, stereo pairs, splits, ground truth, poses) overrides the methods concerned.

    Attributes:
        path: as the user gave it.
    """

    path: Path

    kind: ClassVar[str]
    """Name of the kind, like "kitti-raw", which `check` prints and a store records."""
    calibrated: ClassVar[bool] = False
    """Whether the data comes with its camera, so that --camera is not needed."""
    stereo: ClassVar[bool] = False
    """Whether frames may have a stereo partner."""
    measures_depth: ClassVar[bool] = False
    """Whether frames may have ground-truth depth."""
    usual_splits: ClassVar[tuple[str, ...]] = ()
    """The published splits of the paper's tables that list frames of such data."""
    protocol: ClassVar[str] = "eigen"
    """Name of the depth protocol that fits the ground truth (evaluation.depth.PROTOCOLS)."""
    poses_are_in: ClassVar[str] = f"{POSES_FILE} beside the images"
    """Where ground-truth poses are expected, for the error that there are none."""

    @classmethod
    def recognise(cls, path: Path) -> DataSource | None:
        """The data at an existing path if it is of this kind, else None. The default is for kinds without files.

        Raises:
            DataError: if it is of this kind but cannot be used.
        """
        return None

    @abstractmethod
    def sequences(self, camera: str | None = None) -> tuple[FrameSequence, ...]:
        """All sequences with all their frames.

        Args:
            camera: as in `ClipRequest`.

        Raises:
            DataError: if there are none, or frames or cameras cannot be used.
        """

    def sequences_to_predict(self) -> tuple[FrameSequence, ...]:
        """The sequences that `predict` reads, of any length; else as `sequences_to_compare`."""
        return self.sequences_to_compare()

    def sequences_to_compare(self) -> tuple[FrameSequence, ...]:
        """As `sequences`, with a stand-in (`ANY_CAMERA`) where the data does not tell their camera."""
        if self.calibrated:
            with suppress(DataError):  # a missing calibration is no obstacle
                return self.sequences()
        return self.sequences(ANY_CAMERA)

    def at(self, *, stream: int | None = None, topic: str | None = None) -> DataSource:
        """The same data, of which a certain video stream, or topic of a bag, is read; None: the usual one.

        Raises:
            ConfigError: if it has no streams, or no topics.
        """
        refuse_choices(f"{self.path}, {self.kind}", stream=stream, topic=topic)
        return self

    # Training

    def footage(
        self,
        *,
        split: str | None = None,
        camera: str | None = None,
        offsets: tuple[int, ...] = (-1, 1),
        spacing: int | None = 1,
        stereo: bool = False,
    ) -> Footage:
        """Open the data for a run: its sequences, and the targets for training, validation and test.

        Args:
            spacing: distance in frames between neighbours of a clip. None (`--every auto`): chosen by the measured
                motion, 1 to 10, without targets in parked stretches.
            others: as in `ClipRequest`.

        Raises:
            DataError: if there is nothing to train on, the camera never moves (spacing None), or a split or stereo
                does not apply to this kind of data.
        """
        request = ClipRequest(split=split, camera=camera, offsets=offsets, spacing=spacing or 1, stereo=stereo)
        footage = self._open(request)
        return footage if spacing is not None else self._at_measured_spacing(footage, request)

    def _open(self, request: ClipRequest) -> Footage:
        footage = self.clips(request)
        if not footage.train and request.split is None:  # a split may list test frames only
            raise too_short(footage.sequences, request.steps, self.path)
        return replace(footage, spacing=request.spacing, origin=self._origin(request))

    def clips(self, request: ClipRequest) -> Footage:
        """The targets of the split in `request`, or of the hold-out rule. Raises DataError as `footage`."""
        self._refuse_kitti_options(request)
        if request.camera == PAPER and not self.calibrated:
            warnings.warn(
                f"the paper's camera is KITTI's, and {self.path} is not KITTI: depth will be distorted; give its own "
                "camera with --camera",
                SelfDepthWarning,
                stacklevel=2,
            )
        sequences = self.sequences(request.camera)
        require_one_camera(request.camera, sequences, self.path)
        train, val = hold_out({sequence.name: sequence.numbers for sequence in sequences}, request.steps)
        return Footage(
            kind=self.kind, sequences=sequences, train=train, val=val, truth=self.truth, protocol=self.protocol
        )

    def store_for(
        self,
        config: TrainConfig,
        folder: Path,
        *,
        check: CheckRun | None = None,
        progress: Progress | None = None,
        accept: Accept | None = None,
    ) -> Store:
        """The store that a run with this configuration learns from. It is built in `folder` unless one there fits.

        Args:
            check: called with the configuration and the number of training targets before anything is decoded. Its
                errors are passed on.
            progress: called with (frames done, frames in total) while the store is built.
            accept: called with a new store before it replaces another. Its errors are passed on.

        Raises:
            SelfDepthError: for data or a folder that cannot be used.
        """
        footage = self.footage(
            split=config.split,
            camera=config.start_camera,
            offsets=config.offsets,
            spacing=config.spacing,
            stereo=config.stereo != "none",
        )
        require_learnable(config, (sequence.camera for sequence in footage.sequences))
        if check is not None:
            check(config, len(footage.train))
        return store_of(config, footage, folder, progress, accept)

    def new_store(self, config: TrainConfig, folder: Path, *, progress: Progress | None = None) -> Store:
        """As `store_for`, but raises ConfigError if the data is already a store."""
        return DataSource.store_for(self, config, folder, progress=progress)  # its `clips` raises

    # Evaluation

    @property
    def truth(self) -> DepthTruth:
        """Ground-truth depth of the frames."""
        return NoTruth()

    def improved_truth(self, root: Path | None) -> DepthTruth | None:
        """KITTI's improved ground truth of the same frames, below `root` or beside the images; None for other data."""
        return None

    def select(self, *, split: str | None, part: str | None, whole: bool) -> FrameSelection:
        """The frames on which depth is evaluated.

        Args:
            split: as `find_split` takes it.
            part: "train", "val" or "test"; None: the usual part of this kind of data.
            whole: take all frames if neither `part` nor `split` is given.

        Raises:
            DataError: if the data has no such part, or a split does not apply to it.
        """
        self.refuse_split(split)
        if part is not None:
            raise no_frames(part, self.path)
        sequences = self.sequences_to_compare()
        refs = tuple(FrameRef(sequence.name, number) for sequence in sequences for number in sequence.numbers)
        return FrameSelection(part="all", refs=refs, sequences=sequences)

    def fitting(self, fit: CropResize) -> CropResize:
        """The crop and resize that `read` applies for a network that was trained with `fit`.

        Raises:
            DataError: if frames of this size and crop cannot be read.
        """
        return fit

    def read(
        self, selection: FrameSelection, refs: tuple[FrameRef, ...], fit: CropResize
    ) -> Iterator[UInt8[ndarray, "h w 3"]]:
        """Frames of a selection in the order of `refs`, cropped and resized to the network's size."""
        sequences = {sequence.name: sequence for sequence in selection.sequences}
        fit = self.fitting(fit)
        for name, numbers in increasing_runs(refs):
            for image in sequences[name].read(numbers):
                yield fit(image, sequences[name].camera)[0]

    def names(self, selection: FrameSelection) -> dict[FrameRef, str]:
        """Name of each frame's file without its suffix, by which files of predictions are matched."""
        return {
            FrameRef(sequence.name, number): name
            for sequence in selection.sequences
            for number, name in zip(sequence.numbers, sequence.names, strict=True)
        }

    # Odometry

    def poses(self, sequence: FrameSequence) -> Trajectory | None:
        """Ground-truth poses T_world_camera of all frames of a sequence, or None if there are none.

        Raises:
            DataError: for a file that cannot be used.
        """
        beside = sequence.files[0].parent / POSES_FILE
        # KITTI's format has no times; TUM's has its own, and `timestamps` is then ignored.
        return read_trajectory(beside, timestamps=self.times(sequence)) if beside.is_file() else None

    def times(self, sequence: FrameSequence) -> Float[ndarray, "n"]:
        """Seconds of all frames of a sequence, its own; the frame numbers if the times are unknown.

        Raises:
            DataError: for a file of times that cannot be used.
        """
        return np.array(sequence.numbers if sequence.times_s is None else sequence.times_s, np.float64)

    # Inventory and descriptions

    def inventory(self, splits: tuple[str, ...] = (), lists: Path | None = None) -> Inventory:
        """Which frames of published splits the data holds, and what is missing. Arguments as `take_inventory`.

        Raises:
            DataError: for data that no split lists.
        """
        raise DataError(
            "this is not KITTI",
            where=self.path,
            expected="KITTI raw (2011_09_26/calib_cam_to_cam.txt, 2011_09_26/2011_09_26_drive_0001_sync) or KITTI "
            "odometry (sequences/00)",
            got=f"data of kind {self.kind}",
            fix="unpack KITTI's archives into one folder, and give that",
        )

    def contents(self) -> Contents | None:
        """What `check` lists before it looks at the frames; None if there is nothing but these.

        Raises:
            DataError: for data that cannot be read.
        """
        return None

    def camera_origin(self, camera: str | None) -> str:
        """Where the intrinsics come from: "given", "calibration" or "assumed"."""
        return "given" if camera is not None else "calibration" if self.calibrated else "assumed"

    def describe_truth(self) -> str | None:
        """Where the ground truth is read from, in the form "read from ..."; None if there is none."""
        return None

    # Shared by the kinds

    def refuse_split(self, split: str | None) -> None:
        """Raise DataError for a split, if no split lists frames of this kind."""
        if split is not None:
            raise DataError(
                "a split applies to KITTI only",
                where=f"--split {split}",
                got=f"{self.path}, of kind {self.kind}",
                fix="leave --split out: the end of each sequence is held out for validation",
            )

    def _refuse_kitti_options(self, request: ClipRequest) -> None:
        if request.stereo:
            raise DataError(
                "there are no stereo pairs in this data",
                where=self.path,
                expected="a root of KITTI raw or odometry, or a store made from one with --stereo",
                got="frames of one camera",
                fix="leave --stereo out",
            )
        self.refuse_split(request.split)

    def _at_measured_spacing(self, first: Footage, request: ClipRequest) -> Footage:
        """The data again, at the spacing that fits its motion and without targets in parked stretches.

        Args:
            first: the data at a spacing of 1, whose sequences are measured.
        """
        # The targets depend on the spacing, and the spacing on the sequences: so the data is opened twice.
        motions = {sequence.name: measure_motion(sequence) for sequence in first.sequences}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SelfDepthWarning)  # already shown when the data was first opened
            footage = self._open(replace(request, spacing=choose_spacing(motions.values())))

        return without_parked(replace(footage, origin=replace(self._origin(request), auto=True)), motions, self.path)

    def _origin(self, request: ClipRequest) -> Origin:
        """The request as a store records it, with absolute paths, so that they hold in any working directory."""
        camera = request.camera
        if camera is not None and is_camera_file(camera):
            camera = str(path_of(camera).resolve())
        split = None if request.split is None else split_path(request.split)
        return Origin(path=self.path.resolve(), split=split, camera=camera)
