"""The loop: what a run leaves behind, how it goes on exactly, and how it stops."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from selfdepth.config import LossConfig, ResolvedConfig, TrainConfig, from_json
from selfdepth.config.augment import AugmentConfig
from selfdepth.engine import failures
from selfdepth.engine import train as module
from selfdepth.engine.checkpoint import last_checkpoint
from selfdepth.engine.run_config import read_run_config
from selfdepth.engine.setup import Run
from selfdepth.engine.tracking import read_metrics
from selfdepth.engine.train import train
from selfdepth.errors import ConfigError, DataError, Interrupted, OutputError, SelfDepthError
from selfdepth.inference.odometry import MotionPredictor
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
    assert files_in(folder / "checkpoints" / "step_000004") == {
        *("state.pt", "state.json", "config.json", "manifest.json"),
    }
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


def test_a_run_that_learns_nothing_is_told_so_in_words(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ear: Any
) -> None:
    monkeypatch.setattr(module, "_LOG_EVERY_STEPS", 1)
    dead = {"disparity_spread": torch.tensor(0.0), "kept": torch.tensor(0.0), "motion": torch.tensor(0.0)}
    monkeypatch.setattr(module, "vital_signs", lambda output, n_learned: dead)
    train(replace(tiny, steps=6, save_every=100), tmp_path / "run", watcher=ear)
    warnings = [text for text in ear.said if text.startswith("warning: step 5: ")]
    assert len(warnings) == 3


def test_metrics_that_cannot_be_read_at_the_end_are_a_warning(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ear: Any
) -> None:
    def refuse(folder: Path) -> None:
        raise DataError("the metrics cannot be read", where=folder / "metrics.jsonl", got="Input/output error")

    monkeypatch.setattr(failures, "read_metrics", refuse)
    run = train(replace(tiny, steps=1), tmp_path / "run", watcher=ear)
    assert run.progress.step == 1
    assert "cannot be told: the metrics cannot be read" in ear.said[-1] and ear.said[-1].startswith("warning: ")


def test_a_finished_run_is_not_trained_over(whole_run: Run, tiny: TrainConfig) -> None:
    before = (whole_run.folder / "metrics.jsonl").read_text()
    with pytest.raises(OutputError, match="--resume"):
        train(tiny, whole_run.folder)
    assert (whole_run.folder / "metrics.jsonl").read_text() == before


def test_a_refused_run_leaves_the_folder_as_it_is(tiny: TrainConfig, tmp_path: Path) -> None:
    for name in ("config.json", ".store.4242.partial/frames.bin", ".config.json.4242.part", "a/.store.4242.partial/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("of somebody")
    before = sorted(tmp_path.rglob("*"))
    for resume in (False, True):
        with pytest.raises(SelfDepthError, match=r"output folder holds|nothing to resume"):
            train(tiny, tmp_path, resume=resume)
        assert sorted(tmp_path.rglob("*")) == before


def test_a_resume_with_a_longer_budget_goes_on(make_half_run: HalfRun, tiny: TrainConfig) -> None:
    folder = make_half_run()
    run = train(replace(tiny, steps=None, epochs=1, save_every=7), folder, resume=True)
    assert run.progress.step == run.data.train.steps_per_epoch > 2


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_run_after_its_step_saves_everything_and_the_run_can_go_on(
    tiny: TrainConfig, tmp_path: Path, ear: Any, number: signal.Signals
) -> None:
    ear.at_step = lambda: os.kill(os.getpid(), number)  # at the first step, which is always logged
    before = signal.signal(number, signal.SIG_DFL)  # `nohup` starts programs with SIGHUP ignored
    try:
        with pytest.raises(Interrupted) as stopped:
            train(tiny, tmp_path / "run", watcher=ear)
    finally:
        signal.signal(number, before)
    assert (stopped.value.signal_number, stopped.value.folder) == (number, tmp_path / "run")
    assert [line["kind"] for line in read_metrics(tmp_path / "run")] == ["train"], "a stop does not wait for validation"
    checkpoint = last_checkpoint(tmp_path / "run")
    assert checkpoint is not None and checkpoint.name == "step_000001"
    assert load_weights(tmp_path / "run/last").step == load_weights(tmp_path / "run").step == 1
    assert train(replace(tiny, steps=2), tmp_path / "run", resume=True).progress.step == 2


ADDED = {
    "loss": LossConfig(consistency=0.2),
    "augment": AugmentConfig(zoom=1.5, stretch=1.3, weather=0.5),
}


def test_a_run_with_every_addition_records_its_terms_and_goes_on_exactly(tiny: TrainConfig, tmp_path: Path) -> None:
    config = replace(tiny, **ADDED)
    whole = train(config, tmp_path / "whole")
    line = read_metrics(whole.folder)[0]
    assert 0 < line["loss/consistency"] < 1 and line["loss/weather"] > 0
    assert from_json(json.loads((whole.folder / "config.json").read_text()), where="config.json").augment == (
        config.augment
    )
    train(replace(config, steps=2), tmp_path / "half")
    assert same_weights(train(config, tmp_path / "half", resume=True).learner.state_dict(), whole.learner.state_dict())


def test_a_resumed_run_cannot_change_its_augmentation(make_half_run: HalfRun, tiny: TrainConfig) -> None:
    with pytest.raises(ConfigError, match="--augment"):
        train(replace(tiny, augment=AugmentConfig(zoom=1.5)), make_half_run(), resume=True)


@pytest.mark.compiled
def test_the_compiled_step_takes_hard_targets_and_sources(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The graph and its gradient, without machine code, which takes a minute; that is compared in test_compiled.py.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    config = replace(tiny, **ADDED, steps=2, compile=True)
    said = train(config, tmp_path / "compiled")
    plain = train(replace(config, compile=False), tmp_path / "plain")
    for (name, a), b in zip(said.learner.state_dict().items(), plain.learner.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-3, msg=name)
