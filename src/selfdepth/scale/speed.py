"""The speed of the vehicle as a witness: the metres that it drove, against the length of the camera's path."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from selfdepth.data.readers.speed_log import SpeedLog
from selfdepth.errors import DataError
from selfdepth.scale.clocks import choose_offset
from selfdepth.scale.witness import Testimony
from selfdepth.structs import Trajectory

WINDOW_S = 3.0
"""Seconds of an estimate. Shorter ones are as noisy as the motions of single frames, longer ones hide drift."""
SLOWEST_M_S = 1.5
"""Mean speed below which a window is left out: a walking pace, where the noise of log and motion counts most."""

_UNKNOWN = "outside the speed log or in a gap of it"
_SLOW = f"parked or slower than {SLOWEST_M_S} m/s"
_STILL = "no motion by the model"


def speed_testimony(
    trajectory: Trajectory, log: SpeedLog, *, offset_s: float | Literal["auto"] | None = None
) -> Testimony:
    """Metres per unit of the model, from a speed log and the camera's path in the unit of the model.

    The path is cut into windows of some seconds. In each, factor = integral of the speed / length of the path: the sum
    of |t| from frame to frame, which for frames a fraction of a second apart is the way that the vehicle went.

    Args:
        trajectory: T_world_camera in the model's unit, with times in seconds: since 1970, or since any other moment
            (not frame numbers).
        log: the speed of the vehicle that carries the camera.
        offset_s: what is added to times of the footage to give times of the log; "auto": what fits best; None: nothing
            if both clocks are of the same kind, else what fits best (`scale.clocks.choose_offset`).

    Returns:
        One estimate per window, at the footage's time of its middle. Frames that gave none are counted by reason.

    Raises:
        DataError: if log and footage do not overlap, no offset fits, the camera's path has no length, or no window is
            left.
    """
    times_s = trajectory.timestamps
    steps = np.linalg.norm(np.diff(trajectory.T_world_camera[:, :3, 3], axis=0), axis=1)
    if not steps.any():
        expected, got = "a camera that moves", f"{len(trajectory)} poses at one place"
        raise DataError("the camera's path has no length", where="the model's motion", expected=expected, got=got)
    offset_s, notes = choose_offset(times_s, steps, log, offset_s)
    metres, known = log.distances(times_s + offset_s)
    at, factors, left_out = _estimates(times_s, steps, metres, known)
    if not factors:
        raise DataError(
            "the speed log gives no estimate of the scale",
            where=log.source,
            expected=f"stretches of the footage that are driven at {SLOWEST_M_S} m/s or more",
            got=", ".join(f"{number} frames {reason}" for reason, number in left_out.items()),
            fix="give footage and a log of a vehicle that drives",
        )
    return Testimony(
        witness="speed",
        source=log.source,
        times_s=np.array(at),
        factors=np.array(factors),
        left_out=left_out,
        notes=(*log.notes, *notes),
    )


def _estimates(
    times_s: Float[ndarray, "n"],
    steps: Float[ndarray, "n-1"],
    metres: Float[ndarray, "n-1"],
    known: Bool[ndarray, "n-1"],
) -> tuple[list[float], list[float], dict[str, int]]:
    """Times and factors of the windows that give one, and the numbers of the other frames by the reason."""
    left_out: Counter[str] = Counter({_UNKNOWN: int((~known).sum())})
    at, factors = [], []
    for window in _windows(times_s, known):
        seconds, n_frames = times_s[window.stop] - times_s[window.start], window.stop - window.start
        driven_m, path = metres[window].sum(), steps[window].sum()
        if driven_m < SLOWEST_M_S * seconds:
            left_out[_SLOW] += n_frames
        elif path <= 0:
            left_out[_STILL] += n_frames
        else:
            at.append(float(times_s[window.stop] + times_s[window.start]) / 2)
            factors.append(float(driven_m / path))
    return at, factors, {reason: number for reason, number in left_out.items() if number}


def _windows(times_s: Float[ndarray, "n"], known: Bool[ndarray, "n-1"]) -> Iterator[slice]:
    """Slices of the steps: stretches of which all is known, cut every `WINDOW_S`. What is left at the end of a stretch
    is a window of its own if it has half of that, else part of the one before."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], known.astype(np.int8), [0]])))
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        while start < end:
            stop = min(end, max(start + 1, int(np.searchsorted(times_s, times_s[start] + WINDOW_S - 1e-6))))
            if times_s[end] - times_s[stop] < WINDOW_S / 2:
                stop = end
            yield slice(start, stop)
            start = stop
