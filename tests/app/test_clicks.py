"""What clicks mean: pixels, distances, and sentences that say metres only where they are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from selfdepth.app.clicks import INVITATION, Measurable, describe_clicks, distance_between, pixel_of_click, point_at
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import Lens
from selfdepth.geometry.ray_depth import points_of
from selfdepth.structs import DepthPrediction, MetricScale

CAMERA = Camera(fx=50.0, fy=40.0, cx=15.5, cy=9.5, width=32, height=20)
FISHEYE = Camera(
    fx=20.0,
    fy=20.0,
    cx=15.5,
    cy=9.5,
    width=32,
    height=20,
    lens=Lens(model="kannala-brandt", coefficients=(0.01, 0.0, 0.0, 0.0)),
)


def measurable(**changes: object) -> Measurable:
    depth = np.random.default_rng(0).uniform(2, 9, (20, 32)).astype(np.float32)
    prediction = DepthPrediction(depth=depth, disparity=1 / depth, scale="metric", camera=CAMERA)
    frame = Measurable.of(prediction, metres_per_unit=1.0, assumed_fov_deg=None, model="runs/street")
    return replace(frame, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("shown", [(32, 20), (64, 40), (16, 10), (960, 600)])
def test_a_click_on_the_middle_of_a_pixel_is_that_pixel_at_every_size_of_the_picture(shown: tuple[int, int]) -> None:
    for pixel in [(0, 0), (4, 6), (30, 18)]:
        click = tuple((at + 0.5) * small / full - 0.5 for at, small, full in zip(pixel, shown, (32, 20), strict=True))
        found = pixel_of_click((click[0], click[1]), shown=shown, frame=(32, 20))
        assert max(abs(a - b) for a, b in zip(found, pixel, strict=True)) <= (0 if shown[0] >= 32 else 1)


@pytest.mark.parametrize("click", [(-5.0, -1.0), (10_000.0, 10_000.0)])
def test_a_click_beyond_the_picture_is_a_pixel_at_its_edge(click: tuple[float, float]) -> None:
    assert pixel_of_click(click, shown=(64, 40), frame=(32, 20)) in {(0, 0), (31, 19)}


@pytest.mark.parametrize(("camera", "depth_is"), [(CAMERA, "z"), (FISHEYE, "z"), (FISHEYE, "ray")])
def test_the_point_at_a_pixel_is_that_of_the_whole_clouds(camera: Camera, depth_is: str) -> None:
    frame = measurable(camera=camera, depth_is=depth_is)
    points, shown = points_of(frame.depth, camera, frame.depth_is, np.ones((20, 32), dtype=bool))
    whole = np.full((20, 32, 3), np.nan)
    whole[shown] = points
    for u, v in [(0, 0), (31, 19), (7, 12)]:
        np.testing.assert_allclose(point_at(frame, (u, v)), whole[v, u], rtol=1e-5)


def test_distances_are_those_of_a_wall_with_known_points() -> None:
    # A wall 5 m ahead: 10 columns are 10 * 5 / fx = 1 m, 8 rows are 8 * 5 / fy = 1 m.
    frame = measurable(depth=np.full((20, 32), 5.0))
    assert distance_between(frame, (3, 4), (13, 4)) == pytest.approx(1.0)
    assert distance_between(frame, (3, 4), (3, 12)) == pytest.approx(1.0)
    assert distance_between(frame, (3, 4), (13, 12)) == pytest.approx(2**0.5)
    assert distance_between(frame, (3, 4), (3, 4)) == 0


def test_the_distance_is_symmetric_and_grows_with_the_unit() -> None:
    frame = measurable()
    there, back = distance_between(frame, (1, 2), (20, 15)), distance_between(frame, (20, 15), (1, 2))
    larger = distance_between(replace(frame, depth=3 * frame.depth), (1, 2), (20, 15))
    assert there is not None
    assert there == back
    assert larger == pytest.approx(3 * there)


def test_metres_are_given_with_their_witness_and_its_spread() -> None:
    metric = MetricScale(factor=2.0, spread=0.04, witness="height 1.65 m")
    frame = measurable(depth=np.full((20, 32), 5.0), metric=metric)
    told = describe_clicks(frame, ((3, 4), (13, 4)))
    assert told.startswith("1.00 m between the two points")
    assert "height 1.65 m, within about 4 %" in told
    assert "from the camera" in describe_clicks(frame, ((3, 4),))


def test_a_factor_that_the_model_knows_gives_metres_too() -> None:
    frame = measurable(depth=np.full((20, 32), 5.0), metres_per_unit=5.4)
    assert describe_clicks(frame, ((3, 4), (13, 4))).startswith("5.40 m between")


@pytest.mark.parametrize("pixels", [((3, 4),), ((3, 4), (13, 4))])
def test_a_relative_depth_gives_no_length_and_says_how_to_calibrate(pixels: tuple[tuple[int, int], ...]) -> None:
    told = describe_clicks(measurable(metres_per_unit=None), pixels)
    assert "relative" in told
    assert "selfdepth calibrate runs/street --data" in told
    assert " m " not in told


def test_of_a_relative_depth_the_ratio_is_told() -> None:
    depth = np.full((20, 32), 2.0)
    depth[:, 16:] = 5.0
    frame = measurable(depth=depth, metres_per_unit=None)
    assert "2.5 times as far" in describe_clicks(frame, ((2, 2), (20, 2)))
    assert "equally far" in describe_clicks(frame, ((2, 2), (3, 2)))


def test_an_assumed_field_of_view_is_said_with_each_length() -> None:
    assert "60 degrees is assumed" in describe_clicks(measurable(assumed_fov_deg=60.0), ((3, 4), (13, 4)))


def test_where_there_is_no_depth_no_length_is_told() -> None:
    depth = np.full((20, 32), 5.0)
    depth[4, 3] = 0
    frame = measurable(depth=depth)
    assert point_at(frame, (3, 4)) is None
    assert describe_clicks(frame, ((3, 4),)).startswith("There is no depth")
    assert describe_clicks(frame, ((13, 4), (3, 4))).startswith("There is no depth")


def test_without_a_camera_only_the_depth_is_told() -> None:
    frame = measurable(camera=None, depth=np.full((20, 32), 5.0))
    assert distance_between(frame, (3, 4), (13, 4)) is None
    assert describe_clicks(frame, ((3, 4), (13, 4))) == "Depth 5.00 m (along z)."


def test_without_a_click_the_page_invites_one() -> None:
    assert describe_clicks(measurable(), ()) == INVITATION
