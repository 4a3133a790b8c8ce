"""How good the demo's networks are is measured on every frame of the other street, beside what never looks at it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from selfdepth.demo.run import Demo, DemoPlan
from selfdepth.evaluation.depth.baselines import best_constant_depth, profile_disparity, row_profile
from selfdepth.evaluation.depth.metrics import PROTOCOLS, evaluate_set
from selfdepth.inference.predictor import Predictor
from selfdepth.synthetic.drive import render_drive

DENSE = PROTOCOLS["dense"]


@pytest.fixture
def truth(done: Demo, folder: Path) -> np.ndarray:
    """The depth of the other street."""
    return np.load(folder / "drives" / "heldout" / "depth.npz")["depth"]


def test_depth_is_measured_on_every_frame_of_the_other_street(done: Demo, folder: Path, truth: np.ndarray) -> None:
    images = sorted((folder / "drives" / "heldout").glob("*.png"))
    predictor = Predictor.load(folder / "run" / "last", device="cpu")
    disparities = [predictor.predict(image).disparity for image in images]
    again = evaluate_set(disparities, list(truth), DENSE)
    assert len(images) == len(truth) == 8
    assert done.report.ours.abs_rel == pytest.approx(again.abs_rel, rel=1e-3)


def test_the_rows_are_those_of_the_training_drives(done: Demo, plan: DemoPlan, truth: np.ndarray) -> None:
    rows = profile_disparity(row_profile(render_drive(plan.train[0]).depth, DENSE, 64), 80)
    assert done.report.per_row.abs_rel == pytest.approx(evaluate_set([rows] * 8, list(truth), DENSE).abs_rel)


def test_the_constant_is_the_best_one_for_the_street_it_is_judged_by(done: Demo, truth: np.ndarray) -> None:
    assert done.report.constant_m == pytest.approx(best_constant_depth(list(truth), DENSE))
    for factor in (0.9, 1.1):
        other = np.full((64, 80), 1 / (factor * done.report.constant_m))
        worse = evaluate_set([other] * 8, list(truth), DENSE, median_scaling=False)
        assert worse.abs_rel > done.report.constant.abs_rel


def test_frames_to_look_at_are_spread_over_the_drive_at_its_true_scale(done: Demo, truth: np.ndarray) -> None:
    names = [view.name for view in done.report.frames]
    assert len(names) == len(set(names)) == 2
    for view in done.report.frames:
        number = int(view.name.removeprefix("frame "))
        np.testing.assert_array_equal(view.truth, truth[number])
        known = (view.truth > 0) & (view.truth < 80)
        assert np.median(view.depth[known] / view.truth[known]) == pytest.approx(1, rel=0.1)
        assert set(np.unique(view.automask)) <= {0, 1}


def test_the_path_is_aligned_with_the_true_one_and_compared_with_driving_straight_on(done: Demo) -> None:
    path = done.report.path
    assert path.predicted.shape == path.truth.shape == (8, 3)
    distances = np.linalg.norm(path.predicted - path.truth, axis=1)
    assert np.sqrt((distances**2).mean()) == pytest.approx(path.ate_m)
    assert path.length_m == pytest.approx(np.linalg.norm(np.diff(path.truth, axis=0), axis=1).sum())
    assert 0 < path.straight_ate_m < path.length_m
