"""Errors that end a run name the step or the setting at fault, and what to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from numpy import ndarray

from selfdepth.config import TrainConfig
from selfdepth.config.teacher import TeacherConfig
from selfdepth.data.clips.clips import ClipLoader
from selfdepth.engine.checkpoint import last_checkpoint
from selfdepth.engine.failures import explain_memory_errors
from selfdepth.engine.train import train
from selfdepth.errors import TrainingError
from selfdepth.learners.self_supervised import SelfSupervisedDepth


@pytest.mark.parametrize("taught", [False, True])
def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_step_and_the_clip(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taught: bool
) -> None:
    gather = ClipLoader._gather
    poisoned = 9

    def poison(self: ClipLoader, indices: ndarray) -> Any:
        gathered = gather(self, indices)
        targets = self.clips.rows[indices][:, 0]
        if (targets == poisoned).any():
            pixels = gathered.pixels.float()
            pixels[torch.from_numpy(targets == poisoned)] = float("nan")
            gathered = gathered._replace(pixels=pixels)
        return gathered

    monkeypatch.setattr(ClipLoader, "_gather", poison)
    config, teacher = replace(tiny, steps=40, save_every=1000), None
    if taught:
        config, teacher = replace(config, teacher=TeacherConfig(path="python:me")), lambda image: image.mean(-1)
    with pytest.raises(TrainingError) as stopped:
        train(config, tmp_path / "run", teacher=teacher)
    assert f"frame {poisoned} of" in str(stopped.value.where)
    assert str(stopped.value.where).count("frame") == 1, "the sound clip of the batch is not accused"
    assert "the loss is not finite at step" in str(stopped.value)
    assert last_checkpoint(tmp_path / "run") is None, "weights that gave no number are not saved"


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
