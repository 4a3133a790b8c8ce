"""Errors of a camera trajectory."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray

from helpers.trajectories import drive, moved_by_similarity, noisy, random_rotation
from selfdepth.errors import DataError
from selfdepth.evaluation.odometry.metrics import (
    Alignment,
    absolute_trajectory_error,
    align,
    alignment_of,
    snippet_error,
)
from selfdepth.geometry.rigid import inverse, relative


@pytest.mark.parametrize("seed", range(5))
def test_alignment_recovers_a_known_similarity(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points, R, t, scale = rng.normal(size=(20, 3)), random_rotation(rng), rng.normal(size=3), rng.uniform(0.1, 9)
    found = align(points, scale * points @ R.T + t)
    assert found.scale == pytest.approx(scale)
    np.testing.assert_allclose(found.R, R, atol=1e-9)
    np.testing.assert_allclose(found.t, t, atol=1e-9)


def test_alignment_never_mirrors() -> None:
    points = np.random.default_rng(0).normal(size=(20, 3))
    assert np.linalg.det(align(points, points * (1, 1, -1)).R) == pytest.approx(1)


@pytest.mark.parametrize("with_scale", [True, False])
def test_no_nearby_alignment_is_better(with_scale: bool) -> None:
    rng = np.random.default_rng(0)
    points, target = drive(20)[:, :3, 3], noisy(drive(20) * 1.3)[:, :3, 3]
    best = align(points, target, with_scale=with_scale)
    error = ((best.apply(points) - target) ** 2).sum()
    for _ in range(100):
        Q, _ = np.linalg.qr(np.eye(3) + 0.02 * rng.standard_normal((3, 3)))
        Q = Q @ np.diag(np.sign(np.diag(Q)))
        scale = best.scale * (1 + 0.02 * rng.standard_normal() * with_scale)
        if np.linalg.det(Q) < 0:
            continue
        other = scale * points @ (Q @ best.R).T + best.t + 0.02 * rng.standard_normal(3)
        assert ((other - target) ** 2).sum() >= error


@pytest.mark.parametrize("seed", range(5))
def test_the_error_does_not_depend_on_the_scale_and_place_of_the_prediction(seed: int) -> None:
    rng, truth = np.random.default_rng(seed), drive(25)
    predicted = noisy(truth)
    moved = moved_by_similarity(predicted, rng.uniform(0.01, 50), random_rotation(rng), rng.normal(size=3) * 10)
    expected = absolute_trajectory_error(predicted, truth)
    assert absolute_trajectory_error(moved, truth).rmse == pytest.approx(expected.rmse)


def test_without_scale_alignment_a_wrong_scale_counts() -> None:
    truth = drive(25)
    twice = moved_by_similarity(truth, 2, np.eye(3), np.zeros(3))
    assert absolute_trajectory_error(twice, truth).rmse == pytest.approx(0, abs=1e-9)
    assert absolute_trajectory_error(twice, truth, alignment="se3").rmse > 1


def test_a_perfect_trajectory_has_no_error_and_a_still_one_the_spread_of_the_truth() -> None:
    truth = drive(25)
    assert absolute_trajectory_error(truth, truth).max == pytest.approx(0, abs=1e-9)
    still = np.eye(4)[None].repeat(25, 0)
    spread = np.sqrt(truth[:, :3, 3].var(axis=0).sum())
    assert absolute_trajectory_error(still, truth).rmse == pytest.approx(spread)


def slow_snippet_errors(T_next_current: ndarray, T_world_camera: ndarray) -> list[float]:
    """Five frames at a time, with general matrix inverses."""
    P, errors = T_world_camera, []
    for i in range(len(P) - 1):
        xs, ys, T, S = [np.zeros(3)], [np.zeros(3)], np.eye(4), np.eye(4)
        for k in range(i, min(i + 4, len(P) - 1)):
            T = T @ T_next_current[k]
            S = S @ np.linalg.inv(np.linalg.inv(P[k]) @ P[k + 1])
            xs.append(T[:3, 3])
            ys.append(S[:3, 3])
        x, y = np.concatenate(xs), np.concatenate(ys)
        errors.append(float(np.linalg.norm(x * (x @ y) / (x @ x) - y)) / len(xs))
    return errors


def test_the_five_frame_error_agrees_with_the_slow_one() -> None:
    truth = drive(12)
    predicted = relative(noisy(truth))
    found = snippet_error(predicted, truth)
    np.testing.assert_allclose(found.snippets, slow_snippet_errors(predicted, truth))


def test_the_five_frame_error_gives_the_reference_values(golden: Path) -> None:
    folder = golden / "networks_and_metrics"
    with np.load(folder / "pose_metrics.npz", allow_pickle=False) as reference:
        found = snippet_error(reference["T_next_current_pred"], reference["T_world_camera_gt"])
        np.testing.assert_allclose(found.snippets, reference["snippet_ates"], rtol=1e-9)
    expected = json.loads((folder / "pose_metrics.json").read_text())
    assert {"mean": found.mean, "std": found.std} == pytest.approx(expected, rel=1e-9)


def test_the_five_frame_error_does_not_depend_on_the_scale_of_the_prediction() -> None:
    truth = drive(12)
    predicted = relative(noisy(truth))
    scaled = predicted.copy()
    scaled[:, :3, 3] *= 7
    assert snippet_error(scaled, truth).mean == pytest.approx(snippet_error(predicted, truth).mean)


def test_a_prediction_that_never_moves_has_a_finite_five_frame_error() -> None:
    assert np.isfinite(snippet_error(np.eye(4)[None].repeat(11, 0), drive(12)).snippets).all()


BAD_TRAJECTORIES = {
    "the same number of poses": (drive(4), drive(5)),
    "at least 2": (drive(1), drive(1)),
    "finite numbers": (drive(4) * np.nan, drive(4)),
    "one or more": (drive(4)[:0], drive(4)[:0]),
}


@pytest.mark.parametrize("message", sorted(BAD_TRAJECTORIES))
def test_trajectories_that_cannot_be_compared_are_refused(message: str) -> None:
    predicted, truth = BAD_TRAJECTORIES[message]
    with pytest.raises(DataError, match=message):
        absolute_trajectory_error(predicted, truth)


def test_a_five_frame_error_needs_one_pose_more_than_transforms() -> None:
    with pytest.raises(DataError, match="the same number of poses"):
        snippet_error(relative(drive(5)), drive(4))


@pytest.mark.parametrize("alignment", ["scale", "se3", "sim3"])
def test_alignment_undoes_the_motions_of_its_own_group(alignment: Alignment) -> None:
    rng, truth = np.random.default_rng(3), drive(25)
    predicted = noisy(truth)
    scale = 1.0 if alignment == "se3" else 6.5
    R, t = (np.eye(3), np.zeros(3)) if alignment == "scale" else (random_rotation(rng), rng.normal(size=3))
    moved = moved_by_similarity(predicted, scale, R, t)
    errors = [absolute_trajectory_error(poses, truth, alignment=alignment).rmse for poses in (predicted, moved)]
    assert errors[1] == pytest.approx(errors[0])
    before, after = (alignment_of(poses, truth, alignment).apply_to_poses(poses) for poses in (predicted, moved))
    np.testing.assert_allclose(after, before, atol=1e-9)


def test_without_alignment_the_places_are_compared_as_they_are() -> None:
    truth = drive(25)
    moved = moved_by_similarity(truth, 1, np.eye(3), np.array([3.0, 0, 4.0]))
    assert absolute_trajectory_error(moved, truth, alignment="none").rmse == pytest.approx(5)


def test_aligned_poses_stay_rigid() -> None:
    truth = drive(25)
    poses = alignment_of(noisy(truth) * np.array([1, 1, 1, 1.0]), truth, "sim3").apply_to_poses(truth)
    np.testing.assert_allclose(inverse(poses) @ poses, np.eye(4)[None].repeat(25, 0), atol=1e-12)
