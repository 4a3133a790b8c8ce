"""Calibrate: predict frames, ask every witness about them, combine what they say, and write it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.config.quantity import Quantity, require_depth
from selfdepth.data.frames import FrameRef
from selfdepth.data.readers.trajectories import read_trajectory
from selfdepth.data.truth import NoTruth
from selfdepth.errors import DataError, OutputError
from selfdepth.evaluation.depth.metrics import PROTOCOLS
from selfdepth.files import checksum, whole_file
from selfdepth.inference.odometry import require_pose_network
from selfdepth.scale.combine import Calibration, combine
from selfdepth.scale.depths import GivenDepths, model_depths
from selfdepth.scale.distance import DistanceWitness
from selfdepth.scale.driven import Offset, driven_testimony
from selfdepth.scale.frames import ScaleFootage, ScaleFrame, open_footage
from selfdepth.scale.ground import HeightWitness
from selfdepth.scale.lidar import LidarWitness
from selfdepth.scale.plot import plot_calibration
from selfdepth.scale.stereo import StereoWitness
from selfdepth.scale.travel import follow, travel_of_model, travel_of_path
from selfdepth.scale.witness import Testimony, WitnessKind
from selfdepth.structs import Trajectory
from selfdepth.weights.locate import CALIBRATION_FILES, WEIGHTS_FILE
from selfdepth.weights.metres import require_own, write_copy, write_metric
from selfdepth.weights.models import DepthModel, ModelName, load_model
from selfdepth.weights.onnx_weights import OnnxWeights

Advance = Callable[[int], None]
"""Called with the number of frames that were looked at since the last call."""
_MOST_STEPS = 60
"""Of the camera's way that are looked at for the direction of travel: a direction is known after a few."""


@runtime_checkable
class Witness(Protocol):
    """Whoever knows a length in single frames."""

    @property
    def kind(self) -> WitnessKind:
        """Its kind."""

    @property
    def source(self) -> str:
        """Where it comes from, for people."""

    def observe(self, frame: ScaleFrame) -> tuple[float, ...] | str:
        """Metres per unit by a frame, one or more; or why there is none."""


@dataclass(frozen=True, kw_only=True)
class WitnessRequest:
    """Which witnesses are asked, and about which frames.

    Attributes:
        height_m: of the camera above the road, metres.
        stereo: the baseline of the data's stereo pairs.
        distance: list of measured distances (`read_distances`).
        lidar: the ground-truth depth of the data.
        speed: log of the vehicle's speed, a file or "oxts" (`driven_testimony`).
        clock_offset_s: from the clock of the footage to that of the log.
        camera: as `parse_camera` reads it.
        stream: number of the video stream to take; None: the one with the most frames.
        topic: of the images to take from ROS bags; None: that of the only camera.
        frames: at most this many, evenly spaced; measured distances have their own.
    """

    height_m: float | None = None
    stereo: bool = False
    distance: Path | None = None
    lidar: bool = False
    speed: str | None = None
    clock_offset_s: Offset = None
    camera: str | None = None
    stream: int | None = None
    topic: str | None = None
    frames: int = 100


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """A witness and the frames that it is asked about."""

    witness: Witness
    refs: tuple[FrameRef, ...]
    left_out: Counter[str] = field(default_factory=Counter)
    notes: tuple[str, ...] = ()


def calibrate_model(
    model: ModelName,
    data: Path,
    request: WitnessRequest,
    *,
    write: bool = True,
    out: Path | None = None,
    device: str = "auto",
    advance: Advance = lambda frames: None,
) -> Calibration:
    """Find the factor to metres of a model, and write it into the model, with its numbers and their plot beside it.

    A model that is in metres by its training stays as it is.

    Args:
        model: any MODEL that `load_model` accepts. Nothing is written into an ONNX file, whose graph holds its unit.
        data: for `recognise`.
        write: whether anything is written.
        out: folder for a calibrated copy, which leaves the model as it is; None: the model itself.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".

    Raises:
        SelfDepthError: for a model, data or witness that cannot be used, before anything is written.
    """
    weights = load_model(model)
    if isinstance(weights, OnnxWeights):
        done = _of_onnx(weights, data, request, device, advance)
        write_report(out, done)
        return done
    is_metric = weights.config.metres_per_unit == 1
    own = weights.folder / WEIGHTS_FILE
    measured_with = checksum(own) if own.is_file() else None  # a published model has other files
    if write and out is not None:
        _require_no_other_model(out, measured_with)
    elif write and not is_metric:
        require_own(str(model))
    footage = _opened(data, request, weights)
    said = _said_of_model(footage, weights, request, device, advance)
    done = combine(said, timed=footage.timed, known=weights.config.metres_per_unit)
    if not write or (is_metric and out is None):
        return done
    if not is_metric and out is not None:
        write_copy(out, weights, done.scale)
    elif not is_metric:
        assert measured_with is not None, "a model of the user has its weights"
        write_metric(weights.folder, done.scale, measured_with=measured_with)
    write_report(out or weights.folder, done)
    return done


