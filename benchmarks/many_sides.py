"""One process with two threads and two processes with one thread each, which train in turns on the same two cores."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from measuring import BENCHMARKS, ROOT, Setting, Spread
from scenes import CAMERA, write_street
from selfdepth.config import EncoderConfig, TrainConfig, from_json, to_json
from selfdepth.engine.compiled import training_step
from selfdepth.engine.distributed import joined, running_statistics_of
from selfdepth.engine.setup import Run, prepare_in_turn, prepare_run, seed_step
from selfdepth.structs import Batch

CORES = 2
SIDES = {1: "1 process, 2 threads", 2: "2 processes, 1 thread each"}
"""By the number of processes."""


def work(size: int, config: TrainConfig, folder: Path) -> None:
    """Be one of the processes: take as many steps as each line of stdin asks for, and print the seconds."""
    torch.set_num_threads(CORES // size)
    with joined("cpu") as world:
        prepare = partial(prepare_run, folder=folder, world=world)
        run = prepare_in_turn(prepare, config, world, resume=False)
        with closing(run.data.train.iterate(0)) as batches:  # its thread reads ahead
            _take_turns(run, _step(run, batches))


def _take_turns(run: Run, step: Callable[[], None]) -> None:
    exchanged = torch.zeros(1)
    for line in sys.stdin:
        what, n = line.split()
        run.world.wait()  # all begin together
        start = time.perf_counter()
        for _ in range(int(n)):
            if what == "steps":
                step()
            else:
                dist.all_reduce(exchanged)
        seconds = time.perf_counter() - start
        gradients = sum(p.grad.nbytes for p in run.learner.parameters() if p.grad is not None)
        statistics = sum(tensor.nbytes for tensor in running_statistics_of(run.learner))
        exchanged = torch.zeros(gradients // 4)
        if run.world.is_first:
            sys.stdout.write(json.dumps([seconds, gradients, statistics]) + "\n")
            sys.stdout.flush()


def _step(run: Run, batches: Iterator[Batch]) -> Callable[[], None]:
    """A step of the training loop, the choice and the augmentation of its clips included."""
    learner, measured = run.world.wrap(run.learner), running_statistics_of(run.learner)
    forward = training_step(run, lambda sentence: None, learner)
    numbers = count()

    def step() -> None:
        seed_step(run.config.seed, next(numbers))
        output = forward(next(batches))
        run.optimizer.zero_grad(set_to_none=True)
        output.loss.backward()  # type: ignore[no-untyped-call]
        run.world.average(measured)
        run.world.gather_numbers([float(output.loss.detach()), 0.0, 0.0, 0.0])  # as the loop agrees
        run.optimizer.step()

    return step


class Side:
    """The processes of one side, which wait until it is their turn."""

    def __init__(self, size: int, config: TrainConfig, folder: Path) -> None:
        place = {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
        path = os.pathsep.join([str(ROOT / "src"), str(BENCHMARKS), os.environ.get("PYTHONPATH", "")])
        shared = os.environ | place | {"OMP_NUM_THREADS": str(CORES // size), "PYTHONPATH": path}
        order = json.dumps([size, to_json(config), str(folder)])
        self.processes = [
            subprocess.Popen(
                [sys.executable, __file__, order],
                env=shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for rank in range(size)
        ]

    def turn(self, what: str, n: int) -> tuple[float, int, int]:
        """Seconds of so many "steps" or "exchanges", bytes of the gradients, and of the running statistics."""
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write(f"{what} {n}\n")
            process.stdin.flush()
        assert self.processes[0].stdout is not None
        answer = self.processes[0].stdout.readline()
        if not answer:
            raise RuntimeError(f"a process has ended: {[process.poll() for process in self.processes]}")
        seconds, gradients, statistics = json.loads(answer)
        return float(seconds), int(gradients), int(statistics)

    def end(self) -> None:
        """Let the processes end."""
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.close()
        for process in self.processes:
            process.wait()


@contextmanager
def started(size: int, config: TrainConfig, folder: Path) -> Iterator[Side]:
    """The processes of a side, within the block."""
    side = Side(size, config, folder)
    try:
        yield side
    except BaseException:
        for process in side.processes:
            process.kill()
        raise
    finally:
        side.end()


def measure(setting: Setting) -> dict[str, Any]:
    """Clips per second of both sides, and what the two processes exchange."""
    with tempfile.TemporaryDirectory(prefix="selfdepth-bench-") as name:
        folder = Path(name)
        write_street(folder / "images", setting)
        config = _config(setting, folder / "images")
        with ExitStack() as stack:
            sides = {size: stack.enter_context(started(size, config, folder / f"run_{size}")) for size in SIDES}
            warm = {size: side.turn("steps", 1) for size, side in sides.items()}
            n = {size: max(1, round(setting.round_s / side.turn("steps", 1)[0])) for size, side in sides.items()}
            rates: dict[int, list[float]] = {size: [] for size in sides}
            exchanges: list[float] = []
            for _ in range(setting.rounds):
                for size, side in sides.items():
                    rates[size].append(n[size] * setting.batch / side.turn("steps", n[size])[0])
                exchanges.append(1e3 * sides[2].turn("exchanges", 5)[0] / 5)
    ratio = [two / one for one, two in zip(rates[1], rates[2], strict=True)]
    return {
        "clips_per_s": {SIDES[size]: asdict(Spread.of(values)) for size, values in rates.items()},
        "step_ms": {
            SIDES[size]: asdict(Spread.of(1e3 * setting.batch / value for value in values))
            for size, values in rates.items()
        },
        "ratio": asdict(Spread.of(ratio)),  # turn by turn
        "gradient_bytes": warm[2][1],
        "statistics_bytes": warm[2][2],
        "exchange_alone_ms": asdict(Spread.of(exchanges)),
    }


def _config(setting: Setting, images: Path) -> TrainConfig:
    return TrainConfig(
        data=str(images),
        camera=CAMERA,
        width=setting.width,
        height=setting.height,
        encoder=EncoderConfig(name=setting.encoder, pretrained=False),  # speed does not depend on the weights
        batch_size=setting.batch,
        precision="fp32",
        steps=1_000_000,
        device="cpu",
        compile=False,
    )


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


if __name__ == "__main__":
    n_processes, options, place = json.loads(sys.argv[1])
    work(n_processes, from_json(options, where="the worker"), Path(place))
