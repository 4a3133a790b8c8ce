"""Trajectories that the tests share."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from selfdepth.structs import Trajectory

STREET_FRAMES = 11
"""Of the street that odometry is evaluated on."""


def turned(angle_rad: float) -> ndarray:
    """T of a turn to the right about the vertical axis."""
    T = np.eye(4)
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    T[:3, :3] = [[c, 0, s], [0, 1, 0], [-s, 0, c]]
    return T


def random_rotation(rng: np.random.Generator) -> ndarray:
    Q, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    return Q * np.sign(np.linalg.det(Q))


def drive(frames: int, seed: int = 0, stride: float = 0.2, turn: float = 0.1) -> ndarray:
    """Poses T_world_camera of a wobbling drive, the first one the identity."""
    rng = np.random.default_rng(seed)
    poses = [np.eye(4)]
    for _ in range(frames - 1):
        T = turned(rng.normal(0, turn))
        T[:3, 3] = rng.normal((0, 0, 1), 0.2) * stride / 0.2
        poses.append(poses[-1] @ T)
    return np.stack(poses)


def noisy(poses: ndarray, seed: int = 1, sigma: float = 0.3) -> ndarray:
    """The same poses at other places."""
    moved = poses.copy()
    moved[:, :3, 3] += np.random.default_rng(seed).normal(0, sigma, (len(poses), 3))
    return moved


def drifting(poses: ndarray, seed: int = 1) -> ndarray:
    """What a network would predict: each motion a little wrong, and all in another unit."""
    rng = np.random.default_rng(seed)
    steps = np.linalg.inv(poses[:-1]) @ poses[1:]
    found = [np.eye(4)]
    for step in steps:
        wrong = step @ turned(rng.normal(0.001, 0.004))
        wrong[:3, 3] = 0.3 * (wrong[:3, 3] + rng.normal(0, 0.02, 3))
        found.append(found[-1] @ wrong)
    return np.stack(found)


def moved_by_similarity(poses: ndarray, scale: float, R: ndarray, t: ndarray) -> ndarray:
    """Poses seen from another world, in another unit."""
    result = poses.copy()
    result[:, :3, :3] = R @ poses[:, :3, :3]
    result[:, :3, 3] = scale * poses[:, :3, 3] @ R.T + t
    return result


def timed(poses: ndarray, step: float = 0.1) -> Trajectory:
    """Poses with a timestamp every `step` seconds."""
    return Trajectory(T_world_camera=poses, timestamps=np.arange(len(poses)) * step)
