"""Validation evaluates depth where it can, and never costs a run."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from selfdepth.config import TrainConfig
from selfdepth.engine import train as loop
from selfdepth.engine.distributed import World
from selfdepth.engine.setup import Run, prepare_run
from selfdepth.engine.train import train
from selfdepth.engine.validate import Validation, _own_batches, validate
from selfdepth.errors import TrainingError
from selfdepth.synthetic.drive import DriveSpec, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw

DRIVE = "2011_09_26/2011_09_26_drive_0001_sync"


@pytest.fixture(scope="module")
def sound_kitti(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 frames; the last two clips are for validation, and only these have a scan."""
    folder = tmp_path_factory.mktemp("kitti")
    write_kitti_raw(render_drive(DriveSpec(seed=1, frames=24, width=64, height=64)), folder, scans=[21, 22])
    return folder


@pytest.fixture
def kitti(sound_kitti: Path, tmp_path: Path) -> Path:
    """A copy to be spoilt."""
    return shutil.copytree(sound_kitti, tmp_path / "kitti")


def spoil_scan(root: Path) -> None:
    scan = root / DRIVE / "velodyne_points/data/0000000021.bin"
    scan.write_bytes(scan.read_bytes()[:-3])


def empty_scans(root: Path) -> None:
    for number in (21, 22):  # one point, behind the car
        point = np.array([[-9, 0, 0, 0]], "<f4")
        (root / DRIVE / f"velodyne_points/data/{number:010d}.bin").write_bytes(point.tobytes())


def lose_calibration(root: Path) -> None:
    for file in (root / "2011_09_26").glob("calib_*.txt"):
        file.unlink()


@pytest.mark.parametrize(
    ("damage", "sentence", "depth_is_evaluated"),
    [
        (spoil_scan, "the scan is truncated", True),
        (empty_scans, "no image could be compared", False),
        (lose_calibration, "the calibration cannot be read", False),
    ],
)
def test_ground_truth_that_cannot_be_used_is_said_and_left_out(
    kitti: Path,
    tiny: TrainConfig,
    tmp_path: Path,
    ear: Any,
    damage: Callable[[Path], None],
    sentence: str,
    depth_is_evaluated: bool,
) -> None:
    damage(kitti)
    config = replace(tiny, data=str(kitti), camera="fov:60", steps=2, save_every=1)
    run = train(config, tmp_path / "run", watcher=ear)
    said = [each for each in ear.said if each.startswith("warning: ground truth is left out of validation: ")]
    assert len(said) == 1, "once for all validations"
    assert sentence in said[0]
    assert (validate(run).depth is not None) is depth_is_evaluated
    assert {"last", "best", "checkpoints"} < {path.name for path in run.folder.iterdir()}
    assert train(replace(config, steps=3), run.folder, resume=True).progress.step == 3


def test_truth_of_another_size_is_not_cropped_with_the_images(kitti: Path, tiny: TrainConfig, tmp_path: Path) -> None:
    for path in (kitti / DRIVE).glob("image_0?/data/*.jpg"):
        Image.open(path).resize((64, 32)).save(path)
    config = replace(tiny, data=str(kitti), camera="37,37,31,14.5", height=64)
    assert validate(prepare_run(config, tmp_path / "whole", resume=False)).depth is not None
    cropped = validate(prepare_run(replace(config, crop="0,8,0,0"), tmp_path / "cropped", resume=False))
    assert cropped.depth is None
    assert any("does not have the size of the images, so it cannot be cropped" in each for each in cropped.problems)


def test_every_clip_is_compared_in_evaluation_mode_and_training_goes_on_in_its_own(whole_run: Run) -> None:
    before = {name: tensor.clone() for name, tensor in whole_run.learner.state_dict().items()}
    found = validate(whole_run)
    assert found.score == found.loss and found.depth is None
    losses = []
    for index in range(len(whole_run.data.val.clips)):
        with torch.no_grad():
            losses.append(float(whole_run.learner.eval()(whole_run.data.val.clip(index)).loss))
    assert found.loss == pytest.approx(np.mean(losses), rel=1e-4), "the result must not depend on the batches"
    whole_run.learner.train()
    validate(whole_run)
    assert whole_run.learner.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in whole_run.learner.state_dict().items())


def test_several_processes_together_find_what_one_finds(
    kitti: Path, tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil_scan(kitti)  # one map is left out, the other one is compared
    run = prepare_run(replace(tiny, data=str(kitti), camera="fov:60", batch_size=1), tmp_path / "run", resume=False)
    alone = validate(run)
    assert alone.loss is not None and alone.depth is not None and len(alone.problems) == 1
    for size, constant in itertools.product((2, 3), (None, alone.constant)):
        runs = [replace(run, world=World(rank=rank, size=size)) for rank in range(size)]
        shares = [_own_batches(each, with_constant=constant is None) for each in runs]
        assert sum(len(share) for share in shares) == 2 and sum(not share for share in shares) == size - 2
        monkeypatch.setattr(World, "gather", lambda world, own, shares=shares: json.loads(json.dumps(shares)))
        assert all(validate(each, constant) == alone for each in runs)


def test_what_was_learned_is_kept_when_validation_fails(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(run: object, constant: float | None) -> Validation:
        raise TrainingError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(loop, "validate", fail)
        with pytest.raises(TrainingError, match="out of memory"):
            train(tiny, tmp_path / "run")
    assert {"last", "best"} < {path.name for path in (tmp_path / "run").iterdir()}
    run = train(tiny, tmp_path / "run", resume=True)
    assert run.progress.step == tiny.steps
    assert np.isfinite(run.progress.best_score or np.nan)
