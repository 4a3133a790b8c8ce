"""Inspect data before training on it: what was recognised, and which problems it has."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from selfdepth.config.train import OnError, TrainConfig
from selfdepth.data.footage import Footage
from selfdepth.data.frames import FrameSequence, find_gaps
from selfdepth.data.motion import Motion, choose_spacing, measure_motion
from selfdepth.data.readers.frame_names import SCENE_GAP
from selfdepth.data.scan import Scan, refuse_unreadable, scan
from selfdepth.data.sources.source import DataSource
from selfdepth.data.store.build import Progress
from selfdepth.data.store.prepare import describe_lenses, fit_of
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import resample
from selfdepth.geometry.crop import FORM
from selfdepth.geometry.crop_resize import CropResize
from selfdepth.geometry.field_of_view import horizontal_fov_deg

UNEVEN = 1.5
"""Factor between the longest and the shortest steps in time, but for outliers, from which on a rate varies."""
MOST = 0.5
"""Share of frames unlike the one before, from which on they are no footage."""
_LISTED = 5


@dataclass(frozen=True, kw_only=True)
class SequenceSummary:
    """Summary of one sequence.

    Attributes:
        name: name of the sequence.
        n_frames: number of frames that clips use.
        width, height: size of the upright frames in pixels.
        fps: frames per second; None if the frames are images, 0 if the video does not state it.
        camera: where the intrinsics come from: "given", "calibration" or "assumed".
        lens: the model of the lens; "pinhole" without distortion.
        fov_deg: horizontal field of view in degrees, which a fisheye may have more than 180 of.
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
    lens: str
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
        warnings: the warnings that training would show, what was left out and why, and what the frames show, without
            repetitions.
        unreadable: a sentence on each frame that cannot be read, or on all from where a video is damaged.
        n_unreadable: number of these frames.
        lenses: a sentence on what training does with the frames of cameras with a lens; None if there are none.
        training: the frames that training with the same options makes of them: size, crop, rectified or not.
    """

    kind: str
    sequences: tuple[SequenceSummary, ...]
    n_train: int
    n_val: int
    n_test: int
    stereo: str | None
    every: int
    warnings: tuple[str, ...]
    unreadable: tuple[str, ...] = ()
    n_unreadable: int = 0
    lenses: str | None = None
    training: str = ""


_USUAL = TrainConfig()


def inspect_source(
    source: DataSource,
    camera: str | None = None,
    split: str | None = None,
    *,
    config: TrainConfig = _USUAL,
    progress: Progress | None = None,
) -> FootageSummary:
    """Open a data source as training would, decode every frame, and measure the motion.

    Args:
        camera, split: as in `ClipRequest`.
        config: its size, crop and rectification say what training makes of the frames.
        progress: called with (frames done, frames in total) while they are decoded.

    Raises:
        DataError: for data that training would refuse, and a crop that leaves nothing of them.
    """
    # Recorded, not shown: the summary lists the warnings, so that `check --json` holds them, too.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SelfDepthWarning)
        footage = source.footage(split=split, camera=camera)
        cameras = [sequence.camera for sequence in footage.sequences]
        fit = fit_of(config, cameras)  # before the long look
        scans = _scans(footage, progress)
        motions = [measure_motion(sequence) for sequence in footage.sequences]
    origin = source.camera_origin(camera)
    rows = tuple(_row(sequence, motion, origin) for sequence, motion in zip(footage.sequences, motions, strict=True))
    # Every sequence may give the same warning, for example of an assumed camera.
    sentences = [str(item.message) for item in caught if issubclass(item.category, SelfDepthWarning)]
    for sequence, seen in zip(footage.sequences, scans, strict=True):
        sentences += (*uneven_rate(sequence), *doubtful_cuts(sequence, seen))
    return FootageSummary(
        kind=source.kind,
        sequences=rows,
        n_train=len(footage.train),
        n_val=len(footage.val),
        n_test=len(footage.test),
        stereo=_describe_pairs(source, camera, split) if source.stereo else None,
        every=choose_spacing(motions),
        warnings=tuple(dict.fromkeys(sentences)),
        unreadable=tuple(str(each) for seen in scans for each in seen.unreadable),
        n_unreadable=sum(len(each.numbers) for seen in scans for each in seen.unreadable),
        lenses=describe_lenses(fit, cameras),
        training=_describe_training(fit),
    )


def _row(sequence: FrameSequence, motion: Motion, camera_origin: str) -> SequenceSummary:
    return SequenceSummary(
        name=sequence.name,
        n_frames=len(sequence.numbers),
        width=sequence.camera.width,
        height=sequence.camera.height,
        fps=sequence.fps,
        camera=camera_origin,
        lens=sequence.camera.lens.model,
        fov_deg=horizontal_fov_deg(sequence.camera),
        gaps=find_gaps(sequence.numbers),
        parked=motion.parked,
        every=choose_spacing([motion]),
    )


def picture_of_view(
    source: DataSource, camera: str | None = None, config: TrainConfig = _USUAL
) -> UInt8[ndarray, "h w 3"]:
    """The first frame of the first camera with a lens, above what the networks see of it if it is rectified.

    Args:
        config: size and crop of what they see.

    Raises:
        DataError: if no camera has a lens, or a frame that cannot be read.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SelfDepthWarning)  # the summary has them
        sequence = next((each for each in source.sequences(camera) if not each.camera.is_pinhole), None)
    if sequence is None:
        raise DataError(
            "there is nothing to rectify: no camera of the data has a lens",
            where="--picture",
            expected="a camera with distortion, from the data or with --camera FILE",
            fix="leave --picture out",
        )
    fit = fit_of(replace(config, rectify="yes"), [sequence.camera])
    image = next(iter(sequence.read(sequence.numbers[:1])))
    height = round(fit.width * sequence.camera.height / sequence.camera.width)
    return np.concatenate([resample(image, fit.width, height), fit(image, sequence.camera)[0]])


