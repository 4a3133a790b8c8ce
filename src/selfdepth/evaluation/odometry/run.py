"""Evaluate a trajectory, of a model or from a file, against the true one; with a straight line as the baseline."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.readers.cameras import or_models
from selfdepth.data.readers.trajectories import read_trajectory
from selfdepth.errors import DataError
from selfdepth.evaluation.odometry.drift import DriftError, RelativePoseError, kitti_drift, relative_pose_error
from selfdepth.evaluation.odometry.metrics import (
    Alignment,
    SnippetError,
    TrajectoryError,
    absolute_trajectory_error,
    alignment_of,
    snippet_error,
)
from selfdepth.evaluation.odometry.sequences import EvaluationSequence
from selfdepth.geometry.rigid import relative
from selfdepth.inference.odometry import MotionPredictor, Odometer, too_few_frames
from selfdepth.structs import Trajectory
from selfdepth.weights.files import load_weights

MAX_TIME_DIFFERENCE_S = 0.01
"""Two poses this close in time belong to the same frame: less than half of the time between frames at 30 a second."""

MIN_MATCHED = 0.5
"""Where fewer of the predicted poses have a true one, the timestamps are probably in another unit."""

FIVE_FRAME_NOTE = "published as ATE; it is RMSE / sqrt(N) of snippets of N = 5 frames, each scaled on its own"


@dataclass(frozen=True, kw_only=True)
class OdometryEvaluation:
    """Errors of a trajectory, and the baseline to compare them with.

    Attributes:
        predicted: after alignment, in the world of `truth`.
        truth: at the same times; the world is its first camera.
        how: the alignment.
        five_frame: before alignment, because each snippet has a scale of its own.
        absolute, relative, drift: after alignment; `drift` is None if the path is shorter than every segment.
        straight_rmse: absolute error of a straight line at the true mean speed, aligned in the same way.
        frames: number of poses of the whole true trajectory.
    """

    predicted: Trajectory
    truth: Trajectory
    how: Alignment
    five_frame: SnippetError
    absolute: TrajectoryError
    relative: RelativePoseError
    drift: DriftError | None
    straight_rmse: float
    frames: int

    @property
    def length(self) -> float:
        """Length of the true path, in its unit."""
        return float(np.linalg.norm(np.diff(self.truth.T_world_camera[:, :3, 3], axis=0), axis=1).sum())

    def to_json(self) -> dict[str, Any]:
        """The errors as JSON values; lengths are in the unit of the true trajectory."""
        absolute = {name: getattr(self.absolute, name) for name in ("rmse", "mean", "median", "max")}
        five = self.five_frame
        return {
            "five_frame_error": {"mean": five.mean, "std": five.std, "note": FIVE_FRAME_NOTE},
            "ate": absolute,
            "rpe": asdict(self.relative),
            "kitti": None if self.drift is None else asdict(self.drift),
            "alignment": {"kind": self.how, "scale": self.absolute.alignment.scale},
            "straight_line": {"ate_rmse": self.straight_rmse},
            "length": self.length,
            "poses": len(self.truth),
            "frames": self.frames,
            **({} if self.predicted.metric is None else {"metric": self.predicted.metric.to_json()}),
        }


def predict_trajectory(
    model: str, evaluated: EvaluationSequence, *, spacing: int | None = None, device: str = "auto", batch_size: int = 8
) -> tuple[Trajectory, Alignment]:
    """Follow the camera along a sequence with a model, in float32, inside the crop of its training.

    Args:
        model: folder or name for `load_weights`.
        spacing: frames between two poses; None: the model's.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        batch_size: poses per forward pass.

    Returns:
        T_world_camera at every `spacing`-th frame, in metres if the model knows them; and the alignment that suits
        them: rigid for metres, else with scale.

    Raises:
        SelfDepthError: for a model that cannot be used, or a sequence with fewer frames than its pose network needs.
    """
    weights = load_weights(model)
    # fp32 everywhere: with "auto" the errors of one model would depend on the machine.
    motion = MotionPredictor(weights, spacing=spacing, device=device, precision="fp32")
    sequence = evaluated.sequence
    numbers = sequence.numbers[:: motion.spacing]
    if len(numbers) < motion.plan.min_frames:
        raise too_few_frames(motion, len(sequence.numbers), where=sequence.name)
    camera = or_models(sequence.camera, weights.camera)
    images = (weights.fit(image, camera)[0] for image in sequence.read(sequence.numbers))
    odometer, answers = Odometer(motion, weights.fit.camera(camera)), []
    while batch := list(itertools.islice(images, batch_size * motion.spacing)):
        answers += odometer.advance(batch)
    # Frames between two at the spacing have no pose.
    poses = [pose for pose in (*answers, *odometer.finish()) if pose is not None]
    alignment: Alignment = "sim3" if motion.metres_per_unit is None else "se3"
    return motion.trajectory(poses, evaluated.truth.timestamps[:: motion.spacing]), alignment


def read_predicted(path: Path, truth: Trajectory) -> Trajectory:
    """A given trajectory: text in KITTI's format with one pose per true pose, or in TUM's with timestamps.

    Raises:
        DataError: for a file that cannot be used.
    """
    return read_trajectory(path, timestamps=truth.timestamps)


def evaluate_trajectory(predicted: Trajectory, truth: Trajectory, how: Alignment, *, where: str) -> OdometryEvaluation:
    """Bring the trajectories to the same times and the same first camera, align them, and compare them.

    Args:
        how: the alignment.
        where: name of the predictions, for errors.

    Raises:
        DataError: if fewer than two predicted poses, or fewer than half of them, belong to a true pose.
    """
    frames = len(truth)
    predicted, truth = matched(predicted, truth, where=where)
    # With both worlds at the first camera, the alignments "none" and "scale" compare paths with a common start.
    predicted, truth = predicted.from_first(), truth.from_first()
    raw, true = predicted.T_world_camera, truth.T_world_camera
    similarity = alignment_of(raw, true, how)
    aligned = similarity.apply_to_poses(raw)
    return OdometryEvaluation(
        predicted=replace(predicted, T_world_camera=aligned),
        truth=truth,
        how=how,
        five_frame=snippet_error(relative(raw), true),
        absolute=absolute_trajectory_error(raw, true, alignment=how),
        relative=relative_pose_error(aligned, true),
        drift=kitti_drift(aligned, true),
        straight_rmse=absolute_trajectory_error(_straight(true), true, alignment=how).rmse,
        frames=frames,
    )


def matched(predicted: Trajectory, truth: Trajectory, *, where: str) -> tuple[Trajectory, Trajectory]:
    """The poses that both trajectories have, matched by their times. Raises DataError as `evaluate_trajectory`."""
    # The true poses before and after each predicted one; at either end, the two outermost.
    later = np.searchsorted(truth.timestamps, predicted.timestamps).clip(1, len(truth) - 1)
    before, after = (np.abs(truth.timestamps[i] - predicted.timestamps) for i in (later - 1, later))
    nearest = np.where(before <= after, later - 1, later)
    near = np.minimum(before, after) <= MAX_TIME_DIFFERENCE_S
    # If several predicted poses are near the same true one, the first is taken.
    true_rows, first = np.unique(nearest[near], return_index=True)
    rows = np.flatnonzero(near)[first]
    if len(rows) < 2 or near.mean() < MIN_MATCHED:
        ranges = [f"{each.timestamps[0]:g} to {each.timestamps[-1]:g}" for each in (predicted, truth)]
        raise DataError(
            "the trajectories have too few times in common",
            where=where,
            expected=f"times within {MAX_TIME_DIFFERENCE_S:g} s of the true ones, {ranges[1]}",
            got=f"{int(near.sum())} of {len(predicted)} such, from {ranges[0]}",
            fix="write timestamps in the unit of the true ones, or KITTI's format with one pose for each frame",
        )
    return _rows(predicted, rows), _rows(truth, true_rows)


def _rows(trajectory: Trajectory, rows: ndarray) -> Trajectory:
    return replace(trajectory, T_world_camera=trajectory.T_world_camera[rows], timestamps=trajectory.timestamps[rows])


def _straight(truth: Float[ndarray, "n 4 4"]) -> Float[ndarray, "n 4 4"]:
    """The baseline: poses straight ahead at the true mean speed."""
    # The speed matters for rigid alignment only; a similarity would find it by itself.
    stride = np.linalg.norm(np.diff(truth[:, :3, 3], axis=0), axis=1).mean()
    straight = np.tile(np.eye(4), (len(truth), 1, 1))
    straight[:, 2, 3] = stride * np.arange(len(truth))
    return straight
