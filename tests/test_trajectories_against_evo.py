"""The same trajectories through evo, a tool of the field. It is used here only, never by the package."""

from __future__ import annotations

import numpy as np
import pytest
from numpy import ndarray

from helpers.trajectories import drifting, drive, random_rotation
from selfdepth.evaluation.odometry.drift import relative_pose_error
from selfdepth.evaluation.odometry.metrics import Alignment, absolute_trajectory_error, alignment_of

metrics = pytest.importorskip("evo.core.metrics", reason="evo is not installed")
trajectory = pytest.importorskip("evo.core.trajectory")

FRAMES = 120
EVO_ALIGNMENT = {
    "none": None,
    "scale": {"correct_only_scale": True},
    "se3": {},
    "sim3": {"correct_scale": True},
}
"""evo's options for each of ours."""


@pytest.fixture(scope="module", params=[0, 1, 2])
def pair(request: pytest.FixtureRequest) -> tuple[ndarray, ndarray]:
    """A prediction that drifts, in another unit and another world, and the truth."""
    rng = np.random.default_rng(request.param)
    truth, T = drive(FRAMES, seed=request.param), np.eye(4)
    T[:3, :3], T[:3, 3] = random_rotation(rng), rng.normal(size=3)
    return T @ drifting(truth, seed=request.param), truth


def evo_paths(predicted: ndarray, truth: ndarray, alignment: Alignment) -> tuple[object, object]:
    reference, estimate = (
        trajectory.PoseTrajectory3D(poses_se3=list(poses), timestamps=np.arange(FRAMES)) for poses in (truth, predicted)
    )
    options = EVO_ALIGNMENT[alignment]
    if options is not None:
        estimate.align(reference, **options)
    return reference, estimate


@pytest.mark.parametrize("alignment", EVO_ALIGNMENT)
def test_the_absolute_error_and_the_aligned_poses_are_evos(pair: tuple[ndarray, ndarray], alignment: Alignment) -> None:
    predicted, truth = pair
    paths = evo_paths(predicted, truth, alignment)
    measure = metrics.APE(metrics.PoseRelation.translation_part)
    measure.process_data(paths)
    expected = measure.get_all_statistics()
    found = absolute_trajectory_error(predicted, truth, alignment=alignment)
    for name in ("rmse", "mean", "median", "max"):
        assert getattr(found, name) == pytest.approx(expected[name], abs=1e-6, rel=1e-6)
    aligned = alignment_of(predicted, truth, alignment).apply_to_poses(predicted)
    np.testing.assert_allclose(aligned, np.stack(paths[1].poses_se3), atol=1e-6)  # type: ignore[attr-defined]


@pytest.mark.parametrize("alignment", EVO_ALIGNMENT)
@pytest.mark.parametrize("delta", [1, 5])
def test_the_relative_errors_are_evos(pair: tuple[ndarray, ndarray], alignment: Alignment, delta: int) -> None:
    predicted, truth = pair
    paths = evo_paths(predicted, truth, alignment)
    found = relative_pose_error(alignment_of(predicted, truth, alignment).apply_to_poses(predicted), truth, delta=delta)
    kinds = {"translation": metrics.PoseRelation.translation_part, "rotation": metrics.PoseRelation.rotation_angle_deg}
    for name, kind in kinds.items():
        measure = metrics.RPE(kind, delta=delta, delta_unit=metrics.Unit.frames, all_pairs=True)
        measure.process_data(paths)
        expected, suffix = measure.get_all_statistics(), "_deg" if name == "rotation" else ""
        assert len(measure.error) == found.pairs
        for statistic in ("rmse", "mean"):
            ours = getattr(found, f"{name}_{statistic}{suffix}")
            assert ours == pytest.approx(expected[statistic], abs=1e-6, rel=1e-6)
