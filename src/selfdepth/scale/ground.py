"""The camera's height above the road as a witness: the ground plane, fitted to the predicted depth of each frame.

A point of the plane n . X = h, with unit normal n and height h, lies at depth z on its ray r, X = z r. So the inverse
depth is linear in the ray, 1 / z = a . r with a = n / h, and h = 1 / |a|. The largest plane below the camera is found
by random samples (RANSAC, Fischler and Bolles 1981), then fitted to its points by reweighted least squares with Tukey's
weights. Residuals are relative to the plane's inverse depth: networks err by about the same share near and far. Where
the direction of travel is known, the road is a plane along it (see travel.py).
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.scale.frames import ScaleFrame
from selfdepth.scale.witness import WitnessKind

TOP, LEFT, RIGHT = 0.55, 0.2, 0.8
"""Where the road is looked for: from these shares of the height and the width, down to the bottom of the picture."""
MAX_TILT_DEG = 30.0
"""Between the normal of the road and the picture's up: how far a camera may look down or be rolled."""
TOLERANCE = 0.1
"""A point belongs to a plane if its inverse depth is within this share of the plane's."""
MIN_SHARE = 0.4
"""Of the points that are looked at: fewer on the plane are no road."""
_FEWEST_POINTS, _MOST_POINTS, _TRIES, _ROUNDS = 20, 3000, 400, 12
_TUKEY = 4.685
"""Tukey's constant: in standard deviations, where a point no longer counts."""


class HeightWitness:
    """The camera's height above the road.

    Args:
        height_m: metres, measured from the lens straight down to the road.
        travel: direction in which the camera travels, a unit vector in its frame; None: the tilt of the road is fitted
            to the depth, too, which is less exact.
    """

    kind: WitnessKind = "height"

    def __init__(self, height_m: float, travel: Float[ndarray, "3"] | None = None) -> None:
        self._height_m, self._travel = height_m, travel
        self.source = f"{height_m:g} m"

    def observe(self, frame: ScaleFrame) -> tuple[float, ...] | str:
        """Metres per unit by the ground of a frame, or why there is none."""
        fitted = fit_height(frame, self._travel)
        return fitted if isinstance(fitted, str) else (self._height_m / fitted,)

    @property
    def notes(self) -> tuple[str, ...]:
        """How the tilt of the road was found."""
        if self._travel is not None:
            pitch_deg = math.degrees(math.asin(max(-1.0, min(1.0, float(self._travel[1])))))
            side = "below" if pitch_deg >= 0 else "above"
            return (f"height: the camera's way, along the road, points {abs(pitch_deg):.1f} degrees {side} its axis",)
        return ("height: the camera's way is not known, so the tilt of the road is fitted to the depth, too",)


def fit_height(frame: ScaleFrame, travel: Float[ndarray, "3"] | None = None) -> float | str:
    """The height of the camera above the ground of a frame, in the unit of its depth; or why there is none.

    Args:
        travel: as for `HeightWitness`; the plane's normal is then upright to it.
    """
    rays, inverse_depth = _points(frame)
    if len(rays) < _FEWEST_POINTS:
        return "no depth where the road should be"
    basis = np.eye(3) if travel is None else _upright_to(travel)  # a = basis @ (the numbers that are fitted)
    terms = rays @ basis
    # The same draws for every frame: its height is a function of the frame alone.
    draws = np.random.default_rng(0).integers(len(rays), size=(_TRIES, basis.shape[1]))
    matrices = terms[draws]
    regular = np.abs(np.linalg.det(matrices)) > 1e-9
    planes = np.linalg.solve(matrices[regular], inverse_depth[draws[regular]][..., None])[..., 0]
    planes = planes[_is_ground(planes @ basis.T)]
    if not len(planes):
        return "no plane below the camera"
    counts = (np.abs(planes @ terms.T / inverse_depth - 1) < TOLERANCE / 2).sum(1)
    plane = _refined(planes[counts.argmax()], terms, inverse_depth)
    share = float((np.abs(terms @ plane / inverse_depth - 1) < TOLERANCE).mean())
    if share < MIN_SHARE or not _is_ground((basis @ plane)[None])[0]:
        return "too little ground"
    return float(1 / np.linalg.norm(plane))


def _upright_to(travel: Float[ndarray, "3"]) -> Float[ndarray, "3 2"]:
    """Two unit vectors that are upright to a direction and to each other: the road's right, and straight down to it."""
    right = np.cross([0.0, 1.0, 0.0], travel)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(travel, right)], axis=1)


def _points(frame: ScaleFrame) -> tuple[Float[ndarray, "n 3"], Float[ndarray, "n"]]:
    """Rays and inverse depths of evenly spaced pixels of the lower middle of the picture."""
    height, width = frame.depth.shape
    top, left, right = int(TOP * height), int(LEFT * width), math.ceil(RIGHT * width)
    step = max(1, math.ceil(math.sqrt((height - top) * (right - left) / _MOST_POINTS)))
    v, u = (each.ravel() for each in np.mgrid[top:height:step, left:right:step])
    rays, seen = frame.rays(np.stack([u, v], axis=1).astype(np.float64))
    depth = frame.depth[v, u]
    known = seen & (depth > 0)
    return rays[known], 1 / depth[known]


def _is_ground(planes: Float[ndarray, "n 3"]) -> ndarray:
    """Whether planes lie below the camera, and no steeper than a road may look. y points down."""
    lengths = np.linalg.norm(planes, axis=1)
    return np.asarray(planes[:, 1] > math.cos(math.radians(MAX_TILT_DEG)) * lengths)


def _refined(
    plane: Float[ndarray, "k"], terms: Float[ndarray, "n k"], inverse_depth: Float[ndarray, "n"]
) -> Float[ndarray, "k"]:
    """The plane, fitted to the points near it by reweighted least squares."""
    for _ in range(_ROUNDS):
        on_plane = terms @ plane
        # Relative to the plane, not to the measured inverse depth: its noise would bias the fit.
        residual = np.where(on_plane > 0, inverse_depth / np.where(on_plane > 0, on_plane, 1) - 1, np.inf)
        near = np.abs(residual) < TOLERANCE
        if near.sum() < terms.shape[1]:
            return plane
        sigma = max(1.4826 * float(np.median(np.abs(residual[near]))), 1e-4)
        weight = np.clip(1 - (residual[near] / (_TUKEY * sigma)) ** 2, 0, None) ** 2
        if (weight > 0).sum() < terms.shape[1]:
            return plane
        root = np.sqrt(weight) / on_plane[near]
        plane = np.linalg.lstsq(terms[near] * root[:, None], inverse_depth[near] * root, rcond=None)[0]
    return plane
