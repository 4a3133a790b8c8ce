"""One process of a run in several, as torchrun would start it. Run as a program, with its wishes as JSON."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from selfdepth.cli.main import main
from selfdepth.config import TrainConfig, from_json, to_json
from selfdepth.data.clips.loader import ClipLoader
from selfdepth.engine import setup, train
from selfdepth.structs import Batch


def start_in_rounds(config: TrainConfig, rounds: list[tuple[list[int], Path, dict[str, Any]]], **wishes: Any) -> Any:
    """Start processes that train several runs, one after the other: to start a process takes longer than a tiny run.

    Args:
        rounds: the processes that train a run, its folder, and how its configuration differs.
    """
    ports = _free_ports(len(rounds))
    wishes["rounds"] = [
        {"processes": processes, "folder": str(folder), "port": port, "config": to_json(replace(config, **changes))}
        for (processes, folder, changes), port in zip(rounds, ports, strict=True)
    ]
    size = 1 + max(number for processes, _, _ in rounds for number in processes)
    return start(size, config, rounds[0][1], **wishes)


def _free_ports(n: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def start(size: int, config: TrainConfig, folder: Path, **wishes: Any) -> list[subprocess.Popen[str]]:
    """Start the processes of a run, each with one thread."""
    (port,) = _free_ports(1)
    wishes |= {"config": to_json(config), "folder": str(folder)}
    shared = os.environ | {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    shared |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, __file__, json.dumps(wishes)]
    return [
        subprocess.Popen(
            command,
            env=shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]


def finished(processes: list[subprocess.Popen[str]], *, within_s: float = 300) -> list[tuple[int, str]]:
    """Exit code and stderr of each process. A run that hangs is killed, and fails the test."""
    try:
        for process in processes:
            process.wait(within_s)
    finally:
        for process in processes:
            process.kill()
    return [(process.returncode, process.communicate()[1]) for process in processes]


def in_double() -> None:
    """Let the networks and the clips of this process have double precision."""
    on_device, build = ClipLoader._on_device, setup._build_learner

    def batch_in_double(self: ClipLoader, gathered: Any) -> Batch:
        batch = on_device(self, gathered)
        return replace(batch, frames=batch.frames.double(), inputs=batch.inputs.double(), K=batch.K.double())

    def learner_in_double(*args: Any, **kwargs: Any) -> Any:
        return build(*args, **kwargs).double()

    ClipLoader._on_device = batch_in_double  # type: ignore[method-assign]
    setup._build_learner = learner_in_double


def without_validation() -> None:
    """Let runs save their checkpoints, and neither validate nor draw."""
    train._Loop._validate = lambda self: True  # type: ignore[method-assign]
    train._Loop._draw_preview = lambda self: None  # type: ignore[method-assign]


def with_nan(step: int, rank: int) -> None:
    """Let the clips of one process be no numbers at a step, counted from 0."""
    iterate = ClipLoader.iterate

    def spoiled(self: ClipLoader, start_step: int = 0) -> Iterator[Batch]:
        for number, batch in enumerate(iterate(self, start_step), start_step):
            wrong = number == step and self.rank == rank
            yield replace(batch, inputs=batch.inputs * torch.nan) if wrong else batch

    ClipLoader.iterate = spoiled  # type: ignore[assignment, method-assign]


def killed_at(step: int, rank: int) -> None:
    """Let one process die at a step, without a word."""
    seed_step = train.seed_step

    def die(seed: int, number: int) -> None:
        if number == step and int(os.environ["RANK"]) == rank:
            os.kill(os.getpid(), 9)
        seed_step(seed, number)

    train.seed_step = die


def signalled_at(step: int, rank: int) -> None:
    """Let one process get SIGTERM at a step."""
    seed_step = train.seed_step

    def signalled(seed: int, number: int) -> None:
        if number == step and int(os.environ["RANK"]) == rank:
            os.kill(os.getpid(), 15)
        seed_step(seed, number)

    train.seed_step = signalled


def run(wishes: dict[str, Any]) -> int:
    """Train as `selfdepth train` does."""
    torch.set_num_threads(1)
    without_validation()
    if wishes.get("double"):
        in_double()
    for wish in (with_nan, killed_at, signalled_at):
        if wish.__name__ in wishes:
            wish(*wishes[wish.__name__])
    folder = Path(wishes["folder"])
    config = from_json(wishes["config"], where="wishes")
    file = folder.parent / f"{folder.name}.json"
    file.write_text(json.dumps(to_json(config)), encoding="utf-8")
    words = ["train", "--config", str(file), "--out", str(folder)]
    return main([*words, "--resume"] if wishes.get("resume") else words)


def run_in_rounds(wishes: dict[str, Any]) -> int:
    """Train those runs, one after the other, of which this process is a part."""
    number, code = int(os.environ["RANK"]), 0
    for each in wishes["rounds"]:
        if number in each["processes"] and code == 0:
            rank, size = each["processes"].index(number), len(each["processes"])
            os.environ.update(RANK=str(rank), WORLD_SIZE=str(size), MASTER_PORT=str(each["port"]))
            code = run(wishes | each)
            wishes.pop("double", None)  # it lasts
    return code


if __name__ == "__main__":
    wished = json.loads(sys.argv[1])
    sys.exit(run_in_rounds(wished) if "rounds" in wished else run(wished))
