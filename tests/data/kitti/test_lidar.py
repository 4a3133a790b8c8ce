"""LiDAR scans as depth maps."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray

from selfdepth.data.frames import FrameRef
from selfdepth.data.kitti.lidar import project_scan, read_scan
from selfdepth.data.kitti.raw import KittiTruth
from selfdepth.errors import DataError

SHAPE = (12, 20)
T_CAM_VELO = np.array([[0, -1, 0, 0.1], [0, 0, -1, 0.2], [1, 0, 0, -0.3], [0, 0, 0, 1.0]])
P_IMAGE_VELO = np.array([[9, 0, 10, 0.5], [0, 9, 6, 0.1], [0, 0, 1, 0.01]]) @ T_CAM_VELO


def scan(seed: int, count: int) -> ndarray:
    """Points in front of and behind the scanner, many to a pixel."""
    points = np.random.default_rng(seed).uniform((-3, -8, -4, 0), (12, 8, 4, 1), (count, 4))
    return points.astype(np.float32)


def slow_depth_map(points: ndarray, P: ndarray, shape: tuple[int, int]) -> ndarray:
    """Point by point, as the text describes it."""
    depth = np.zeros(shape)
    groups: dict[int, list[tuple[int, int, float]]] = defaultdict(list)
    for x, y, z, _ in points.astype(np.float64):
        if x < 0:
            continue
        u, v, w = P @ (x, y, z, 1)
        column, row = round(u / w) - 1, round(v / w) - 1
        if 0 <= row < shape[0] and 0 <= column < shape[1]:
            depth[row, column] = w
            groups[row * (shape[1] - 1) + column - 1].append((row, column, w))
    for members in groups.values():
        if len(members) > 1:
            depth[members[0][:2]] = min(w for _, _, w in members)
    depth[depth < 0] = 0
    return depth


@pytest.mark.parametrize("count", [1, 40, 400, 3000])
def test_the_vectorised_projection_agrees_with_the_point_by_point_one(count: int) -> None:
    points = scan(count, count)
    np.testing.assert_allclose(
        project_scan(points, P_IMAGE_VELO, SHAPE), slow_depth_map(points, P_IMAGE_VELO, SHAPE), rtol=1e-12
    )


def test_the_nearest_of_several_points_of_a_pixel_is_kept() -> None:
    points = np.array([[8, 0, 0, 1], [5, 0, 0, 1], [9, 0, 0, 1]], dtype=np.float32)
    depth = project_scan(points, np.array([[10, -9, 0, 0], [6, 0, -9, 0], [1, 0, 0, 0.0]]), SHAPE)
    assert depth[5, 9] == 5
    assert np.count_nonzero(depth) == 1


def test_the_end_of_a_row_and_the_start_of_the_next_are_one_group_as_published() -> None:
    P = np.array([[0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0.0]])
    end, start = (4, 4 * 20, 4 * 3), (7, 7 * 1, 7 * 4)  # pixels (row 2, column 19) and (row 3, column 0)
    depth = project_scan(np.array([start, end], dtype=np.float32), P, SHAPE)
    assert depth[3, 0] == 4  # the first point's pixel takes the group's smallest depth
    assert depth[2, 19] == 4


def test_points_behind_the_scanner_or_outside_the_image_leave_the_map_empty() -> None:
    points = np.array([[-5, 0, 0, 1], [2, 90, 0, 1], [2, 0, 90, 1], [0, 0, 0, 1]], dtype=np.float32)
    P = np.array([[10, -9, 0, 0], [6, 0, -9, 0], [1, 0, 0, 0.0]])
    assert not project_scan(points, P, SHAPE).any()


def test_a_scan_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    points = scan(0, 7)
    (tmp_path / "scan.bin").write_bytes(points.tobytes())
    np.testing.assert_array_equal(read_scan(tmp_path / "scan.bin"), points)


@pytest.mark.parametrize("size", [0, 1, 15, 17, 40])
def test_a_truncated_scan_is_refused_by_name(tmp_path: Path, size: int) -> None:
    path = tmp_path / "0000000007.bin"
    path.write_bytes(bytes(size))
    with pytest.raises(DataError, match=rf"truncated: .*0000000007\.bin.*{size} bytes"):
        read_scan(path)


def test_a_scan_that_is_none_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "1.bin").open("wb") as file:
        file.truncate(10**9)  # a hole, which takes no space
    with pytest.raises(DataError, match=r"too large: .*1\.bin; expected at most 64 megabytes"):
        read_scan(tmp_path / "1.bin")


def test_a_missing_scan_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.bin"):
        read_scan(tmp_path / "gone.bin")


def reference_figures() -> dict[str, dict[str, float]]:
    path = Path(__file__).parents[2] / "golden" / "networks_and_metrics" / "lidar.json"
    figures: dict[str, dict[str, float]] = json.loads(path.read_text())
    return figures


@pytest.mark.parametrize("key", sorted(reference_figures()))
def test_real_scans_give_the_reference_figures(shared: Path, key: str) -> None:
    drive, frame, camera = key.split("/")
    truth = KittiTruth(shared / "kitti-mini" / "kitti_raw")
    name = f"2011_09_26/2011_09_26_drive_{drive}_sync/image_0{camera[-1]}"
    depth = truth(FrameRef(name, int(frame)))
    assert depth is not None
    measured = depth[depth > 0]
    weighted = np.mod(depth * np.arange(depth.size).reshape(depth.shape), 997).sum()
    found = {
        "valid": measured.size,
        "sum_m": measured.sum(),
        "min_m": measured.min(),
        "max_m": measured.max(),
        "weighted": weighted,
    }
    assert found == pytest.approx(reference_figures()[key], rel=1e-9)


def test_a_real_scan_gives_the_reference_map_pixel_by_pixel(shared: Path, golden: Path) -> None:
    with np.load(golden / "networks_and_metrics" / "lidar_0002_3_cam2.npz", allow_pickle=False) as reference:
        expected = np.zeros(tuple(reference["shape"]))
        expected[tuple(reference["index"].T)] = reference["depth"]
    truth = KittiTruth(shared / "kitti-mini" / "kitti_raw")
    depth = truth(FrameRef("2011_09_26/2011_09_26_drive_0002_sync/image_02", 3))
    assert depth is not None
    np.testing.assert_allclose(depth, expected, rtol=1e-9)


def test_real_scans_agree_with_the_published_ground_truth_of_the_test_frames(shared: Path) -> None:
    mini = shared / "kitti-mini"
    lines = (mini / "splits" / "mini" / "test_files.txt").read_text().split("\n")
    with np.load(mini / "splits" / "mini" / "gt_depths.npz", allow_pickle=False) as published:
        expected = published["data"]
    for line, reference in zip(lines, expected, strict=False):
        folder, frame, _ = line.split()
        depth = KittiTruth(mini / "kitti_raw")(FrameRef(f"{folder}/image_02", int(frame)))
        assert depth is not None
        np.testing.assert_allclose(depth, reference, rtol=1e-6)
