"""Evaluate the demo's networks on the held-out drive: depth, motion, and the baselines of both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy import ndarray

from selfdepth.demo.drives import HELD_OUT, Drives
from selfdepth.demo.report_data import FrameView, PathView
from selfdepth.engine.setup import Run
from selfdepth.evaluation.depth.baselines import best_constant, profile_disparity, row_profile
from selfdepth.evaluation.depth.metrics import PROTOCOLS, DepthReport, evaluate_set
from selfdepth.evaluation.odometry.run import evaluate_trajectory, predict_trajectory
from selfdepth.evaluation.odometry.sequences import EvaluationSequence
from selfdepth.inference.predictor import Predictor
from selfdepth.structs import Trajectory

_PROTOCOL = PROTOCOLS["dense"]  # rendered depth has no gaps: every pixel up to 80 m counts
_BATCH = 16


@dataclass(frozen=True, kw_only=True)
class Baselines:
    """Errors of predictions that do not depend on the image; the attributes are those of `Report`."""

    per_row: DepthReport
    constant: DepthReport
    constant_m: float


@dataclass(frozen=True, kw_only=True)
class DemoEvaluation:
    """Errors of the networks on the held-out drive.

    Attributes:
        depth: over all of its frames.
        frames: some of them with their pictures.
        path: the camera's path.
    """

    depth: DepthReport
    frames: tuple[FrameView, ...]
    path: PathView


def baselines(drives: Drives) -> Baselines:
    """Errors of the mean depth of each row of the training drives, and of the constant that fits the held-out drive
    best.

    The rows are those of the training drives, because a network has no more to learn from either. The constant is
    chosen on the held-out drive itself, so that no constant can do better there.
    """
    truths = list(drives.held_out.depth)
    height, width = truths[0].shape
    rows = profile_disparity(
        row_profile((depth for drive in drives.train for depth in drive.depth), _PROTOCOL, height), width
    )
    constant_m, constant = best_constant(truths, _PROTOCOL)
    per_row = evaluate_set([rows] * len(truths), truths, _PROTOCOL)
    return Baselines(per_row=per_row, constant=constant, constant_m=constant_m)


def evaluate_run(run: Run, drives: Drives, *, n_views: int) -> DemoEvaluation:
    """Predict depth and motion of the whole held-out drive with the run's last weights, and evaluate both.

    The last weights and not the best ones: those were chosen by their error on frames of this drive.

    Args:
        n_views: frames with pictures, spread evenly over the validation frames.
    """
    images, truths = drives.held_out.images, list(drives.held_out.depth)
    # From the files, as a user would: what is measured is what the demo leaves behind.
    predictor = Predictor.load(run.folder / "last", device=str(run.device))
    disparities = [prediction.disparity for prediction in predictor.predict_stream(images, _BATCH)]
    depth = evaluate_set(disparities, truths, _PROTOCOL)
    return DemoEvaluation(depth=depth, frames=_views(run, drives, disparities, depth, n_views), path=_path(run, drives))


@torch.no_grad()
def _views(
    run: Run, drives: Drives, disparities: list[ndarray], depth: DepthReport, n_views: int
) -> tuple[FrameView, ...]:
    """Pictures of some frames; only validation frames have the clip that the auto-mask is computed from."""
    clips = run.data.val.clips
    errors = {image.name: image for image in depth.images}
    views = []
    run.learner.eval()  # batch norm by its running statistics, as in prediction
    # The middles of n equal parts; fewer parts than views give an index twice.
    for index in np.unique(((np.arange(n_views) + 0.5) * len(clips) / n_views).astype(int)).tolist():
        number = clips.refs[index].number
        error = errors[str(number)]
        automask = run.learner(run.data.val.clip(index)).automask[0].float().cpu().numpy()
        views.append(
            FrameView(
                name=f"frame {number}",
                image=drives.held_out.images[number],
                depth=(error.ratio or 1.0) / disparities[number],  # the scale that the errors were computed with
                truth=drives.held_out.depth[number],
                automask=automask,
                abs_rel=error.abs_rel,
            )
        )
    return tuple(views)


def _path(run: Run, drives: Drives) -> PathView:
    """Follow the camera along the held-out drive as `evaluate odometry` does: in float32, aligned by a similarity."""
    drive = drives.held_out
    truth = Trajectory(T_world_camera=drive.T_world_camera, timestamps=drive.timestamps)
    (sequence,) = (sequence for sequence in drives.footage.sequences if sequence.name == HELD_OUT)
    predicted, _ = predict_trajectory(
        str(run.folder / "last"),
        EvaluationSequence(sequence=sequence, truth=truth),
        # The store holds the spacing in frames; the configuration may hold "auto".
        spacing=run.data.store.spacing,
        device=str(run.device),
        batch_size=_BATCH,
    )
    evaluation = evaluate_trajectory(predicted, truth, "sim3", where="the held-out drive")
    return PathView(
        predicted=evaluation.predicted.T_world_camera[:, :3, 3],
        truth=evaluation.truth.T_world_camera[:, :3, 3],
        ate_m=evaluation.absolute.rmse,
        length_m=evaluation.length,
        straight_ate_m=evaluation.straight_rmse,
    )