def _of_onnx(onnx: OnnxWeights, data: Path, request: WitnessRequest, device: str, advance: Advance) -> Calibration:
    footage = _opened(data, request, onnx)
    camera = footage.sequences[0].camera
    said = _said_of_model(footage, onnx.for_frames(camera.width, camera.height), request, device, advance)
    return combine(said, timed=footage.timed, known=onnx.metres_per_unit)


def _opened(data: Path, request: WitnessRequest, weights: DepthModel | None = None) -> ScaleFootage:
    return open_footage(
        data,
        camera=request.camera,
        stream=request.stream,
        topic=request.topic,
        stereo=request.stereo,
        weights=weights,
    )


def _said_of_model(
    footage: ScaleFootage, weights: DepthModel, request: WitnessRequest, device: str, advance: Advance
) -> list[Testimony]:
    """What all witnesses say of a model's depth and motion."""
    said = []
    if request.speed is not None:
        require_pose_network(weights)

        def paths_of(name: str) -> list[Trajectory]:
            return follow(footage, name, weights, device=device, advance=advance)

        said.append(driven_testimony(footage, request.speed, request.clock_offset_s, paths_of))
    travel = None
    if request.height_m is not None:
        steps = _evenly(footage.refs, min(request.frames, _MOST_STEPS))
        travel = travel_of_model(footage, steps, weights, device=device, advance=advance)

    def depths(refs: Sequence[FrameRef]) -> Iterator[ScaleFrame]:
        return model_depths(footage, refs, weights, device=device)

    return said + _testimonies(_asked(footage, footage.refs, request, travel), depths, advance)


def calibrate_predictions(
    predictions: Path,
    data: Path,
    request: WitnessRequest,
    *,
    quantity: Quantity = "disparity",
    trajectory: Path | None = None,
    out: Path | None = None,
    advance: Advance = lambda frames: None,
) -> Calibration:
    """Find the factor to metres of anybody's depth maps.

    Args:
        predictions: file or folder for `GivenDepths`, for the frames of `data`.
        quantity: what they are.
        trajectory: poses of the camera in the unit of the depth, in KITTI's or TUM's format.
        out: folder for the numbers and their plot; None: nothing is written.

    Raises:
        SelfDepthError: for predictions, data or a witness that cannot be used, before anything is written.
    """
    require_depth(quantity)
    footage = _opened(data, request)
    given = GivenDepths(predictions, quantity, footage)
    path = None if trajectory is None else _given_path(trajectory, footage)
    asked = _asked(footage, given.refs, request, None if path is None else travel_of_path(path))
    testimonies = []
    if request.speed is not None:
        assert path is not None, "the command line refuses a speed log without it"
        known = path
        testimonies.append(driven_testimony(footage, request.speed, request.clock_offset_s, lambda name: [known]))
    done = combine([*testimonies, *_testimonies(asked, given.depths, advance)], timed=footage.timed)
    write_report(out, done)
    return done


