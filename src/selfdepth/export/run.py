"""Export a network: write it, run it beside the original on real frames, and keep it only if both agree."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from selfdepth.errors import CheckpointError, ConfigError, OutputError, SelfDepthError, SelfDepthWarning
from selfdepth.export.frames import SampleFrames, frames_of, rendered_frames
from selfdepth.export.graphs import Network, network_to_export
from selfdepth.export.parity import BOUNDS, Parity, compare_networks, original_of
from selfdepth.export.targets import FormatName, Target, require_target
from selfdepth.files import require_writable_file, whole_file, writing_to
from selfdepth.places import path_of
from selfdepth.texts import reason
from selfdepth.weights.exported import LONGEST_TEXT, ExportedModel, ExportPrecision, Kind
from selfdepth.weights.files import LoadedWeights

N_COMPARED = 32
"""Frames on which an export is compared with the original."""
N_CALIBRATION = 64
"""Frames from which the ranges of int8 are measured."""
_PREFIXES: dict[Kind, str] = {"depth": "depth_net.", "pose": "pose_net."}

Tell = Callable[[str], None]
"""Says what is being done."""


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """What to export, and where to.

    Attributes:
        format, precision, kind: of the file.
        out: the file, with the format's ending.
        calibrate: frames from which the ranges of int8 are measured.
        frames: frames to compare on; None: those of `calibrate` that it was not calibrated with, else those that the
            model learned from, else rendered ones.
        licence: of the data that the model learned from.
    """

    format: FormatName
    precision: ExportPrecision
    kind: Kind
    out: Path
    calibrate: Path | None = None
    frames: Path | None = None
    licence: str | None = None


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What was written, and how it compares.

    Attributes:
        about: what the file says of itself.
        n_bytes, n_bytes_ours: of its files, and of the same network's weights here.
        parity: beside the original.
        frames: which frames that was on.
        runtime: what ran the export, with its version.
    """

    about: ExportedModel
    n_bytes: int
    n_bytes_ours: int
    parity: Parity
    frames: str
    runtime: str

    def to_json(self) -> dict[str, Any]:
        """All numbers by their names."""
        return {
            "kind": self.about.kind,
            "precision": self.about.precision,
            "bytes": self.n_bytes,
            "bytes_ours": self.n_bytes_ours,
            "frames": self.frames,
            "runtime": self.runtime,
            **self.parity.to_json(),
        }


def export_model(weights: LoadedWeights, options: ExportOptions, *, tell: Tell = lambda text: None) -> ExportReport:
    """Write a network of a model in another format.

    Args:
        tell: called before each step that takes seconds.

    Raises:
        ConfigError: for options that contradict each other, or what is not installed.
        CheckpointError: for a model that cannot be exported so.
        DataError: for frames that cannot be used.
        OutputError: for an output that cannot be written; or an export that differs too much, of which nothing is left.
    """
    _require_consistent(options)
    target = require_target(options.format, options.out, options.precision)
    for file in target.files(options.out):
        require_writable_file(file, option="--out")
    original = original_of(weights, options.kind)  # refuses what has no such network
    halved: ExportPrecision = options.precision if target.halves else "fp32"
    network = network_to_export(weights, options.kind, options.precision, halved, options.licence)
    frames, calibration = _frames(weights, options, tell)
    with tempfile.TemporaryDirectory(prefix="selfdepth-export-") as staging, writing_to(Path(staging)):
        staged = Path(staging) / options.out.name
        tell(f"writing {options.format} {options.precision}")
        _write(target, network, staged, calibration, options)
        tell(f"comparing on {len(frames)} samples of {frames.where}")
        parity = compare_networks(
            original, target.open(staged), frames, options.kind, factor=network.about.metres_per_unit
        )
        _require_within_bound(parity, options)
        n_bytes = _place(target.files(staged), target.files(options.out))
    return ExportReport(
        about=network.about,
        n_bytes=n_bytes,
        n_bytes_ours=_n_bytes(weights, options.kind),
        parity=parity,
        frames=f"{len(frames)} {'pairs of frames' if options.kind == 'pose' else 'frames'} of {frames.where}",
        runtime=f"{target.runtime} {version(target.runtime)}",
    )


