"""An exported network beside the original: the same frames through both, differences, errors and times."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray

from selfdepth.export.formats import Runner
from selfdepth.export.frames import SampleFrames, as_input
from selfdepth.inference.odometry import MotionPredictor
from selfdepth.inference.predictor import Predictor
from selfdepth.weights.exported import ExportPrecision, Kind
from selfdepth.weights.files import LoadedWeights

Original = Callable[[tuple[UInt8[ndarray, "h w 3"], ...]], Float[ndarray, "_rows _columns"]]
"""The network as selfdepth runs it: images to a disparity map, or to T_second_first."""


@dataclass(frozen=True, kw_only=True)
class Bound:
    """What an export may differ by.

    Attributes:
        largest, mean: differences, as shares of the mean of the original; of a rotation, in radians.
        abs_rel: by how much the error may be larger, where there is ground truth.
    """

    largest: float
    mean: float
    abs_rel: float


_TIMED = 8
"""Samples that are timed, each several times: more would tell nothing more."""

BOUNDS: dict[ExportPrecision, Bound] = {
    "fp32": Bound(largest=1e-3, mean=1e-4, abs_rel=1e-4),
    "fp16": Bound(largest=0.1, mean=0.01, abs_rel=0.002),
    # The largest difference of eight bits is that of one pixel at the edge of something near: it says little.
    "int8": Bound(largest=2.0, mean=0.1, abs_rel=0.02),
}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Differences of one quantity over all samples.

    Attributes:
        largest, mean: absolute.
        reference: mean of the original's absolute values; of a rotation 1.
        unit: of all three.
    """

    largest: float
    mean: float
    reference: float
    unit: str

    def to_json(self) -> dict[str, Any]:
        """The numbers by their names."""
        return {"largest": self.largest, "mean": self.mean, "reference": self.reference, "unit": self.unit}


@dataclass(frozen=True, kw_only=True)
class Parity:
    """How far an export is from the original.

    Attributes:
        differences: by name ("disparity"; or "translation" and "rotation").
        abs_rel: mean error of the original and of the export; None without ground truth.
        n_truth: number of frames with ground truth.
        ms, ms_ours: median milliseconds per frame, taken in turns in one run.
        n_samples: frames, or pairs of frames.
    """

    differences: dict[str, Difference]
    abs_rel: tuple[float, float] | None
    n_truth: int
    ms: float
    ms_ours: float
    n_samples: int

    def beyond(self, bound: Bound) -> str | None:
        """What is beyond the bound, in words; None if nothing is."""
        for name, each in self.differences.items():
            for kind in ("largest", "mean"):
                share, allowed = getattr(each, kind) / max(each.reference, 1e-12), getattr(bound, kind)
                if not share <= allowed:  # NaN is beyond every bound
                    return f"a {kind} difference of {name} of {share:.3g}, where {allowed:g} is allowed"
        if self.abs_rel is not None and not self.abs_rel[1] - self.abs_rel[0] <= bound.abs_rel:
            worse = self.abs_rel[1] - self.abs_rel[0]
            return f"an abs_rel larger by {worse:.4f}, where {bound.abs_rel:g} is allowed"
        return None

    def to_json(self) -> dict[str, Any]:
        """All numbers by their names."""
        return {
            "differences": {name: each.to_json() for name, each in self.differences.items()},
            "abs_rel_ours": None if self.abs_rel is None else self.abs_rel[0],
            "abs_rel": None if self.abs_rel is None else self.abs_rel[1],
            "frames_with_ground_truth": self.n_truth,
            "ms": self.ms,
            "ms_ours": self.ms_ours,
            "samples": self.n_samples,
        }


