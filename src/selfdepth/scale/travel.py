"""The camera's way: its direction, which lies in the road, upright to the road's normal; and the path for a speed log.

A plane fitted to predicted depth alone has the right distances and a wrong tilt: a depth that errs by a few percent
more at the horizon than before the wheels turns the plane by a degree, which changes the camera's height by a tenth.
The motion tells the tilt better.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray

from selfdepth.data.frames import FrameRef
from selfdepth.geometry.crop_resize import CropResize
from selfdepth.geometry.rigid import inverse
from selfdepth.inference.odometry import MotionPredictor, Odometer, has_pose_network, too_few_frames
from selfdepth.scale.depths import BATCH, fit_of
from selfdepth.scale.frames import ScaleFootage
from selfdepth.structs import Trajectory
from selfdepth.weights.models import DepthModel

MAX_SCATTER_DEG = 10.0
"""Median angle between the directions of single steps and their median, above which there is no common direction."""
MIN_STEPS = 3
_MOVING = 0.5
"""Of the median step: shorter ones, as before a halt, have no clear direction."""


def travel_of_model(
    footage: ScaleFootage,
    refs: Sequence[FrameRef],
    weights: DepthModel,
    *,
    device: str = "auto",
    advance: Callable[[int], None] = lambda frames: None,
) -> Float[ndarray, "3"] | None:
    """The direction by a model's pose network, as a unit vector in the camera's frame; None if it tells none.

    Args:
        refs: frames at which a step begins.
        advance: called with the number of frames that were looked at since the last call.
    """
    if not has_pose_network(weights) or footage.source.kind == "store":  # a store may lack the frames between
        return None
    motion = MotionPredictor(weights, device=device, precision="fp32")
    times = sorted(motion.plan.times)
    start = times.index(0)
    steps = []
    for name, group in itertools.groupby(sorted(refs), key=lambda ref: ref.sequence):
        sequence = footage.sequence(name)
        fit, known = fit_of(sequence, weights, footage), {*sequence.numbers}
        clips = [tuple(ref.number + time * motion.spacing for time in times) for ref in group]
        whole = [clip for clip in clips if {*clip} <= known]
        advance(len(clips) - len(whole))
        for images in _clips(footage, name, whole, fit):
            T_next_current = motion.motions(torch.from_numpy(images), [start], [start], fit.camera(sequence.camera))
            steps.append(inverse(T_next_current)[0, :3, 3])
            advance(1)
    return common_direction(np.array(steps).reshape(-1, 3))


def _clips(
    footage: ScaleFootage, name: str, clips: Sequence[tuple[int, ...]], fit: CropResize
) -> Iterator[UInt8[ndarray, "n h w 3"]]:
    """The pictures of clips whose frames increase from clip to clip, in one pass: a video is decoded forward only."""
    numbers = tuple(sorted({number for clip in clips for number in clip}))
    pictures = zip(numbers, footage.read(name, numbers, fit), strict=False)
    held: dict[int, ndarray] = {}
    for clip in clips:
        while clip[-1] not in held:
            number, picture = next(pictures)
            held[number] = picture
        held = {number: picture for number, picture in held.items() if number >= clip[0]}
        yield np.stack([held[number] for number in clip])


def follow(
    footage: ScaleFootage,
    name: str,
    weights: DepthModel,
    *,
    device: str = "auto",
    advance: Callable[[int], None] = lambda frames: None,
) -> list[Trajectory]:
    """The camera's path along a sequence by a model, in the network's own unit: one for each stretch without gaps.

    Stretches that are too short for the pose network are left out.

    Raises:
        SelfDepthError: for a model without a pose network, a frame that cannot be read, or no such stretch at all.
    """
    motion = MotionPredictor(weights, device=device, precision="fp32")
    sequence, times = footage.sequence(name), footage.own_times_s[name]
    fit = fit_of(sequence, weights, footage)
    paths = []
    for rows in _stretches(sequence.numbers):
        if len(rows[:: motion.spacing]) < max(2, motion.plan.min_frames):
            advance(len(rows))
            continue
        images = footage.read(name, tuple(sequence.numbers[row] for row in rows), fit)
        odometer = Odometer(motion, fit.camera(sequence.camera))
        answers: list[ndarray | None] = []
        while batch := list(itertools.islice(images, BATCH * motion.spacing)):
            answers += odometer.advance(batch)
            advance(len(batch))
        poses = [pose for pose in (*answers, *odometer.finish()) if pose is not None]
        at = rows[:: motion.spacing]
        stamps = np.array(at, np.float64) if times is None else times[at]
        paths.append(Trajectory(T_world_camera=np.stack(poses), timestamps=stamps))
    if not paths:
        raise too_few_frames(motion, len(sequence.numbers), where=name)
    return paths


def _stretches(numbers: tuple[int, ...]) -> list[list[int]]:
    """Rows of frames whose numbers follow each other without a gap."""
    starts = [0, *(np.flatnonzero(np.diff(numbers) > 1) + 1).tolist(), len(numbers)]
    return [list(range(start, end)) for start, end in itertools.pairwise(starts)]


def travel_of_path(trajectory: Trajectory) -> Float[ndarray, "3"] | None:
    """The direction by a given trajectory of the camera; None if it tells none."""
    T_world_camera = trajectory.T_world_camera
    return common_direction((inverse(T_world_camera[:-1]) @ T_world_camera[1:])[:, :3, 3])


def common_direction(steps: Float[ndarray, "n 3"]) -> Float[ndarray, "3"] | None:
    """The median direction of steps, each in the frame of the camera at its start; None if they have none in common."""
    lengths = np.linalg.norm(steps, axis=1)
    if len(steps) < MIN_STEPS or not np.median(lengths) > 0:
        return None
    moving = lengths > _MOVING * np.median(lengths)
    directions = steps[moving] / lengths[moving, None]
    middle = np.median(directions, axis=0)
    if len(directions) < MIN_STEPS or not np.linalg.norm(middle) > 0:
        return None
    middle /= np.linalg.norm(middle)
    scatter = float(np.median(np.arccos(np.clip(directions @ middle, -1, 1))))
    return None if scatter > math.radians(MAX_SCATTER_DEG) else np.asarray(middle)
