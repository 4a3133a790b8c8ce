"""Predict many inputs on a cluster of Ray: its Data library shares them out and begins again what a lost worker had.

The results are those of `predict_many`: the same class predicts an input, into the same folders.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import secrets
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from selfdepth.errors import ConfigError, SelfDepthError, SelfDepthWarning
from selfdepth.files import make_folder, writing_to
from selfdepth.inference.input_lists import ListedInput
from selfdepth.inference.many import Outcome, Status, Task, checked_settings, is_finished, remove_leftovers
from selfdepth.inference.ray_workers import Attempts, Job, RayPredictor, Report, encoded
from selfdepth.weights.models import StatedModel

_VERBOSE = "RAY_LOG_TO_DRIVER"
"""Ray's own variable: 1 shows what Ray and its workers write."""
_SECONDS_TO_END = 5.0
"""Of workers that are being stopped, on other machines too."""


@dataclass(frozen=True, kw_only=True)
class RayOptions:
    """Where and how widely to predict.

    Attributes:
        address: of a running cluster, or "auto" for the one of this machine. None: RAY_ADDRESS, else one is started on
            this machine, for the time of the work.
        workers: number of processes. None: as many as the GPUs of the cluster hold, without GPUs one per CPU core.
        gpus_per_worker: may be a fraction. None: 1 where the cluster has GPUs and the device may be one, else 0.

    Raises:
        ConfigError: for a number out of range, and for an address that is none.
    """

    address: str | None = None
    workers: int | None = None
    gpus_per_worker: float | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ConfigError("option out of range", where="--workers", expected="at least 1", got=str(self.workers))
        gpus = self.gpus_per_worker
        # Ray gives a worker a part of one GPU, or several whole ones.
        if gpus is not None and not (0 <= gpus <= 1 or (1 < gpus < 1000 and gpus == int(gpus))):
            expected = "from 0 to 1, or a whole number"
            raise ConfigError("option out of range", where="--gpus-per-worker", expected=expected, got=str(gpus))
        if self.address is not None and (not self.address or "://" in self.address):
            raise ConfigError(
                "no address of a Ray cluster",
                where="--address",
                expected="HOST:PORT of its head, or auto",
                got=self.address or "nothing",
                fix="run selfdepth on a machine of the cluster, such as by ray job submit",
            )


def predict_on_ray(
    task: Task,
    inputs: Sequence[ListedInput],
    options: RayOptions,
    *,
    place: Path,
    tell: Callable[[Outcome], None],
    say: Callable[[str], None] = lambda sentence: None,
) -> None:
    """Predict inputs on a cluster. One that fails does not stop the rest, nor does one that ends its worker.

    If this process is connected to a cluster, that one is used and stays connected.

    Args:
        place: the list that the inputs are of, or their folder.
        tell: called with the outcome of each input, in the order in which they end.
        say: called with sentences for the user.

    Raises:
        SelfDepthError: as `predict_many` does; also if Ray is not installed, no cluster is reached, or a machine of it
            does not see the same files.
    """
    ray = load_ray()
    settings = checked_settings(task)
    todo = []
    for each in inputs:
        if is_finished(task.out, each):
            tell(Outcome(listed=each, status="there"))
        else:
            todo.append(each)
    if not todo:
        return
    try:
        with _own_output(), _cluster(ray, options.address), _token(task.out) as token:
            job = Job(task=_absolute(task), settings=settings, place=Path(os.path.abspath(place)), token=token)  # noqa: PTH100
            _predict(ray, job, todo, options, tell=tell, say=say)
    finally:
        _clean_up(task.out, todo)


