"""What some clips of a run that learned its distortion say about it, for `distortion_verdict.py`."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from selfdepth.engine.distortion_verdict import EDGE_STEPS, DistortionVerdict, judge_distortion
from selfdepth.geometry.camera import downscale
from selfdepth.geometry.learned_lenses import across
from selfdepth.geometry.se3 import transform_from_axis_angle
from selfdepth.geometry.warp import by_depth, project_with_depth
from selfdepth.learners.camera import LearnedCamera
from selfdepth.learners.lens import LearnedLens, seen_through
from selfdepth.learners.self_supervised import SelfSupervisedDepth
from selfdepth.losses.alignment import align
from selfdepth.losses.objective import self_supervised_loss, upsample
from selfdepth.structs import Batch

_SCALE = 2
"""Images are compared at a quarter of their size: what remains of a distortion is smooth."""
_STEP = 1e-4
"""Of the differences by which places are differentiated, in double precision."""


@torch.no_grad()
def measure_distortion(
    learner: SelfSupervisedDepth, number: int, clips: list[Batch], course: list[float]
) -> DistortionVerdict:
    """The verdict on the distortion of a camera from some of its clips. The learner is in evaluation mode.

    Args:
        course: as in `judge_distortion`.
    """
    camera, lens = learner.camera, learner.lens
    assert camera is not None and lens is not None
    by_edge = _edge_gradient(camera, lens, number)
    moved = [_bent(lens, number, step / by_edge[-lens.bend.shape[1]]) for step in EDGE_STEPS]
    errors = np.zeros((len(clips), len(EDGE_STEPS)))
    information, pixels, width = np.zeros((len(by_edge), len(by_edge))), 0, 1
    for i, clip in enumerate(clips):
        width = clip.frames.shape[-1]
        disparity = upsample(learner.predict_disparity(clip), (clip.frames.shape[-2], width))
        T = learner.relative_transforms(clip)
        errors[i] = [_error(learner, seen_through(clip, camera, each), disparity, T) for each in moved]
        depth = learner.loss_config.depth_range.depth(disparity)
        found, counted = left_over(clip, depth, T, camera, lens, number)
        information, pixels = information + found, pixels + counted
    return judge_distortion(
        course=course, errors=errors, information=information / max(pixels, 1), by_edge=by_edge, width=width
    )


def left_over(
    clip: Batch,
    depth: Float[Tensor, "b 1 h w"],
    T_source_target: Float[Tensor, "b s 4 4"],
    camera: LearnedCamera,
    lens: LearnedLens,
    number: int = 0,
) -> tuple[Float[ndarray, "n n"], int]:
    """How far a change of what is learned of a camera moves pixels, less what depths and motions make up for.

    Depth is free at every pixel, and a motion for each source; to first order.

    Args:
        clip: with the lens of the start.
        depth: along the rays.

    Returns:
        The sum over the pixels of the products of their shifts by each two of the numbers log f, cx, cy and those of
        the distortion; pixels squared. And the number of pixels.
    """
    small, depth = _coarse(clip, depth)
    camera, lens, T = deepcopy(camera).double(), deepcopy(lens).double(), T_source_target.double()
    numbers = [(camera.log_focal, (number,)), *((camera.offset, (number, i)) for i in (0, 1))]
    numbers += [(lens.bend, (number, i)) for i in range(lens.bend.shape[1])]
    seen = seen_through(small, camera, lens)
    assert seen.lenses is not None
    total, pixels = np.zeros((len(numbers), len(numbers))), 0
    for motion in T.unbind(1):
        along = 2**_SCALE * by_depth(depth, motion, seen.K, seen.lenses.detached())
        places, distance = _places(seen, depth, motion)
        size = places.new_tensor([places.shape[-1] - 1, places.shape[-2] - 1])[:, None, None]
        counted = (distance > 0) & ((places >= 0) & (places <= size)).all(1, keepdim=True)

        def shift(change: Callable[[float], Tensor], along: Tensor = along, counted: Tensor = counted) -> Tensor:
            moved = 2**_SCALE * (change(_STEP) - change(-_STEP)) / (2 * _STEP)
            return (across(moved, along) * counted).flatten()

        def turned(axis: int, by: float, motion: Tensor = motion) -> Tensor:
            twist = torch.zeros(len(motion), 6, dtype=motion.dtype, device=motion.device)
            twist[:, axis] = by
            return _places(seen, depth, transform_from_axis_angle(twist[:, :3], twist[:, 3:]) @ motion)[0]

        def changed(place: tuple[Tensor, tuple[int, ...]], by: float, motion: Tensor = motion) -> Tensor:
            values, at = place
            before = values.data[at].clone()
            values.data[at] = before + by
            moved = _places(seen_through(small, camera, lens), depth, motion)[0]
            values.data[at] = before
            return moved

        by_camera = torch.stack([shift(lambda by, at=each: changed(at, by)) for each in numbers], 1)
        by_motion = torch.stack([shift(lambda by, axis=axis: turned(axis, by)) for axis in range(6)], 1)
        # What is left after the motion that fits best.
        rest = by_camera - by_motion @ (torch.linalg.pinv(by_motion) @ by_camera)
        total += (rest.T @ rest).cpu().numpy()
        pixels += int(counted.sum())
    return total, pixels


def _places(seen: Batch, depth: Tensor, T: Tensor) -> tuple[Tensor, Tensor]:
    assert seen.lenses is not None
    return project_with_depth(depth, T, seen.K, seen.lenses.detached())


def _coarse(clip: Batch, depth: Float[Tensor, "b 1 h w"]) -> tuple[Batch, Float[Tensor, "b 1 _h _w"]]:
    """A clip and its depth at a quarter of their size, in double precision."""
    assert clip.lenses is not None
    frames, K = downscale(clip.frames.double(), clip.K.double(), _SCALE, "center")
    block = 2**_SCALE
    lenses = replace(
        clip.lenses,  # of which the size alone counts: the rays are found anew
        values=clip.lenses.values.double(),
        rays=clip.lenses.rays[..., : frames.shape[-2], : frames.shape[-1]].double(),
        seen=clip.lenses.seen[..., : frames.shape[-2], : frames.shape[-1]],
    )
    middle = depth.double()[..., block // 2 :: block, block // 2 :: block]
    return replace(clip, frames=frames, inputs=frames, K=K, lenses=lenses), middle


def _error(learner: SelfSupervisedDepth, clip: Batch, disparity: Tensor, T: Tensor) -> float:
    """The photometric error of a clip through its lens, the motion fitted anew."""
    config = replace(learner.loss_config, smoothness=0.0, automask=False)
    T = align(T, config.depth_range.depth(disparity), clip.frames, clip.K, clip.lenses)
    return float(self_supervised_loss((disparity,), T, clip.frames, clip.K, config, lenses=clip.lenses).loss)


def _bent(lens: LearnedLens, number: int, by: float) -> LearnedLens:
    """A copy with the first number of the distortion changed."""
    copy = deepcopy(lens)
    copy.bend.data[number, 0] += by
    return copy


def _edge_gradient(camera: LearnedCamera, lens: LearnedLens, number: int) -> Float[ndarray, " n"]:
    """The derivatives of the share by which the edge is moved by log f, cx, cy and the numbers of the distortion."""
    gradient = [0.0, 0.0, 0.0]
    for i in range(lens.bend.shape[1]):
        ends = []
        for sign in (1, -1):
            moved = deepcopy(lens)
            moved.bend.data[number, i] += sign * 1e-3
            ends.append(moved.edges(camera.log_focal)[number])
        gradient.append((ends[0] - ends[1]) / 2e-3)
    return np.array(gradient)
