"""How wide a camera sees."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from selfdepth.geometry.camera import Camera

_SAMPLES = 1025
_HALVINGS = 40


def horizontal_fov_deg(camera: Camera) -> float:
    """The angle in degrees between what the outer edges of the image see, in the row of the principal point.

    Of a fisheye whose image circle lies within the frame, it is the angle that the circle spans. It may exceed 180.
    """
    # The image spans -1/2 to width - 1/2.
    columns = np.linspace(-0.5, camera.width - 0.5, _SAMPLES)
    _, seen = _rays(camera, columns)
    if not seen.any():
        return 0.0
    at = np.flatnonzero(seen)
    first = _edge(camera, columns[at[0]], columns[max(at[0] - 1, 0)])
    last = _edge(camera, columns[at[-1]], columns[min(at[-1] + 1, _SAMPLES - 1)])
    rays, _ = _rays(camera, np.array([first, *columns[at], last]))
    angles_rad = np.unwrap(np.arctan2(rays[:, 0], rays[:, 2]))  # beyond 180 degrees they would jump
    return float(np.degrees(angles_rad[-1] - angles_rad[0]))


def _edge(camera: Camera, inside: float, outside: float) -> float:
    """The last column with a ray on the way from one that has one."""
    if _rays(camera, np.array([outside]))[1][0]:
        return outside
    for _ in range(_HALVINGS):  # near the edge of a circle, a pixel may span degrees
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if _rays(camera, np.array([middle]))[1][0] else (inside, middle)
    return inside


def _rays(camera: Camera, columns: Float[ndarray, " n"]) -> tuple[Float[ndarray, "n 3"], Bool[ndarray, " n"]]:
    row = min(max(camera.cy, 0.0), camera.height - 1.0)
    return camera.unproject(np.stack([columns, np.full(len(columns), row)], -1))