def _describe_training(fit: CropResize) -> str:
    cropped = f", cropped by {fit.crop} ({FORM})" if fit.crop else ""
    return f"frames of {fit.width}x{fit.height}{', rectified' if fit.rectify else ''}{cropped}"


def require_readable(summary: FootageSummary, *, on_error: OnError) -> None:
    """Raise DataError for frames that cannot be read, if training with this option would stop at them."""
    total = sum(row.n_frames for row in summary.sequences)
    refuse_unreadable(summary.unreadable, summary.n_unreadable, total, on_error=on_error)


def uneven_rate(sequence: FrameSequence) -> tuple[str, ...]:
    """A sentence if the frames are unequally far apart in time, so that --every spans unequal times."""
    if sequence.times_s is None or len(sequence.numbers) < 3:
        return ()
    steps_s = np.diff(sequence.times_s) / np.diff(sequence.numbers)
    inside = steps_s[np.diff(sequence.numbers) < SCENE_GAP]
    if len(inside) < 2:
        return ()
    short, long = np.percentile(inside, [5, 95]).tolist()
    if long <= UNEVEN * short:
        return ()
    return (
        f"{sequence.name}: the rate varies, from {1 / long:.3g} to {1 / short:.3g} frames per second: neighbours in a "
        "clip are unequally far apart in time, whatever --every is; convert it to one rate (ffmpeg -i IN -vf fps=10 "
        "OUT.mp4) if the fastest part is to be learned from as the slowest",
    )


def doubtful_cuts(sequence: FrameSequence, seen: Scan) -> tuple[str, ...]:
    """A sentence if frames show another scene than the frame before them."""
    if seen.unlike > MOST:
        return (
            f"{sequence.name}: {seen.unlike:.0%} of the frames do not show the scene of the frame before: they are "
            "pictures of different places, or not in the order of time",
        )
    if not seen.cuts:
        return ()
    names = dict(zip(sequence.numbers, sequence.names, strict=True))
    listed = ", ".join(names[number] for number in seen.cuts[:_LISTED])
    more = f" and {len(seen.cuts) - _LISTED} more" if len(seen.cuts) > _LISTED else ""
    return (
        f"{sequence.name}: no motion explains the step to {listed}{more}: clips may cross cuts there; give the scenes "
        "as folders or videos of their own",
    )


def _scans(footage: Footage, progress: Progress | None) -> list[Scan]:
    total, done = sum(len(sequence.numbers) for sequence in footage.sequences), 0

    def advance(n: int) -> None:
        nonlocal done
        done += n
        if progress is not None:
            progress(done, total)

    return [scan(sequence, advance) for sequence in footage.sequences]


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
