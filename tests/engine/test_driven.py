"""How far the vehicle drove between the views of the clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.memory_footage import footage, sequence
from selfdepth.config import TrainConfig
from selfdepth.data.clips.clips import make_clips
from selfdepth.data.clips.loader import ClipLoader
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.store.build import build_store
from selfdepth.data.store.store import Store
from selfdepth.engine.driven import driven_distances
from selfdepth.errors import ConfigError, DataError, SelfDepthWarning
from selfdepth.synthetic.drive import DriveSpec, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw

SIZE = {"width": 64, "height": 32}
TIMES = np.cumsum(np.random.default_rng(0).uniform(0.05, 0.15, 20))
"""Frames that are unequally far apart."""


def stored(folder: Path, *starts_s: float | None) -> Store:
    """A store of a sequence for each of these starts, with times unless it is None."""
    folder.mkdir(exist_ok=True)
    sequences = [
        replace(
            sequence(folder / f"s{i}", f"drive{i}"), times_s=None if start is None else tuple((TIMES + start).tolist())
        )
        for i, start in enumerate(starts_s)
    ]
    return build_store(footage(*sequences), folder / "store", **SIZE)


def log_file(folder: Path, times: np.ndarray, speeds: np.ndarray) -> str:
    path = folder / "speed.csv"
    rows = "".join(f"{time:.6f},{speed:.6f}\n" for time, speed in zip(times, speeds, strict=True))
    path.write_text("time_s,speed_m_s\n" + rows)
    return str(path)


def distances(store: Store, speed: str, **options: object) -> np.ndarray:
    found = driven_distances(clips_of(store), store, TrainConfig(data="x", speed=speed, **options))
    assert found is not None
    return found


def clips_of(store: Store, spacing: int = 2):
    return make_clips(store, store.train, offsets=(-1, 1), spacing=spacing)


RAMP = np.linspace(0, 3, 61)
"""Times of a log whose speed is 2 t: after t seconds it has driven t^2."""


def test_the_distance_is_the_integral_of_the_speed_between_the_times_of_the_frames(tmp_path: Path) -> None:
    store = stored(tmp_path, 0.0)
    found = distances(store, log_file(tmp_path, RAMP, 2 * RAMP))
    numbers = np.array([ref.number for ref in clips_of(store).refs])
    for column, offset in enumerate((-2, 2)):
        expected = np.abs(TIMES[numbers + offset] ** 2 - TIMES[numbers] ** 2)
        np.testing.assert_allclose(found[:, column], expected, rtol=1e-5)


def test_an_offset_is_added_to_the_times_of_the_frames(tmp_path: Path) -> None:
    store = stored(tmp_path, 1.7e9)
    speed = log_file(tmp_path, RAMP, 2 * RAMP)
    found = distances(store, speed, clock_offset=-1.7e9)
    np.testing.assert_allclose(found, distances(stored(tmp_path / "again", 0.0), speed), rtol=1e-3)


def test_frames_outside_the_log_are_unknown_and_the_user_is_told(tmp_path: Path) -> None:
    store = stored(tmp_path, 0.0)
    kept = RAMP < 1.0
    with pytest.warns(SelfDepthWarning, match=r"of 16 training frames lie outside the speed log"):
        found = distances(store, log_file(tmp_path, RAMP[kept], 2 * RAMP[kept]))
    ends = TIMES[np.array([ref.number for ref in clips_of(store).refs]) + 2]
    np.testing.assert_array_equal(np.isnan(found[:, 1]), ends > RAMP[kept][-1])


def test_batches_hold_the_distances_without_nan_also_mirrored(tmp_path: Path) -> None:
    store = stored(tmp_path, 0.0)
    kept = RAMP < 1.0
    with pytest.warns(SelfDepthWarning):
        driven_m = distances(store, log_file(tmp_path, RAMP[kept], 2 * RAMP[kept]))
    clips = replace(clips_of(store), driven_m=driven_m)
    loader = ClipLoader(store, clips, batch_size=4, seed=0, device="cpu")
    for step in range(3):
        batch, expected = loader.batch(step), driven_m[loader.indices(step)]
        assert batch.driven is not None
        np.testing.assert_array_equal(batch.driven.known.numpy(), ~np.isnan(expected))
        np.testing.assert_array_equal(batch.driven.metres.numpy(), np.nan_to_num(expected))


def test_without_a_log_and_for_a_student_there_are_none(tmp_path: Path) -> None:
    store = stored(tmp_path, 0.0)
    for config in (TrainConfig(data="x"), TrainConfig(data="x", speed="no file", self_teacher="model")):
        assert driven_distances(clips_of(store), store, config) is None


def test_one_log_by_date_serves_several_sequences(tmp_path: Path) -> None:
    store = stored(tmp_path, 1.7e9, 1.7e9 + 100)
    times = np.concatenate([RAMP, RAMP + 100]) + 1.7e9
    found = distances(store, log_file(tmp_path, times, np.tile(2 * RAMP, 2)))
    np.testing.assert_allclose(found[: len(found) // 2], found[len(found) // 2 :], rtol=1e-3)


@pytest.mark.parametrize(
    ("starts", "log", "options", "words"),
    [
        ((None,), (RAMP, RAMP), {}, ["times of the frames are not known", "drive0"]),
        ((0.0, None), (RAMP, RAMP), {}, ["cannot tell the sequences apart", "2 sequences"]),
        ((1.7e9,), (RAMP, RAMP), {}, ["clocks", "differ", "--clock-offset SECONDS"]),
        ((0.0,), (RAMP + 1.7e9, RAMP), {}, ["clocks", "differ"]),
        ((50.0,), (RAMP, RAMP), {}, ["does not overlap the frames"]),
        ((0.0,), (RAMP, RAMP), {"clock_offset": 50.0}, ["does not overlap the frames"]),
        ((0.0,), (np.append(RAMP, 99.0), np.append(0 * RAMP, 5.0)), {}, ["0 throughout the footage"]),
        ((0.0,), (RAMP, 0 * RAMP), {}, ["0 throughout", "speed.csv"]),
    ],
)
def test_what_gives_no_distance_is_refused(
    tmp_path: Path, starts: tuple[float | None, ...], log: tuple, options: dict, words: list[str]
) -> None:
    store, speed = stored(tmp_path, *starts), log_file(tmp_path, *log)
    with pytest.raises((ConfigError, DataError)) as caught:
        distances(store, speed, **options)
    assert [word for word in words if word not in str(caught.value)] == []


def test_oxts_of_other_data_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"measurements of KITTI raw.*kind folder"):
        distances(stored(tmp_path, 0.0), "oxts")


@pytest.mark.parametrize("part", ["", "2011_09_26", "2011_09_26/2011_09_26_drive_0001_sync"])
def test_kittis_drives_bring_their_own_logs(tmp_path: Path, part: str) -> None:
    drive = render_drive(DriveSpec(seed=4, frames=6, width=96, height=32, stops=False))
    for number in (1, 2):
        write_kitti_raw(drive, tmp_path / "raw", number=number)
    footage = recognise(tmp_path / "raw" / part).footage()
    store = build_store(footage, tmp_path / "store", **SIZE)
    found = driven_distances(clips_of(store, 1), store, TrainConfig(data="x", speed="oxts"))
    assert found is not None
    steps = np.linalg.norm(np.diff(drive.T_world_camera[:, :3, 3], axis=0), axis=1)
    numbers = np.array([ref.number for ref in clips_of(store, 1).refs])
    np.testing.assert_allclose(found[:, 0], steps[numbers - 1], rtol=0.05)
    np.testing.assert_allclose(found[:, 1], steps[numbers], rtol=0.05)
