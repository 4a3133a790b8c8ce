"""The focal length of a run that learns its camera, as the footage says it is."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from selfdepth.bundle.adjust import misfits
from selfdepth.bundle.follow import Window, follow
from selfdepth.config import TrainConfig
from selfdepth.engine import camera_windows, focal_length
from selfdepth.engine.camera_verdict import STEPS, minimum
from selfdepth.engine.focal_length import LAST_CHANGE, Measured, hold_measured, measure
from selfdepth.engine.setup import Run
from selfdepth.engine.train import train
from selfdepth.synthetic.drive import DriveSpec, render_drive


@pytest.fixture(scope="module")
def run(tiny: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that learns its camera, with half of its budget left."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(focal_length, "WINDOWS", 1)
        patch.setattr(camera_windows, "REACH", 4)
        run = train(replace(tiny, camera="learn:fov:90"), tmp_path_factory.mktemp("learned") / "run")
    run.progress.step = run.config.steps // 2 if run.config.steps else 1
    return run


def found(place: float, noise: float) -> Measured:
    """What a measurement with its minimum there finds."""
    places = place + noise * np.random.default_rng(0).standard_normal((32, 1))
    return Measured(errors=1 + (np.array(STEPS) - places) ** 2, turn_rad=0.1)


def test_a_focal_length_that_the_footage_determines_is_held(
    run: Run, ear: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(focal_length, "measure", lambda run, number: found(0.2, 0.1))
    before = run.cameras[0]
    hold_measured(run, ear.say)
    after = run.cameras[0]
    assert after.fx / before.fx == pytest.approx(math.exp(0.2), rel=0.05)
    assert after.fx / after.fy == pytest.approx(before.fx / before.fy)
    assert f"bundle adjustment puts the focal length at {after.fx:.1f} px" in ear.said[-1]


@pytest.mark.parametrize(
    ("measured", "step"),
    [
        (found(0.2, 2.0), None),
        (found(3.0, 0.01), None),
        (Measured(errors=np.zeros((0, len(STEPS))), turn_rad=0.0), None),
        (found(0.2, 0.1), 0),
        (found(0.2, 0.1), 10**6),
    ],
    ids=["blurred", "out of range", "no windows", "not yet begun", "too late"],
)
def test_another_stays_as_it_is(
    run: Run, ear: Any, measured: Measured, step: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(focal_length, "measure", lambda run, number: measured)
    if step is not None:
        monkeypatch.setattr(run.progress, "step", step)
        assert step == 0 or run.fraction() > LAST_CHANGE
    before = run.cameras
    hold_measured(run, ear.say)
    assert run.cameras == before and ear.said == []


def test_a_run_with_a_known_camera_measures_nothing(whole_run: Run, ear: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(focal_length, "measure")
    hold_measured(whole_run, ear.say)
    assert ear.said == []


def test_measuring_leaves_the_learner_as_it_was(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(focal_length, "WINDOWS", 1)
    monkeypatch.setattr(camera_windows, "REACH", 4)
    before = {name: value.clone() for name, value in run.learner.state_dict().items()}
    measured = measure(run, 0)
    assert measured.errors.shape[1] == len(STEPS)
    after = run.learner.state_dict()
    assert run.learner.training and all(bool((after[name] == value).all()) for name, value in before.items())


def test_the_focal_length_of_a_rendered_bend_is_found_from_its_images() -> None:
    """With the true motion and depth, as seen through a camera that is wrong by a fifth."""
    drive = render_drive(DriveSpec(seed=2, frames=64, width=192, height=64, moving_cars=False, stops=False, sway=3.0))
    camera = drive.camera
    wrong = replace(camera, fx=camera.fx * 1.2, fy=camera.fy * 1.2)
    grey = drive.images @ np.array([0.299, 0.587, 0.114]) / 255
    rays, _ = wrong.rays()
    errors = []
    for middle in range(10, 54, 10):
        frames = range(middle - 8, middle + 9)
        T = np.stack([np.linalg.inv(drive.T_world_camera[i]) @ drive.T_world_camera[middle] for i in frames])
        T[:, :2, 3] /= 1.2  # as a network would have it, which learned with that camera
        points = rays / rays[..., 2:] * drive.depth[middle][..., None]
        images = grey[frames.start : frames.stop]
        tracks = follow(Window(images=images, anchor=8, T_image_anchor=T, points=points, camera=wrong))
        scaled = [replace(wrong, fx=wrong.fx * math.exp(s), fy=wrong.fy * math.exp(s)) for s in STEPS]
        errors.append(misfits(tracks, wrong, scaled))
    place, _ = minimum(np.array(errors))
    assert place == pytest.approx(-math.log(1.2), abs=0.06)
