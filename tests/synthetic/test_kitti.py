"""A rendered drive on disk reads as KITTI raw does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray
from PIL import Image

from selfdepth.errors import ConfigError
from selfdepth.synthetic.drive import BASELINE_M, DriveSpec, SyntheticDrive, render_drive
from selfdepth.synthetic.kitti import lidar_points, oxts_rows, write_kitti_raw
from selfdepth.synthetic.lenses import LENSES


@pytest.fixture(scope="module")
def drive() -> SyntheticDrive:
    return render_drive(DriveSpec(seed=1, frames=4, width=96, height=32, stereo=True))


@pytest.fixture(scope="module")
def folder(drive: SyntheticDrive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_kitti_raw(drive, tmp_path_factory.mktemp("kitti"), number=7, scan_every=2, image_format="png")


def _calibration(path: Path) -> dict[str, ndarray]:
    pairs = (line.split(":", 1) for line in path.read_text().splitlines())
    return {key: np.array(value.split(), float) for key, value in pairs if key != "calib_time"}


def test_the_layout_is_kittis(folder: Path) -> None:
    assert folder.name == "2011_09_26_drive_0007_sync" and folder.parent.name == "2011_09_26"
    for name in ("image_02", "image_03"):
        stems = [path.name for path in sorted((folder / name / "data").iterdir())]
        assert stems == [f"{i:010d}.png" for i in range(4)]
        assert len((folder / name / "timestamps.txt").read_text().splitlines()) == 4
    scans = [path.name for path in sorted((folder / "velodyne_points" / "data").iterdir())]
    assert scans == ["0000000000.bin", "0000000002.bin"]


def test_images_are_the_rendered_ones(folder: Path, drive: SyntheticDrive) -> None:
    assert drive.partner is not None
    for name, images in (("image_02", drive.images), ("image_03", drive.partner)):
        stored = np.asarray(Image.open(folder / name / "data" / "0000000003.png"))
        assert np.array_equal(stored, images[3])


def test_calibration_has_every_key_of_a_real_one_and_the_true_camera(folder: Path, drive: SyntheticDrive) -> None:
    values = _calibration(folder.parent / "calib_cam_to_cam.txt")
    P2, P3 = values["P_rect_02"].reshape(3, 4), values["P_rect_03"].reshape(3, 4)
    assert np.allclose(P2[:, :3], drive.camera.matrix(), atol=1e-9)
    assert (P2[0, 3] - P3[0, 3]) / P2[0, 0] == pytest.approx(BASELINE_M)
    assert tuple(values["S_rect_02"]) == (96, 32)
    assert np.array_equal(values["R_rect_00"].reshape(3, 3), np.eye(3))


def test_calibration_keys_match_a_real_file(folder: Path, shared: Path) -> None:
    real = shared / "kitti-mini" / "kitti_raw" / "2011_09_26"
    for path in real.glob("calib_*.txt"):
        assert _calibration(path).keys() == _calibration(folder.parent / path.name).keys()


def test_a_scan_projects_to_its_pixels_with_their_depths(folder: Path, drive: SyntheticDrive) -> None:
    cam, velo = (_calibration(folder.parent / f"calib_{n}.txt") for n in ("cam_to_cam", "velo_to_cam"))
    T_cam_velo = np.eye(4)
    T_cam_velo[:3, :3], T_cam_velo[:3, 3] = velo["R"].reshape(3, 3), velo["T"]
    points = np.fromfile(folder / "velodyne_points" / "data" / "0000000002.bin", np.float32).reshape(-1, 4)
    homogeneous = np.concatenate([points[:, :3], np.ones((len(points), 1))], axis=1)
    projected = homogeneous @ (cam["P_rect_02"].reshape(3, 4) @ T_cam_velo).T
    column, row = np.rint(projected[:, :2] / projected[:, 2:]).astype(int).T - 1
    assert len(points) > 500 and (points[:, 0] > 0).all()
    assert np.allclose(drive.depth[2][row, column], projected[:, 2], rtol=1e-5)
    assert len(set(zip(row.tolist(), column.tolist(), strict=True))) == len(points)


def test_positions_and_headings_follow_the_motion(folder: Path, drive: SyntheticDrive) -> None:
    rows = [(folder / "oxts" / "data" / f"{i:010d}.txt").read_text().split() for i in range(4)]
    assert all(len(row) == 30 for row in rows)
    values = np.array(rows, float)
    scale = np.cos(np.radians(49.0)) * 6378137.0
    east = np.radians(values[:, 1]) * scale
    north = scale * np.log(np.tan(np.pi / 4 + np.radians(values[:, 0]) / 2))
    driven_m = np.hypot(np.diff(east), np.diff(north))
    truth_m = np.linalg.norm(np.diff(drive.T_world_camera[:, :3, 3], axis=0), axis=-1)
    assert np.allclose(driven_m, truth_m, rtol=0.05)
    assert np.allclose(values[1:3, 8], drive.speed_mps[1:3], rtol=0.05)
    yaw = -np.arctan2(drive.T_world_camera[:, 0, 2], drive.T_world_camera[:, 2, 2])
    assert np.allclose(values[:, 5], yaw, atol=1e-3)
    assert np.allclose(oxts_rows(drive)[:, 2] - values[:, 2], 0, atol=1e-6)


def test_a_scan_has_no_point_in_the_sky() -> None:
    depth = np.zeros((16, 32), np.float32)
    depth[8:] = 10.0
    camera = DriveSpec(width=32, height=16).camera()
    points = lidar_points(depth, camera)
    assert 0 < len(points) <= 8 * 32 / 2
    assert np.allclose(points[:, 0], 10.27)


def test_chosen_frames_get_scans_and_jpeg_is_the_default(drive: SyntheticDrive, tmp_path: Path) -> None:
    folder = write_kitti_raw(drive, tmp_path, scans=[1])
    assert [path.stem for path in (folder / "velodyne_points" / "data").iterdir()] == ["0000000001"]
    stored = np.asarray(Image.open(folder / "image_02" / "data" / "0000000000.jpg")).astype(int)
    assert abs(stored - drive.images[0]).mean() < 4


@pytest.mark.parametrize(
    ("option", "value"), [("date", "yesterday"), ("number", -1), ("scan_every", -2), ("scans", [9])]
)
def test_what_cannot_be_written_is_refused_by_name(
    drive: SyntheticDrive, tmp_path: Path, option: str, value: object
) -> None:
    with pytest.raises(ConfigError, match=option):
        write_kitti_raw(drive, tmp_path, **{option: value})  # type: ignore[arg-type]


def test_a_drive_through_a_lens_is_refused_before_anything_is_written(drive: SyntheticDrive, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="lens; expected a pinhole; got brown"):
        write_kitti_raw(replace(drive, camera=LENSES["brown"].camera(96, 32)), tmp_path)
    assert list(tmp_path.iterdir()) == []
