"""What `predict --engine ray` runs on the machines of a cluster. Rows hold plain numbers and JSON, nothing else.

Imported by light processes too: torch waits for the first input.
"""

from __future__ import annotations

import importlib
import json
import socket
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from selfdepth import __version__
from selfdepth.errors import CheckpointError, ConfigError, DataError, OutputError, SelfDepthError, SelfDepthWarning

if TYPE_CHECKING:
    from selfdepth.inference.input_lists import ListedInput
    from selfdepth.inference.many import InputPredictor, Outcome, Task

MOST_ATTEMPTS = 3
"""How often an input may be begun. One that ends its process each time (for want of memory, say) is no accident."""


class Row(TypedDict):
    """A row of Ray's data.

    Attributes:
        index: number of the input.
        text: JSON: of the input, later of a Report.
    """

    index: int
    text: str


class Report(TypedDict):
    """What a worker tells of an input.

    Attributes:
        status: as in `Outcome`; "stop" if no input can be predicted.
        record: as in `Outcome`.
        error: the sentence of an input that failed.
        bug: the traceback of an error that is no user's, else empty.
        warnings: sentences.
        said: sentences.
        attempt: 1, or more if processes were lost at the input.
    """

    status: str
    record: dict[str, Any] | None
    error: str
    bug: str
    warnings: list[str]
    said: list[str]
    attempt: int


@dataclass(frozen=True, kw_only=True)
class Job:
    """The work that all workers share.

    Attributes:
        task: what is predicted; its paths are absolute.
        settings: as `checked_settings` returns them.
        place: the list of inputs, or their folder.
        token: name of a file in the output folder, by which a worker knows the folder again.
        version: of the package that has started the job.
    """

    task: Task
    settings: dict[str, Any]
    place: Path
    token: str
    version: str = __version__


class Attempts:
    """Counts how often each input was begun: an actor, because a lost worker takes its own memory with it."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()

    def begin(self, index: int) -> int:
        """Count one more, and return the count."""
        self._begun[index] += 1
        return self._begun[index]


class RayPredictor:
    """One of the processes of a cluster that predict inputs.

    Args:
        job: the work.
        attempts: handle of the actor of class Attempts.
    """

    def __init__(self, job: Job, attempts: Any) -> None:
        self._job, self._attempts = job, attempts
        self._worker: InputPredictor | None = None
        self._said: list[str] = []

    def __call__(self, row: Row) -> Row:
        """Predict an input. Whatever goes wrong with it is told in the report."""
        ray: Any = importlib.import_module("ray")
        attempt = ray.get(self._attempts.begin.remote(row["index"]))
        self._said = []
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            report = self._report(decoded(row["text"]), attempt)
        report["warnings"] = [str(each.message) for each in caught if issubclass(each.category, SelfDepthWarning)]
        report["said"] = self._said
        return Row(index=row["index"], text=json.dumps(report))

    def _report(self, listed: ListedInput, attempt: int) -> Report:
        from selfdepth.inference.many import remove_leftovers

        if attempt > MOST_ATTEMPTS:
            remove_leftovers(self._job.task.out, {listed.name})
            what = f"the process that predicted it was ended from outside, {MOST_ATTEMPTS} times"
            error = str(DataError(what, fix="look for a lack of memory, or try it alone with --shard 1/1"))
            return _told(status="failed", error=error, attempt=attempt - 1)
        try:
            self._worker = self._worker or self._started()
            return _of_outcome(self._worker.predict(listed), attempt)
        except SelfDepthError as error:  # no fault of the input
            return _told(status="stop", error=str(error), attempt=attempt)
        except Exception:  # of starting: no input would get farther
            return _told(status="stop", error="", bug=traceback.format_exc(), attempt=attempt)

    def _started(self) -> InputPredictor:
        from selfdepth.inference.many import InputPredictor

        _require_same_world(self._job)
        return InputPredictor(self._job.task, self._job.settings, say=lambda sentence: self._said.append(sentence))


def encoded(listed: ListedInput) -> str:
    """An input as text in ASCII, names that are no UTF-8 included."""
    return json.dumps([listed.key, str(listed.path), listed.name])


def decoded(text: str) -> ListedInput:
    """The input that `encoded` gave."""
    from selfdepth.inference.input_lists import ListedInput

    key, path, name = json.loads(text)
    return ListedInput(key=key, path=Path(path), name=name)


def _told(*, status: str, error: str = "", bug: str = "", attempt: int) -> Report:
    return Report(status=status, record=None, error=error, bug=bug, warnings=[], said=[], attempt=attempt)


def _of_outcome(outcome: Outcome, attempt: int) -> Report:
    report = _told(status=outcome.status, attempt=attempt)
    report["record"] = outcome.record
    if isinstance(outcome.error, SelfDepthError):
        report["error"] = str(outcome.error)
    elif outcome.error is not None:
        report["error"] = repr(outcome.error)
        report["bug"] = "".join(traceback.format_exception(outcome.error))
    return report


def _require_same_world(job: Job) -> None:
    """Refuse a machine that does not see what the one with the command sees, once instead of for each input.

    Raises:
        SelfDepthError: if it has another version of the package, or sees another output folder, list or model.
    """
    from selfdepth.weights.locate import find_model, model_checksum

    here, out = f"on the machine {socket.gethostname()}", job.task.out
    shared, fix = "a path on a disk that all machines share", "name such a path, or use --shard on each machine"
    if job.version != __version__:
        got = f"{__version__} {here}"
        raise ConfigError("machines have different versions of selfdepth", expected=job.version, got=got)
    if not (out / job.token).exists():
        what = "a machine of the cluster does not see the output folder"
        raise OutputError(what, where=out, expected=shared, got=f"none or another {here}", fix=fix)
    if not job.place.exists():
        what = "a machine of the cluster does not see the list of inputs"
        raise DataError(what, where=job.place, expected=shared, got=f"nothing {here}", fix=fix)
    if model_checksum(find_model(str(job.task.model))) != job.settings["model"]:
        what = "a machine of the cluster sees another model"
        raise CheckpointError(what, where=str(job.task.model), expected=shared, got=f"another {here}", fix=fix)
