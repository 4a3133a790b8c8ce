"""Predict many inputs, shared out among processes that know nothing of each other but the output folder.

The results of an input are a folder that is there whole or not at all, with the record of the input in it: whatever is
killed, a later start finds what is finished, and does the rest.
"""

from __future__ import annotations

import dataclasses
import json
import re
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from selfdepth import __version__
from selfdepth.device import Precision
from selfdepth.errors import CheckpointError, DataError, OutputError
from selfdepth.files import make_folder, put_in_place, remove_tree, require_writable, whole_file, writing_to
from selfdepth.inference.depth_bag import bag_factor
from selfdepth.inference.input_lists import SETTINGS_FILE, ListedInput
from selfdepth.inference.inputs import open_inputs
from selfdepth.inference.kitti_benchmark import benchmark_factor
from selfdepth.inference.odometry import MotionPredictor, has_pose_network
from selfdepth.inference.predict import ReadyModel, load_ready, output_folders, predict_ready
from selfdepth.inference.save import SaveOptions
from selfdepth.locks import held
from selfdepth.texts import read_json
from selfdepth.weights.locate import find_model, model_checksum
from selfdepth.weights.models import StatedModel

RECORD_FILE = "prediction.json"
"""In the folder of an input's results: one line on what was done. Where it is, the results are complete."""

_LEFTOVER = re.compile(r"\.(.+)\.(?:partial|lock)", re.DOTALL)
_UNREADABLE = "the settings of the predictions cannot be read"

Status = Literal["finished", "there", "busy", "failed"]


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is predicted, the same for all inputs and all processes.

    Attributes:
        model: any MODEL that `load_model` accepts.
        out: folder of all results.
        options: what to write for each input.
        camera, stream, topic: as for `open_inputs`.
        device, precision: as for `Predictor.load`. The device may be another in each process. "auto" is the precision
            of the process that began first.
    """

    model: str | StatedModel
    out: Path
    options: SaveOptions
    camera: str | None = None
    stream: int | None = None
    topic: str | None = None
    device: str = "auto"
    precision: Precision = "auto"

    def settings(self, checksum: str) -> dict[str, Any]:
        """All that the results depend on: what processes that share a folder must agree on, as JSON has it."""
        options = self.options
        said = self.model if isinstance(self.model, StatedModel) else StatedModel(self.model)
        return {
            "model": checksum,
            **({} if said.predictions_are is None else {"predictions_are": said.predictions_are}),
            **({} if said.takes is None else {"network_takes": dataclasses.asdict(said.takes)}),
            "precision": self.precision,
            "save": sorted(options.kinds),
            "camera": self.camera,
            "stream": self.stream,
            "topic": self.topic,
            "every": options.spacing,
            "factor": options.metres_per_unit,
            "max_depth": options.clouds.max_depth,
            "voxel": options.clouds.voxel,
        }


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of an input.

    Attributes:
        listed: the input.
        status: "there": it was finished before. "busy": another process is at work on it.
        record: of a finished input, what is in its RECORD_FILE.
        error: why an input failed.
    """

    listed: ListedInput
    status: Status
    record: dict[str, Any] | None = None
    error: Exception | None = None


def predict_many(
    task: Task,
    inputs: Sequence[ListedInput],
    *,
    tell: Callable[[Outcome], None],
    say: Callable[[str], None] = lambda sentence: None,
) -> None:
    """Predict inputs one after the other. One that fails does not stop the rest.

    Args:
        inputs: the share of this process.
        tell: called with the outcome of each input, in their order.
        say: called with sentences for the user.

    Raises:
        SelfDepthError: for an invalid model or option, an output folder that cannot be written to or holds anything
            else, and a full disk. Never for what is wrong with an input.
    """
    settings = checked_settings(task)
    worker: InputPredictor | None = None
    for each in inputs:
        if is_finished(task.out, each):
            tell(Outcome(listed=each, status="there"))
            continue
        worker = worker or InputPredictor(task, settings, say=say)
        tell(worker.predict(each))


