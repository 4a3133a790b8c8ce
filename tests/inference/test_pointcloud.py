"""Coloured points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray

from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera
from selfdepth.inference import pointcloud
from selfdepth.inference.pointcloud import CloudLimits, FusedCloud, NewPoints, PointCloud, point_cloud, write_ply
from selfdepth.structs import DepthPrediction
from selfdepth.synthetic.drive import DriveSpec, render_drive

CAMERA = Camera(fx=10.0, fy=12.0, cx=7.0, cy=3.0, width=16, height=8)


def prediction(depth: ndarray, camera: Camera | None = CAMERA) -> DepthPrediction:
    depth = depth.astype(np.float32)
    return DepthPrediction(depth=depth, disparity=1 / depth, scale="relative", camera=camera)


def picture(shape: tuple[int, ...], seed: int = 0) -> ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*shape[:2], 3)).astype(np.uint8)


def read_ply(path: Path) -> tuple[list[str], ndarray]:
    """Header lines, and vertices by name."""
    header, _, body = path.read_bytes().partition(b"end_header\n")
    lines = header.decode("ascii").splitlines()
    types = {"float": "<f4", "uchar": "u1"}
    fields = [line.split() for line in lines if line.startswith("property")]
    vertices = np.frombuffer(body, np.dtype([(name, types[kind]) for _, kind, name in fields]))
    assert f"element vertex {len(vertices)}" in lines
    return lines, vertices


def test_every_point_is_seen_at_its_pixel_with_its_depth_and_colour() -> None:
    depth = np.random.default_rng(1).uniform(1, 9, (8, 16))
    image = picture(depth.shape)
    cloud = point_cloud(prediction(depth), image, max_depth=np.inf)
    u, v, w = CAMERA.matrix() @ cloud.points.T
    rows, columns = np.rint(v / w).astype(int), np.rint(u / w).astype(int)
    assert len({*zip(rows.tolist(), columns.tolist(), strict=True)}) == 8 * 16
    np.testing.assert_allclose(w, depth[rows, columns], rtol=1e-6)
    assert np.array_equal(cloud.colours, image[rows, columns])


def test_points_beyond_the_cap_are_left_out() -> None:
    depth = np.full((8, 16), 5.0)
    depth[0] = 50
    assert len(point_cloud(prediction(depth), picture(depth.shape), max_depth=20.0).points) == 7 * 16


def test_limits_follow_the_depth_where_they_are_not_given() -> None:
    depth = np.full((8, 16), 3.0)
    assert CloudLimits().resolved(prediction(depth)) == pytest.approx((12, 0.03))
    twice = CloudLimits().resolved(prediction(2 * depth))
    assert twice == pytest.approx((24, 0.06))
    assert CloudLimits(max_depth=10.0, voxel=0.5).resolved(prediction(depth)) == (10, 0.5)


def test_points_without_a_camera_are_refused() -> None:
    with pytest.raises(DataError, match=r"frames of 16x8; give --camera"):
        point_cloud(prediction(np.ones((8, 16)), camera=None), picture((8, 16)), max_depth=2.0)


def test_a_fused_cloud_has_one_point_in_a_voxel_and_makes_none_up() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(0, 5, (5000, 3)).astype(np.float32)
    clouds = [
        PointCloud(points=part, colours=picture((len(part), 1), i)[:, 0]) for i, part in enumerate(np.split(points, 5))
    ]
    fused = FusedCloud(voxel=1.0)
    for cloud in clouds:
        fused.add(cloud, np.eye(4))
    found = fused.result()
    cells = {tuple(cell) for cell in np.floor(found.points).astype(int).tolist()}
    assert len(cells) == len(found.points) == len({tuple(cell) for cell in np.floor(points).astype(int).tolist()})
    assert {tuple(p) for p in found.points.tolist()} <= {tuple(p) for p in points.tolist()}
    first: dict[tuple[int, ...], list[float]] = {}
    for point in points.tolist():
        first.setdefault(tuple(np.floor(point).astype(int).tolist()), point)
    assert sorted(first.values()) == sorted(found.points.tolist())


def test_thinning_as_one_goes_gives_the_same_as_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    rng, results = np.random.default_rng(0), []
    clouds = [
        PointCloud(points=rng.normal(0, 3, (300, 3)).astype(np.float32), colours=picture((300, 1))[:, 0])
        for _ in range(9)
    ]
    for slack in (1, 10**6):
        monkeypatch.setattr("selfdepth.inference.pointcloud._SLACK_POINTS", slack)
        fused = FusedCloud(voxel=0.5)
        for cloud in clouds:
            fused.add(cloud, np.eye(4))
        results.append(fused.result().points)
    assert np.array_equal(*results)


def test_a_true_drive_fuses_to_one_street() -> None:
    spec = DriveSpec(seed=1, frames=6, width=96, height=32, stops=False, moving_cars=False)
    drive = render_drive(spec)
    clouds = []
    for index in (0, 5):
        depth = np.where(drive.depth[index] > 0, drive.depth[index], 1e3)
        clouds.append(point_cloud(prediction(depth, drive.camera), drive.images[index], max_depth=12.0))
    T = drive.T_world_camera[5]
    assert np.linalg.norm(T[:3, 3]) > 1
    here, there = clouds[0].points, clouds[1].points @ T[:3, :3].T + T[:3, 3]
    inside = there[there[:, 2] < 12]  # the part of it that the first frame saw
    gap = np.sqrt(((inside[:, None] - here[None]) ** 2).sum(-1).min(1))
    still = np.sqrt(((clouds[1].points[:, None] - here[None]) ** 2).sum(-1).min(1))
    # Between the rays of a small image there is a quarter of a metre.
    assert np.median(gap) < 0.3 and np.mean(gap) < np.mean(still)


def test_a_ply_says_its_unit_and_holds_the_points(tmp_path: Path) -> None:
    cloud = PointCloud(
        points=np.array([[1, 2, 3], [-4, 5.5, 6]], np.float32), colours=np.array([[9, 8, 7], [255, 0, 1]], np.uint8)
    )
    for unit in ("metric, in metres", "relative: times 5.4 it is in metres"):
        write_ply(tmp_path / "a.ply", cloud, unit=unit, frame="the camera")
        lines, vertices = read_ply(tmp_path / "a.ply")
        assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
        assert f"comment unit: {unit}" in lines and "comment frame: the camera" in lines
        assert vertices.tolist() == [(1, 2, 3, 9, 8, 7), (-4, 5.5, 6, 255, 0, 1)]
    assert [path.name for path in tmp_path.iterdir()] == ["a.ply"]


def test_an_empty_cloud_is_an_empty_ply(tmp_path: Path) -> None:
    empty = PointCloud(points=np.zeros((0, 3), np.float32), colours=np.zeros((0, 3), np.uint8))
    write_ply(tmp_path / "a.ply", empty, unit="metres", frame="the camera")
    assert len(read_ply(tmp_path / "a.ply")[1]) == 0


def test_voxels_that_are_too_small_for_the_drive_are_refused() -> None:
    cloud = PointCloud(points=np.array([[5000, 0, 0]], np.float32), colours=np.zeros((1, 3), np.uint8))
    with pytest.raises(DataError, match="--voxel"):
        FusedCloud(voxel=1e-3).add(cloud, np.eye(4))


def test_new_points_of_frames_are_the_fused_cloud_and_remember_a_bounded_number_of_voxels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    clouds = [
        PointCloud(
            points=rng.uniform(-1, 1, (300, 3)).astype(np.float32), colours=rng.integers(0, 256, (300, 3), np.uint8)
        )
        for _ in range(5)
    ]
    fused, new = FusedCloud(0.3), NewPoints(0.3)
    added = []
    for cloud in clouds:
        fused.add(cloud, np.eye(4))
        added.append(new.of(cloud, np.eye(4)).points)
    np.testing.assert_array_equal(np.concatenate(added), fused.result().points)
    assert len(added[-1]) < len(added[0])
    monkeypatch.setattr(pointcloud, "_REMEMBERED_VOXELS", 50)
    short, far = NewPoints(0.3), np.eye(4)
    for step in range(20):
        far[0, 3] = 10.0 * step
        short.of(clouds[0], far)
        assert len(short._recent) + len(short._before) <= 2 * (50 + 300)
    far[0, 3] = 0.0
    assert len(short.of(clouds[0], far).points), "a place of long ago has its points again"
