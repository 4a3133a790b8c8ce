"""Rigid motions as 4x4 matrices in numpy: inverses, poses from motions, and motions from poses.

`T_a_b` maps points in frame b to frame a. `se3.py` does the same with tensors and gradients.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.errors import DataError


def chain(T_next_current: Float[ndarray, "n 4 4"]) -> Float[ndarray, "_m 4 4"]:
    """Poses T_world_camera of n + 1 frames from the n motions between them. The world is the first camera.

    Raises:
        DataError: for anything but one or more finite 4x4 matrices.
    """
    check_transforms(T_next_current, "the relative transforms")
    poses = [np.eye(4)]
    for T in T_next_current:
        poses.append(poses[-1] @ inverse(T))  # T_world_next = T_world_current T_current_next
    return np.stack(poses)


def relative(T_world_camera: Float[ndarray, "n 4 4"]) -> Float[ndarray, "_m 4 4"]:
    """The n - 1 motions T_next_current between successive poses; the inverse of `chain`."""
    return np.asarray(inverse(T_world_camera[1:]) @ T_world_camera[:-1])


def inverse(T_a_b: Float[ndarray, "*n 4 4"]) -> Float[ndarray, "*n 4 4"]:
    """T_b_a: rotation R^T, translation -R^T t. Exact for rigid motions, unlike a general matrix inverse."""
    rotation = np.swapaxes(T_a_b[..., :3, :3], -1, -2)
    result = np.zeros_like(T_a_b)
    result[..., :3, :3] = rotation
    result[..., :3, 3:] = -rotation @ T_a_b[..., :3, 3:]
    result[..., 3, 3] = 1
    return result


def check_transforms(transforms: ndarray, what: str) -> None:
    """Refuse anything but one or more finite 4x4 matrices.

    Args:
        what: their name in the error sentence, a plural such as "the relative transforms".

    Raises:
        DataError: for another shape, none at all, or numbers that are not finite.
    """
    if transforms.ndim != 3 or transforms.shape[1:] != (4, 4) or len(transforms) < 1:
        raise DataError(f"{what} cannot be used", expected="one or more 4x4 matrices", got=f"shape {transforms.shape}")
    if not np.isfinite(transforms).all():
        raise DataError(f"{what} cannot be used", expected="finite numbers", got="nan or infinity")
