"""Whether a lens sees what the image of its camera shows."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera

MIN_CIRCLE_DEG = 80.0
"""Angle from the axis that the image circle of a fisheye reaches at least, if it lies within the frame."""
MAX_COEFFICIENT = 1e12
"""No lens has larger ones, and their powers would overflow."""
MAX_FOLDED = 0.03
"""Share of the frame that may lie beyond the fold of a distortion, with a warning: the boards of a calibration seldom
reach the corners, where its polynomial then does what it likes."""
_STEPS = 64


def require_rays(camera: Camera, path: str | Path) -> None:
    """Refuse a lens whose distortion folds back within the frame: there, two directions would share a pixel.

    Of a fisheye, the corners of the frame may lie beyond the image circle; they have no ray then.

    Raises:
        DataError: naming the pixel that is farthest off, and the radius at which the distortion folds back, if more
            than a few pixels in the corners lie beyond; or naming a coefficient that no lens has.

    Warns:
        SelfDepthWarning: of such a few pixels.
    """
    if camera.is_pinhole:
        return
    largest = max(camera.lens.coefficients, key=abs)
    if abs(largest) > MAX_COEFFICIENT:
        raise DataError(
            "the lens distortion cannot be used",
            where=path,
            expected=f"coefficients of at most {MAX_COEFFICIENT:g}",
            got=f"{largest:g}",
        )
    pixels = _samples(camera)
    rays, seen = camera.unproject(pixels)
    if seen.all():
        return
    angles_deg = np.degrees(np.arccos(np.clip(rays[seen, 2], -1, 1)))
    if camera.lens.model != "brown" and seen.any() and angles_deg.max() >= MIN_CIRCLE_DEG:
        return
    _refuse_fold(camera, pixels, seen, path)


def _samples(camera: Camera) -> Float[ndarray, "n 2"]:
    """The middles of equal parts of the image, and its corner pixels at the end."""
    middles = (np.arange(_STEPS) + 0.5) / _STEPS
    parts = np.stack(np.meshgrid(middles * camera.width, middles * camera.height), -1).reshape(-1, 2) - 0.5
    corners = [[u, v] for v in (0, camera.height - 1) for u in (0, camera.width - 1)]
    return np.concatenate([parts, corners])


def _refuse_fold(camera: Camera, pixels: Float[ndarray, "n 2"], seen: Bool[ndarray, " n"], path: str | Path) -> None:
    from_centre = np.hypot(pixels[:, 0] - camera.cx, pixels[:, 1] - camera.cy)
    worst = int(np.argmax(np.where(seen, -1, from_centre)))
    u, v = pixels[worst]
    coefficients = ", ".join(f"{c:g}" for c in camera.lens.coefficients)
    folds = f"folds back {_fold_px(camera, pixels[worst]):.0f} px from the principal point"
    lies = f"pixel ({u:.0f}, {v:.0f}) lies {from_centre[worst]:.0f} px from it"
    share = 1 - seen[: _STEPS**2].mean()
    if share <= MAX_FOLDED:
        warnings.warn(
            f"the lens distortion in {path} {folds}, and {lies}: {share:.1%} of the frame, in its corners, have no ray "
            "and are left out; a calibration with points up to the corners would hold there, too",
            SelfDepthWarning,
            stacklevel=4,
        )
        return
    raise DataError(
        "the lens distortion is not invertible within the image",
        where=path,
        expected=f"an image radius that grows with the angle from the axis, up to the corners of "
        f"{camera.width}x{camera.height}",
        got=f"{camera.lens.model} ({coefficients}), which {folds}; {lies}",
        fix="check the coefficients, their order, and the image size that they belong to; or calibrate with points up "
        "to the corners",
    )


def _fold_px(camera: Camera, pixel: Float[ndarray, " two"]) -> float:
    """The radius in pixels at which the lens ends, on the way from the principal point to a pixel beyond."""
    centre = np.array([camera.cx, camera.cy])
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        _, seen = camera.unproject((centre + middle * (pixel - centre))[None])
        low, high = (middle, high) if seen[0] else (low, middle)
    return low * math.dist(pixel, centre)
