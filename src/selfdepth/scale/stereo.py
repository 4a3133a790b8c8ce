"""The known baseline of stereo pairs as a witness: the factor at which the predicted depth rebuilds the partner.

A pixel with predicted depth z lies at f z r, with its ray r and the factor f that is wanted; the partner's camera sees
it at the projection of f z r + t, with the translation t in metres. One number per frame is searched for: the f with
the smallest difference between the two pictures. Both are first freed of their local brightness and contrast, in which
two cameras differ, and large differences, of what only one of them sees, count no more than moderate ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from selfdepth.scale.frames import ScaleFootage, ScaleFrame
from selfdepth.scale.witness import WitnessKind

NEAREST_PX, FARTHEST = 0.5, 0.4
"""Factors that are tried: those at which the median pixel shifts between half a pixel and this share of the width."""
COARSE, FINE = 1.03, 1.004
"""Ratio of two successive factors, in the search over all and near the best of those."""
CLEAR = 0.9
"""The smallest difference must be below this share of the median over all factors: else nothing stands out."""
_FEWEST_PIXELS, _MOST_PIXELS, _WINDOW_PX, _CAP = 100, 6000, 9, 1.5


class StereoWitness:
    """The distance between the cameras of stereo pairs.

    Args:
        footage: opened with its pairs.
    """

    kind: WitnessKind = "stereo"

    def __init__(self, footage: ScaleFootage) -> None:
        self._footage = footage
        baselines = {round(_baseline_m(_translation(footage, name)), 3) for name in footage.partners}
        self.source = "baseline " + " and ".join(f"{baseline:g} m" for baseline in sorted(baselines))

    def observe(self, frame: ScaleFrame) -> tuple[float, ...] | str:
        """Metres per unit of a frame that has a partner, or why there is none."""
        name, numbers = frame.ref.sequence, (frame.ref.number,)
        own, other = (next(self._footage.read(name, numbers, frame.fit, partner=partner)) for partner in (False, True))
        found = best_factor(frame, own, other, _translation(self._footage, name))
        return found if isinstance(found, str) else (found,)


def best_factor(
    frame: ScaleFrame,
    own: UInt8[ndarray, "h w 3"],
    other: UInt8[ndarray, "h w 3"],
    translation_m: Float[ndarray, "3"],
) -> float | str:
    """The factor from a frame's depth to metres at which it rebuilds the partner best; or why none does.

    Args:
        own, other: pictures of the frame and of its partner, of the size of the depth map.
        translation_m: of T_stereo_target.
    """
    pixels, texture = _even(own), _even(other)
    rows, columns = _sampled(pixels)
    if len(rows) < _FEWEST_PIXELS:
        return "the picture has too little texture"
    rays, seen = frame.rays(np.stack([columns, rows], axis=1).astype(np.float64))
    known = seen & (frame.depth[rows, columns] > 0)
    rows, columns, rays = rows[known], columns[known], rays[known]
    if len(rows) < _FEWEST_PIXELS:
        return "too few pixels with depth"
    depth, values, camera = frame.depth[rows, columns], pixels[rows, columns], frame.camera

    def difference(factor: float) -> float:
        seen_at, seen = camera.project(factor * depth[:, None] * rays + translation_m)
        u, v = seen_at.T
        inside = seen & (u >= 0) & (u <= camera.width - 1) & (v >= 0) & (v <= camera.height - 1)
        if inside.sum() < len(values) / 2:
            return math.inf
        sampled = _bilinear(texture, u[inside], v[inside])
        return float(np.minimum(np.abs(sampled - values[inside]), _CAP).mean())

    shift_px = _baseline_m(translation_m) * camera.fx / float(np.median(depth))
    return _search(difference, shift_px / (FARTHEST * camera.width), shift_px / NEAREST_PX)


def _search(difference: Callable[[float], float], low: float, high: float) -> float | str:
    """The factor with the smallest difference between two bounds, in even steps of its logarithm."""
    coarse = np.exp(np.arange(math.log(low), math.log(high), math.log(COARSE)))
    found = np.array([difference(factor) for factor in coarse])
    known = np.isfinite(found)
    if not known.any():
        return "the partner shows too little of the picture"
    best = int(np.where(known, found, np.inf).argmin())
    clear = found[best] < CLEAR * float(np.median(found[known]))
    if not clear or best in (0, len(coarse) - 1) or not known[best - 1]:
        return "no factor rebuilds the partner clearly better than others"
    fine = coarse[best] * FINE ** np.arange(-math.ceil(math.log(COARSE, FINE)), math.ceil(math.log(COARSE, FINE)) + 1)
    costs = np.array([difference(factor) for factor in fine])
    at = int(costs.argmin())
    if not 0 < at < len(fine) - 1 or not np.isfinite(costs[at - 1 : at + 2]).all():
        return float(fine[at])
    left, middle, right = costs[at - 1 : at + 2]
    curvature = left - 2 * middle + right
    step = 0.0 if curvature <= 0 else 0.5 * (left - right) / curvature  # the vertex of the parabola
    return float(fine[at] * FINE**step)


def _translation(footage: ScaleFootage, name: str) -> Float[ndarray, "3"]:
    partner = footage.sequence(name).partner
    assert partner is not None, "opened with pairs"
    return np.array(partner.translation_m)


def _baseline_m(translation_m: Float[ndarray, "3"]) -> float:
    return float(np.linalg.norm(translation_m))


def _even(image: UInt8[ndarray, "h w 3"]) -> Float[ndarray, "h w"]:
    """The grey picture with a local mean of 0 and a local spread of 1; flat places stay near 0."""
    grey = image.astype(np.float64).mean(2)
    mean = _box(grey)
    spread = np.sqrt(np.maximum(_box(grey**2) - mean**2, 0))
    return np.asarray((grey - mean) / (spread + 4.0))


def _box(image: Float[ndarray, "h w"]) -> Float[ndarray, "h w"]:
    """The mean over windows, with the border repeated."""
    half = _WINDOW_PX // 2
    for axis in (0, 1):
        padded = np.pad(image, [(half + 1, half) if each == axis else (0, 0) for each in (0, 1)], mode="edge")
        total = padded.cumsum(axis)
        image = np.take(total, range(_WINDOW_PX, total.shape[axis]), axis) - np.take(
            total, range(total.shape[axis] - _WINDOW_PX), axis
        )
        image = image / _WINDOW_PX
    return image


def _sampled(pixels: Float[ndarray, "h w"]) -> tuple[ndarray, ndarray]:
    """Rows and columns of evenly spaced pixels with texture along the row, where a shift shows."""
    slope = np.abs(np.gradient(pixels, axis=1))
    textured: Bool[ndarray, "h w"] = slope > np.median(slope)
    rows, columns = np.nonzero(textured)
    step = max(1, len(rows) // _MOST_PIXELS)
    return rows[::step], columns[::step]


def _bilinear(image: Float[ndarray, "h w"], u: Float[ndarray, "n"], v: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
    """The picture at pixels within it."""
    height, width = image.shape
    left, top = np.minimum(u.astype(np.int64), width - 2), np.minimum(v.astype(np.int64), height - 2)
    a, b = u - left, v - top
    upper = image[top, left] * (1 - a) + image[top, left + 1] * a
    lower = image[top + 1, left] * (1 - a) + image[top + 1, left + 1] * a
    return np.asarray(upper * (1 - b) + lower * b)
