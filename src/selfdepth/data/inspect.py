"""Inspect data before training on it: what was recognised, and which problems it has."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

from selfdepth.data.frames import find_gaps
from selfdepth.data.motion import choose_spacing, measure_motion
from selfdepth.data.sources.source import DataSource
from selfdepth.errors import DataError, SelfDepthWarning


@dataclass(frozen=True, kw_only=True)
class SequenceSummary:
    """Summary of one sequence.

    Attributes:
        name: name of the sequence.
        n_frames: number of frames that clips use.
        width, height: size of the upright frames in pixels.
        fps: frames per second; None if the frames are images, 0 if the video does not state it.
        camera: where the intrinsics come from: "given", "calibration" or "assumed".
        fov_deg: horizontal field of view in degrees.
        gaps: places where the frame numbers jump, as (last before, first after).
        parked: stretches in which the camera stands still, as (first, last).
        every: the spacing that `--every auto` would choose for this sequence alone, 1 to 10.
    """

    name: str
    n_frames: int
    width: int
    height: int
    fps: float | None
    camera: str
    fov_deg: float
    gaps: tuple[tuple[int, int], ...]
    parked: tuple[tuple[int, int], ...]
    every: int


@dataclass(frozen=True, kw_only=True)
class FootageSummary:
    """Summary of a data set.

    Attributes:
        kind: the kind that was recognised (`DataSource.kind`).
        sequences: one row per sequence.
        n_train, n_val, n_test: number of target frames at a spacing of 1.
        stereo: a sentence on the stereo pairs; None for kinds of data without stereo.
        every: the spacing that `--every auto` would choose, 1 to 10.
        warnings: the warnings that training would show, without repetitions.
    """

    kind: str
    sequences: tuple[SequenceSummary, ...]
    n_train: int
    n_val: int
    n_test: int
    stereo: str | None
    every: int
    warnings: tuple[str, ...]


def inspect_source(source: DataSource, camera: str | None = None, split: str | None = None) -> FootageSummary:
    """Open a data source as training would, check the size of every image, and measure the motion.

    Args:
        camera, split: as in `ClipRequest`.

    Raises:
        DataError: for data that training would refuse.
    """
    # Recorded, not shown: the summary lists the warnings, so that `check --json` holds them, too.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SelfDepthWarning)
        footage = source.footage(split=split, camera=camera)
        for sequence in footage.sequences:
            sequence.check_sizes()
        motions = [measure_motion(sequence) for sequence in footage.sequences]
    rows = tuple(
        SequenceSummary(
            name=sequence.name,
            n_frames=len(sequence.numbers),
            width=sequence.camera.width,
            height=sequence.camera.height,
            fps=sequence.fps,
            camera=source.camera_origin(camera),
            fov_deg=math.degrees(2 * math.atan(sequence.camera.width / 2 / sequence.camera.fx)),
            gaps=find_gaps(sequence.numbers),
            parked=motion.parked,
            every=choose_spacing([motion]),
        )
        for sequence, motion in zip(footage.sequences, motions, strict=True)
    )
    # Every sequence may give the same warning, for example of an assumed camera.
    sentences = (str(item.message) for item in caught if issubclass(item.category, SelfDepthWarning))
    return FootageSummary(
        kind=source.kind,
        sequences=rows,
        n_train=len(footage.train),
        n_val=len(footage.val),
        n_test=len(footage.test),
        stereo=_describe_pairs(source, camera, split) if source.stereo else None,
        every=choose_spacing(motions),
        warnings=tuple(dict.fromkeys(sentences)),
    )


def _describe_pairs(source: DataSource, camera: str | None, split: str | None) -> str:
    """A sentence: how many training frames have a stereo partner, or why none has one."""
    try:
        footage = source.footage(split=split, camera=camera, stereo=True)
    except DataError as error:  # to have no pairs is a result of the inspection, not its failure
        return error.what
    partners = {sequence.name: sequence.partner for sequence in footage.sequences}
    numbers = {sequence.name: frozenset(sequence.numbers) for sequence in footage.sequences}
    # A sequence with a partner does not mean that each of its frames has one: the other camera may lack some.
    paired = (
        partner is not None and ref.number in numbers[partner.sequence]
        for ref in footage.train
        for partner in (partners[ref.sequence],)
    )
    return f"{sum(paired)} of the frames to train on have their partner"
