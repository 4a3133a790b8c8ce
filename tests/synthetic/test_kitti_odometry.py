"""A rendered drive on disk reads as KITTI odometry does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray
from PIL import Image

from selfdepth.errors import ConfigError
from selfdepth.synthetic.drive import BASELINE_M, DriveSpec, SyntheticDrive, render_drive
from selfdepth.synthetic.kitti_odometry import write_kitti_odometry
from selfdepth.synthetic.lenses import LENSES

N = 3


@pytest.fixture(scope="module")
def drive() -> SyntheticDrive:
    return render_drive(DriveSpec(seed=1, frames=N, width=64, height=32, stereo=True, stops=False))


@pytest.fixture(scope="module")
def root(drive: SyntheticDrive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("odometry")
    assert write_kitti_odometry(drive, root, number=9) == root / "sequences/09"
    return root


def projections(root: Path) -> list[ndarray]:
    lines = (root / "sequences/09/calib.txt").read_text().splitlines()
    assert [line.split(":")[0] for line in lines] == ["P0", "P1", "P2", "P3"]
    return [np.array(line.split()[1:], float).reshape(3, 4) for line in lines]


def test_the_layout_is_kittis_and_the_images_are_the_rendered_ones(root: Path, drive: SyntheticDrive) -> None:
    assert drive.partner is not None
    for name, images in (("image_2", drive.images), ("image_3", drive.partner)):
        folder = root / "sequences/09" / name
        assert [path.name for path in sorted(folder.iterdir())] == [f"{number:06d}.png" for number in range(N)]
        assert np.array_equal(np.asarray(Image.open(folder / "000002.png")), images[2])


def test_all_four_cameras_have_the_true_intrinsics_and_the_two_in_colour_their_baseline(
    root: Path, drive: SyntheticDrive
) -> None:
    found = projections(root)
    for P in found:
        np.testing.assert_allclose(P[:, :3], drive.camera.matrix())
    places_m = [P[0, 3] / P[0, 0] for P in found]
    assert places_m[0] == 0
    assert places_m[2] - places_m[3] == pytest.approx(BASELINE_M)


def test_poses_are_those_of_camera_0_from_its_first(root: Path, drive: SyntheticDrive) -> None:
    rows = np.loadtxt(root / "poses/09.txt").reshape(N, 3, 4)
    np.testing.assert_allclose(rows[0], np.eye(4)[:3], atol=1e-9)
    # Camera 0 stands beside the left colour camera: where that one drives straight on, both move alike.
    step, true = rows[1][:, 3], drive.T_world_camera[1][:3, 3]
    np.testing.assert_allclose(step, true, atol=0.06)
    assert step[2] == pytest.approx(true[2], abs=1e-2)


def test_times_are_the_drives(root: Path, drive: SyntheticDrive) -> None:
    np.testing.assert_allclose(np.loadtxt(root / "sequences/09/times.txt"), drive.timestamps, atol=1e-6)


def test_a_number_of_more_than_two_digits_is_refused_by_name(drive: SyntheticDrive, tmp_path: Path) -> None:
    for number in (-1, 100):
        with pytest.raises(ConfigError, match="number; expected 0 to 99"):
            write_kitti_odometry(drive, tmp_path, number=number)
    assert list(tmp_path.iterdir()) == []


def test_a_drive_through_a_lens_is_refused_before_anything_is_written(drive: SyntheticDrive, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="lens; expected a pinhole; got ucm"):
        write_kitti_odometry(replace(drive, camera=LENSES["ucm"].camera(96, 32)), tmp_path)
    assert list(tmp_path.iterdir()) == []
