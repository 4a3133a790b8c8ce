"""The demo's networks on the held-out drive, and the baselines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray

from helpers.tiny_demo import tiny_plan
from selfdepth.demo.run import Demo
from selfdepth.evaluation.depth.baselines import best_constant, profile_disparity, row_profile
from selfdepth.evaluation.depth.metrics import PROTOCOLS, evaluate_set
from selfdepth.evaluation.odometry.run import evaluate_trajectory, predict_trajectory
from selfdepth.evaluation.odometry.sequences import sequence_to_evaluate
from selfdepth.inference.predictor import Predictor
from selfdepth.synthetic.drive import render_drive

DENSE = PROTOCOLS["dense"]


@pytest.fixture
def truth(demo: Demo, folder: Path) -> ndarray:
    """Depth of the held-out frames."""
    depth: ndarray = np.load(folder / "drives" / "heldout" / "depth.npz")["depth"]
    return depth


def test_depth_is_evaluated_on_every_frame_of_the_other_street(demo: Demo, folder: Path, truth: ndarray) -> None:
    images = sorted((folder / "drives" / "heldout").glob("*.png"))
    predictor = Predictor.load(folder / "run" / "last", device="cpu")
    disparities = [predictor.predict(image).disparity for image in images]
    again = evaluate_set(disparities, list(truth), DENSE)
    assert len(images) == len(truth) == 8
    assert demo.report.ours.abs_rel == pytest.approx(again.abs_rel, rel=1e-3)


def test_the_rows_are_those_of_the_training_drive(demo: Demo, truth: ndarray) -> None:
    rows = profile_disparity(row_profile(render_drive(tiny_plan().train).depth, DENSE, 64), 80)
    assert demo.report.per_row.abs_rel == pytest.approx(evaluate_set([rows] * 8, list(truth), DENSE).abs_rel)


def test_the_constant_is_the_best_one_for_the_held_out_drive(demo: Demo, truth: ndarray) -> None:
    constant_m, errors = best_constant(list(truth), DENSE)
    assert (demo.report.constant_m, demo.report.constant.abs_rel) == (constant_m, errors.abs_rel)


def test_the_path_is_that_of_evaluate_odometry(demo: Demo, folder: Path) -> None:
    held_out = sequence_to_evaluate(folder / "drives" / "heldout")
    predicted, _ = predict_trajectory(str(folder / "run" / "last"), held_out, device="cpu")
    by_verb = evaluate_trajectory(predicted, held_out.truth, "sim3", where="demo")
    path = demo.report.path
    assert len(path.predicted) == len(path.truth) == 8
    numbers = (path.ate_m, path.straight_ate_m, path.length_m)
    assert numbers == pytest.approx((by_verb.absolute.rmse, by_verb.straight_rmse, by_verb.length), rel=1e-4)
    rmse = np.sqrt(((path.predicted - path.truth) ** 2).sum(axis=1).mean())
    assert path.ate_m == pytest.approx(rmse), "the drawn path is the aligned one"


def test_the_pictures_are_of_validation_frames_in_metres(demo: Demo) -> None:
    frames = demo.report.frames
    assert [frame.name for frame in frames] == ["frame 1", "frame 5"]
    for frame in frames:
        counts = DENSE.mask(frame.truth)
        assert np.median(frame.depth[counts]) == pytest.approx(np.median(frame.truth[counts]), rel=1e-5)
        assert set(np.unique(frame.automask)) <= {0.0, 1.0}
