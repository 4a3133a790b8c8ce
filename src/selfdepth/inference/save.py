"""Prediction along many frames: decoding, the network and writing at the same time."""

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

from selfdepth.inference.inputs import PredictionInput
from selfdepth.inference.odometry import MotionPredictor, Odometer
from selfdepth.inference.pointcloud import (
    CloudLimits,
    FusedCloud,
    no_camera_for_points,
    point_cloud,
    write_ply,
)
from selfdepth.inference.predictor import Predictor
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
from selfdepth.weights.files import Scale, unit_in_words

SaveKind = Literal["color", "npz", "png16", "kitti", "mp4", "ply", "trajectory"]
VIDEO_NAME = "video.mp4"
DRIVE_NAME = "drive.ply"


@dataclass(frozen=True, kw_only=True)
class SaveOptions:
    """What is written of each source.

    Attributes:
        kinds: see `writers`; "ply" is a cloud for each frame and, with a pose network, one of the whole drive.
        batch_size: frames per pass of the networks.
        clouds: what is kept of point clouds.
        metres_per_unit: what turns predicted depths into metres, for "kitti"; None: what the model knows.
        spacing: frames between two poses of a trajectory; None: that of the training.
    """

    kinds: tuple[SaveKind, ...]
    batch_size: int = 8
    clouds: CloudLimits = field(default_factory=CloudLimits)
    metres_per_unit: float | None = None
    spacing: int | None = None

    def follows(self, source: PredictionInput) -> bool:
        """Whether the camera has to be followed for it."""
        return "trajectory" in self.kinds or ("ply" in self.kinds and source.continuous and not source.gaps)


def output_paths(source: PredictionInput, folder: Path, kinds: Iterable[SaveKind]) -> Iterator[Path]:
    """Every file that `save_predictions` may write for these kinds, but for the notes beside some of them."""
    for kind in kinds:
        if kind == "mp4":
            yield folder / VIDEO_NAME
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
    saving: SaveOptions,
    *,
    motion: MotionPredictor | None = None,
    advance: Callable[[int], None] = lambda n: None,
) -> int:
    """Predict all frames of a source and write them as `folder/KIND/NAME.*`, `folder/video.mp4` and the like.

    One thread decodes ahead and a few write, while the network runs. Every file appears when it is complete, so
    an interruption leaves whole files only, and no video.

    Args:
        motion: follows the camera; needed for trajectories and for the cloud of a whole drive.
        advance: called with the number of frames that were just predicted.

    Returns:
        How many frames were written.

    Raises:
        DataError: for a frame that cannot be decoded, or points of a frame whose camera is not known.
        OutputError: when the place cannot be written to.
    """
    frame_kinds = tuple(kind for kind in saving.kinds if kind in FRAME_WRITERS)
    if "png16" in frame_kinds:
        write_png16_note(folder / "png16", predictor.scale, predictor.metres_per_unit)
    count = 0
    odometer = Odometer(motion) if motion is not None and saving.follows(source) else None
    drive = _Drive(source, folder, saving, predictor, motion)
    with contextlib.ExitStack() as stack:
        video = stack.enter_context(create_video(folder / VIDEO_NAME, source.rate)) if "mp4" in saving.kinds else None
        files = stack.enter_context(Jobs(workers=min(4, os.cpu_count() or 1)))
        film = stack.enter_context(Jobs(workers=1))  # a video's frames are encoded in their order
        for frame in _predictions(predictor, source, saving.batch_size, odometer):
            for kind in frame_kinds:
                suffix, write = FRAME_WRITERS[kind]
                prediction = frame.prediction
                if kind == "kitti":
                    prediction = prediction.in_metres(saving.metres_per_unit or predictor.metres_per_unit or 1.0)
                files.submit(write, folder / kind / f"{frame.name}{suffix}", prediction, frame.colours)
            if video is not None:
                film.submit(_write_film_frame, video, frame)
            drive.add(frame, count, files)
            count += 1
            advance(1)
    drive.finish()
    return count