def checked_settings(task: Task) -> dict[str, Any]:
    """The settings of a task, if its output folder is new, empty, or of the same settings. Writes nothing.

    Raises:
        CheckpointError: if there is no such model.
        OutputError: if the folder cannot be written to, or holds anything else.
    """
    require_writable(task.out, option="--out")
    settings = task.settings(model_checksum(find_model(str(task.model))))
    _require_same(task.out, settings)
    return settings


class InputPredictor:
    """Predicts one input after the other in this process.

    The first of all processes writes the settings into the output folder; the others must have the same.

    Args:
        settings: as `checked_settings` returns them.
        say: called with sentences for the user.

    Raises:
        SelfDepthError: for an invalid model, device or option, and for a folder of other results.
    """

    def __init__(
        self, task: Task, settings: dict[str, Any], *, say: Callable[[str], None] = lambda sentence: None
    ) -> None:
        self._task, self._say, self._checksum = task, say, settings["model"]
        self._ready = self._load(task.precision)
        _require_options(task, self._ready)
        agreed = _claim(task.out, settings, self._ready.predictor.precision)
        if agreed != self._ready.predictor.precision:  # another process, on another device, was the first
            self._ready = self._load(agreed)

    def _load(self, precision: Precision) -> ReadyModel:
        task = self._task
        return load_ready(task.model, task.options.kinds, device=task.device, precision=precision)

    def predict(self, listed: ListedInput) -> Outcome:
        """Predict an input, unless it is finished or another process is at work on it.

        Raises:
            OutputError, CheckpointError: for results that cannot be written, and for the model: no fault of the input.
        """
        try:
            with held(self._task.out / f".{listed.name}.lock", on_busy=_leave):
                if is_finished(self._task.out, listed):
                    return Outcome(listed=listed, status="there")
                return Outcome(listed=listed, status="finished", record=self._predict(listed))
        except _Busy:
            return Outcome(listed=listed, status="busy")
        except (OutputError, CheckpointError):
            raise
        except Exception as error:  # a bug, too: nine thousand videos need not wait for it
            return Outcome(listed=listed, status="failed", error=_explained(error))

    def _predict(self, listed: ListedInput) -> dict[str, Any]:
        """Write the results beside their place, with their record, and move them there. Returns the record."""
        task, folder = self._task, self._task.out / listed.name
        partial = folder.with_name(f".{folder.name}.partial")
        remove_tree(partial)  # what a killed process has left
        if folder.exists():
            _refuse_folder(folder)
        start = time.monotonic()
        try:
            inputs = open_inputs((str(listed.path),), camera=task.camera, stream=task.stream, topic=task.topic)
            folders = output_folders(inputs, partial, task.options.kinds)
            done = predict_ready(self._ready, inputs, folders, task.options, say=self._say)
            record = self._record(listed, partial, done.count, time.monotonic() - start)
            with whole_file(partial / RECORD_FILE) as temporary:
                temporary.write_text(json.dumps(record) + "\n", encoding="utf-8")
            with writing_to(folder):
                put_in_place(partial, folder)
        finally:
            remove_tree(partial)
        return record

    def _record(self, listed: ListedInput, partial: Path, n_frames: int, seconds: float) -> dict[str, Any]:
        sizes = [path.stat().st_size for path in partial.rglob("*") if path.is_file()]
        predictor = self._ready.predictor
        return {
            "input": listed.key,
            "folder": listed.name,
            "frames": n_frames,
            "seconds": round(seconds, 3),
            "save": list(self._task.options.kinds),
            "files": len(sizes),
            "bytes": sum(sizes),
            "model": self._checksum,
            "scale": predictor.scale,
            "device": str(predictor.device),
            "precision": predictor.precision,
            "selfdepth": __version__,
        }


def is_finished(out: Path, listed: ListedInput) -> bool:
    """Whether the results of an input are there: complete, because they came with their record."""
    return (out / listed.name / RECORD_FILE).is_file()


