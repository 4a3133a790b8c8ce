"""The frames on which an export is compared with the original, and calibrated."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from selfdepth.data.frames import FrameRef
from selfdepth.errors import DataError
from selfdepth.evaluation.depth.frames import EvaluationFrames, compared, frames_to_evaluate
from selfdepth.evaluation.depth.metrics import PROTOCOLS, evaluate_image
from selfdepth.synthetic.drive import DriveSpec, render_drive
from selfdepth.weights.exported import Kind
from selfdepth.weights.files import LoadedWeights

_SMALLEST_DRIVE = (32, 32)
_RENDERED_SEED = 20


@dataclass(frozen=True, kw_only=True)
class SampleFrames:
    """Frames as the network takes them.

    Attributes:
        where: what they are, for the report.
        inputs: for each sample its images, in the order of the network's inputs.
        refs, frames: where they are from, to find their ground truth; None of rendered ones.
    """

    where: str
    inputs: tuple[tuple[UInt8[ndarray, "h w 3"], ...], ...]
    refs: tuple[FrameRef, ...] = ()
    frames: EvaluationFrames | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.inputs)

    def half(self, which: int) -> SampleFrames:
        """Every second sample, from the first or the second on; those that there are, if there is only one."""
        rows = range(which, len(self), 2) if len(self) > 1 else range(len(self))
        refs = tuple(self.refs[row] for row in rows) if self.refs else ()
        return dataclasses.replace(self, inputs=tuple(self.inputs[row] for row in rows), refs=refs)

    def arrays(self) -> list[tuple[Float[ndarray, "1 3 h w"], ...]]:
        """The inputs of each sample as the graph takes them: colours in [0, 1]."""
        return [tuple(as_input(image) for image in images) for images in self.inputs]

    def abs_rel(
        self, predicted: Sequence[tuple[Float[ndarray, "h w"], ...]], factor: float | None
    ) -> list[tuple[float, ...]]:
        """The errors of the disparities of each sample that has ground truth.

        Args:
            predicted: for each sample the disparities of one or several networks.
            factor: from the depths to metres; None: unknown, so each frame is scaled by its median.

        Raises:
            DataError: for ground truth that cannot be used.
        """
        frames, errors = self.frames, list[tuple[float, ...]]()
        if frames is None or frames.fit is None:
            return []
        fit, protocol = frames.source.fitting(frames.fit), PROTOCOLS[frames.protocol]
        evaluate = partial(evaluate_image, protocol=protocol, median_scaling=factor is None, factor=factor or 1.0)
        for ref, disparities in zip(self.refs, predicted, strict=True):
            truth = frames.truth_in_crop(ref)
            if truth is None:
                continue
            pairs = [compared(each, truth, frames.cameras[ref.sequence], fit) for each in disparities]
            found = [evaluate(*pair, name=f"{ref.sequence} {ref.number}") for pair in pairs]
            row = tuple(each.abs_rel for each in found if each is not None)
            errors += [row] if row else []
        return errors


def as_input(image: UInt8[ndarray, "h w 3"]) -> Float[ndarray, "1 3 h w"]:
    """An image as an exported network takes it."""
    values: ndarray = np.ascontiguousarray(image.transpose(2, 0, 1)[None], dtype=np.float32) / np.float32(255)
    return values


def frames_of(weights: LoadedWeights, data: Path, kind: Kind, count: int) -> SampleFrames:
    """At most `count` samples of the data, evenly spaced; those that `evaluate depth` takes, or pairs for motion.

    Raises:
        DataError: for data that cannot be used, or without two frames at the spacing of training.
    """
    frames = frames_to_evaluate(data, None, weights.fit, whole=kind == "pose", camera=weights.camera)
    frames = dataclasses.replace(frames, depth_is=weights.depth_is, seen_by=weights.camera)
    if kind == "pose":
        return _pairs_of(frames, weights.config.spacing or 1, data, count)
    chosen = frames.evenly(count)
    images = tuple((image,) for image in chosen.read(chosen.refs))
    return SampleFrames(where=str(data), inputs=images, refs=chosen.refs, frames=chosen)


def rendered_frames(weights: LoadedWeights, kind: Kind, count: int) -> SampleFrames:
    """As many samples of a rendered street."""
    width, height = max(weights.config.width, _SMALLEST_DRIVE[0]), max(weights.config.height, _SMALLEST_DRIVE[1])
    drive = render_drive(DriveSpec(seed=_RENDERED_SEED, frames=count + 1, width=width, height=height))
    images = list(drive.images)
    inputs = tuple(itertools.pairwise(images)) if kind == "pose" else tuple((image,) for image in images[:-1])
    return SampleFrames(where="rendered frames", inputs=inputs)


def _pairs_of(frames: EvaluationFrames, spacing: int, data: Path, count: int) -> SampleFrames:
    there = set(frames.refs)
    after = {ref: FrameRef(ref.sequence, ref.number + spacing) for ref in frames.refs}
    first = [ref for ref in frames.refs if after[ref] in there]
    if not first:
        raise DataError(
            "there are no two frames between which the motion could be compared",
            where=data,
            expected=f"frames that are {spacing} apart",
            got=f"{len(frames.refs)} frames",
            fix="give a video or successive images",
        )
    rows = np.linspace(0, len(first) - 1, min(count, len(first))).round().astype(int)
    refs = [each for row in rows for each in (first[row], after[first[row]])]
    images = list(frames.read(tuple(refs)))
    inputs = tuple(zip(images[::2], images[1::2], strict=True))
    return SampleFrames(where=str(data), inputs=inputs)
