"""Rigid motions as 4x4 matrices in numpy: inverses, chains of motions, and the motions between poses.

`T_a_b` maps points in frame b to frame a. `se3.py` has the same for tensors, with gradients.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.errors import DataError


def chain(T_next_current: Float[ndarray, "n 4 4"]) -> Float[ndarray, "_m 4 4"]:
    """Camera poses T_world_camera of the n + 1 frames; the world is the first camera."""
    check_transforms(T_next_current, "the relative transforms")
    poses = [np.eye(4)]
    for T in T_next_current:
        poses.append(poses[-1] @ inverse(T))
    return np.stack(poses)


def relative(T_world_camera: Float[ndarray, "n 4 4"]) -> Float[ndarray, "_m 4 4"]:
    """The n - 1 transforms T_next_current between successive poses; what `chain` undoes."""
    return np.asarray(inverse(T_world_camera[1:]) @ T_world_camera[:-1])


def inverse(T_a_b: Float[ndarray, "*n 4 4"]) -> Float[ndarray, "*n 4 4"]:
    """T_b_a of rigid transforms: rotation R^T, translation -R^T t."""
    rotation = np.swapaxes(T_a_b[..., :3, :3], -1, -2)
    result = np.zeros_like(T_a_b)
    result[..., :3, :3] = rotation
    result[..., :3, 3:] = -rotation @ T_a_b[..., :3, 3:]
    result[..., 3, 3] = 1
    return result


def check_transforms(transforms: ndarray, what: str) -> None:
    """Refuse what is not one or more finite 4x4 matrices. Raises DataError, which calls them `what`."""
    if transforms.ndim != 3 or transforms.shape[1:] != (4, 4) or len(transforms) < 1:
        raise DataError(f"{what} cannot be used", expected="one or more 4x4 matrices", got=f"shape {transforms.shape}")
    if not np.isfinite(transforms).all():
        raise DataError(f"{what} cannot be used", expected="finite numbers", got="nan or infinity")
