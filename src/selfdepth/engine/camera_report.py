"""The end of a run that learned its camera: how well the footage determines it, and the files that say so.

RUN/camera.yaml is a file for --camera (for frames of a further size, RUN/camera_WIDTHxHEIGHT.yaml), at the original
size of the frames. RUN/learned_camera.json has the verdicts, which `selfdepth info` shows.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from selfdepth.data.readers.cameras import camera_to_yaml
from selfdepth.engine.camera_verdict import STEPS, Verdict, judge
from selfdepth.engine.distortion_report import measure_distortion
from selfdepth.engine.distortion_verdict import DistortionVerdict
from selfdepth.engine.learned_camera import camera_name
from selfdepth.engine.setup import Run
from selfdepth.engine.tracking import read_metrics
from selfdepth.errors import DataError
from selfdepth.files import whole_file
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.field_of_view import horizontal_fov_deg
from selfdepth.geometry.learned_lenses import axial, depth_shares
from selfdepth.learners.camera import same_in_image, small_turns
from selfdepth.learners.lens import seen_through
from selfdepth.learners.self_supervised import SelfSupervisedDepth
from selfdepth.losses.alignment import align
from selfdepth.losses.objective import self_supervised_loss, upsample
from selfdepth.structs import Batch
from selfdepth.texts import read_json

CAMERA_FILE = "camera.yaml"
VERDICT_FILE = "learned_camera.json"
_CLIPS = 32
"""Training clips on which the error is measured."""
_WHAT = "what is known of the learned camera cannot be read"


@dataclass(frozen=True, kw_only=True)
class _Measured:
    """Of some clips: errors at each of the focal lengths, and rotations about x and y, as `judge` takes them."""

    errors: Float[ndarray, "clips steps"]
    turns_rad: Float[ndarray, "clips 2"]


def finish(run: Run, say: Callable[[str], None]) -> None:
    """Judge every camera that the run has learned, write the files, and tell the user. Without one, nothing is done.

    Raises:
        OutputError: if the files cannot be written.
    """
    if not isinstance(run.learner, SelfSupervisedDepth) or run.learner.camera is None:
        return
    say(f"how well the footage determines the camera: {_CLIPS} clips are compared at {len(STEPS)} focal lengths")
    try:
        lines = read_metrics(run.folder)
    except DataError:
        lines = []  # without a record of its course, a focal length is not known
    verdicts, distortions = [], []
    for number, camera in enumerate(run.cameras):
        clips = _clips_of(run, number)
        course = _course(lines, f"{camera_name(number)}/fx")
        verdicts.append(_judge(run, run.learner, clips, camera, course))
        distortions.append(_judge_distortion(run.learner, number, clips, _course(lines, f"{camera_name(number)}/edge")))
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


def _judge_distortion(
    learner: SelfSupervisedDepth, number: int, clips: list[Batch], course: list[float]
) -> DistortionVerdict | None:
    if learner.lens is None:
        return None
    learner.eval()
    try:
        return measure_distortion(learner, number, clips, course)
    finally:
        learner.train()


def _judge(run: Run, learner: SelfSupervisedDepth, clips: list[Batch], camera: Camera, course: list[float]) -> Verdict:
    learner.eval()  # a batch of one clip must not change the running statistics
    try:
        measured = _measure(learner, clips)
    finally:
        learner.train()
    size = (run.config.width, run.config.height)
    crop = run.config.crop_px.size_of(camera.width, camera.height)
    return judge(
        course=course,
        errors=measured.errors,
        turns_rad=measured.turns_rad,
        focal_px=camera.fx * size[0] / crop[0],
        size=size,
    )


@torch.no_grad()
def _measure(learner: SelfSupervisedDepth, clips: list[Batch]) -> _Measured:
    errors, turns = np.zeros((len(clips), len(STEPS))), np.zeros((len(clips), 2))
    for i, clip in enumerate(clips):
        disparity = learner.predict_disparity(clip)
        T = learner.relative_transforms(clip)
        size = (clip.frames.shape[-2], clip.frames.shape[-1])
        finest = upsample(disparity, size)
        depth = learner.loss_config.depth_range.depth(finest)
        seen = learner.through_camera(clip)
        T = align(T, depth, seen.frames, seen.K, seen.lenses)
        turns[i] = small_turns(T)[0].square().mean(0).sqrt().tolist()
        errors[i] = [_error(learner, clip, depth, T, seen, step) for step in STEPS]
    return _Measured(errors=errors, turns_rad=turns)


def _error(learner: SelfSupervisedDepth, clip: Batch, depth: Tensor, T: Tensor, seen: Batch, step: float) -> float:
    """The photometric error of a clip with a focal length that is exp(step) times as long, the motion fitted anew.

    Args:
        seen: the clip with the learned camera.
    """
    assert learner.camera is not None
    longer = deepcopy(learner.camera)
    longer.log_focal.data += step
    other = seen_through(clip, longer, learner.lens)
    K, K_other = seen.K, other.K
    if seen.lenses is not None and other.lenses is not None:
        depth = depth * depth_shares(seen.lenses, other.lenses)
        K, K_other = axial(seen.lenses, K), axial(other.lenses, K_other)
    config = replace(learner.loss_config, smoothness=0.0, automask=False)
    T = align(same_in_image(T, K, K_other), depth, clip.frames, other.K, other.lenses)
    disparity = (1 / depth - config.depth_range.inverse_far) / config.depth_range.disparity_span
    return float(self_supervised_loss((disparity,), T, clip.frames, other.K, config, lenses=other.lenses).loss)


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
