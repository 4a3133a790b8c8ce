"""The processes of a run in several, as torchrun would start them, with what is to go wrong in them as JSON.

They are forked from a server that has imported everything: torch alone takes seconds. As a program, this file is one of
them for torchrun itself.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from selfdepth.cli.main import main
from selfdepth.config import TrainConfig, from_json, to_json
from selfdepth.data.clips.loader import ClipLoader
from selfdepth.data.store import decode
from selfdepth.engine import checkpoint, setup, train
from selfdepth.engine.run_config import MANIFEST_FILE
from selfdepth.structs import Batch

SERVE = "serve"


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process of a run.

    Attributes:
        number: by which the system knows it.
        errors: the file with what it prints on stderr.
    """

    number: int
    errors: Path


def start(
    size: int,
    config: TrainConfig | None = None,
    folder: Path = Path(),
    *,
    restarts: Sequence[int] = (0, 0, 0, 0),
    **wishes: Any,
) -> list[Process]:
    """Start the processes of a run, each with one thread.

    Args:
        restarts: how often torchrun would have started each of them before.
        wishes: what happens in them, as `run` reads it. "each" gives a list of further ones, an entry for each process.
    """
    wishes |= {"folder": str(folder)} | ({} if config is None else {"config": to_json(config)})
    each = wishes.pop("each", [{}] * size)
    shared = {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    requests = []
    for rank in range(size):
        place = {"RANK": str(rank), "LOCAL_RANK": str(rank), "TORCHELASTIC_RESTART_COUNT": str(restarts[rank])}
        requests.append({"environment": shared | place, "wishes": wishes | each[rank]})
    return [Process(number=number, errors=Path(errors)) for number, errors in _ask({"start": requests})]


def finished(processes: list[Process], *, within_s: float = 300) -> list[tuple[int, str]]:
    """Exit code and stderr of each process. A run that hangs is killed, and fails the test."""
    codes = _ask({"wait": [process.number for process in processes], "within_s": within_s})
    said = [process.errors.read_text(encoding="utf-8") for process in processes]
    assert None not in codes, f"hung, and was killed: {said}"
    return list(zip(codes, said, strict=True))


def free_port(address: str = "127.0.0.1") -> int:
    """A port that nobody listens at."""
    with socket.socket() as free:
        free.bind((address, 0))
        return int(free.getsockname()[1])


@cache
def _server() -> subprocess.Popen[str]:
    """Ends with the tests, when its input is closed."""
    return subprocess.Popen(
        [sys.executable, __file__, SERVE], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def environment() -> dict[str, str]:
    """Of a program that imports what the tests import, with one thread."""
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _ask(request: dict[str, Any]) -> Any:
    server = _server()
    assert server.stdin is not None and server.stdout is not None
    server.stdin.write(json.dumps(request) + "\n")
    server.stdin.flush()
    return json.loads(server.stdout.readline())


def serve() -> None:
    """Start processes and wait for them, as the lines of stdin ask."""
    import selfdepth.cli.progress
    import selfdepth.cli.train
    import selfdepth.demo.run
    import selfdepth.engine.refine  # noqa: F401  imported once, for all of them

    torch.set_num_threads(1)
    os.fsync = lambda descriptor: None  # as in the tests' own process: it would only be waited for
    with tempfile.TemporaryDirectory(prefix="selfdepth-many-") as folder:
        alive: set[int] = set()
        for line in sys.stdin:
            request = json.loads(line)
            if "start" in request:
                answer: Any = [_fork(each, Path(folder)) for each in request["start"]]
                alive |= {number for number, _ in answer}
            else:
                answer = _wait(request["wait"], time.monotonic() + request["within_s"])
                alive -= set(request["wait"])
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
        for number in alive:
            os.kill(number, 9)


def _fork(request: dict[str, Any], folder: Path) -> tuple[int, str]:
    errors, path = tempfile.mkstemp(dir=folder)
    number = os.fork()
    if number:
        os.close(errors)
        return number, path
    code = 1
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for mine, stream in ((nothing, 0), (nothing, 1), (errors, 2)):
            os.dup2(mine, stream)
        os.environ.update(request["environment"])
        code = run(request["wishes"])
    except SystemExit as stop:
        code = int(stop.code or 0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(code)


def _wait(numbers: list[int], deadline_s: float) -> list[int | None]:
    """The exit code of each process; None for one that had to be killed."""
    codes: list[int | None] = []
    for number in numbers:
        done, status = os.waitpid(number, os.WNOHANG)
        while not done and time.monotonic() < deadline_s:
            time.sleep(0.02)
            done, status = os.waitpid(number, os.WNOHANG)
        if not done:
            os.kill(number, 9)
            os.waitpid(number, 0)
        codes.append(os.waitstatus_to_exitcode(status) if done else None)
    return codes


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
    """Let one process die at the start of a step, without a word."""
    _at_step(step, rank, lambda: os.kill(os.getpid(), 9))


def signalled_at(step: int, rank: int, number: int = 15) -> None:
    """Let one process get a signal at a step."""
    _at_step(step, rank, lambda: os.kill(os.getpid(), number))


def slow(seconds: list[float]) -> None:
    """Let a step take so many seconds by the clock of each process."""
    clock, late_s = time.monotonic, [0.0]
    train.time = SimpleNamespace(monotonic=lambda: clock() + late_s[0], sleep=time.sleep)  # type: ignore[assignment]

    def later(seed: int, number: int, seed_step: Any = train.seed_step) -> None:
        late_s[0] += seconds[_rank()]
        seed_step(seed, number)

    train.seed_step = later


def blind(rank: int) -> None:
    """Let one process not see the data."""
    source_of = setup.source_of

    def looks(config: TrainConfig, footage: Any) -> Any:
        return source_of(replace(config, data="not here") if _rank() == rank else config, footage)

    setup.source_of = looks


def killed_once(moment: str, rank: int, mark: str) -> None:
    """Let one process die at one of MOMENTS, without a word, unless the file `mark` says that one has died already."""
    if _rank() != rank or Path(mark).exists():
        return

    def die() -> None:
        Path(mark).touch()
        os.kill(os.getpid(), 9)

    MOMENTS[moment](die)


def _while_the_store_is_built(die: Callable[[], None]) -> None:
    decode._fit_all = lambda *args: die()  # type: ignore[assignment]


def _before_the_first_checkpoint(die: Callable[[], None]) -> None:
    _at_step(1, _rank(), die)


def _in_the_middle_of_a_step(die: Callable[[], None]) -> None:
    """Of the fourth, when the gradients are exchanged and not yet applied."""
    calls, is_finite = count(), train.is_finite

    def dies(*args: Any) -> bool:
        if next(calls) == 3:
            die()
        return is_finite(*args)

    train.is_finite = dies


def _while_a_checkpoint_is_written(die: Callable[[], None]) -> None:
    """The second one, without its manifest."""
    write_text = checkpoint._write_text

    def dies(path: Path, text: str) -> str:
        if path.name == MANIFEST_FILE and "step_000004" in path.parent.name:
            die()
        return write_text(path, text)

    checkpoint._write_text = dies


def _while_it_validates(die: Callable[[], None]) -> None:
    """For the second time, after its first batch."""
    calls, batches = count(), ClipLoader.evaluation_batches

    def dies(self: ClipLoader, *args: Any, **kwargs: Any) -> Iterator[Any]:
        again = next(calls) > 0
        for each in batches(self, *args, **kwargs):
            yield each
            if again:
                die()

    ClipLoader.evaluation_batches = dies  # type: ignore[assignment, method-assign]


MOMENTS = {
    "while the store is built": _while_the_store_is_built,
    "before the first checkpoint": _before_the_first_checkpoint,
    "in the middle of a step": _in_the_middle_of_a_step,
    "while a checkpoint is written": _while_a_checkpoint_is_written,
    "while it validates": _while_it_validates,
}
"""At which a process may be lost, of a run with a checkpoint every two steps."""


def _rank() -> int:
    return int(os.environ["RANK"])


def _at_step(step: int, rank: int, act: Callable[[], None]) -> None:
    seed_step = train.seed_step

    def acts(seed: int, number: int) -> None:
        if number == step and _rank() == rank:
            act()
        seed_step(seed, number)

    train.seed_step = acts


def run(wishes: dict[str, Any]) -> int:
    """Train as `selfdepth train` does, or do what the words of a command say."""
    torch.set_num_threads(1)
    if not wishes.get("validates"):
        without_validation()
    if wishes.get("double"):
        in_double()
    for wish in (with_nan, killed_at, signalled_at, slow, blind, killed_once):
        if wish.__name__ in wishes:
            wish(*wishes[wish.__name__])
    if "words" in wishes:
        return main(wishes["words"])
    folder = Path(wishes["folder"])
    config = from_json(wishes["config"], where="wishes")
    file = folder.parent / f"{folder.name}.{_rank()}.json"
    file.write_text(json.dumps(to_json(config)), encoding="utf-8")
    words = ["train", "--config", str(file), "--out", str(folder)]
    return main([*words, "--resume"] if wishes.get("resume") else words)


if __name__ == "__main__":
    if sys.argv[1:] == [SERVE]:
        serve()
    else:
        sys.exit(run(json.loads(sys.argv[1])))