def original_of(weights: LoadedWeights, kind: Kind) -> Original:
    """The network of a model as selfdepth runs it, in float32 on the CPU."""
    if kind == "depth":
        predictor = Predictor(weights, device="cpu", precision="fp32")
        return lambda images: predictor.predict_fitted(images)[0].disparity
    motion = MotionPredictor(weights, spacing=weights.config.spacing or 1, device="cpu", precision="fp32")
    factor = 1.0 if weights.metric is None else weights.metric.factor

    def between(images: tuple[UInt8[ndarray, "h w 3"], ...]) -> Float[ndarray, "4 4"]:
        T_second_first: ndarray = motion.motions(torch.from_numpy(np.stack(images)), [0], [0])[0]
        T_second_first[:3, 3] *= factor
        return T_second_first

    return between


def compare_networks(
    original: Original, exported: Runner, frames: SampleFrames, kind: Kind, *, factor: float | None, rounds: int = 3
) -> Parity:
    """Run both on the frames and compare what comes out.

    Args:
        factor: from the original's depths to metres; None if unknown.
        rounds: how often each frame is timed.
    """
    ours = [np.asarray(original(images), np.float64) for images in frames.inputs]
    theirs = [np.asarray(exported(inputs), np.float64)[0] for inputs in frames.arrays()]
    if kind == "pose":
        differences, abs_rel, n_truth = _motion_differences(ours, theirs), None, 0
    else:
        theirs = [each[0] for each in theirs]
        differences = {"disparity": _difference(ours, theirs)}
        abs_rel, n_truth = _errors(frames, ours, theirs, factor)
    ms_ours, ms = _times_ms(original, exported, frames, rounds)
    return Parity(
        differences=differences, abs_rel=abs_rel, n_truth=n_truth, ms=ms, ms_ours=ms_ours, n_samples=len(frames)
    )


def _difference(ours: Sequence[ndarray], theirs: Sequence[ndarray]) -> Difference:
    apart = np.stack([np.abs(a - b) for a, b in zip(ours, theirs, strict=True)])
    reference = float(np.mean([np.abs(each).mean() for each in ours]))
    return Difference(largest=float(apart.max()), mean=float(apart.mean()), reference=reference, unit="1 / depth")


def _motion_differences(ours: Sequence[ndarray], theirs: Sequence[ndarray]) -> dict[str, Difference]:
    apart = np.array([np.linalg.norm(a[:3, 3] - b[:3, 3]) for a, b in zip(ours, theirs, strict=True)])
    length = float(np.mean([np.linalg.norm(each[:3, 3]) for each in ours]))
    # The norm of the difference of two rotations is sqrt(2) times the angle between them, where that is small.
    angles = [np.linalg.norm(a[:3, :3] - b[:3, :3]) / np.sqrt(2) for a, b in zip(ours, theirs, strict=True)]
    return {
        "translation": Difference(
            largest=float(apart.max()), mean=float(apart.mean()), reference=length, unit="unit of the translation"
        ),
        "rotation": Difference(
            largest=float(np.max(angles)), mean=float(np.mean(angles)), reference=1.0, unit="radians"
        ),
    }


def _errors(
    frames: SampleFrames, ours: Sequence[ndarray], theirs: Sequence[ndarray], factor: float | None
) -> tuple[tuple[float, float] | None, int]:
    """Mean abs_rel of the original and of the export, and over how many frames."""
    if not all(np.isfinite(each).all() and (each > 0).all() for each in theirs):
        return (0.0, float("nan")), 0  # no depth, and no error that could be told
    errors = frames.abs_rel(list(zip(ours, theirs, strict=True)), factor)
    if not errors:
        return None, 0
    before, after = np.mean(errors, axis=0)
    return (float(before), float(after)), len(errors)


def _times_ms(original: Original, exported: Runner, frames: SampleFrames, rounds: int) -> tuple[float, float]:
    """Median milliseconds per sample of both, in turns, so that a busy machine slows both alike."""
    taken: tuple[list[float], list[float]] = ([], [])
    for images in frames.inputs[:_TIMED] * rounds:
        start = time.perf_counter()
        original(images)
        middle = time.perf_counter()
        exported([as_input(image) for image in images])
        taken[0].append(1000 * (middle - start))
        taken[1].append(1000 * (time.perf_counter() - middle))
    return statistics.median(taken[0]), statistics.median(taken[1])
