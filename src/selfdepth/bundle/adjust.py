"""Bundle adjustment of one window (Triggs et al., "Bundle Adjustment, A Modern Synthesis", 2000), the camera given.

The distances of the points and the motions are fitted to where the points were found; what is left over tells whether
the camera is the right one. No network has a say: the depth that it has learned begins the search and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.bundle.follow import Tracks
from selfdepth.geometry.camera import Camera

_HUBER_PX = 0.3
"""Errors beyond it count by their size, not its square: points on moving things must not turn the balance."""
_ITERATIONS = 30
_SMALL_DROP = 1e-5
_GAUGE = 1e4
"""Weight that holds the length of the last motion. Size cannot be seen; without it, it would drift."""
_NEAREST = 0.05
"""Depth of what has come closer or behind, in distances of the point from the anchor."""
_STEP = 1e-6


@dataclass(frozen=True)
class Guess:
    """What is adjusted: x_image = R x_anchor + t inverse_distance, for x_anchor on the unit ray of a point."""

    R: Float[ndarray, "images 3 3"]
    t: Float[ndarray, "images 3"]
    inverse_distance: Float[ndarray, "points"]


@dataclass(frozen=True)
class _Normal:
    """The normal equations of Gauss and Newton: motions (6 numbers an image), points (one each), and between them."""

    motions: Float[ndarray, "m m"]
    points: Float[ndarray, "points"]
    between: Float[ndarray, "m points"]
    slope_motions: Float[ndarray, "m"]
    slope_points: Float[ndarray, "points"]


def misfits(tracks: Tracks, believed: Camera, cameras: Sequence[Camera]) -> Float[ndarray, "cameras"]:
    """What no motion and no distances explain, if the images are of each of the cameras: Huber errors in px^2, summed.

    Args:
        tracks: what was found.
        believed: the camera with which `tracks.distance` and `tracks.T_image_anchor` belong.
        cameras: those to try, in the order of their focal lengths. All at the size of the images.
    """
    n = len(cameras)
    costs = np.full(n, np.inf)
    if n == 0:
        return costs
    nearest = int(np.argmin([abs(np.log(camera.fx / believed.fx)) for camera in cameras]))
    guess, before = _believed(tracks), believed
    # Up, down and up again, each camera from the solution of the one before. A start of its own would end in another
    # of several minima now and then, and those differ by more than the cameras do.
    for i in (*range(nearest, n), *range(n - 2, -1, -1), *range(1, n)):
        cost, guess = _adjusted(tracks, cameras[i], _through(guess, before, cameras[i]))
        costs[i], before = min(costs[i], cost), cameras[i]
    return costs


def _adjusted(tracks: Tracks, camera: Camera, guess: Guess) -> tuple[float, Guess]:
    """The cost of the motions and distances that fit best, and these."""
    rays, _ = camera.unproject(tracks.start_px)
    span = float(np.linalg.norm(guess.t[-1]))
    cost, normal = _linearised(tracks, camera, rays, guess)
    damping = 1e-3
    for _ in range(_ITERATIONS):
        tried = _stepped(guess, normal, damping, span)
        tried_cost, tried_normal = _linearised(tracks, camera, rays, tried)
        if tried_cost < cost:
            drop, cost = cost - tried_cost, tried_cost
            guess, normal, damping = tried, tried_normal, damping * 0.3
            if drop < _SMALL_DROP * cost:
                break
        else:
            damping *= 5
    return cost, guess


def _believed(tracks: Tracks) -> Guess:
    T = tracks.T_image_anchor
    return Guess(R=T[:, :3, :3], t=T[:, :3, 3], inverse_distance=1 / tracks.distance)


def _through(guess: Guess, before: Camera, after: Camera) -> Guess:
    """Motions that move the middle of the image through the one camera as these do through the other."""
    across, down = after.fx / before.fx, after.fy / before.fy
    R = guess.R
    turn = np.stack([R[:, 2, 1] - R[:, 1, 2], R[:, 0, 2] - R[:, 2, 0], np.zeros(len(R))], axis=1) / 2
    return replace(guess, R=_rotations(turn * [1 / down - 1, 1 / across - 1, 0]) @ R, t=guess.t / [across, down, 1.0])


def _linearised(
    tracks: Tracks, camera: Camera, rays: Float[ndarray, "points 3"], guess: Guess
) -> tuple[float, _Normal]:
    """The Huber cost, and the normal equations of its reweighted squares."""
    turned = np.einsum("oij,oj->oi", guess.R[tracks.image], rays[tracks.point])
    inverse = guess.inverse_distance[tracks.point]
    place = turned + guess.t[tracks.image] * inverse[:, None]
    seen, by_place = _projected(camera, place)
    error = seen - tracks.found_px
    size = np.linalg.norm(error, axis=1)
    weight = np.minimum(1.0, _HUBER_PX / np.maximum(size, 1e-12))
    cost = np.where(size < _HUBER_PX, size**2 / 2, _HUBER_PX * (size - _HUBER_PX / 2)).sum()
    by_motion = np.concatenate([-by_place @ _crosses(turned), by_place * inverse[:, None, None]], axis=2)
    by_point = np.einsum("oij,oj->oi", by_place, guess.t[tracks.image])
    n_images, n_points = len(guess.R), len(guess.inverse_distance)
    motions, slope = np.zeros((6 * n_images, 6 * n_images)), np.zeros((n_images, 6))
    weighted = by_motion * weight[:, None, None]
    for i in range(n_images):
        own, six = tracks.image == i, slice(6 * i, 6 * i + 6)
        motions[six, six] = np.tensordot(weighted[own], by_motion[own], ((0, 1), (0, 1)))
        slope[i] = np.tensordot(weighted[own], error[own], ((0, 1), (0, 1)))
    between = np.zeros((n_images, 6, n_points))
    between[tracks.image, :, tracks.point] = np.einsum("oik,oi->ok", weighted, by_point)
    normal = _Normal(
        motions=motions,
        points=np.bincount(tracks.point, weight * (by_point**2).sum(1), n_points) + 1e-9,
        between=between.reshape(6 * n_images, n_points),
        slope_motions=slope.ravel(),
        slope_points=np.bincount(tracks.point, weight * (by_point * error).sum(1), n_points),
    )
    return float(cost), normal


def _stepped(guess: Guess, normal: _Normal, damping: float, span: float) -> Guess:
    """A step of Levenberg and Marquardt. The points are eliminated first (Schur complement): each stands alone."""
    points = normal.points * (1 + damping)
    motions = normal.motions + np.diag(damping * normal.motions.diagonal() + 1e-9)
    motions -= normal.between / points @ normal.between.T
    last = np.zeros(len(motions))
    last[-3:] = guess.t[-1] / max(span, 1e-9)
    motions += _GAUGE * np.outer(last, last)
    step = np.linalg.solve(motions, normal.between / points @ normal.slope_points - normal.slope_motions)
    by_points = -(normal.slope_points + normal.between.T @ step) / points
    turn, shift = step.reshape(-1, 2, 3).transpose(1, 0, 2)
    return Guess(
        R=_rotations(turn) @ guess.R,
        t=guess.t + shift,
        inverse_distance=np.maximum(guess.inverse_distance + by_points, 1e-6 / max(span, 1e-9)),
    )


def _projected(camera: Camera, place: Float[ndarray, "n 3"]) -> tuple[ndarray, ndarray]:
    """Pixels of points, and their derivatives by the point (n 2 3). What lies behind a pinhole stays in front."""
    if camera.is_pinhole:
        x, y, z = place[:, 0], place[:, 1], np.maximum(place[:, 2], _NEAREST)
        zero = np.zeros_like(z)
        across, down = [camera.fx / z, zero, -camera.fx * x / z**2], [zero, camera.fy / z, -camera.fy * y / z**2]
        seen = np.stack([camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy], axis=1)
        return seen, np.stack([np.stack(across, axis=1), np.stack(down, axis=1)], axis=1)
    seen, _ = camera.project(place)
    size = np.linalg.norm(place, axis=1, keepdims=True) * _STEP
    columns = [
        (camera.project(place + axis * size)[0] - camera.project(place - axis * size)[0]) / (2 * size)
        for axis in np.eye(3)
    ]
    return seen, np.stack(columns, axis=2)


def _rotations(axis_angle: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3 3"]:
    """Rodrigues' formula."""
    angle = np.linalg.norm(axis_angle, axis=1)[:, None, None]
    cross = _crosses(axis_angle) / np.maximum(angle, 1e-12)
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def _crosses(vectors: Float[ndarray, "n 3"]) -> Float[ndarray, "n 3 3"]:
    """The matrices [v]x with [v]x w = v x w."""
    x, y, z = vectors.T
    zero = np.zeros(len(vectors))
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
