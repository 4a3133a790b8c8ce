"""How good the demo's networks are on the held-out drive: depth, motion, and what they have to beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.clips.clips import ClipLoader, make_clips
from selfdepth.data.frames import FrameRef
from selfdepth.demo.drives import HELD_OUT, Drives
from selfdepth.demo.report_data import FrameView, PathView
from selfdepth.engine.setup import Run
from selfdepth.evaluation.depth.baselines import best_constant_depth, profile_disparity, row_profile
from selfdepth.evaluation.depth.metrics import PROTOCOLS, DepthReport, evaluate_set
from selfdepth.evaluation.odometry.metrics import absolute_trajectory_error
from selfdepth.geometry.rigid import chain
from selfdepth.inference.predictor import Predictor

_PROTOCOL = PROTOCOLS["dense"]
_BATCH = 16


@dataclass(frozen=True, kw_only=True)
class Baselines:
    """Errors of predictions that never look at the image; the attributes are as in `Report`."""

    per_row: DepthReport
    constant: DepthReport
    constant_m: float


@dataclass(frozen=True, kw_only=True)
class DemoEvaluation:
    """Errors of the networks, frames to look at, and the path."""

    depth: DepthReport
    frames: tuple[FrameView, ...]
    path: PathView


def baselines(drives: Drives) -> Baselines:
    """The mean depth of each row of the training drive, and the constant that fits the held-out drive best."""
    truths = list(drives.held_out.depth)
    height, width = truths[0].shape
    rows = profile_disparity(row_profile(drives.train.depth, _PROTOCOL, height), width)
    constant_m = best_constant_depth(truths, _PROTOCOL)
    constant = np.full((height, width), 1 / constant_m)
    return Baselines(
        per_row=evaluate_set([rows] * len(truths), truths, _PROTOCOL),
        # No scaling here: the best constant beats a constant brought to each image's median.
        constant=evaluate_set([constant] * len(truths), truths, _PROTOCOL, median_scaling=False),
        constant_m=constant_m,
    )


def judge(run: Run, drives: Drives, *, n_views: int) -> DemoEvaluation:
    """Predict depth and motion of the whole held-out drive with the run's last weights.

    Args:
        n_views: frames to look at, spread over the drive.
    """
    images, truths = drives.held_out.images, list(drives.held_out.depth)
    predictor = Predictor.load(run.folder / "last", device=str(run.device))
    disparities = [prediction.disparity for prediction in predictor.predict_stream(images, _BATCH)]
    depth = evaluate_set(disparities, truths, _PROTOCOL)
    return DemoEvaluation(depth=depth, frames=_views(run, drives, disparities, depth, n_views), path=_path(run, drives))


@torch.no_grad()
def _views(
    run: Run, drives: Drives, disparities: list[ndarray], depth: DepthReport, n_views: int
) -> tuple[FrameView, ...]:
    clips = run.data.val.clips
    errors = {image.name: image for image in depth.images}
    views = []
    run.learner.eval()
    # The middles of n equal parts of the drive.
    for index in np.unique(((np.arange(n_views) + 0.5) * len(clips) / n_views).astype(int)).tolist():
        number = clips.refs[index].number
        error = errors[str(number)]
        keep = run.learner(run.data.val.clip(index)).automask[0].float().cpu().numpy()
        views.append(
            FrameView(
                name=f"frame {number}",
                image=drives.held_out.images[number],
                depth=(error.ratio or 1.0) / disparities[number],
                truth=drives.held_out.depth[number],
                keep=keep,
                abs_rel=error.abs_rel,
            )
        )
    return tuple(views)


def _path(run: Run, drives: Drives) -> PathView:
    # The pose network knows motions over a clip's spacing, so the path has a point for every so many frames.
    true_poses = drives.held_out.T_world_camera[:: run.data.store.spacing]
    poses = chain(_motions(run, len(true_poses)))
    error = absolute_trajectory_error(poses, true_poses)
    straight = np.tile(np.eye(4), (len(true_poses), 1, 1))
    straight[:, 2, 3] = np.arange(len(true_poses))
    truth = true_poses[:, :3, 3]
    return PathView(
        predicted=error.alignment.apply(poses[:, :3, 3]),
        truth=truth,
        ate_m=error.rmse,
        length_m=float(np.linalg.norm(np.diff(truth, axis=0), axis=1).sum()),
        straight_ate_m=absolute_trajectory_error(straight, true_poses).rmse,
    )


@torch.no_grad()
def _motions(run: Run, n_poses: int) -> Float[ndarray, "n 4 4"]:
    """T_next_current of the held-out drive, as the pose network sees it."""
    store = run.data.store
    refs = [FrameRef(HELD_OUT, pose * store.spacing) for pose in range(n_poses - 1)]
    clips = make_clips(store, refs, offsets=(1,), spacing=store.spacing)
    loader = ClipLoader(store, clips, batch_size=_BATCH, seed=0, device=run.device, augment=False)
    run.learner.eval()
    motions = [
        run.learner.relative_transforms(batch)[:, 0].double().cpu().numpy()
        for _, batch in loader.evaluation_batches(_BATCH)
    ]
    return np.concatenate(motions)