def remove_leftovers(out: Path, names: Collection[str]) -> int:
    """Remove what killed processes have left of inputs with these output names.

    Returns:
        How many are held by a process that is at work on them; those stay.
    """
    n_busy = 0
    hidden = (_LEFTOVER.fullmatch(path.name) for path in (out.iterdir() if out.is_dir() else ()))
    for name in {found[1] for found in hidden if found}.intersection(names):
        try:
            with held(out / f".{name}.lock", on_busy=_leave):
                remove_tree(out / f".{name}.partial")
        except _Busy:
            n_busy += 1
    return n_busy


class _Busy(Exception):  # noqa: N818  no fault
    """Another process holds the lock of an input."""


def _leave() -> None:
    raise _Busy


def _explained(error: Exception) -> Exception:
    """Errors of the system and of memory as sentences of ours; others as they are."""
    if isinstance(error, OSError):
        got = error.strerror or str(error)
        return DataError("the system could not read or write", where=str(error.filename or "the input"), got=got)
    return DataError("more than the memory holds") if isinstance(error, MemoryError) else error


def _require_options(task: Task, ready: ReadyModel) -> None:
    """Refuse what no input could give, once instead of for each of them."""
    kinds, options = task.options.kinds, task.options
    if "kitti" in kinds:
        benchmark_factor(ready.predictor.metres_per_unit, options.metres_per_unit, str(task.model))
    if "bag" in kinds:
        allow, name = options.allow_relative, str(task.model)
        bag_factor(ready.predictor, options.metres_per_unit, allow_relative=allow, model=name)
    if "trajectory" in kinds or ({"ply", "rrd"} & {*kinds} and has_pose_network(ready.weights)):
        MotionPredictor(ready.weights, spacing=options.spacing, device=task.device, precision=task.precision)


def _refuse_folder(folder: Path) -> None:
    raise OutputError(
        "a folder without a record is in the place of the results",
        where=folder,
        expected=f"nothing, or a finished prediction with its {RECORD_FILE}",
        fix="move it away, or name another folder with --out",
    )


def _require_same(out: Path, settings: dict[str, Any]) -> None:
    """Refuse an output folder that holds anything but predictions of these settings.

    Raises:
        OutputError: if it does, or if its settings cannot be read.
    """
    place = out / SETTINGS_FILE
    if not place.is_file():
        # Hidden names are those of locks: another process may be about to write its settings.
        strange = sorted(path.name for path in out.iterdir() if path.name[:1] != ".") if out.is_dir() else []
        if strange and not place.is_file():
            raise OutputError(
                "the output folder holds something else",
                where=out,
                expected="a new or empty folder, or one of predictions with --shard",
                got=", ".join(strange[:3]),
                fix="name another folder with --out",
            )
        return
    found = read_json(place, what=_UNREADABLE, error=OutputError)
    differ = (name for name, value in settings.items() if found.get(name) != value)
    other = next((name for name in differ if settings[name] != "auto"), None)
    if other is not None:
        what = "of another model" if other == "model" else f"made with another --{other.replace('_', '-')}"
        raise OutputError(
            f"the predictions in the output folder are {what}",
            where=place,
            expected=_short(settings[other]),
            got=_short(found.get(other)),
            fix="name another folder with --out",
        )


def _short(value: Any) -> str:
    return json.dumps(value)[:40]


def _claim(out: Path, settings: dict[str, Any], precision: Literal["fp32", "bf16"]) -> Literal["fp32", "bf16"]:
    """Write the settings into the output folder, unless another process has written the same.

    Args:
        precision: what "auto" is on this device.

    Returns:
        The precision that counts.
    """
    with writing_to(out):
        make_folder(out)
    with held(out / f".{SETTINGS_FILE}.lock", on_busy=lambda: None):
        _require_same(out, settings)
        if not (out / SETTINGS_FILE).is_file():
            with whole_file(out / SETTINGS_FILE) as temporary:
                temporary.write_text(json.dumps(settings | {"precision": precision}, indent=2) + "\n", encoding="utf-8")
            return precision
    found = read_json(out / SETTINGS_FILE, what=_UNREADABLE, error=OutputError)
    return "bf16" if found.get("precision") == "bf16" else "fp32"
