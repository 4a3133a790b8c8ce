"""Traffic that keeps the camera's speed: a convoy in both lanes of a one-way street, which waits together."""

from __future__ import annotations

import numpy as np

from selfdepth.synthetic.road import Pauses, Schedule, camera_path

_PAUSES = Pauses(period_s=(13.0, 15.0), wait_s=(3.0, 4.0), first_s=(4.5, 6.0))
"""A quarter of the time, and once in the first ten seconds: a short drive has a pause, too."""


def build_convoy(rng: np.random.Generator, *, frames: int, fps: float, stops: bool) -> Schedule:
    """A camera in traffic: every car ahead has exactly its speed in every frame, and no car comes towards it.

    Args:
        rng: source of every choice.
        frames, fps: length of the drive.
        stops: whether they wait at times.
    """
    s, speed = camera_path(rng, frames=frames, fps=fps, stops=stops, pauses=_PAUSES)
    right, left = rng.uniform(7.5, 9.0), rng.uniform(9.0, 12.0)
    gaps = np.array([right, left, right + rng.uniform(8.5, 11.0), left + rng.uniform(8.0, 10.0)])
    return Schedule(
        s_m=s,
        speed_mps=speed,
        cars_s_m=s[None] + gaps[:, None],
        cars_d_m=np.array([1.75, -1.75, 1.75, -1.75]),
        direction=np.ones(len(gaps), np.int64),
        keeps_distance=np.ones(frames, bool),
        convoy=len(gaps),
    )
