"""A speed log beside the footage."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from selfdepth.config.known_scale import OXTS
from selfdepth.data.sources.rendered import write_drive
from selfdepth.errors import ConfigError, DataError
from selfdepth.scale.driven import driven_testimony
from selfdepth.scale.frames import ScaleFootage, open_footage
from selfdepth.structs import Trajectory
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive
from selfdepth.synthetic.kitti import write_kitti_raw


@pytest.fixture(scope="module")
def drive() -> SyntheticDrive:
    return render_drive(DriveSpec(seed=2, frames=80, width=32, height=16, stops=False))


@pytest.fixture(scope="module")
def kitti(drive: SyntheticDrive, tmp_path_factory: pytest.TempPathFactory) -> ScaleFootage:
    root = tmp_path_factory.mktemp("kitti")
    write_kitti_raw(drive, root, scans=(), image_format="png")
    return open_footage(root)


def paths(drive: SyntheticDrive, factor: float, *parts: slice) -> list[Trajectory]:
    T_world_camera = drive.T_world_camera.copy()
    T_world_camera[:, :3, 3] /= factor
    return [
        Trajectory(T_world_camera=T_world_camera[part], timestamps=drive.timestamps[part])
        for part in parts or (slice(None),)
    ]


def test_the_measurements_of_kitti_give_the_factor_of_a_true_path(kitti: ScaleFootage, drive: SyntheticDrive) -> None:
    said = driven_testimony(kitti, OXTS, None, lambda name: paths(drive, 25.0))
    assert np.median(said.factors) == pytest.approx(25, rel=0.02) and said.witness == "speed"
    assert (np.diff(said.times_s) >= 0).all()


def test_stretches_are_asked_one_by_one_and_a_parked_one_is_left_out(
    kitti: ScaleFootage, drive: SyntheticDrive
) -> None:
    whole = driven_testimony(kitti, OXTS, None, lambda name: paths(drive, 4.0))
    first, second = paths(drive, 4.0, slice(0, 35), slice(40, 80))
    still = dataclasses.replace(first, T_world_camera=np.tile(np.eye(4), (35, 1, 1)))
    said = driven_testimony(kitti, OXTS, None, lambda name: [first, second])
    assert np.median(said.factors) == pytest.approx(np.median(whole.factors), rel=0.02)
    said = driven_testimony(kitti, OXTS, None, lambda name: [still, second])
    assert said.left_out["the camera's path has no length"] == 35
    with pytest.raises(DataError, match="path has no length"):
        driven_testimony(kitti, OXTS, None, lambda name: [still])


def test_a_table_is_a_log_with_its_clock(kitti: ScaleFootage, drive: SyntheticDrive, tmp_path: Path) -> None:
    steps = np.linalg.norm(np.diff(drive.T_world_camera[:, :3, 3], axis=0), axis=1)
    speeds = np.append(steps, steps[-1]) * 10 * 3.6
    rows = "".join(f"{time + 100:.3f},{speed:.4f}\n" for time, speed in zip(drive.timestamps, speeds, strict=True))
    log = tmp_path / "log.csv"
    log.write_text("time (s),speed (km/h)\n" + rows)
    said = driven_testimony(kitti, str(log), 100.0, lambda name: paths(drive, 5.0))
    assert np.median(said.factors) == pytest.approx(5, rel=0.03) and said.source == "log.csv"
    with pytest.raises(DataError):
        driven_testimony(kitti, str(log), None, lambda name: paths(drive, 5.0))


def test_frames_without_times_and_oxts_of_other_data_are_refused(drive: SyntheticDrive, tmp_path: Path) -> None:
    write_drive(drive, tmp_path / "street")
    footage = open_footage(tmp_path / "street")
    with pytest.raises(ConfigError, match="times of the frames are not known"):
        driven_testimony(footage, OXTS, None, lambda name: paths(drive, 1.0))
    timed = dataclasses.replace(footage, own_times_s={"street": drive.timestamps})
    with pytest.raises(ConfigError, match=r"oxts are the measurements of KITTI raw.*rendered-drive"):
        driven_testimony(timed, OXTS, None, lambda name: paths(drive, 1.0))
    with pytest.raises(DataError, match="the speed log does not exist"):
        driven_testimony(timed, str(tmp_path / "no.csv"), None, lambda name: paths(drive, 1.0))


def test_a_log_without_dates_cannot_tell_sequences_apart(drive: SyntheticDrive, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_drive(drive, tmp_path / "data" / name)
    footage = open_footage(tmp_path / "data")
    timed = dataclasses.replace(footage, own_times_s={name: drive.timestamps for name in ("a", "b")})
    log = tmp_path / "log.csv"
    log.write_text("time (s),speed (m/s)\n0,10\n5,10\n9,11\n")
    with pytest.raises(ConfigError, match="cannot tell the sequences apart"):
        driven_testimony(timed, str(log), None, lambda name: paths(drive, 1.0))
