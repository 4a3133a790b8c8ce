"""Rotations as quaternions."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.trajectories import random_rotation
from selfdepth.geometry.quaternion import quaternion_from_rotation, rotation_from_quaternion


def test_rotations_survive_the_trip_through_quaternions() -> None:
    rng = np.random.default_rng(0)
    R = np.stack([random_rotation(rng) for _ in range(200)])
    xyzw = quaternion_from_rotation(R)
    np.testing.assert_allclose(np.linalg.norm(xyzw, axis=1), 1)
    assert (xyzw[:, 3] >= 0).all()
    np.testing.assert_allclose(rotation_from_quaternion(xyzw), R, atol=1e-12)


@pytest.mark.parametrize("axis", range(3))
def test_half_a_turn_is_its_axis(axis: int) -> None:
    R = -np.eye(3)
    R[axis, axis] = 1
    expected = np.zeros(4)
    expected[axis] = 1
    np.testing.assert_allclose(np.abs(quaternion_from_rotation(R[None])[0]), expected, atol=1e-12)


def test_a_quarter_turn_about_z_takes_x_to_y() -> None:
    (R,) = rotation_from_quaternion(np.array([[0, 0, np.sqrt(0.5), np.sqrt(0.5)]]))
    np.testing.assert_allclose(R @ [1, 0, 0], [0, 1, 0], atol=1e-12)


def test_the_length_of_a_quaternion_does_not_matter() -> None:
    q = np.random.default_rng(1).normal(size=(5, 4))
    np.testing.assert_allclose(rotation_from_quaternion(3 * q), rotation_from_quaternion(q))
