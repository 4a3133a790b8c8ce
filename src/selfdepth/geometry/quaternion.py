"""Rotations as unit quaternions (x, y, z, w), the order of TUM's trajectory files. numpy only."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray


def quaternion_from_rotation(R: Float[ndarray, "n 3 3"]) -> Float[ndarray, "n 4"]:
    """The quaternion (x, y, z, w) of each rotation, with w >= 0.

    q and -q are the same rotation; the sign of w makes the result unique.
    """
    xx, yy, zz = R[:, 0, 0], R[:, 1, 1], R[:, 2, 2]
    squares = np.stack([1 + xx - yy - zz, 1 - xx + yy - zz, 1 - xx - yy + zz, 1 + xx + yy + zz], axis=1)
    # Row i holds 4 q_i (x, y, z, w), so every row is the quaternion up to a factor. The row of the largest component
    # is the one to normalise: none of its terms cancels (Shepperd, 1978).
    products = np.zeros((len(R), 4, 4))
    for i, j in ((0, 1), (0, 2), (1, 2)):
        products[:, i, j] = products[:, j, i] = R[:, i, j] + R[:, j, i]
    for i, (j, k) in enumerate(((2, 1), (0, 2), (1, 0))):
        products[:, i, 3] = products[:, 3, i] = R[:, j, k] - R[:, k, j]
    products[:, range(4), range(4)] = squares
    largest = products[np.arange(len(R)), squares.argmax(1)]
    unit = largest / np.linalg.norm(largest, axis=1, keepdims=True)
    return np.asarray(np.where(unit[:, 3:] < 0, -unit, unit))


def rotation_from_quaternion(xyzw: Float[ndarray, "n 4"]) -> Float[ndarray, "n 3 3"]:
    """The rotation matrix of each quaternion (x, y, z, w), of any length but 0."""
    x, y, z, w = (xyzw / np.linalg.norm(xyzw, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)
