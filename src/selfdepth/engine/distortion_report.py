"""What some clips of a run that learned its distortion say about it, for `distortion_verdict.py`."""

from __future__ import annotations

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


@torch.no_grad()
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
    of_clip = _Clip(small, depth, camera.freed().double(), deepcopy(lens).double(), number)
    total, pixels = np.zeros((of_clip.n, of_clip.n)), 0
    for T in T_source_target.double().unbind(1):
        rest, counted = of_clip.rest(T)
        total, pixels = total + (rest.T @ rest).cpu().numpy(), pixels + counted
    return total, pixels


class _Clip:
    """A clip with what is learned of its camera, in double precision."""

    def __init__(self, clip: Batch, depth: Tensor, camera: LearnedCamera, lens: LearnedLens, number: int) -> None:
        self.clip, self.depth, self.camera, self.lens = clip, depth, camera, lens
        self.numbers = [(camera.log_focal, (number,)), *((camera.offset, (number, i)) for i in (0, 1))]
        self.numbers += [(lens.bend, (number, i)) for i in range(lens.bend.shape[1])]
        self.n = len(self.numbers)
        self.seen = seen_through(clip, camera, lens)
        # Seen with each number a little larger and a little smaller.
        self.changed = [[self._seen_with(*each, by) for by in (_STEP, -_STEP)] for each in self.numbers]

    def rest(self, T: Float[Tensor, "b 4 4"]) -> tuple[Float[Tensor, "p n"], int]:
        """Shifts of the places in a source by each number, less what depth and motion make up for; and their pixels."""
        lenses = self.seen.lenses
        assert lenses is not None
        along = 2**_SCALE * by_depth(self.depth, T, self.seen.K, lenses.detached())
        places, distance = _places(self.seen, self.depth, T)
        size = places.new_tensor([places.shape[-1] - 1, places.shape[-2] - 1])[:, None, None]
        counted = (distance > 0) & ((places >= 0) & (places <= size)).all(1, keepdim=True)

        def shift(more: Tensor, less: Tensor) -> Tensor:
            moved = 2**_SCALE * (more - less) / (2 * _STEP)
            return (across(moved, along) * counted).flatten()

        by_camera = torch.stack(
            [shift(*(_places(each, self.depth, T)[0] for each in ends)) for ends in self.changed], 1
        )
        turned = [[_places(self.seen, self.depth, _moved(T, i, by))[0] for by in (_STEP, -_STEP)] for i in range(6)]
        by_motion = torch.stack([shift(*ends) for ends in turned], 1)
        # What is left after the motion that fits best.
        return by_camera - by_motion @ (torch.linalg.pinv(by_motion) @ by_camera), int(counted.sum())

    def _seen_with(self, values: Tensor, at: tuple[int, ...], by: float) -> Batch:
        before = values.data[at].clone()
        values.data[at] = before + by
        seen = seen_through(self.clip, self.camera, self.lens)
        values.data[at] = before
        return seen


def _moved(T: Float[Tensor, "b 4 4"], axis: int, by: float) -> Float[Tensor, "b 4 4"]:
    twist = torch.zeros(len(T), 6, dtype=T.dtype, device=T.device)
    twist[:, axis] = by
    return transform_from_axis_angle(twist[:, :3], twist[:, 3:]) @ T


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
            ends.append(moved.edges(camera.current_log_focal())[number])
        gradient.append((ends[0] - ends[1]) / 2e-3)
    return np.array(gradient)
