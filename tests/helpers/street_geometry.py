"""What the tests of rendered drives compute from their truth: where a pixel of one frame lies in another."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from selfdepth.synthetic.drive import SyntheticDrive


def lookup(image: ndarray, x: ndarray, y: ndarray) -> ndarray:
    """Bilinear, edges repeated."""
    h, w = image.shape[:2]
    x, y = np.clip(x, 0, w - 1.001), np.clip(y, 0, h - 1.001)
    i, j = y.astype(int), x.astype(int)
    b, a = (y - i)[..., None], (x - j)[..., None]
    image = image.reshape(h, w, -1).astype(float)
    upper, lower = image[i, j] * (1 - a) + image[i, j + 1] * a, image[i + 1, j] * (1 - a) + image[i + 1, j + 1] * a
    return np.asarray(upper * (1 - b) + lower * b)


def project(K: ndarray, depth: ndarray, T_source_target: ndarray) -> tuple[ndarray, ndarray, ndarray]:
    """Column, row and depth in the source of every pixel of the target."""
    v, u = np.mgrid[: depth.shape[0], : depth.shape[1]]
    points = depth[..., None] * (np.stack([u, v, np.ones_like(u)], axis=-1) @ np.linalg.inv(K).T)
    moved = points @ T_source_target[:3, :3].T + T_source_target[:3, 3]
    x, y, z = np.moveaxis(moved @ K.T, -1, 0)
    return x / np.maximum(z, 1e-3), y / np.maximum(z, 1e-3), z


def T_between(drive: SyntheticDrive, target: int, source: int) -> ndarray:
    """T_source_target of two frames."""
    return np.asarray(np.linalg.inv(drive.T_world_camera[source]) @ drive.T_world_camera[target])