def check_points(predictor: Predictor, source: PredictionInput) -> None:
    """Refuse to make points of frames whose camera is not known. Raises DataError."""
    width, height = source.first_size
    if source.camera_for(width, height) is None and predictor.training_camera(width=width, height=height) is None:
        raise no_camera_for_points(width, height)


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """A frame and all that was predicted for it; T_world_camera is None where the camera was not followed."""

    name: str
    image: UInt8[ndarray, "h w 3"]
    prediction: DepthPrediction
    colours: ColourRange
    T_world_camera: Float[ndarray, "4 4"] | None


class _Drive:
    """What is written of a whole source: its trajectory and its points."""

    def __init__(
        self,
        source: PredictionInput,
        folder: Path,
        saving: SaveOptions,
        predictor: Predictor,
        motion: MotionPredictor | None,
    ) -> None:
        self._source, self._folder, self._saving = source, folder, saving
        self._unit = unit_in_words(predictor.scale, predictor.metres_per_unit)
        self._motion = motion
        self._poses: list[ndarray] = []
        self._times: list[float] = []
        self._fused: FusedCloud | None = None
        self._max_depth = 0.0

    def add(self, frame: _Frame, index: int, files: Jobs) -> None:
        T_world_camera = frame.T_world_camera
        if T_world_camera is not None:
            self._poses.append(T_world_camera)
            self._times.append(float(index) if self._source.times_s is None else self._source.times_s[index])
        if "ply" not in self._saving.kinds:
            return
        if index == 0:
            self._max_depth, voxel = self._saving.clouds.resolved(frame.prediction)
            self._fused = FusedCloud(voxel) if T_world_camera is not None else None
        cloud = point_cloud(frame.prediction, frame.image, self._max_depth)
        path = self._folder / "ply" / f"{frame.name}.ply"
        files.submit(partial(write_ply, path, cloud, unit=self._unit, frame=_CAMERA_AXES))
        if self._fused is not None and T_world_camera is not None:
            self._fused.add(cloud, T_world_camera)

    def finish(self) -> None:
        """Write what is of all frames together."""
        if self._fused is not None:
            cloud = self._fused.result()
            write_ply(self._folder / DRIVE_NAME, cloud, unit=self._unit, frame=f"the first camera, {_CAMERA_AXES}")
        if "trajectory" in self._saving.kinds:
            assert self._motion is not None, "a trajectory is not saved without a pose network"
            trajectory = self._motion.trajectory(self._poses, np.array(self._times))
            scale: Scale = "relative" if self._motion.metres_per_unit is None else "metric"
            timed = self._source.times_s is not None
            write_trajectory(self._folder / "trajectory", trajectory, scale=scale, timed=timed)


_CAMERA_AXES = "x right, y down, z forward"


def _predictions(
    predictor: Predictor, source: PredictionInput, batch_size: int, odometer: Odometer | None
) -> Iterator[_Frame]:
    colours: ColourRange | None = None
    waiting: deque[_Frame] = deque()  # where poses come later than their frames
    with contextlib.closing(read_ahead(source.read(), depth=2 * batch_size)) as frames:  # type: ignore[type-var]
        named = zip(source.names, frames, strict=False)
        while batch := list(itertools.islice(named, batch_size)):
            images = [image for _, image in batch]
            poses = [None] * len(images) if odometer is None else odometer.advance(images)
            for (name, image), prediction in zip(batch, predictor.predict_batch(images), strict=True):
                colours = smooth_range(colours if source.continuous else None, colour_range(prediction.disparity))
                camera = source.camera_for(image.shape[1], image.shape[0])
                if camera is not None:
                    prediction = dataclasses.replace(prediction, camera=camera)
                waiting.append(
                    _Frame(name=name, image=image, prediction=prediction, colours=colours, T_world_camera=None)
                )
            yield from (dataclasses.replace(waiting.popleft(), T_world_camera=pose) for pose in poses)
    rest = [] if odometer is None else odometer.finish()
    yield from (dataclasses.replace(waiting.popleft(), T_world_camera=pose) for pose in rest)


def _write_film_frame(video: VideoWriter, frame: _Frame) -> None:
    low, high = frame.colours
    video.write(side_by_side(frame.image, colorize_disparity(frame.prediction.disparity, low=low, high=high)))
