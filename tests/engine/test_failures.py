"""Errors that end a run name the step or the setting at fault, and what to do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy import ndarray
from PIL import Image

from selfdepth.config import TrainConfig
from selfdepth.config.teacher import TeacherConfig
from selfdepth.data.clips.loader import ClipLoader
from selfdepth.engine import failures as module
from selfdepth.engine import train as train_module
from selfdepth.engine.checkpoint import last_checkpoint, not_finite
from selfdepth.engine.failures import explain_memory_errors, is_finite
from selfdepth.engine.train import train
from selfdepth.errors import DiskFullError, SelfDepthError, TrainingError
from selfdepth.learners.self_supervised import SelfSupervisedDepth

POISONED = 9


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[ndarray], ndarray]], None]:
    """Fills the pixels of some training clips with NaN: those whose target rows a function picks."""
    gather = ClipLoader._gather

    def apply(pick: Callable[[ndarray], ndarray]) -> None:
        def poisoned(self: ClipLoader, indices: ndarray) -> Any:
            gathered = gather(self, indices)
            at_fault = pick(self.clips.rows[indices][:, 0])
            if at_fault.any():
                pixels = gathered.pixels.float()
                pixels[torch.from_numpy(at_fault)] = float("nan")
                gathered = gathered._replace(pixels=pixels)
            return gathered

        monkeypatch.setattr(ClipLoader, "_gather", poisoned)

    return apply


@pytest.mark.parametrize("taught", [False, True])
def test_a_step_without_a_finite_loss_is_not_applied_and_its_clip_is_saved(
    tiny: TrainConfig, tmp_path: Path, ear: Any, poison: Any, taught: bool
) -> None:
    poison(lambda targets: targets == POISONED)
    config, teacher = replace(tiny, steps=12, save_every=1000), None
    if taught:
        config, teacher = replace(config, teacher=TeacherConfig(path="python:me")), lambda image: image.mean(-1)
    run = train(config, tmp_path / "run", teacher=teacher, watcher=ear)
    progress = run.progress
    assert (progress.step, progress.skipped, progress.skipped_in_row) == (12, 1, 0)
    assert not_finite(run.learner) == "", "neither weights nor running statistics"
    said = [text for text in ear.said if "is skipped" in text]
    assert len(said) == 1 and said[0].count("frame") == 1, "the sound clip of the batch is not accused"
    assert f"frame {POISONED} of" in said[0]
    assert any("1 of 12 steps were skipped" in text for text in ear.said)
    (place,) = (tmp_path / "run/skipped").iterdir()
    with Image.open(next(place.glob("clip_*.png"))) as picture:
        assert picture.size == (3 * 64, 64)
    values = json.loads((place / "clips.json").read_text())
    assert values["step"] == int(place.name[5:]) and len(values["at_fault"]) == 1
    assert values["clips"][str(values["at_fault"][0])] in said[0]


def test_a_skipped_step_leaves_weights_optimiser_and_statistics_as_they_were(
    tiny: TrainConfig, tmp_path: Path, poison: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, torch.Tensor]] = []
    report = module.report_skipped

    def watched(run: Any, batch: Any) -> Any:
        result = report(run, batch)
        seen.append({name: tensor.clone() for name, tensor in run.learner.state_dict().items()})
        return result

    monkeypatch.setattr(train_module, "report_skipped", watched)
    sound = train(replace(tiny, steps=3), tmp_path / "sound")
    poison(lambda targets: np.ones(len(targets), dtype=bool))
    with pytest.raises(TrainingError):
        train(
            replace(tiny, steps=12, save_every=100), shutil.copytree(tmp_path / "sound", tmp_path / "run"), resume=True
        )
    assert seen, "steps were skipped"
    for name, tensor in sound.learner.state_dict().items():
        if "running" not in name and "tracked" not in name:  # those are restored after the report
            assert torch.equal(tensor, seen[-1][name]), name


def test_steps_in_a_row_end_the_run_with_advice_that_can_be_followed(
    tiny: TrainConfig, tmp_path: Path, poison: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(tiny, steps=12, save_every=100)
    train(replace(config, steps=2), tmp_path / "run")
    with monkeypatch.context():
        poison(lambda targets: np.ones(len(targets), dtype=bool))
        with pytest.raises(TrainingError, match=r"in the last 5 steps, up to step 7") as stopped:
            train(config, tmp_path / "run", resume=True)
    assert "go on from step_000007 with --resume and --learning-rate 1e-05" in str(stopped.value)
    assert last_checkpoint(tmp_path / "run") == tmp_path / "run/checkpoints/step_000007"
    poison(lambda targets: np.zeros(len(targets), dtype=bool))
    lower = replace(config, learning_rate=1e-5)
    assert train(lower, tmp_path / "run", resume=True).progress.step == 12
    history = [json.loads(line) for line in (tmp_path / "run/history.jsonl").read_text().splitlines()]
    assert history[-1] == {"step": 7, "changes": {"learning_rate": [1e-4, 1e-5]}}


def test_a_run_none_of_whose_steps_could_be_applied_leaves_no_model(
    tiny: TrainConfig, tmp_path: Path, poison: Any
) -> None:
    poison(lambda targets: np.ones(len(targets), dtype=bool))
    with pytest.raises(TrainingError, match=r"in the last 1 steps.*start again with --learning-rate"):
        train(replace(tiny, steps=1), tmp_path / "run")
    assert not (tmp_path / "run/best").exists() and last_checkpoint(tmp_path / "run") is None


def test_a_camera_beyond_all_bounds_leaves_no_model(tiny: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(SelfDepthError):
        train(replace(tiny, camera="1e308,1e308,600,180", steps=1), tmp_path / "run")
    assert not (tmp_path / "run/best").exists()


def test_gradients_are_looked_at_as_well_as_the_loss() -> None:
    good, bad = (torch.nn.Parameter(torch.ones(3)) for _ in range(2))
    loss = torch.tensor(0.5)
    assert is_finite(loss, [good, bad]), "without gradients there is nothing to look at"
    good.grad, bad.grad = torch.full((3,), 1e15), torch.ones(3)
    assert is_finite(loss, [good, bad]), "large is finite"
    for value in (float("nan"), float("inf"), -float("inf")):
        bad.grad[1] = value
        assert not is_finite(loss, [good, bad])
        assert not is_finite(torch.tensor(value), [good])


def test_weights_that_are_no_numbers_are_never_saved_over_others(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train(replace(tiny, steps=2), tmp_path / "run")
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*.safetensors")}
    step = torch.optim.Adam.step

    def spoil(self: torch.optim.Adam, *args: Any) -> Any:
        step(self, *args)
        with torch.no_grad():
            self.param_groups[0]["params"][0].fill_(float("inf"))

    monkeypatch.setattr(torch.optim.Adam, "step", spoil)
    monkeypatch.setattr(train_module, "is_finite", lambda loss, parameters: True)
    with pytest.raises(TrainingError, match=r"are not saved.*go on from step_000002 with --resume and --learning-rate"):
        train(replace(tiny, steps=4), run.folder, resume=True)
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*.safetensors")} == before
    assert last_checkpoint(run.folder) == run.folder / "checkpoints/step_000002"


def test_the_steps_before_those_that_end_a_run_are_saved_unless_the_disk_refuses(
    tiny: TrainConfig, tmp_path: Path, poison: Any, monkeypatch: pytest.MonkeyPatch, ear: Any
) -> None:
    good = iter([True] * 3 + [False] * 10 + [True] * 20)
    monkeypatch.setattr(train_module, "is_finite", lambda loss, parameters: next(good))
    config = replace(tiny, steps=12, save_every=100)
    with pytest.raises(TrainingError, match=r"last 5 steps, up to step 8.*go on from step_000008"):
        train(config, tmp_path / "run")
    with pytest.raises(TrainingError, match="last 5 steps, up to step 13"):
        train(replace(config, steps=30), tmp_path / "run", resume=True)  # again five, not the sixth
    assert train(replace(config, steps=14), tmp_path / "run", resume=True).progress.skipped == 10

    def full(*args: Any, **options: Any) -> None:
        raise DiskFullError("cannot write", where="step_000008")

    good = iter([True] * 3 + [False] * 5)
    monkeypatch.setattr(train_module, "save_all", full)
    with pytest.raises(TrainingError, match=r"up to step 8.*start again with"):
        train(config, tmp_path / "full", watcher=ear)
    assert any("are lost: cannot write: step_000008" in text for text in ear.said)


@pytest.mark.parametrize(
    ("gradient", "loss", "is_sound"),
    [
        (1.0, 1.0, True),
        (1e17, 1e30, True),
        (-1e19, 1.0, False),
        (3e38, 1.0, False),
        (float("nan"), 1.0, False),
        (float("-inf"), 1.0, False),
        (1.0, float("nan"), False),
        (1.0, float("inf"), False),
        (None, 1.0, True),
        (None, float("nan"), False),
    ],
)
def test_a_gradient_whose_square_is_infinite_is_as_bad_as_an_infinite_one(
    gradient: float | None, loss: float, is_sound: bool
) -> None:
    parameters = [torch.nn.Parameter(torch.zeros(3)) for _ in range(2)]
    if gradient is not None:
        parameters[0].grad = torch.ones(3)
        parameters[1].grad = torch.tensor([0.0, gradient, 0.0])
    assert is_finite(torch.tensor(loss), parameters) == is_sound


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried"),
        MemoryError(),
    ],
    ids=["GPU", "CPU", "Python"],
)
def test_running_out_of_memory_suggests_what_to_make_smaller(tmp_path: Path, error: Exception) -> None:
    for batch_size, fix in ((6, "--batch-size 3"), (1, "--width")):
        with (
            pytest.raises(TrainingError, match="out of memory") as stopped,
            explain_memory_errors(TrainConfig(batch_size=batch_size), tmp_path),
        ):
            raise error
        assert fix in str(stopped.value)
        assert stopped.value.where == tmp_path


def test_other_errors_are_not_taken_for_a_lack_of_memory(tmp_path: Path) -> None:
    for error in (RuntimeError("shapes do not match"), ValueError("out of memory, says a stranger")):
        with pytest.raises(type(error)) as raised, explain_memory_errors(TrainConfig(), tmp_path):
            raise error
        assert raised.value is error


def test_a_step_that_runs_out_of_memory_ends_the_run_in_these_words(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(self: SelfSupervisedDepth, batch: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(SelfSupervisedDepth, "forward", forward)
    with pytest.raises(TrainingError, match=r"out of memory.*--batch-size 1"):
        train(tiny, tmp_path / "run")
