"""Points for the browser: squares that lie on surfaces, and a GLB that holds what it was given."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selfdepth.app.glb import Squares, squares_of, write_glb
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera
from selfdepth.inference.pointcloud import point_cloud
from selfdepth.structs import DepthPrediction

CAMERA = Camera(fx=50.0, fy=50.0, cx=19.5, cy=9.5, width=40, height=20)
IMAGE = np.random.default_rng(0).integers(0, 256, (20, 40, 3), dtype=np.uint8)


def predicted(depth: np.ndarray, camera: Camera | None = CAMERA) -> DepthPrediction:
    disparity = np.divide(1, depth, out=np.zeros_like(depth), where=depth > 0)
    return DepthPrediction(depth=depth, disparity=disparity, scale="relative", camera=camera)


def plane() -> DepthPrediction:
    """A floor that tilts to the right: its disparity is linear in the image."""
    v, u = np.mgrid[:20, :40]
    return predicted((1 / (0.1 + 0.002 * u + 0.004 * v)).astype(np.float32))


def test_the_middles_of_the_squares_are_the_points_of_the_cloud() -> None:
    prediction = plane()
    squares, cloud = squares_of(prediction, IMAGE, max_depth=100), point_cloud(prediction, IMAGE, 100)
    # Of a plane seen in perspective, the diagonals of a square cross where its middle is seen.
    seen = squares.corners[..., :2] / squares.corners[..., 2:]
    np.testing.assert_allclose(seen.mean(1), cloud.points[:, :2] / cloud.points[:, 2:], atol=1e-5)
    np.testing.assert_allclose((1 / squares.corners[..., 2]).mean(1), 1 / cloud.points[:, 2], rtol=1e-4)
    np.testing.assert_array_equal(squares.colours, cloud.colours)


def test_on_a_plane_neighbours_meet_at_their_corners() -> None:
    corners = squares_of(plane(), IMAGE, max_depth=100).corners.reshape(20, 40, 4, 3)
    np.testing.assert_allclose(corners[:, :-1, 1], corners[:, 1:, 0], rtol=1e-4)
    np.testing.assert_allclose(corners[:-1, :, 3], corners[1:, :, 0], rtol=1e-4)


def test_at_the_edge_of_an_object_no_square_reaches_across() -> None:
    depth = np.full((20, 40), 2.0, dtype=np.float32)
    depth[:, 20:] = 10.0
    z = squares_of(predicted(depth), IMAGE, max_depth=100).corners[..., 2]
    assert set(np.unique(z.round(4)).tolist()) == {2.0, 10.0}


def test_what_is_too_far_or_has_no_depth_is_left_out() -> None:
    depth = np.full((20, 40), 2.0, dtype=np.float32)
    depth[:5], depth[5:10] = 0.0, 30.0
    assert len(squares_of(predicted(depth), IMAGE, max_depth=20).corners) == 10 * 40


@pytest.mark.parametrize("most", [1, 50, 200, 799, 800])
def test_there_are_never_more_squares_than_asked_for_and_they_cover_the_frame(most: int) -> None:
    corners = squares_of(plane(), IMAGE, max_depth=100, most=most).corners
    assert 1 <= len(corners) <= max(most, 1)
    if most >= 50:
        u = CAMERA.fx * corners[..., 0] / corners[..., 2] + CAMERA.cx
        assert u.max() - u.min() >= 36


def test_without_a_camera_there_are_no_points() -> None:
    with pytest.raises(DataError, match="points need a camera"):
        squares_of(replace(plane(), camera=None), IMAGE, max_depth=10)


def parsed(path: Path) -> tuple[dict[str, Any], bytes]:
    data = path.read_bytes()
    magic, version, length = struct.unpack_from("<3I", data)
    n_json, kind = struct.unpack_from("<2I", data, 12)
    n_binary, binary_kind = struct.unpack_from("<2I", data, 20 + n_json)
    assert (data[:4], magic, version, length) == (b"glTF", 0x46546C67, 2, len(data))
    assert (kind, binary_kind, n_json % 4, n_binary % 4) == (0x4E4F534A, 0x004E4942, 0, 0)
    return json.loads(data[20 : 20 + n_json]), data[28 + n_json :]


def test_the_file_holds_the_squares_in_the_axes_of_gltf(tmp_path: Path) -> None:
    squares = squares_of(plane(), IMAGE, max_depth=100)
    write_glb(tmp_path / "a.glb", squares, shown_size=8.0)
    scene, binary = parsed(tmp_path / "a.glb")
    views = [binary[view["byteOffset"] :][: view["byteLength"]] for view in scene["bufferViews"]]
    positions = np.frombuffer(views[0], "<f4").reshape(-1, 4, 3)
    np.testing.assert_array_equal(positions * [1, -1, -1], squares.corners)
    assert scene["nodes"][0]["scale"] == [1 / 8] * 3
    assert scene["accessors"][0]["max"] == positions.reshape(-1, 3).max(0).tolist()
    indices = np.frombuffer(views[2], "<u4")
    assert (len(indices), indices.max()) == (6 * len(squares.corners), 4 * len(squares.corners) - 1)
    assert sum(map(len, views)) == scene["buffers"][0]["byteLength"] == len(binary)


def test_colours_become_linear_and_back(tmp_path: Path) -> None:
    colours = np.arange(256, dtype=np.uint8)[:, None].repeat(3, 1)
    write_glb(tmp_path / "a.glb", Squares(corners=np.zeros((256, 4, 3), np.float32), colours=colours), shown_size=1)
    scene, binary = parsed(tmp_path / "a.glb")
    view = scene["bufferViews"][1]
    linear = np.frombuffer(binary[view["byteOffset"] :][: view["byteLength"]], "<u2").reshape(256, 4, 4)[:, 0] / 65535
    shown = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    np.testing.assert_array_equal(np.rint(255 * shown[:, :3]), colours)
    assert (linear[:, 3] == 1).all()


def test_a_scene_without_points_is_a_file_too(tmp_path: Path) -> None:
    nothing = Squares(corners=np.zeros((0, 4, 3), np.float32), colours=np.zeros((0, 3), np.uint8))
    write_glb(tmp_path / "a.glb", nothing, shown_size=1)
    assert parsed(tmp_path / "a.glb")[0]["accessors"][0]["count"] == 0
