"""Refining a model on footage: what it keeps, how the anchor holds it, and which models are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from helpers.models import depth_only
from helpers.videos import write_two_streams
from selfdepth.config import TrainConfig
from selfdepth.engine.checkpoint import last_checkpoint
from selfdepth.engine.refine import DEFAULT_MINUTES, RefineOptions, refinement
from selfdepth.engine.setup import Run
from selfdepth.engine.tracking import read_metrics
from selfdepth.engine.train import train
from selfdepth.errors import CheckpointError, ConfigError, DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera
from selfdepth.weights.files import LoadedWeights, WeightsMeta, load_weights, save_weights

MACHINE = {"batch_size": 2, "save_every": 2, "device": "cpu", "precision": "fp32"}


def options(**changes: Any) -> RefineOptions:
    return RefineOptions(**{"anchor": 0.1, "steps": 2, "run": MACHINE, **changes})


@pytest.fixture(scope="module")
def start(whole_run: Run) -> LoadedWeights:
    return load_weights(whole_run.folder / "last")


def refined(start: LoadedWeights, footage: Path, out: Path, **changes: Any) -> Run:
    return train(refinement(str(start.folder), str(footage), options(**changes)), out)


def change(run: Run, start: LoadedWeights) -> float:
    """The mean distance of the depth from that of the start, on the first clips."""
    batch = next(run.data.train.iterate(0))
    run.learner.eval()
    output = run.learner(batch)
    return float(output.terms["loss/anchor"])


def test_a_refinement_is_a_short_run_of_the_models_own_kind(start: LoadedWeights, frames_folder: Path) -> None:
    config = refinement(str(start.folder), str(frames_folder), options(steps=None))
    assert (config.width, config.height, config.loss, config.offsets) == (64, 64, start.config.loss, (-1, 1))
    assert (config.init, config.anchor, config.freeze_batch_norm) == (str(start.folder), 0.1, True)
    assert config.learning_rate == pytest.approx(start.config.learning_rate / 10)
    assert (config.steps, config.minutes) == (None, DEFAULT_MINUTES)
    assert config.every == "1"


def test_the_models_camera_is_taken_where_it_fits_the_frames(
    start: LoadedWeights, frames_folder: Path, tmp_path: Path
) -> None:
    def model(camera: Camera) -> str:
        meta = WeightsMeta(config=start.config, camera=camera, scale="relative")
        save_weights(tmp_path / "model", start.state, meta)
        return str(tmp_path / "model")

    twice = model(Camera(fx=200.0, fy=201.0, cx=63.5, cy=63.5, width=128, height=128))
    assert refinement(twice, str(frames_folder), options()).camera == "100,100.5,31.5,31.5"
    assert refinement(twice, str(frames_folder), options(camera="fov:70")).camera == "fov:70"
    wide = model(Camera(fx=200.0, fy=201.0, cx=63.5, cy=63.5, width=256, height=128))
    assert refinement(wide, str(frames_folder), options()).camera is None


def test_the_stream_that_was_asked_for_is_trained_on(start: LoadedWeights, tmp_path: Path) -> None:
    video = str(write_two_streams(tmp_path / "dashcam.mp4"))
    assert refinement(str(start.folder), video, options(stream=1)).stream == 1
    with pytest.raises(DataError, match="no such video stream"):
        refinement(str(start.folder), video, options(stream=2))


def test_statistics_of_batch_normalisation_stay_and_weights_move(
    start: LoadedWeights, frames_folder: Path, tmp_path: Path
) -> None:
    run = refined(start, frames_folder, tmp_path / "run")
    after = load_weights(run.folder / "last").state
    statistics = [name for name in after if name.endswith(("running_mean", "running_var", "num_batches_tracked"))]
    assert statistics and all(torch.equal(after[name], start.state[name]) for name in statistics)
    moved = [name for name in after if not torch.equal(after[name], start.state[name])]
    assert any(name.startswith("depth_net.") for name in moved) and any(name.startswith("pose_net.") for name in moved)


def test_a_heavier_anchor_keeps_depth_nearer(start: LoadedWeights, frames_folder: Path, tmp_path: Path) -> None:
    changes = {"steps": 6, "learning_rate": 1e-3, "run": MACHINE | {"save_every": 100}}
    distances = [
        change(refined(start, frames_folder, tmp_path / f"{anchor}", anchor=anchor, **changes), start)
        for anchor in (1e-6, 1e3)
    ]
    assert 0 < distances[1] < 0.2 * distances[0]


def test_the_model_as_it_was_is_the_first_to_be_validated(
    start: LoadedWeights, frames_folder: Path, tmp_path: Path
) -> None:
    run = refined(start, frames_folder, tmp_path / "run", learning_rate=0.03)  # ruins the model
    validations = [line for line in read_metrics(run.folder) if line["kind"] == "val"]
    assert [line["step"] for line in validations] == [0, 2]
    assert load_weights(run.folder / "best").step == 0
    best = load_weights(run.folder / "best").state
    assert all(torch.equal(tensor, start.state[name]) for name, tensor in best.items())


def test_a_refinement_is_resumed_as_any_run(start: LoadedWeights, frames_folder: Path, tmp_path: Path) -> None:
    whole = refined(start, frames_folder, tmp_path / "whole", steps=4)
    half = refined(start, frames_folder, tmp_path / "half")
    resumed = train(replace(half.config, steps=4), half.folder, resume=True)
    expected = whole.learner.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in resumed.learner.state_dict().items())
    assert last_checkpoint(half.folder) == half.folder / "checkpoints" / "step_000004"


def test_an_anchor_with_another_range_of_depths_is_refused(
    start: LoadedWeights, frames_folder: Path, tmp_path: Path
) -> None:
    config = refinement(str(start.folder), str(frames_folder), options())
    with pytest.raises(ConfigError, match=r"--loss\.near 0\.1 --loss\.far 100"):
        train(replace(config, loss=replace(config.loss, near=0.2)), tmp_path / "run")
    assert not (tmp_path / "run" / "config.json").exists()


def test_models_that_a_video_cannot_teach_are_refused(
    start: LoadedWeights, frames_folder: Path, tmp_path: Path
) -> None:
    def model(config: TrainConfig, state: dict[str, torch.Tensor]) -> str:
        save_weights(tmp_path / "model", state, WeightsMeta(config=config, camera=None, scale="relative"))
        return str(tmp_path / "model")

    with pytest.raises(CheckpointError, match="no pose network"):
        refinement(model(start.config, depth_only(start.state)), str(frames_folder), options())
    student = replace(start.config, self_teacher="runs/first")
    with pytest.raises(ConfigError, match=r"refine runs/first, from which it learned"):
        refinement(model(student, start.state), str(frames_folder), options())
    stereo = replace(start.config, stereo="calibrated")
    with pytest.warns(SelfDepthWarning, match="does not keep metres"):
        assert refinement(model(stereo, start.state), str(frames_folder), options()).stereo == "none"


def test_a_crop_is_kept_for_frames_of_the_training_frames_size_alone(
    start: LoadedWeights, frames_folder: Path, tmp_path: Path
) -> None:
    def model(side: int) -> str:
        camera = Camera(fx=60.0, fy=60.0, cx=31.5, cy=31.5, width=side, height=side)
        config = replace(start.config, crop="0,8,0,0")
        save_weights(tmp_path / "model", start.state, WeightsMeta(config=config, camera=camera, scale="relative"))
        return str(tmp_path / "model")

    assert refinement(model(64), str(frames_folder), options()).crop == "0,8,0,0"
    with pytest.warns(SelfDepthWarning, match="not cropped"):
        assert refinement(model(128), str(frames_folder), options()).crop is None
