"""Runs that are killed at random moments and continued end exactly as a run that was left alone."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.run_server import RunServer
from helpers.same_run import difference
from selfdepth.config import TrainConfig
from selfdepth.engine.checkpoint import newest_intact
from selfdepth.engine.tracking import read_metrics
from selfdepth.weights.files import load_weights

EXACTLY = "kill -9 at a random moment, then --resume: weights, optimiser and metrics bit for bit"
"""How it is tested."""


def killed_and_continued(run: RunServer, config: TrainConfig, folder: Path, seconds: float, seed: int) -> str:
    """Kill a run at up to three random moments, then let it end. Returns what went wrong."""
    moments = random.Random(seed)
    for _ in range(moments.randint(1, 3)):
        run(config, folder, kill_after_s=moments.uniform(0, 1.1 * seconds))
    end = run(config, folder)
    return "" if end.status == 0 else f"the last resume ended with {end.status}: {end.said}"


def survivors(run: RunServer, config: TrainConfig, folder: Path, tries: int) -> list[str]:
    """What went wrong in each of so many tries, empty where nothing did."""
    whole = run(config, folder / "whole")
    assert whole.status == 0
    found = []
    for seed in range(tries):
        place = folder / str(seed)
        found.append(
            killed_and_continued(run, config, place, whole.seconds, seed) or difference(place, folder / "whole")
        )
        shutil.rmtree(place)  # fifty of them would fill a small disk
    return found


def test_a_killed_run_ends_as_one_that_was_left_alone(run: RunServer, tiny: TrainConfig, tmp_path: Path) -> None:
    assert survivors(run, tiny, tmp_path, 1) == [""]


@pytest.mark.faults
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_killed_runs_end_as_one_that_was_left_alone(
    run: RunServer,
    tiny: TrainConfig,
    tmp_path: Path,
    tries: int,
    figures: Callable[[str, str, int, int], None],
    precision: str,
) -> None:
    found = survivors(run, replace(tiny, precision=precision), tmp_path, tries)  # type: ignore[arg-type]
    figures(f"a killed run ends as one that was left alone, {precision}", EXACTLY, tries, found.count(""))
    assert found == [""] * tries


@pytest.mark.faults
def test_killed_runs_of_a_budget_in_minutes_end_by_the_clock_with_a_sound_record(
    run: RunServer, tiny: TrainConfig, tmp_path: Path, tries: int, figures: Callable[[str, str, int, int], None]
) -> None:
    config = replace(tiny, steps=None, minutes=0.03)
    seconds = run(config, tmp_path / "whole").seconds
    found = []
    for seed in range(tries):
        folder = tmp_path / str(seed)
        problem = killed_and_continued(run, config, folder, seconds, seed)
        checkpoint = newest_intact(folder)
        steps = [line["step"] for line in read_metrics(folder) if line["kind"] == "val"]
        if checkpoint is None or checkpoint.progress.elapsed_s < 60 * 0.03:
            problem = problem or "it ended before its minutes"
        elif steps != sorted(set(steps)) or load_weights(folder / "last").step != checkpoint.progress.step:
            problem = problem or "the record or the last model is of other steps"
        found.append(problem)
        shutil.rmtree(folder)
    figures(
        "a killed run of --minutes keeps its checkpoint, its record and its minutes",
        "kill -9 at a random moment, then --resume to the end",
        tries,
        found.count(""),
    )
    assert found == [""] * tries
