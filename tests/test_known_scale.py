"""Learning in metres: by the speed of the vehicle and by the camera's height, from files to a metric model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.street_geometry import T_between
from selfdepth.config import EncoderConfig, LossConfig, TrainConfig
from selfdepth.data.readers.speeds import read_speed_log
from selfdepth.data.sources.rendered import write_drive
from selfdepth.engine.setup import Run
from selfdepth.engine.train import train
from selfdepth.inference.predictor import load
from selfdepth.losses.height import height_loss
from selfdepth.losses.speed import speed_loss
from selfdepth.structs import Driven
from selfdepth.synthetic.drive import CAMERA_HEIGHT_M, DriveSpec, SyntheticDrive, render_drive
from selfdepth.weights.files import load_weights

START_S = 1.7e9


@pytest.fixture(scope="module")
def drive() -> SyntheticDrive:
    return render_drive(DriveSpec(seed=2, frames=12, width=64, height=64, stops=False, moving_cars=False))


@pytest.fixture(scope="module")
def footage(drive: SyntheticDrive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The images with their times, and the log of the car beside them."""
    folder = tmp_path_factory.mktemp("footage")
    write_drive(drive, folder / "drive")
    times = drive.timestamps + START_S
    rows = [f"{round(1e6 * time)}000,{i:06d}.png\n" for i, time in enumerate(times)]
    (folder / "drive/data.csv").write_text("#timestamp [ns],filename\n" + "".join(rows))
    rows = [
        f"{time:.3f};{3.6 * speed:.3f}".replace(".", ",") for time, speed in zip(times, drive.speed_mps, strict=True)
    ]
    (folder / "speed.csv").write_text("\n".join(["time_s;speed_km_h", *rows]))
    return folder


@pytest.fixture(scope="module")
def config(footage: Path) -> TrainConfig:
    return TrainConfig(
        data=str(footage / "drive"),
        width=64,
        encoder=EncoderConfig(name="test_resnet", pose_name="test_resnet", pretrained=False),
        loss=LossConfig(near=0.5, start_depth=5.0),
        batch_size=2,
        steps=30,
        learning_rate=1e-3,
        save_every=30,
        device="cpu",
        precision="fp32",
        compile=False,
    )


def motion_over_truth(run: Run, drive: SyntheticDrive) -> float:
    """Median of the predicted over the true distance between the frames of the training clips."""
    clips, first = run.data.train.clips, int(run.data.store.sequences[0].numbers[0])
    ratios = []
    for i, ref in enumerate(clips.refs):
        with torch.no_grad():
            T = run.learner.eval().relative_transforms(run.data.train.clip(i))[0, 1]
        n = ref.number - first
        ratios.append(float(T[:3, 3].norm()) / float(np.linalg.norm(T_between(drive, n, n + 1)[:3, 3])))
    return float(np.median(ratios))


def test_with_the_true_motion_the_speed_loss_is_least_at_the_true_scale(drive: SyntheticDrive, footage: Path) -> None:
    log = read_speed_log(footage / "speed.csv")
    metres, known = log.distances(drive.timestamps + START_S)
    given = Driven(metres=torch.from_numpy(metres)[:, None], known=torch.from_numpy(known)[:, None])
    T = torch.from_numpy(np.stack([T_between(drive, n, n + 1) for n in range(len(metres))]))[:, None]
    losses = {}
    for factor in (0.5, 0.9, 0.97, 1.0, 1.03, 1.1, 2.0):
        scaled = T.clone()
        scaled[..., :3, 3] *= factor
        losses[factor] = float(speed_loss(scaled, given))
    assert known.all()
    assert min(losses, key=losses.__getitem__) == 1.0
    assert losses[1.0] < 0.02


def test_a_scale_that_is_learned_by_the_height_comes_to_the_true_one(drive: SyntheticDrive) -> None:
    depth = torch.from_numpy(np.where(drive.depth > 0, drive.depth, 100.0)).double()[:, None]
    K = torch.from_numpy(drive.camera.matrix()).expand(len(depth), 3, 3)
    log_scale = torch.tensor(-1.0, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([log_scale], lr=0.1)
    for step in range(60):
        optimizer.param_groups[0]["lr"] = 0.1 * 0.94**step
        optimizer.zero_grad()
        height_loss(depth * log_scale.exp(), K, CAMERA_HEIGHT_M).backward()
        optimizer.step()
    assert float(log_scale.detach().exp()) == pytest.approx(1, abs=0.05)


@pytest.mark.slow
def test_a_short_training_with_a_speed_log_gets_nearer_to_metres(
    config: TrainConfig, footage: Path, drive: SyntheticDrive, tmp_path: Path
) -> None:
    start = train(replace(config, steps=1), tmp_path / "start")
    speed = train(replace(config, speed=str(footage / "speed.csv")), tmp_path / "speed")
    assert motion_over_truth(start, drive) < 0.1
    assert 0.6 < motion_over_truth(speed, drive) < 1.5


@pytest.mark.parametrize("known", [{"speed": "speed.csv"}, {"camera_height": 1.65}])
def test_a_model_that_learned_with_a_witness_is_metric_and_says_which(
    config: TrainConfig, footage: Path, tmp_path: Path, known: dict
) -> None:
    if "speed" in known:
        known = {"speed": str(footage / known["speed"])}
    run = train(replace(config, loss=LossConfig(), steps=1, **known), tmp_path / "run")
    weights = load_weights(str(tmp_path / "run/last"))
    assert (weights.scale, weights.config.metres_per_unit) == ("metric", 1)
    assert all(getattr(weights.config, name) == value for name, value in known.items())
    assert (weights.config.loss.near, weights.config.loss.start_depth) == (0.5, 5.0)
    assert load(str(tmp_path / "run/last")).predict(np.zeros((64, 64, 3), np.uint8)).scale == "metric"
    records = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert ("loss/speed" in records[0]) == ("speed" in known)
    # Runs with and without a witness are validated by the same loss.
    assert run.data.val.clips.driven_m is None
    assert "loss/height" in run.learner.train()(run.data.train.clip(0)).terms or "speed" in known
    assert "loss/height" not in run.learner.eval()(run.data.train.clip(0)).terms
