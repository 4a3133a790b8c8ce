"""The end of a run that learned its camera: how well the footage determines it, and the files that say so.

RUN/camera.yaml is a file for --camera (for frames of a further size, RUN/camera_WIDTHxHEIGHT.yaml), at the original
size of the frames. RUN/learned_camera.json has the verdicts, which `selfdepth info` shows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from selfdepth.data.readers.cameras import camera_to_yaml
from selfdepth.engine.camera_verdict import STEPS, Verdict, judge
from selfdepth.engine.distortion_report import measure_distortion
from selfdepth.engine.distortion_verdict import DistortionVerdict
from selfdepth.engine.focal_length import measure
from selfdepth.engine.learned_camera import camera_name
from selfdepth.engine.setup import Run
from selfdepth.engine.tracking import read_metrics
from selfdepth.errors import DataError
from selfdepth.files import whole_file
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.field_of_view import horizontal_fov_deg
from selfdepth.learners.self_supervised import SelfSupervisedDepth
from selfdepth.structs import Batch
from selfdepth.texts import read_json

CAMERA_FILE = "camera.yaml"
VERDICT_FILE = "learned_camera.json"
_CLIPS = 32
"""Training clips on which the error is measured."""
_WHAT = "what is known of the learned camera cannot be read"


def finish(run: Run, say: Callable[[str], None]) -> None:
    """Judge every camera that the run has learned, write the files, and tell the user. Without one, nothing is done.

    Raises:
        OutputError: if the files cannot be written.
    """
    if not isinstance(run.learner, SelfSupervisedDepth) or run.learner.camera is None:
        return
    say(f"how well the footage determines the camera: points are followed, and {len(STEPS)} focal lengths tried")
    try:
        lines = read_metrics(run.folder)
    except DataError:
        lines = []  # without a record of its course, a focal length is not known
    verdicts, distortions = [], []
    for number in range(len(run.cameras)):
        measured = measure(run, number)
        course = _course(lines, f"{camera_name(number)}/fx")
        verdicts.append(judge(course=course, errors=measured.errors, turn_rad=measured.turn_rad))
        distortions.append(_judge_distortion(run, number, _course(lines, f"{camera_name(number)}/edge")))
    for number, (camera, verdict) in enumerate(zip(run.cameras, verdicts, strict=True)):
        path = run.folder / (f"camera_{camera.width}x{camera.height}.yaml" if number else CAMERA_FILE)
        with whole_file(path) as part:
            part.write_text(camera_to_yaml(camera), encoding="utf-8")
        warning = "" if verdict.is_known else "warning: "
        say(f"{warning}{describe(camera, verdict)}; written to {path}")
        of_lens = distortions[number]
        if of_lens is not None:
            say(f"{'' if of_lens.is_known else 'warning: '}{of_lens}")
    values: list[dict[str, Any]] = [
        {"camera": each.to_json(), **_to_json(verdict)} for each, verdict in zip(run.cameras, verdicts, strict=True)
    ]
    for each, of_lens in zip(values, distortions, strict=True):
        if of_lens is not None:
            each["distortion"] = _to_json(of_lens)
    with whole_file(run.folder / VERDICT_FILE) as part:
        part.write_text(json.dumps({"cameras": values}, indent=2) + "\n", encoding="utf-8")


def describe(camera: Camera, verdict: Verdict) -> str:
    """A sentence with the camera and the verdict."""
    fov_deg = horizontal_fov_deg(camera)
    return (
        f"the learned focal length is {camera.fx:.1f} px in frames of {camera.width}x{camera.height} ({fov_deg:.1f} "
        f"degrees across, principal point {camera.cx:.1f}, {camera.cy:.1f}): {verdict}"
    )


def read_verdicts(folder: Path) -> tuple[tuple[Camera, Verdict], ...]:
    """The cameras that a run has learned, and what is known of them; none if it is not finished.

    Raises:
        DataError: if the file cannot be read.
    """
    return _read(folder, lambda each: (Camera.from_json(each["camera"]), _from_json(each)))


def read_distortions(folder: Path) -> tuple[DistortionVerdict | None, ...]:
    """What is known of the distortion of each of these cameras; None of one whose distortion was not learned.

    Raises:
        DataError: if the file cannot be read.
    """
    return _read(folder, lambda each: None if "distortion" not in each else _distortion_from_json(each["distortion"]))


_T = TypeVar("_T")


def _read(folder: Path, of: Callable[[dict[str, Any]], _T]) -> tuple[_T, ...]:
    path = folder / VERDICT_FILE
    if not path.is_file():
        return ()
    values = read_json(path, what=_WHAT)
    try:
        return tuple(map(of, values["cameras"]))
    except (KeyError, TypeError, ValueError, AttributeError, DataError) as error:
        raise DataError(
            _WHAT, where=path, expected="what a run writes at its end", got=str(error)[:80], fix="delete the file"
        ) from error


def _course(lines: list[dict[str, Any]], name: str) -> list[float]:
    return _last_quarter([line[name] for line in lines if isinstance(line.get(name), float)])


def _last_quarter(values: list[float]) -> list[float]:
    return values[-max(2, len(values) // 4) :]


def _clips_of(run: Run, number: int) -> list[Batch]:
    """Some training clips of a camera."""
    clips = run.data.train.clips
    numbers = run.data.store.cameras_of(clips.refs)
    own = np.arange(len(clips)) if numbers is None else np.flatnonzero(numbers == number)
    chosen = own[np.linspace(0, len(own) - 1, min(_CLIPS, len(own))).astype(int)] if len(own) else own
    return [run.data.train.clip(int(index)) for index in chosen]


def _judge_distortion(run: Run, number: int, course: list[float]) -> DistortionVerdict | None:
    learner = run.learner
    if not isinstance(learner, SelfSupervisedDepth) or learner.lens is None:
        return None
    clips = _clips_of(run, number)
    learner.eval()
    try:
        return measure_distortion(learner, number, clips, course)
    finally:
        learner.train()


def _to_json(verdict: Verdict | DistortionVerdict) -> dict[str, Any]:
    """Numbers that are not finite become null, which JSON has."""
    return {name: value if math.isfinite(value) else None for name, value in vars(verdict).items()}


def _from_json(values: dict[str, Any]) -> Verdict:
    return Verdict(**_numbers(values, Verdict))


def _distortion_from_json(values: dict[str, Any]) -> DistortionVerdict:
    return DistortionVerdict(**_numbers(values, DistortionVerdict, signed=("edge",)))


def _numbers(values: dict[str, Any], of: type, signed: tuple[str, ...] = ()) -> dict[str, float]:
    numbers = {}
    for field in fields(of):
        value = values[field.name]
        number = numbers[field.name] = math.inf if value is None else float(value)
        if math.isnan(number) or (number < 0 and field.name not in signed):
            raise ValueError(f"{field.name} {value}")
    return numbers
