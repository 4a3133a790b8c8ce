"""Rigid motions in numpy are those of the tensors, and chaining undoes taking apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from helpers.trajectories import drive
from selfdepth.errors import DataError
from selfdepth.geometry import se3
from selfdepth.geometry.rigid import chain, check_transforms, inverse, relative


def random_transforms(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    axis_angle, translation = (torch.from_numpy(rng.normal(0, size, (n, 3))) for size in (1.0, 5.0))
    return se3.transform_from_axis_angle(axis_angle, translation).numpy()


def test_the_inverse_is_that_of_the_tensors_and_of_any_matrix() -> None:
    T = random_transforms(6).reshape(2, 3, 4, 4)
    np.testing.assert_allclose(inverse(T), se3.invert(torch.from_numpy(T)).numpy(), atol=1e-12)
    np.testing.assert_allclose(inverse(T), np.linalg.inv(T), atol=1e-12)


def test_a_path_taken_apart_and_chained_again_is_the_path_seen_from_its_first_camera() -> None:
    T_world_camera = random_transforms(7)
    again = chain(relative(T_world_camera))
    np.testing.assert_allclose(again, np.linalg.inv(T_world_camera[0]) @ T_world_camera, atol=1e-9)
    np.testing.assert_array_equal(again[0], np.eye(4))


def test_motions_chained_and_taken_apart_again_are_the_motions() -> None:
    motions = random_transforms(5)
    np.testing.assert_allclose(relative(chain(motions)), motions, atol=1e-9)


def test_motions_do_not_depend_on_where_the_world_is() -> None:
    path = drive(20, turn=0.05)
    moved = random_transforms(1, seed=1)[0] @ path
    np.testing.assert_allclose(relative(moved), relative(path), atol=1e-9)


def test_a_motion_maps_points_of_the_earlier_camera_to_the_later_one() -> None:
    path = np.stack([np.eye(4)] * 2)
    path[1, :3, 3] = 0, 0, 3
    ahead = np.array([0.0, 0.0, 10.0, 1.0])
    assert (relative(path)[0] @ ahead).tolist() == [0, 0, 7, 1], "driving on, what is ahead comes nearer"


@pytest.mark.parametrize(
    ("motions", "sentence"),
    [
        (np.empty((0, 4, 4)), r"one or more 4x4 matrices; got shape \(0, 4, 4\)"),
        (np.zeros((2, 3, 4)), r"got shape \(2, 3, 4\)"),
        (np.full((1, 4, 4), np.nan), "expected finite numbers"),
    ],
    ids=["none", "of another shape", "not a number"],
)
def test_what_is_no_chain_of_motions_is_refused_by_its_name(motions: np.ndarray, sentence: str) -> None:
    with pytest.raises(DataError, match=f"the steps cannot be used; .*{sentence}"):
        check_transforms(motions, "the steps")


def test_a_path_needs_a_motion() -> None:
    with pytest.raises(DataError, match="the relative transforms cannot be used"):
        chain(np.empty((0, 4, 4)))


def test_the_first_chained_pose_is_the_identity_and_forward_motion_goes_forward() -> None:
    T_next_current = np.eye(4)[None].repeat(3, 0)
    T_next_current[:, 2, 3] = -1  # a point comes one unit nearer
    poses = chain(T_next_current)
    np.testing.assert_array_equal(poses[0], np.eye(4))
    np.testing.assert_allclose(poses[:, 2, 3], [0, 1, 2, 3])
