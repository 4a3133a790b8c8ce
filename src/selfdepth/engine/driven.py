"""How far the vehicle drove between the views of the training clips, by a log of its speed (`--speed`)."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray

from selfdepth.config import TrainConfig
from selfdepth.config.known_scale import OXTS
from selfdepth.data.clips.clips import ClipSet
from selfdepth.data.kitti.raw import KIND, root_of_part
from selfdepth.data.readers.oxts_speeds import oxts_folder
from selfdepth.data.readers.speed_log import SpeedLog, clock_of
from selfdepth.data.readers.speeds import logs_of_sequences
from selfdepth.data.runs import FrameRefs
from selfdepth.data.store.index import StoredSequence
from selfdepth.data.store.store import Store
from selfdepth.errors import ConfigError, DataError, SelfDepthWarning


def driven_distances(clips: ClipSet, store: Store, config: TrainConfig) -> Float32[ndarray, "clips s"] | None:
    """Metres along the path from each target to its sources in time; NaN where the log does not know them.

    A speed between two entries of the log changes linearly, and its integral between the times of two frames is exact.

    Returns:
        None without a speed log, and for a student, whose teacher knows the scale.

    Warns:
        SelfDepthWarning: about clips whose distances are not known, and what was taken for granted of the log.

    Raises:
        ConfigError: for frames without times, clocks that cannot be compared, or oxts of other data than KITTI raw.
        DataError: for a log that cannot be read, does not overlap the frames, or in which the vehicle stands still.
    """
    if config.speed is None or config.self_teacher is not None:
        return None
    log_of = _logs(config.speed, store)
    path_m, n_unknown = np.full(len(store.frames), np.nan), np.zeros(len(store.frames))
    used = FrameRefs.of(clips.refs).sequences
    for sequence in (each for each in store.sequences if each.name in used):
        rows = slice(sequence.start, sequence.start + len(sequence.numbers))
        log = log_of(sequence.name)
        times = _times_of_log(store.times_s[rows], log, sequence, config)
        metres, known = log.distances(times)
        path_m[rows] = np.concatenate([[0.0], np.cumsum(metres)])
        n_unknown[rows] = np.concatenate([[0], np.cumsum(~known)])
    target, sources = clips.rows[:, :1], clips.rows[:, 1 : 1 + len(clips.offsets)]
    driven: ndarray = np.abs(path_m[sources] - path_m[target])
    driven[n_unknown[sources] != n_unknown[target]] = np.nan
    _require_some(driven, config.speed)
    return np.asarray(driven, np.float32)


def _logs(speed: str, store: Store) -> Callable[[str], SpeedLog]:
    """The log of each sequence, by its name. What was taken for granted of one log for all is said."""
    place = None if store.origin is None or store.kind != KIND else store.origin.path
    root = place and (root_of_part(place) or place)

    def oxts_of(name: str) -> Path | None:
        return None if root is None else oxts_folder(root / Path(name).parent)

    names = [sequence.name for sequence in store.sequences]
    log_of = logs_of_sequences(speed, names, oxts_of, f"data of kind {store.kind}")
    if speed != OXTS:
        for note in log_of(names[0]).notes:
            warnings.warn(f"{speed}: {note}", SelfDepthWarning, stacklevel=4)
    return log_of


def _times_of_log(
    times_s: Float[ndarray, "n"], log: SpeedLog, sequence: StoredSequence, config: TrainConfig
) -> Float[ndarray, "n"]:
    """Times of frames on the clock of the log."""
    if np.isnan(times_s).any():
        raise ConfigError(
            "the times of the frames are not known, without which a speed is no distance",
            where=f"--speed {config.speed}",
            expected=f"times of the frames of {sequence.name}",
            fix="give the video, or frames whose names or data.csv state their times; a store of an older version must "
            "be made again",
        )
    if config.clock_offset is None and clock_of(times_s) != log.clock:
        kinds = {"unix": "since 1970", "relative": "since some other moment"}
        raise ConfigError(
            "the clocks of the speed log and the frames differ",
            where=f"--speed {config.speed}",
            expected=f"times {kinds[clock_of(times_s)]}, as those of the frames",
            got=f"times {kinds[log.clock]}",
            fix="give --clock-offset SECONDS; selfdepth calibrate finds it with a model of the same footage",
        )
    return times_s + (config.clock_offset or 0.0)


def _require_some(driven: Float[ndarray, "clips s"], speed: str) -> None:
    unknown = int(np.isnan(driven).all(axis=1).sum())
    if unknown == len(driven):
        raise DataError(
            "the speed log does not overlap the frames",
            where=f"--speed {speed}",
            expected="speeds at the times of the training frames",
            got="none",
            fix="check its times, or give --clock-offset SECONDS; selfdepth calibrate finds it with a model of this "
            "footage",
        )
    if not np.nanmax(driven) > 0:
        expected = "a vehicle that moves"
        raise DataError("the speed is 0 throughout the footage", where=f"--speed {speed}", expected=expected)
    if unknown:
        warnings.warn(
            f"{unknown} of {len(driven)} training frames lie outside the speed log, or in a gap of it, and are learned "
            "from without their speed",
            SelfDepthWarning,
            stacklevel=4,
        )
