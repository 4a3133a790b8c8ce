"""The focal length that fits the footage, measured by bundle adjustment while a run learns its camera."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.bundle.adjust import misfits
from selfdepth.bundle.follow import follow
from selfdepth.engine.camera_verdict import STEPS, minimum
from selfdepth.engine.camera_windows import camera_at_size, windows
from selfdepth.engine.setup import Run
from selfdepth.geometry.camera import Camera
from selfdepth.learners.self_supervised import SelfSupervisedDepth

WINDOWS = 96
"""Windows that are adjusted for a camera."""
SHARP_ENOUGH = 0.25
"""The largest uncertainty (two standard deviations) with which a measured focal length is held. The gradient alone was
wrong by 16 % on rendered bends, and did not say so."""
LAST_CHANGE = 0.8
"""Share of the budget after which a focal length stays as it is."""
_FEWEST_POINTS, _FEWEST_IMAGES = 15, 5
"""Below, the unknowns of a window are as many as its equations."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Of one camera: what is left of each window at each of the factors, and how far the camera turns within one."""

    errors: Float[ndarray, "windows steps"]
    turn_rad: float


def measure(run: Run, number: int) -> Measured:
    """Try the focal lengths around the learned one. The learner is as it was before.

    Args:
        number: of the camera.
    """
    learner = run.learner
    assert isinstance(learner, SelfSupervisedDepth)
    camera = camera_at_size(run, run.cameras[number])
    errors, turns = [], []
    learner.eval()  # a batch of one clip must not change the running statistics
    try:
        for window in windows(run, learner, number, camera, WINDOWS):
            tracks = follow(window)
            if len(tracks.start_px) < _FEWEST_POINTS or len(tracks.T_image_anchor) < _FEWEST_IMAGES:
                continue
            errors.append(misfits(tracks, camera, [_scaled(camera, step) for step in STEPS]))
            turns.append(_angle_rad(window.T_image_anchor[-1] @ np.linalg.inv(window.T_image_anchor[0])))
    finally:
        learner.train()
    return Measured(
        errors=np.array(errors).reshape(-1, len(STEPS)),
        turn_rad=math.sqrt(float(np.mean(np.square(turns)))) if turns else 0.0,
    )


def hold_measured(run: Run, say: Callable[[str], None]) -> None:
    """Hold the focal lengths that the footage determines, as measured now. The others are left to the gradient.

    Nothing is done in a run that learns no camera, or has too little left to learn depth and motion for another one.
    """
    learner, still_learning = run.learner, run.progress.step > 0 and run.fraction() <= LAST_CHANGE
    if not (isinstance(learner, SelfSupervisedDepth) and learner.camera is not None and still_learning):
        return
    # Of several processes, all take what the first has measured.
    places = [place if sharp <= SHARP_ENOUGH else math.nan for place, sharp in _places(run)]
    for number, place in enumerate(run.world.gather_numbers(places)[0]):
        if math.isnan(place):
            continue
        learner.camera.hold(number, place)
        camera = run.cameras[number]
        say(
            f"step {run.progress.step}: bundle adjustment puts the focal length at {camera.fx:.1f} px in frames of "
            f"{camera.width}x{camera.height}"
        )


def _places(run: Run) -> list[tuple[float, float]]:
    if not run.world.is_first:
        return [(math.nan, math.inf)] * len(run.cameras)
    return [minimum(measure(run, number).errors) for number in range(len(run.cameras))]


def _scaled(camera: Camera, log_factor: float) -> Camera:
    return replace(camera, fx=camera.fx * math.exp(log_factor), fy=camera.fy * math.exp(log_factor))


def _angle_rad(T: Float[ndarray, "4 4"]) -> float:
    return math.acos(min(max((np.trace(T[:3, :3]) - 1) / 2, -1.0), 1.0))