def write_report(folder: Path | None, calibration: Calibration) -> None:
    """Write the numbers and their plot; nothing without a folder. Raises OutputError if it cannot be written to."""
    if folder is None:
        return
    numbers, plot = CALIBRATION_FILES
    plot_calibration(folder / plot, calibration)
    with whole_file(folder / numbers) as path:
        path.write_text(json.dumps(calibration.to_json(), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _given_path(trajectory: Path, footage: ScaleFootage) -> Trajectory:
    """The path in a file. Raises DataError for several sequences, or a file that does not fit the one."""
    if len(footage.sequences) > 1:
        raise DataError(
            "one trajectory cannot be that of several sequences",
            where=trajectory,
            got=f"{len(footage.sequences)} sequences in {footage.source.path}",
            fix="give the folder of one sequence as --data",
        )
    times = footage.own_times_s[footage.sequences[0].name]
    return read_trajectory(trajectory, timestamps=times)  # a file in TUM's format has its own


def _require_no_other_model(out: Path, measured_with: str | None) -> None:
    there = out / WEIGHTS_FILE
    if there.is_file() and checksum(there) != measured_with:
        raise OutputError("the folder holds another model", where=out, expected="a new folder for the calibrated copy")


def _asked(
    footage: ScaleFootage,
    refs: tuple[FrameRef, ...],
    request: WitnessRequest,
    travel: Float[ndarray, "3"] | None,
) -> list[_Asked]:
    """The witnesses, each with its frames.

    Args:
        refs: the frames that have a prediction.
        travel: as for `HeightWitness`.
    """
    evenly = _evenly(refs, request.frames)
    asked = []
    if request.height_m is not None:
        height = HeightWitness(request.height_m, travel)
        asked.append(_Asked(witness=height, refs=evenly, notes=height.notes))
    if request.stereo:
        paired = tuple(ref for ref in refs if footage.has_partner(ref))
        alone = _counted("without a stereo partner", len(refs) - len(paired))
        asked.append(_Asked(witness=StereoWitness(footage), refs=_evenly(paired, request.frames), left_out=alone))
    if request.distance is not None:
        distance = DistanceWitness(request.distance, footage)
        known = tuple(ref for ref in refs if ref in distance.refs)
        asked.append(_Asked(witness=distance, refs=known, left_out=_counted(_NO_MAP, len(distance.refs) - len(known))))
    if request.lidar:
        asked.append(_lidar(footage, refs, request.frames))
    return asked


def _lidar(footage: ScaleFootage, refs: tuple[FrameRef, ...], frames: int) -> _Asked:
    source = footage.source
    measured = tuple(ref for ref in refs if source.truth.may_have(ref))
    if isinstance(source.truth, NoTruth) or not measured:
        raise DataError(
            "there is no measured depth",
            where=f"--lidar, {source.path}",
            expected="KITTI raw with velodyne_points, a rendered drive with depth, or Make3D",
            got=f"{len(refs)} frames without any",
            fix="give another witness",
        )
    witness = LidarWitness(source.truth, PROTOCOLS[source.protocol], source.path.resolve().name)
    left_out = _counted("without measured depth", len(refs) - len(measured))
    return _Asked(witness=witness, refs=_evenly(measured, frames), left_out=left_out)


_NO_MAP = "without a prediction"


def _counted(reason: str, count: int) -> Counter[str]:
    return Counter({reason: count}) if count else Counter()


def _evenly(refs: tuple[FrameRef, ...], count: int) -> tuple[FrameRef, ...]:
    rows = np.unique(np.linspace(0, len(refs) - 1, min(count, len(refs))).round().astype(int))
    return tuple(refs[row] for row in rows)


def _testimonies(
    asked: Sequence[_Asked], depths: Callable[[Sequence[FrameRef]], Iterable[ScaleFrame]], advance: Advance
) -> list[Testimony]:
    """What the witnesses say of their frames, each of which is predicted once."""
    wanted = [frozenset(each.refs) for each in asked]
    order = {ref: None for each in asked for ref in each.refs}
    factors: list[list[float]] = [[] for _ in asked]
    times: list[list[float]] = [[] for _ in asked]
    for frame in depths(sorted(order)):
        for i, each in enumerate(asked):
            if frame.ref not in wanted[i]:
                continue
            found = each.witness.observe(frame)
            if isinstance(found, str):
                each.left_out[found] += 1
            else:
                factors[i] += found
                times[i] += [frame.time_s] * len(found)
        advance(1)
    return list(_collected(asked, factors, times))


def _collected(
    asked: Sequence[_Asked], factors: Sequence[list[float]], times: Sequence[list[float]]
) -> Iterator[Testimony]:
    for each, found, at in zip(asked, factors, times, strict=True):
        order = np.argsort(np.array(at), kind="stable")  # the names of sequences need not follow their times
        yield Testimony(
            witness=each.witness.kind,
            source=each.witness.source,
            times_s=np.array(at, np.float64)[order],
            factors=np.array(found, np.float64)[order],
            left_out=dict(each.left_out),
            notes=each.notes,
        )