def load_ray() -> Any:
    """Ray, with its Data library, told to be quiet and to send nothing to its makers.

    Raises:
        ConfigError: if it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        importlib.import_module("ray.data")
        return importlib.import_module("ray")
    except ImportError as fault:
        raise ConfigError(
            "Ray is not installed",
            where="--engine ray",
            got=str(fault),
            fix="pip install 'selfdepth[ray]', or share the list out with --shard",
        ) from fault


def _is_verbose() -> bool:
    return os.environ.get(_VERBOSE, "0") not in ("", "0")


def _predict(
    ray: Any,
    job: Job,
    todo: Sequence[ListedInput],
    options: RayOptions,
    *,
    tell: Callable[[Outcome], None],
    say: Callable[[str], None],
) -> None:
    gpus, count = _share(ray.cluster_resources(), options, job.task.device)
    count = min(count, len(todo))
    say(f"Ray: {count} workers on {len(ray.nodes())} machines, each with {f'{gpus:g} GPUs' if gpus else '1 CPU core'}")
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = _is_verbose()
    context.execution_no_progress_timeout_s = -1  # a video may take hours
    context.target_max_block_size = 2**20  # Ray keeps so much memory free for the result of each worker
    if not _is_verbose():
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    attempts = ray.remote(Attempts).options(num_cpus=0).remote()
    rows = [{"index": index, "text": encoded(each)} for index, each in enumerate(todo)]
    # A block of rows is what Ray begins again as a whole, so it is one input; and no input waits behind a long one
    # while another worker has nothing to do.
    reports = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        RayPredictor,
        fn_constructor_args=(job, attempts),
        compute=ray.data.ActorPoolStrategy(size=count, max_tasks_in_flight_per_actor=1),
        **({"num_gpus": gpus} if gpus else {"num_cpus": 1}),
    )
    try:
        # Without looking ahead: a line of JSON would wait for the end of the next input.
        for table in reports.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            for row in table.to_pylist():
                _pass_on(todo[row["index"]], json.loads(row["text"]), tell=tell, say=say)
    except ray.exceptions.RayError as fault:
        raise ConfigError(
            "the Ray cluster could not do the work",
            got=_last_line(fault),
            fix=f"see that all its machines have the same selfdepth; {_VERBOSE}=1 shows what Ray says",
        ) from fault


def _pass_on(
    listed: ListedInput, report: Report, *, tell: Callable[[Outcome], None], say: Callable[[str], None]
) -> None:
    """Tell what a worker reported of an input, here.

    Raises:
        SelfDepthError: if no input can be predicted.
    """
    for sentence in report["warnings"]:
        warnings.warn(sentence, SelfDepthWarning, stacklevel=2)
    for sentence in report["said"]:
        say(sentence)
    error: Exception | None = None
    if report["bug"]:
        error = RuntimeError(f"{report['error']} in a worker:\n{report['bug']}")
    elif report["error"]:
        error = SelfDepthError(report["error"])
    if report["status"] == "stop" and error is not None:
        raise error
    if report["attempt"] > 1 and report["status"] != "failed":
        say(f"{listed.key}: its worker was lost; done at attempt {report['attempt']}")
    tell(Outcome(listed=listed, status=cast(Status, report["status"]), record=report["record"], error=error))


def _share(resources: dict[str, float], options: RayOptions, device: str) -> tuple[float, int]:
    """GPUs of a worker, and the number of workers.

    Raises:
        ConfigError: if the cluster has fewer GPUs, and for a device that Ray decides.
    """
    if device.startswith("cuda:"):
        raise ConfigError("Ray chooses the GPU of a worker", where="--device", expected="auto, cuda or cpu", got=device)
    of_cluster = resources.get("GPU", 0.0)
    may_use = device in ("auto", "cuda")
    gpus = options.gpus_per_worker
    if gpus is None:
        gpus = 1.0 if may_use and (of_cluster or device == "cuda") else 0.0
    if gpus and not may_use:
        raise ConfigError(f"--device {device} uses no GPU", where="--gpus-per-worker", expected="0", got=f"{gpus:g}")
    if gpus > of_cluster:
        raise ConfigError(
            "the cluster has not so many GPUs",
            where="--gpus-per-worker",
            expected=f"at most {of_cluster:g}",
            got=f"{gpus:g}",
        )
    fits = of_cluster / gpus if gpus else resources.get("CPU", 1.0)
    return gpus, options.workers or max(1, int(fits))


def _absolute(task: Task) -> Task:
    """The task with paths that mean the same wherever a worker starts."""

    def absolute(word: str) -> str:
        path = Path(word).expanduser()
        return os.path.abspath(path) if path.exists() else word  # noqa: PTH100  links stay as they are

    camera = None if task.camera is None else absolute(task.camera)
    stated = task.model if isinstance(task.model, StatedModel) else StatedModel(task.model)
    model = replace(stated, model=absolute(stated.model))
    return replace(task, model=model, out=Path(os.path.abspath(task.out)), camera=camera)  # noqa: PTH100


@contextmanager
def _cluster(ray: Any, address: str | None) -> Iterator[None]:
    """A connection to the cluster. One that is started here ends with the block, and its workers with it.

    Raises:
        ConfigError: if it is not reached, or does not start.
    """
    if ray.is_initialized():
        yield
        return
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    only_local = {"include_dashboard": False} if address == "local" else {}
    in_main = threading.current_thread() is threading.main_thread()
    on_term = signal.getsignal(signal.SIGTERM)
    try:
        try:
            ray.init(address, log_to_driver=_is_verbose(), logging_level=logging.ERROR, **only_local)
        except Exception as fault:
            raise ConfigError(
                "the Ray cluster is not reached" if address != "local" else "Ray does not start on this machine",
                where=f"--address {address}",
                got=_last_line(fault),
                fix="see that it runs, with the same versions of Ray and Python as here",
            ) from fault
        finally:
            if in_main:  # Ray has put one of its own there
                signal.signal(signal.SIGTERM, on_term)
        yield
    finally:
        ray.shutdown()


@contextmanager
def _token(out: Path) -> Iterator[str]:
    """A hidden file in the output folder for the time of the block. The folder goes too if it was made for nothing."""
    was_there = out.exists()
    name = f".ray-{secrets.token_hex(8)}"
    with writing_to(out):
        make_folder(out)
        (out / name).touch()
    try:
        yield name
    finally:
        (out / name).unlink(missing_ok=True)
        if not was_there:
            with contextlib.suppress(OSError):  # not empty
                out.rmdir()


@contextmanager
def _own_output() -> Iterator[None]:
    """Keep what Ray prints out of stdout, which holds the results, and out of stderr unless that was asked for."""
    with contextlib.ExitStack() as until_end:
        until_end.enter_context(contextlib.redirect_stdout(cast(Any, _OneThread(sys.stdout))))
        if not _is_verbose() and _descriptor(sys.stderr) == 2:
            # Ray's library in C++ writes to the descriptor itself.
            ours = until_end.enter_context(os.fdopen(os.dup(2), "w", encoding=sys.stderr.encoding, errors="replace"))
            until_end.callback(os.dup2, ours.fileno(), 2)
            until_end.enter_context(contextlib.redirect_stderr(ours))
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), 2)
        yield


def _descriptor(stream: Any) -> int | None:
    try:
        return int(stream.fileno())
    except (OSError, ValueError, AttributeError):  # a stream of no file
        return None


class _OneThread:
    """A stream for the thread that made it. What others write is lost, or goes to stderr if that was asked for."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._owner = stream, threading.get_ident()

    def write(self, text: str) -> int:
        if threading.get_ident() == self._owner:
            self._stream.write(text)
        elif _is_verbose():
            sys.stderr.write(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _clean_up(out: Path, todo: Sequence[ListedInput]) -> None:
    """Remove what stopped workers have left half-written; they may take a moment to end."""
    names = {each.name for each in todo}
    end = time.monotonic() + _SECONDS_TO_END
    while remove_leftovers(out, names) and time.monotonic() < end:
        time.sleep(0.2)


def _last_line(fault: Exception) -> str:
    lines = str(fault).strip().splitlines()
    return lines[-1].strip() if lines else type(fault).__name__
