"""The direction in which a camera travels, seen from the camera. It lies in the road, upright to the road's normal.

A plane fitted to predicted depth alone has the right distances and a wrong tilt: a depth that errs by a few percent
more at the horizon than before the wheels turns the plane by a degree, which changes the camera's height by a tenth.
The motion tells the tilt better.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.frames import FrameRef
from selfdepth.geometry.rigid import inverse
from selfdepth.inference.odometry import MotionPredictor, has_pose_network
from selfdepth.scale.frames import ScaleFootage
from selfdepth.structs import Trajectory
from selfdepth.weights.files import LoadedWeights

MAX_SCATTER_DEG = 10.0
"""Median angle between the directions of single steps and their median, above which there is no common direction."""
MIN_STEPS = 3
_MOVING = 0.5
"""Of the median step: shorter ones, as before a halt, have no clear direction."""


def travel_of_model(
    footage: ScaleFootage,
    refs: Sequence[FrameRef],
    weights: LoadedWeights,
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
    for ref in refs:
        sequence = footage.sequence(ref.sequence)
        numbers = tuple(ref.number + time * motion.spacing for time in times)
        advance(1)
        if not {*numbers} <= {*sequence.numbers}:
            continue
        images = np.stack(list(footage.read(sequence.name, numbers, weights.fit)))
        camera = weights.fit.camera(sequence.camera)
        T_next_current = motion.motions(torch.from_numpy(images), [start], [start], camera)
        steps.append(inverse(T_next_current)[0, :3, 3])
    return common_direction(np.array(steps).reshape(-1, 3))


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
