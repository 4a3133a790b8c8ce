"""Runs in several processes that lose one, and are started again, end exactly as a run that was left alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers import one_of_many
from helpers.one_of_many import MOMENTS, environment, finished, free_port, start
from helpers.same_run import difference
from selfdepth.config import TrainConfig, to_json

TORCHRUN = "--nnodes 2 --nproc-per-node 1 --max-restarts 3 --rdzv-backend c10d --rdzv-id run"
SIZE = 2


@pytest.fixture(scope="module")
def whole(tiny: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of two processes, undisturbed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert [code for code, _ in finished(start(SIZE, tiny, folder, validates=True))] == [0, 0]
    return folder


@pytest.mark.parametrize(
    ("moment", "rank", "restarts"),
    [
        ("while a checkpoint is written", 0, [1, 0]),
        ("before the first checkpoint", 1, [0, 1]),
    ],
)
def test_a_run_that_loses_a_process_and_starts_again_ends_as_one_that_was_left_alone(
    tiny: TrainConfig, whole: Path, tmp_path: Path, moment: str, rank: int, restarts: list[int]
) -> None:
    folder, wishes = tmp_path / "run", {"validates": True, "killed_once": (moment, rank, str(tmp_path / "killed"))}
    results = finished(start(SIZE, tiny, folder, **wishes))
    assert sorted(code for code, _ in results) == [-9, 2] and results[rank][0] == -9, results
    # Every machine counts by itself how often it has started its processes again.
    results = finished(start(SIZE, tiny, folder, restarts=restarts, **wishes))
    assert [code for code, _ in results] == [0, 0], results
    assert difference(folder, whole) == ""


def machines(wishes: dict[str, object], folder: Path) -> list[str]:
    """Let torchrun train on two machines, which are two addresses of this one. Returns what both have printed."""
    address = f"127.0.0.1:{free_port()}"
    program = [one_of_many.__file__, json.dumps(wishes)]
    said = [folder / f"machine_{number}.txt" for number in (1, 2)]
    started = []
    for number, file in enumerate(said, 1):
        options = [*TORCHRUN.split(), "--rdzv-endpoint", address, "--local-addr", f"127.0.0.{number}"]
        with file.open("w", encoding="utf-8") as printed:
            started.append(
                subprocess.Popen(
                    [sys.executable, "-m", "torch.distributed.run", *options, *program],
                    env=environment() | {"GLOO_SOCKET_IFNAME": os.environ.get("GLOO_SOCKET_IFNAME", "lo")},
                    stdout=printed,
                    stderr=subprocess.STDOUT,
                )
            )
    try:
        for each in started:
            each.wait(600)
    finally:
        for each in started:
            each.kill()
    texts = [file.read_text(encoding="utf-8") for file in said]
    assert [each.returncode for each in started] == [0, 0], "\n".join(texts)
    return texts


@pytest.mark.faults
def test_two_machines_that_lose_a_process_at_any_moment_end_as_two_that_did_not(
    tiny: TrainConfig, whole: Path, tmp_path: Path, figures: Callable[[str, str, int, int], None]
) -> None:
    found = {}
    for moment in MOMENTS:
        for rank in (0, 1):
            if (moment, rank) in NOT_OF_BOTH:
                continue
            place = tmp_path / f"{moment} {rank}".replace(" ", "_")
            place.mkdir()
            mark = place / "killed"
            wishes = {"validates": True, "killed_once": (moment, rank, str(mark))}
            machines(wishes | {"config": to_json(tiny), "folder": str(place / "run")}, place)
            assert mark.exists(), "else nothing was tested"
            found[moment, rank] = difference(place / "run", whole)
            shutil.rmtree(place / "run")
    figures(
        "a run on two machines that loses a process ends as one that was left alone",
        "torchrun with --max-restarts; kill -9 of a process of either machine while the store is built, before the "
        "first checkpoint, in a step, while a checkpoint is written, while it validates",
        len(found),
        list(found.values()).count(""),
    )
    assert found == dict.fromkeys(found, "")


NOT_OF_BOTH = {(moment, 1) for moment in ("while a checkpoint is written",)}
"""What the first process alone does."""
