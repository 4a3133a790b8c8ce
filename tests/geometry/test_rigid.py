"""Rigid motions in numpy."""

from __future__ import annotations

import numpy as np

from helpers.trajectories import drive, turned
from selfdepth.geometry.rigid import chain, inverse, relative


def test_chaining_relative_transforms_gives_the_poses_back() -> None:
    poses = drive(30)
    np.testing.assert_allclose(chain(relative(poses)), poses, atol=1e-12)


def test_the_first_chained_pose_is_the_identity_and_forward_motion_goes_forward() -> None:
    T_next_current = np.eye(4)[None].repeat(3, 0)
    T_next_current[:, 2, 3] = -1  # a point comes one unit nearer
    poses = chain(T_next_current)
    np.testing.assert_array_equal(poses[0], np.eye(4))
    np.testing.assert_allclose(poses[:, 2, 3], [0, 1, 2, 3])


def test_an_inverse_undoes_its_transform() -> None:
    poses = drive(5)
    np.testing.assert_allclose(inverse(poses) @ poses, np.eye(4)[None].repeat(5, 0), atol=1e-12)


def test_a_circle_that_is_chained_closes() -> None:
    T_next_current = inverse(np.stack([turned(2 * np.pi / 60)] * 60))
    T_next_current[:, 2, 3] = -0.5
    poses = chain(T_next_current)
    np.testing.assert_allclose(poses[-1], poses[0], atol=1e-12)
    assert np.linalg.norm(poses[30, :3, 3]) > 9
