"""The loop: what a run leaves behind, how it goes on exactly, and how it stops."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy import ndarray
from torch import Tensor

from selfdepth.config import ResolvedConfig, LossConfig, TrainConfig, from_json, to_json
from selfdepth.data.clips.clips import ClipLoader
from selfdepth.engine import train as module
from selfdepth.engine.checkpoint import last_checkpoint
from selfdepth.engine.run_config import read_run_config
from selfdepth.engine.setup import Run
from selfdepth.engine.tracking import Tracker, read_metrics
from selfdepth.engine.train import train
from selfdepth.errors import CheckpointError, ConfigError, DataError, OutputError, TrainingError
from selfdepth.inference.odometry import MotionPredictor
from selfdepth.learner import SelfSupervisedDepth
from selfdepth.weights.files import load_weights

HalfRun = Callable[[], Path]


def same_weights(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def lines_without_clock(folder: Path) -> list[dict[str, Any]]:
    clock = ("clips_per_s", "elapsed_s")
    return [{name: value for name, value in line.items() if name not in clock} for line in read_metrics(folder)]


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_run_folder_holds_exactly_what_is_promised(whole_run: Run) -> None:
    folder = whole_run.folder
    assert files_in(folder) == {
        *("config.json", "metrics.jsonl", "tensorboard", "checkpoints", "best", "last", "previews", "store"),
    }
    assert files_in(folder / "checkpoints") == {"step_000002", "step_000004"}
    assert files_in(folder / "checkpoints" / "step_000004") == {"state.pt", "state.json"}
    for model in ("best", "last"):
        assert files_in(folder / model) == {"model.safetensors", "config.json"}
    assert files_in(folder / "previews") == {"step_000001.png", "step_000002.png", "step_000004.png"}
    assert any(path.name.startswith("events.") for path in (folder / "tensorboard").iterdir())


def test_the_configuration_is_written_resolved_and_reads_back_as_it_is(whole_run: Run, tiny: TrainConfig) -> None:
    text = (whole_run.folder / "config.json").read_text()
    written = from_json(json.loads(text), where="config.json")
    assert ResolvedConfig.of(written) == whole_run.config == ResolvedConfig.of(tiny, height=64, every="1")


def test_the_record_has_losses_signs_and_validations(whole_run: Run) -> None:
    lines = read_metrics(whole_run.folder)
    assert [(line["kind"], line["step"]) for line in lines] == [("train", 1), ("val", 2), ("val", 4)]
    assert {"loss", "loss/scale_0", "loss/scale_3", "learning_rate", "kept", "motion", "clips_per_s"} <= lines[0].keys()
    assert np.isfinite(lines[1]["loss"])


def test_the_last_model_holds_the_weights_of_the_last_step(whole_run: Run) -> None:
    loaded = load_weights(whole_run.folder / "last")
    assert same_weights(loaded.state, whole_run.learner.state_dict())
    assert loaded.step == 4
    assert loaded.scale == "relative"
    assert loaded.camera == whole_run.data.camera


def test_the_best_model_is_that_of_the_lowest_validation(whole_run: Run) -> None:
    scores = {line["step"]: line["loss"] for line in read_metrics(whole_run.folder) if line["kind"] == "val"}
    assert load_weights(whole_run.folder / "best").step == min(scores, key=scores.__getitem__)
    assert whole_run.progress.best_score == min(scores.values())


def test_a_resumed_run_ends_with_exactly_the_weights_of_an_uninterrupted_one(
    whole_run: Run, make_half_run: HalfRun, tiny: TrainConfig
) -> None:
    folder = make_half_run()
    resumed = train(tiny, folder, resume=True)
    assert resumed.progress.step == 4
    assert same_weights(resumed.learner.state_dict(), whole_run.learner.state_dict())
    assert lines_without_clock(folder) == lines_without_clock(whole_run.folder)
    assert files_in(folder / "checkpoints") == files_in(whole_run.folder / "checkpoints")


def test_the_written_configuration_repeats_the_run_exactly(whole_run: Run, tmp_path: Path) -> None:
    values = json.loads((whole_run.folder / "config.json").read_text())
    repeated = train(from_json(values, where="config.json"), tmp_path / "again")
    assert same_weights(repeated.learner.state_dict(), whole_run.learner.state_dict())
    assert lines_without_clock(repeated.folder) == lines_without_clock(whole_run.folder)


def test_another_seed_is_another_run(whole_run: Run, tiny: TrainConfig, tmp_path: Path) -> None:
    other = train(replace(tiny, seed=1, steps=1), tmp_path / "other")
    first, again = (read_metrics(run.folder)[0]["loss"] for run in (whole_run, other))
    assert first != again


def test_the_learning_rate_drops_to_a_tenth_after_three_quarters(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []
    step = torch.optim.Adam.step

    def watched(self: torch.optim.Adam, *args: Any) -> Any:
        rates.append(self.param_groups[0]["lr"])
        return step(self, *args)

    monkeypatch.setattr(torch.optim.Adam, "step", watched)
    train(replace(tiny, save_every=100), tmp_path / "run")
    assert rates == pytest.approx([1e-4, 1e-4, 1e-4, 1e-5])


@pytest.mark.parametrize("minutes", [0.0005])
def test_a_budget_in_minutes_ends_by_the_clock(tiny: TrainConfig, tmp_path: Path, minutes: float) -> None:
    run = train(replace(tiny, steps=None, minutes=minutes, save_every=10**6), tmp_path / "run")
    assert run.progress.step >= 1
    assert run.progress.elapsed_s >= 60 * minutes
    assert last_checkpoint(run.folder) is not None


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_step_and_the_clip(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    with pytest.raises(TrainingError) as stopped:
        train(replace(tiny, steps=40, save_every=1000), tmp_path / "run")
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
@pytest.mark.parametrize(("batch_size", "fix"), [(6, "--batch-size 3"), (1, "--width")])
def test_running_out_of_memory_suggests_what_to_make_smaller(
    tiny: TrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    batch_size: int,
    fix: str,
) -> None:
    def forward(self: SelfSupervisedDepth, batch: object) -> None:
        raise error

    monkeypatch.setattr(SelfSupervisedDepth, "forward", forward)
    with pytest.raises(TrainingError, match="out of memory") as stopped:
        train(replace(tiny, batch_size=batch_size), tmp_path / "run")
    assert fix in str(stopped.value)


def test_other_errors_are_not_taken_for_a_lack_of_memory(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(self: SelfSupervisedDepth, batch: object) -> None:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(SelfSupervisedDepth, "forward", forward)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        train(tiny, tmp_path / "run")


def test_a_run_that_learns_nothing_is_told_so_in_words(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ear: Any
) -> None:
    monkeypatch.setattr(module, "_LOG_EVERY_STEPS", 1)
    dead = {"disparity_spread": torch.tensor(0.0), "kept": torch.tensor(0.0), "motion": torch.tensor(0.0)}
    monkeypatch.setattr(module, "vital_signs", lambda output, n_learned: dead)
    train(replace(tiny, steps=6, save_every=100), tmp_path / "run", watcher=ear)
    warnings = [text for text in ear.said if text.startswith("warning: step 5: ")]
    assert len(warnings) == 3


def test_a_folder_that_holds_a_run_is_refused_without_resume_and_left_alone(whole_run: Run, tiny: TrainConfig) -> None:
    before = (whole_run.folder / "metrics.jsonl").read_text()
    with pytest.raises(OutputError, match="--resume"):
        train(tiny, whole_run.folder)
    assert (whole_run.folder / "metrics.jsonl").read_text() == before


def test_resuming_where_there_is_no_run_is_refused(tiny: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nothing to resume"):
        train(tiny, tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"learning_rate": 1e-3}, "--learning-rate"),
        ({"seed": 5}, "--seed"),
        ({"batch_size": 1}, "--batch-size"),
        ({"loss": LossConfig(ssim=False)}, "--loss"),
        ({"width": 96}, "--width"),
        ({"crop": "0,8,0,0"}, "--crop"),
    ],
)
def test_a_resume_that_changes_what_is_learned_is_refused_and_leaves_the_run_as_it_was(
    whole_run: Run, tiny: TrainConfig, changes: dict[str, Any], named: str
) -> None:
    store = whole_run.folder / "store"
    before = {path.name: path.stat().st_mtime_ns for path in store.iterdir()}
    with pytest.raises(ConfigError, match="cannot change") as refused:
        train(replace(tiny, **changes), whole_run.folder, resume=True)
    assert named in str(refused.value)
    assert {path.name: path.stat().st_mtime_ns for path in store.iterdir()} == before
    assert json.loads((whole_run.folder / "config.json").read_text()) == to_json(whole_run.config)


def test_a_resume_with_a_longer_budget_goes_on(make_half_run: HalfRun, tiny: TrainConfig) -> None:
    folder = make_half_run()
    run = train(replace(tiny, steps=None, epochs=1, save_every=7), folder, resume=True)
    assert run.progress.step == run.data.train.steps_per_epoch > 2


def test_metrics_after_the_checkpoint_are_dropped_when_a_run_goes_on_from_it(tmp_path: Path) -> None:
    lines = [{"kind": "train", "step": step, "loss": 0.5} for step in (1, 20, 40, 60)]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "metrics.jsonl").write_text(text + '{"kind": "train", "st')  # the last line was cut by a crash
    tracker = Tracker(tmp_path, 40)
    tracker.record("train", 41, {"loss": 0.25})
    tracker.close()
    assert [line["step"] for line in read_metrics(tmp_path)] == [1, 20, 40, 41]


def test_too_few_clips_for_a_batch_are_refused_before_anything_is_trained(tiny: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--batch-size"):
        train(replace(tiny, batch_size=64), tmp_path / "run")
    assert last_checkpoint(tmp_path / "run") is None


def test_the_spacing_can_be_chosen_by_the_motion_and_is_said(tiny: TrainConfig, tmp_path: Path, ear: Any) -> None:
    run = train(replace(tiny, every="auto", steps=1), tmp_path / "run", watcher=ear)
    assert any(f" {run.data.store.spacing} frames apart (--every auto)" in sentence for sentence in ear.said)
    assert run.config.every == "auto", "what repeats the run exactly"
    assert run.data.train.clips.spacing >= 1
    assert train(replace(run.config, steps=2), run.folder, resume=True).progress.step == 2
    assert read_run_config(run.folder).every == "auto"
    weights = load_weights(run.folder)
    assert weights.config.every == str(run.data.store.spacing), "what the motions are over"
    assert MotionPredictor(weights, device="cpu").spacing == run.data.store.spacing


Ended = dict[int, tuple[int, Path, str]]
"""By signal: exit code, run folder and stderr."""


@pytest.fixture(scope="module")
def interrupted(tiny: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """A run that got Ctrl-C and one that got SIGTERM, in its midst."""
    folder = tmp_path_factory.mktemp("interrupted")
    config = folder / "config.json"
    config.write_text(json.dumps(to_json(replace(tiny, steps=100_000, save_every=50_000))))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    runs = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        out = folder / f"run{number}"
        words = [sys.executable, "-m", "selfdepth.cli.main", "train", "--config", str(config), "--out", str(out)]
        runs[number] = (out, subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environment))
    ended = {}
    for number, (out, process) in runs.items():
        deadline = time.monotonic() + 300
        while not read_metrics(out) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(number)
        _, text = process.communicate(timeout=300)
        ended[int(number)] = (process.returncode, out, text)
    return ended


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_everything_exits_with_its_code_and_the_run_can_go_on(
    interrupted: Ended, tiny: TrainConfig, number: int, code: int
) -> None:
    returned, folder, text = interrupted[int(number)]
    assert returned == code, text
    assert "Traceback" not in text
    assert f"selfdepth train --resume --out {folder}" in text
    checkpoint = last_checkpoint(folder)
    assert checkpoint is not None
    step = json.loads((checkpoint / "state.json").read_text())["step"]
    assert load_weights(folder / "last").step == step
    assert load_weights(folder).step == step
    resumed = train(replace(tiny, steps=step + 1, save_every=50_000), folder, resume=True)
    assert resumed.progress.step == step + 1