def _require_consistent(options: ExportOptions) -> None:
    if options.licence is not None and not 0 < len(options.licence.strip()) <= LONGEST_TEXT:
        raise ConfigError(
            "the licence is not a name or an address",
            where="--licence",
            expected=f"1 to {LONGEST_TEXT} characters",
            got=f"{len(options.licence.strip())}",
        )
    int8 = options.precision == "int8"
    if int8 and options.kind == "pose":
        raise ConfigError(
            "the pose network is not written in int8: its motions are hundredths, and eight bits would round them away",
            where="--precision",
            expected="fp32 or fp16 with --network pose",
            got="int8",
        )
    if int8 and options.calibrate is None:
        raise ConfigError(
            "int8 needs frames from which its ranges are measured",
            where="--calibrate",
            expected="your own frames, 64 of which are read",
            got="none",
            fix="give them with --calibrate DATA",
        )
    if not int8 and options.calibrate is not None:
        raise ConfigError(
            f"{options.precision} has nothing to calibrate",
            where="--calibrate",
            got=str(options.calibrate),
            fix="leave it out, or name the frames to compare on with --frames",
        )


def _frames(weights: LoadedWeights, options: ExportOptions, tell: Tell) -> tuple[SampleFrames, list[Any] | None]:
    """The frames to compare on, and the images to calibrate with."""
    calibrating: SampleFrames | None = None
    if options.calibrate is not None:
        tell(f"reading frames of {options.calibrate}")
        calibrating = frames_of(weights, options.calibrate, options.kind, 2 * N_CALIBRATION)
    if options.frames is not None:
        tell(f"reading frames of {options.frames}")
        frames = frames_of(weights, options.frames, options.kind, N_COMPARED)
    elif calibrating is not None:  # every second one: an export must not be judged on what it was fitted to
        frames = calibrating.half(1)
    else:
        frames = _frames_of_training(weights, options.kind)
    if calibrating is None:
        return frames, None
    return frames, [arrays[0] for arrays in calibrating.half(0).arrays()]


def _frames_of_training(weights: LoadedWeights, kind: Kind) -> SampleFrames:
    """Those that the model learned from, if they are still there; else rendered ones, with a warning."""
    data, why = weights.config.data, "are not known"
    if data:
        try:
            return frames_of(weights, path_of(data), kind, N_COMPARED)
        except SelfDepthError as error:
            why = f"cannot be read ({error.what})"
    warnings.warn(
        f"the frames that the model learned from {why}: the export is compared on rendered ones, which say nothing of "
        "its errors on yours; name frames with --frames DATA",
        SelfDepthWarning,
        stacklevel=3,
    )
    return rendered_frames(weights, kind, N_COMPARED)


def _write(
    target: Target, network: Network, staged: Path, calibration: list[Any] | None, options: ExportOptions
) -> None:
    try:
        with torch.inference_mode(False):
            target.write(network, staged, calibration)
    except (SelfDepthError, OSError):
        raise
    except Exception as error:  # an exporter raises what it likes about a network that it cannot trace
        raise CheckpointError(
            f"the network cannot be written as {options.format} {options.precision}",
            where=f"--format {options.format}",
            got=f"{type(error).__name__}: {reason(error)}",
            fix="try --format onnx, or another precision",
        ) from error


def _require_within_bound(parity: Parity, options: ExportOptions) -> None:
    beyond = parity.beyond(BOUNDS[options.precision])
    if beyond is None:
        return
    fix = "try --precision fp16" if options.precision == "int8" else "try another format or precision"
    raise OutputError(
        "the export differs too much from the model, so nothing was written",
        where=options.out,
        expected=f"what {options.format} {options.precision} may differ by",
        got=beyond,
        fix=fix,
    )


def _place(staged: tuple[Path, ...], files: tuple[Path, ...]) -> int:
    """Bring all files to their names, none before all are written. Returns their bytes."""
    sizes = [file.stat().st_size for file in staged]
    with ExitStack() as stack:
        # Contexts end in the reverse order: the graph gets its name last, after what belongs to it.
        for source, file, size in reversed(list(zip(staged, files, sizes, strict=True))):
            shutil.copyfile(source, stack.enter_context(whole_file(file, needs_bytes=size)))
    return sum(sizes)


def _n_bytes(weights: LoadedWeights, kind: Kind) -> int:
    prefix = _PREFIXES[kind]
    return sum(each.numel() * each.element_size() for name, each in weights.state.items() if name.startswith(prefix))
