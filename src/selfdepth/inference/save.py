"""Predict the frames of one input and write the results, with decoding, network and writing in parallel."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from selfdepth.inference.depth_bag import BAG_FILES, BAG_NAME, bag_factor, camera_of, create_bag
from selfdepth.inference.inputs import PredictionInput
from selfdepth.inference.odometry import MotionPredictor, Odometer
from selfdepth.inference.pixels import require_large_enough
from selfdepth.inference.pointcloud import (
    CloudLimits,
    FusedCloud,
    no_camera_for_points,
    point_cloud,
    write_ply,
)
from selfdepth.inference.predictor import Predictor
from selfdepth.inference.recording import RECORDING_NAME, About, Recording, create_recording
from selfdepth.inference.threads import Jobs, read_ahead
from selfdepth.inference.visualize import (
    ColourRange,
    colorize_disparity,
    colour_range,
    side_by_side,
    smooth_range,
)
from selfdepth.inference.writers import (
    FRAME_WRITERS,
    TRAJECTORY_FILES,
    VideoWriter,
    create_video,
    write_png16_note,
    write_trajectory,
)
from selfdepth.structs import DepthPrediction
from selfdepth.weights.metres import describe_unit

SaveKind = Literal["color", "npz", "png16", "confidence", "kitti", "mp4", "ply", "trajectory", "bag", "rrd"]
VIDEO_NAME = "video.mp4"
DRIVE_NAME = "drive.ply"

_WRITING_THREADS = min(4, os.cpu_count() or 1)
"""A few: compressing PNGs competes with decoding for the CPU, and with the network if that runs there."""


@dataclass(frozen=True, kw_only=True)
class SaveOptions:
    """What to write for each input.

    Attributes:
        kinds: see `writers`; "ply" is a cloud per frame and, with a pose network, one of the whole sequence.
        batch_size: frames per forward pass.
        clouds: limits of the point clouds.
        metres_per_unit: factor from predicted depths to metres, for "kitti" and "bag"; None: the model's own.
        spacing: frames between two poses of a trajectory; None: the spacing of the training.
        allow_relative: write "bag" from a model without metres, in topics called so; else that is refused.
    """

    kinds: tuple[SaveKind, ...]
    batch_size: int = 8
    clouds: CloudLimits = field(default_factory=CloudLimits)
    metres_per_unit: float | None = None
    spacing: int | None = None
    allow_relative: bool = False

    def follows_camera(self, source: PredictionInput) -> bool:
        """Whether these outputs of an input need the camera's path.

        A trajectory requires it. Points are fused along it, but not across gaps, where it would be wrong.
        """
        fused = "ply" in self.kinds or "rrd" in self.kinds
        return "trajectory" in self.kinds or (fused and source.continuous and not source.gaps)


def output_paths(source: PredictionInput, folder: Path, kinds: Iterable[SaveKind]) -> Iterator[Path]:
    """Every file that `save_predictions` may write for these kinds, except for the README.txt beside some of them."""
    for kind in kinds:
        if kind == "mp4":
            yield folder / VIDEO_NAME
        elif kind == "rrd":
            yield folder / RECORDING_NAME
        elif kind == "bag":
            yield from (folder / BAG_NAME / name for name in BAG_FILES)
        elif kind == "trajectory":
            yield from (folder / kind / name for name in TRAJECTORY_FILES)
        elif kind == "ply":
            yield folder / DRIVE_NAME
            yield from (folder / kind / f"{name}.ply" for name in source.names)
        else:
            suffix, _ = FRAME_WRITERS[kind]
            yield from (folder / kind / f"{name}{suffix}" for name in source.names)


def save_predictions(
    predictor: Predictor,
    source: PredictionInput,
    folder: Path,
    options: SaveOptions,
    *,
    motion: MotionPredictor | None = None,
    advance: Callable[[int], None] = lambda n: None,
) -> int:
    """Predict all frames of an input, and write them as `folder/KIND/NAME.*`, `folder/video.mp4` and so on.

    One thread decodes ahead and a few write, while the network runs. Each file appears when it is complete, so an
    interruption leaves complete files only, and no video.

    Args:
        motion: predicts the camera's motion, for trajectories and for the cloud of a whole sequence.
        advance: called with the number of frames that were just predicted.

    Returns:
        The number of frames.

    Raises:
        DataError: for a frame that cannot be decoded, or points of a frame whose camera is unknown.
        OutputError: if the folder cannot be written to, or the disk is full.
    """
    frame_kinds = tuple(kind for kind in options.kinds if kind in FRAME_WRITERS)
    if "png16" in frame_kinds:
        _write_note(folder / "png16", predictor)
    metres_per_unit = options.metres_per_unit or predictor.metres_per_unit or 1.0
    count = 0
    odometer = _odometer(predictor, source, motion) if options.follows_camera(source) else None
    sequence = _SequenceWriter(source, folder, options, predictor, motion)
    with contextlib.ExitStack() as stack:
        files = _open_files(stack, predictor, source, folder, options, motion)
        frame_jobs = stack.enter_context(Jobs(workers=_WRITING_THREADS))
        ordered_jobs = stack.enter_context(Jobs(workers=1))  # one thread, because frames of one file are in order
        for frame in _predictions(predictor, source, options.batch_size, odometer):
            for kind in frame_kinds:
                suffix, write = FRAME_WRITERS[kind]
                prediction = frame.prediction.in_metres(metres_per_unit) if kind == "kitti" else frame.prediction
                frame_jobs.submit(write, folder / kind / f"{frame.name}{suffix}", prediction, frame.colours)
            for write_frame in files:
                ordered_jobs.submit(write_frame, frame, count)
            sequence.add(frame, count, frame_jobs)
            count += 1
            advance(1)
    sequence.finish()  # after the block, which has raised whatever a job raised
    return count


def _open_files(
    stack: contextlib.ExitStack,
    predictor: Predictor,
    source: PredictionInput,
    folder: Path,
    options: SaveOptions,
    motion: MotionPredictor | None,
) -> list[Callable[[_Frame, int], None]]:
    """What appends a frame, with its position in the input, to each of the files that hold all frames."""
    writers: list[Callable[[_Frame, int], None]] = []
    if "mp4" in options.kinds:
        video = stack.enter_context(create_video(folder / VIDEO_NAME, source.rate))
        writers.append(lambda frame, index: _write_video_frame(video, frame, source.seconds_from_start(index)))
    if "bag" in options.kinds:  # what it may hold was judged before
        factor = bag_factor(predictor, options.metres_per_unit, allow_relative=True, model=source.name)
        bag = stack.enter_context(create_bag(folder, source, camera_of(source, predictor), factor))
        writers.append(lambda frame, index: bag.write(frame.prediction, index))
    if "rrd" in options.kinds:
        about = _about(predictor, source, options, motion)
        recording = stack.enter_context(create_recording(folder / RECORDING_NAME, about))
        writers.append(lambda frame, index: _record_frame(recording, source, frame, index))
    return writers


def _about(
    predictor: Predictor, source: PredictionInput, options: SaveOptions, motion: MotionPredictor | None
) -> About:
    factor = predictor.metres_per_unit or (None if predictor.scale == "relative" else 1.0)
    return About(
        name=source.name,
        unit=describe_unit("relative" if factor is None else "metric", factor, predictor.metric),
        metres_per_unit=factor,
        path_metres_per_unit=None if motion is None else motion.metres_per_unit,
        depth_is=predictor.depth_is,
        clouds=options.clouds,
    )


def _record_frame(recording: Recording, source: PredictionInput, frame: _Frame, index: int) -> None:
    time_s = None if source.times_s is None else source.times_s[index]
    recording.add(frame.prediction, frame.image, index, time_s, frame.T_world_camera)


def _write_note(folder: Path, predictor: Predictor) -> None:
    write_png16_note(folder, predictor.scale, predictor.metres_per_unit, predictor.metric, predictor.depth_is)


def _odometer(predictor: Predictor, source: PredictionInput, motion: MotionPredictor | None) -> Odometer | None:
    """What follows the camera along an input; it knows the camera if the input or the model does."""
    if motion is None:
        return None
    width, height = source.first_size
    camera = source.camera_for(width, height) or predictor.training_camera(width=width, height=height)

    def fitted(image: UInt8[ndarray, "_h _w 3"]) -> UInt8[ndarray, "h w 3"]:
        return predictor.fitted(image, camera if (image.shape[1], image.shape[0]) == (width, height) else None)

    return Odometer(motion, None if camera is None else predictor.fitted_camera(camera), fitted)


def check_points(predictor: Predictor, source: PredictionInput) -> None:
    """Raise a DataError if the camera of the first frame is unknown: without it there are no points."""
    width, height = source.first_size
    if source.camera_for(width, height) is None and predictor.training_camera(width=width, height=height) is None:
        raise no_camera_for_points(width, height)


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """A frame and its predictions. T_world_camera is None if the camera is not followed, or between two poses."""

    name: str
    image: UInt8[ndarray, "h w 3"]
    prediction: DepthPrediction
    colours: ColourRange
    T_world_camera: Float[ndarray, "4 4"] | None


class _SequenceWriter:
    """Collects and writes the outputs that concern a whole input, its trajectory and its points."""

    def __init__(
        self,
        source: PredictionInput,
        folder: Path,
        options: SaveOptions,
        predictor: Predictor,
        motion: MotionPredictor | None,
    ) -> None:
        self._source, self._folder, self._options = source, folder, options
        # The poses are in the network's own unit; the depth of a calibrated model is not.
        own = predictor.metres_per_unit or 1.0
        self._depth_per_path = 1.0 if motion is None else (motion.metres_per_unit or own) / own
        self._unit = describe_unit(predictor.scale, predictor.metres_per_unit, predictor.metric)
        self._motion = motion
        self._poses: list[ndarray] = []
        self._times: list[float] = []
        self._fused: FusedCloud | None = None
        self._max_depth = 0.0

    def add(self, frame: _Frame, index: int, jobs: Jobs) -> None:
        T_world_camera = frame.T_world_camera
        if T_world_camera is not None:
            self._poses.append(T_world_camera)
            self._times.append(float(index) if self._source.times_s is None else self._source.times_s[index])
        if "ply" not in self._options.kinds:
            return
        if index == 0:  # one limit for all frames, or points would appear and vanish with the median of each
            self._max_depth, voxel = self._options.clouds.resolved(frame.prediction)
            self._fused = FusedCloud(voxel) if T_world_camera is not None else None
        cloud = point_cloud(frame.prediction, frame.image, self._max_depth)
        path = self._folder / "ply" / f"{frame.name}.ply"
        jobs.submit(partial(write_ply, path, cloud, unit=self._unit, frame=_CAMERA_AXES))
        if self._fused is not None and T_world_camera is not None:
            pose = T_world_camera.copy()
            pose[:3, 3] *= self._depth_per_path
            self._fused.add(cloud, pose)

    def finish(self) -> None:
        """Write the fused cloud and the trajectory."""
        if self._fused is not None:
            cloud = self._fused.result()
            write_ply(self._folder / DRIVE_NAME, cloud, unit=self._unit, frame=f"the first camera, {_CAMERA_AXES}")
        if "trajectory" in self._options.kinds:
            assert self._motion is not None, "a trajectory is not saved without a pose network"
            trajectory = self._motion.trajectory(self._poses, np.array(self._times))
            timed = self._source.times_s is not None
            write_trajectory(self._folder / "trajectory", trajectory, scale=self._motion.scale, timed=timed)


_CAMERA_AXES = "x right, y down, z forward"


def _predictions(
    predictor: Predictor, source: PredictionInput, batch_size: int, odometer: Odometer | None
) -> Iterator[_Frame]:
    colours: ColourRange | None = None
    waiting: deque[_Frame] = deque()  # frames whose pose is not known yet
    # Two batches ahead: while the network works on one, the next is decoded.
    with contextlib.closing(read_ahead(source.read(), depth=2 * batch_size)) as frames:  # type: ignore[type-var]
        named = zip(source.names, _large_enough(source, frames), strict=False)
        while batch := list(itertools.islice(named, batch_size)):
            images = [image for _, image in batch]
            poses = [None] * len(images) if odometer is None else odometer.advance(images)
            cameras = [source.camera_for(image.shape[1], image.shape[0]) for image in images]
            for (name, image), prediction in zip(batch, predictor.predict_batch(images, cameras), strict=True):
                # Stills of different places have nothing to flicker against, so each gets its own range.
                colours = smooth_range(colours if source.continuous else None, colour_range(prediction.disparity))
                waiting.append(
                    _Frame(name=name, image=image, prediction=prediction, colours=colours, T_world_camera=None)
                )
            yield from (dataclasses.replace(waiting.popleft(), T_world_camera=pose) for pose in poses)
    rest = [] if odometer is None else odometer.finish()
    yield from (dataclasses.replace(waiting.popleft(), T_world_camera=pose) for pose in rest)


def _large_enough(
    source: PredictionInput, frames: Iterable[UInt8[ndarray, "_h _w 3"]]
) -> Iterator[UInt8[ndarray, "_h _w 3"]]:
    """The frames. Raises DataError, naming the file, for one that is too small for any depth."""
    for index, image in enumerate(frames):
        require_large_enough(image.shape[1], image.shape[0], source.place(index))
        yield image


def _write_video_frame(video: VideoWriter, frame: _Frame, time_s: float | None) -> None:
    low, high = frame.colours
    pair = side_by_side(frame.image, colorize_disparity(frame.prediction.disparity, low=low, high=high))
    video.write(pair, time_s)
