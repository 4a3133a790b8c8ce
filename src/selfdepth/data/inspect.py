"""Look at footage before training on it: what was recognised, and what is wrong with it."""

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
    """One sequence.

    Attributes:
        name: of the sequence.
        n_frames: frames used by clips.
        width, height: of the upright frames in pixels.
        fps: frames per second; None if the frames are images, 0 if the video does not say.
        camera: where the intrinsics come from: "given", "calibration" or "assumed".
        fov_deg: horizontal field of view in degrees.
        gaps: places where the frame numbers jump, as (last before, first after).
        parked: stretches in which the camera stands, as (first, last).
        every: spacing that this sequence alone asks for.
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
    """All of it.

    Attributes:
        kind: what was recognised (`DataSource.kind`).
        sequences: one row each.
        n_train, n_val, n_test: target frames at a spacing of 1.
        stereo: what there is of stereo pairs, as a sentence; None for data that has none.
        every: the spacing that `--every auto` would use, 1 to 10.
        warnings: sentences on what the user should know.
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
    """Open a data source as training would, look at the size of every image, and measure the motion.

    Raises:
        DataError: for what training would refuse.
    """
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
    sentences = (str(item.message) for item in caught if issubclass(item.category, SelfDepthWarning))
    return FootageSummary(
        kind=source.kind,
        sequences=rows,
        n_train=len(footage.train),
        n_val=len(footage.val),
        n_test=len(footage.test),
        stereo=_pairs(source, camera, split) if source.stereo else None,
        every=choose_spacing(motions),
        warnings=tuple(dict.fromkeys(sentences)),
    )


def _pairs(source: DataSource, camera: str | None, split: str | None) -> str:
    """How many training frames have a stereo partner, or why none has."""
    try:
        footage = source.footage(split=split, camera=camera, stereo=True)
    except DataError as error:
        return error.what
    partners = {sequence.name: sequence.partner for sequence in footage.sequences}
    there = {sequence.name: frozenset(sequence.numbers) for sequence in footage.sequences}
    paired = (
        partner is not None and ref.number in there[partner.sequence]
        for ref in footage.train
        for partner in (partners[ref.sequence],)
    )
    return f"{sum(paired)} of the frames to train on have their partner"
