"""Judging models where there is no ground truth: by frames rebuilt from their neighbours, with one model's motion."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from selfdepth.comparison.candidates import Candidate
from selfdepth.comparison.photometric import Clip, Fit, best_fit, clips_of, disparities_of, unmoved
from selfdepth.comparison.request import CompareRequest
from selfdepth.comparison.result import CONSTANT, ROWS, SHOWN, UNMOVED, Errors, Judged, View
from selfdepth.errors import ConfigError
from selfdepth.evaluation.depth.frames import EvaluationFrames
from selfdepth.inference.odometry import MotionPredictor, has_pose_network, require_pose_network
from selfdepth.inference.visualize import colorize_disparity

_REBUILT = 25
"""Frames that are rebuilt, at most, unless the user says how many."""


def by_neighbours(
    candidates: Sequence[Candidate], sights: Sequence[EvaluationFrames], request: CompareRequest
) -> Judged:
    """The photometric error of frames that are rebuilt from their neighbours by each depth.

    Args:
        sights: the frames as each of the candidates sees them.

    Raises:
        SelfDepthError: if no model tells the motion, or no frame has neighbours.
    """
    guide = _guide(candidates, request)
    guide_name = candidates[guide].name
    kinds = {each.weights.depth_is for each in candidates}
    if len(kinds) > 1:
        raise ConfigError(
            "depth along the ray and along z cannot be compared without ground truth",
            got=", ".join(f"{each.name}: {each.weights.depth_is}" for each in candidates),
            fix="compare those of one kind",
        )
    motion = MotionPredictor(candidates[guide].weights, device=request.device, precision="fp32")
    clips = clips_of(sights[guide], motion, request.options.at_most or _REBUILT)
    maps = [disparities_of(each, sights[guide], clips) for each in candidates]
    medians = [float(np.median(1 / disparity)) * _own(candidates[guide]) for disparity in maps[guide]]
    profile = np.mean([(1 / disparity / np.median(1 / disparity)).mean(1) for disparity in maps[guide]], axis=0)
    rows = np.repeat(1 / profile[:, None], maps[guide][0].shape[1], axis=1)
    shifted = [each.name for each in candidates if each.predictor.has_shift]
    fit = partial(best_fit, shifts=bool(shifted))
    fits = [[fit(*each) for each in zip(clips, own, medians, strict=True)] for own in maps]
    baselines = {
        CONSTANT: [fit(clip, np.ones_like(rows), median).error for clip, median in zip(clips, medians, strict=True)],
        ROWS: [fit(clip, rows, median).error for clip, median in zip(clips, medians, strict=True)],
        UNMOVED: [unmoved(clip) for clip in clips],
    }
    return Judged(
        errors=[_mean_error([each.error for each in own]) for own in fits],
        baselines={name: _mean_error(errors) for name, errors in baselines.items()},
        measure="photometric error",
        how=(
            "no ground truth: each frame is rebuilt from its two neighbours, by the motion that the pose network of "
            f"{guide_name} sees; the error is the paper's, SSIM and L1, the smaller of both at each pixel",
            f"{_fitted(shifted)}; {ROWS} is that of {guide_name}",
        ),
        frames=f"{len(clips)} frames",
        views=_views_of_clips(candidates, clips, fits),
    )


def _guide(candidates: Sequence[Candidate], request: CompareRequest) -> int:
    """Which of the models tells the motion. Raises ConfigError if none can."""
    if request.motion_from is not None:
        if request.motion_from not in request.models:
            raise ConfigError(
                "the motion is that of one of the models",
                where="--motion-from",
                expected=" or ".join(request.models),
                got=request.motion_from,
            )
        chosen = request.models.index(request.motion_from)
        require_pose_network(candidates[chosen].weights)
        return chosen
    able = [i for i, each in enumerate(candidates) if has_pose_network(each.weights)]
    if not able:
        raise ConfigError(
            "the data has no ground truth, and no model has a pose network, so nothing can be compared",
            where=request.data,
            expected="ground truth, or among the models one that was trained on successive frames",
            got=", ".join(request.models),
            fix="add such a model: its motion serves all of them",
        )
    return able[0]


def _fitted(shifted: Sequence[str]) -> str:
    """What each depth is fitted by, for people."""
    if not shifted:
        return "the depth of each frame has the factor with the smallest error, so that no unit has an advantage"
    return (
        f"{' and '.join(shifted)} gives disparity up to a shift: the disparity of each frame has the factor and the "
        "shift with the smallest error, out of its own and four, that of every model and baseline"
    )


def _own(candidate: Candidate) -> float:
    """From the unit of a model's predictions to that of its pose network."""
    return 1.0 if candidate.weights.metric is None else 1 / candidate.weights.metric.factor


def _mean_error(errors: Sequence[float]) -> Errors:
    return Errors(mean=float(np.mean(errors)), frames=np.array(errors))


def _views_of_clips(
    candidates: Sequence[Candidate],
    clips: Sequence[Clip],
    fits: Sequence[Sequence[Fit]],
) -> tuple[View, ...]:
    views = []
    for index in np.unique(np.linspace(0, len(clips) - 1, min(SHOWN, len(clips))).round().astype(int)).tolist():
        clip = clips[index]
        scaled = [own[index].disparity for own in fits]
        high = float(np.percentile(scaled[0], 97))
        frame = (clip.frames[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        pictures = [("image", frame)]
        for each, disparity, own in zip(candidates, scaled, fits, strict=True):
            pictures.append((f"{each.name}: {own[index].error:.4f}", colorize_disparity(disparity, low=0, high=high)))
        views.append(View(name=f"frame {clip.ref.number} of {clip.ref.sequence}", pictures=tuple(pictures)))
    return tuple(views)
