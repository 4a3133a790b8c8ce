"""Runs that are killed at random moments and continued end exactly as a run that was left alone."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from helpers.same_run import difference
from selfdepth.config import TrainConfig, to_json
from selfdepth.engine.checkpoint import last_checkpoint, newest_intact
from selfdepth.engine.tracking import read_metrics
from selfdepth.weights.files import load_weights

EXACTLY = "kill -9 at a random moment, then --resume: weights, optimiser and metrics bit for bit"
"""How it is tested."""

SERVER = """
import json, os, signal, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
from selfdepth.config import from_json
from selfdepth.engine.train import train
for line in sys.stdin:
    request = json.loads(line)
    start = time.monotonic()
    process = os.fork()
    if process == 0:
        code = 1
        try:
            train(from_json(request["config"], where="test"), Path(request["folder"]), resume=request["resume"])
            code = 0
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
        finally:
            os._exit(code)
    if request["kill_after_s"] is not None:
        time.sleep(request["kill_after_s"])
        os.kill(process, signal.SIGKILL)
    status = os.waitpid(process, 0)[1]
    print(json.dumps({"status": status, "seconds": time.monotonic() - start}), flush=True)
"""
"""Forks a process for every run, so that torch is imported once."""

Runner = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def run() -> Iterator[Runner]:
    """Train in a process of its own, and kill it after some seconds if asked to."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert server.stdin is not None and server.stdout is not None

    def ask(config: TrainConfig, folder: Path, *, kill_after_s: float | None = None) -> dict[str, Any]:
        resume = last_checkpoint(folder) is not None
        request = {"config": to_json(config), "folder": str(folder), "resume": resume, "kill_after_s": kill_after_s}
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        answer: dict[str, Any] = json.loads(server.stdout.readline())
        return answer

    yield ask
    server.stdin.close()
    server.wait()


def killed_and_continued(run: Runner, config: TrainConfig, folder: Path, seconds: float, seed: int) -> str:
    """Kill a run at up to three random moments, then let it end. Returns what went wrong."""
    moments = random.Random(seed)
    for _ in range(moments.randint(1, 3)):
        run(config, folder, kill_after_s=moments.uniform(0, 1.1 * seconds))
    status = run(config, folder)["status"]
    return "" if status == 0 else f"the last resume ended with {status}"


def survivors(run: Runner, config: TrainConfig, folder: Path, tries: int) -> list[str]:
    """What went wrong in each of so many tries, empty where nothing did."""
    whole = run(config, folder / "whole")
    assert whole["status"] == 0
    found = []
    for seed in range(tries):
        place = folder / str(seed)
        found.append(
            killed_and_continued(run, config, place, whole["seconds"], seed) or difference(place, folder / "whole")
        )
        shutil.rmtree(place)  # fifty of them would fill a small disk
    return found


def test_a_killed_run_ends_as_one_that_was_left_alone(run: Runner, tiny: TrainConfig, tmp_path: Path) -> None:
    assert survivors(run, tiny, tmp_path, 2) == [""] * 2


@pytest.mark.faults
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_killed_runs_end_as_one_that_was_left_alone(
    run: Runner,
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
    run: Runner, tiny: TrainConfig, tmp_path: Path, tries: int, figures: Callable[[str, str, int, int], None]
) -> None:
    config = replace(tiny, steps=None, minutes=0.03)
    seconds = run(config, tmp_path / "whole")["seconds"]
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
