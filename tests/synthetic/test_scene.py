"""The street is furnished along the road, and nothing stands in anybody's way."""

from __future__ import annotations

import numpy as np
import pytest

from selfdepth.synthetic import drive
from selfdepth.synthetic.road import build_road
from selfdepth.synthetic.scene import Paint, Scene, build_scene, paint_street

REACH_M = 120.0


@pytest.fixture(scope="module")
def paint() -> Paint:
    return drive.paint_street(1)  # as drives are painted: once a run of the tests


def scene(paint: Paint, *, seed: int = 0, bends: bool = True) -> Scene:
    road = build_road(np.random.default_rng(7), start_m=-30.0, end_m=REACH_M + 60, bends=bends)
    return build_scene(np.random.default_rng(seed), road, paint, reach_m=REACH_M)


def test_the_same_seed_paints_the_same_street_and_another_one_another(paint: Paint) -> None:
    again = paint_street(1)
    assert np.array_equal(again.atlas.texels, paint.atlas.texels) and np.array_equal(again.sky, paint.sky)
    assert not np.array_equal(drive.paint_street(2).sky, paint.sky)


def test_the_kit_names_textures_of_the_atlas(paint: Paint) -> None:
    n_textures = len(paint.atlas.columns)
    kit = paint.kit
    used = [*kit.roofs, *kit.crowns, *kit.rows, *kit.fences, *kit.posts, *kit.plates, paint.ground]
    used += [index for each in kit.houses for index in (each.front, each.side, each.gable)]
    used += [index for each in kit.cars for index in (each.side, each.rear, each.front, each.paint, each.glass)]
    assert all(0 <= index < n_textures for index in used)
    assert len({each.front for each in kit.houses}) == len(kit.houses), "no two fronts are the same"


def test_every_quad_has_a_texture_and_stands_beside_the_road(paint: Paint) -> None:
    made = scene(paint)
    static = made.static
    assert len(static) > 100
    assert static.texture.max() < len(paint.atlas.columns)
    corners = np.concatenate([static.origin, static.origin + static.edge_u, static.origin + static.edge_v])
    low = corners[corners[:, 1] > -2.5]  # what a car could run into; a lamp's arm is above it
    assert made.road.clearance_m(low[:, [0, 2]]) > 3.4, "the lanes are free"


def test_cars_are_parked_along_the_kerb_in_the_direction_of_their_side(paint: Paint) -> None:
    made = scene(paint, bends=False)
    X, Z, heading, half_width, half_length = made.parked.T
    assert len(X) > 4
    assert ((abs(X) > 4.4) & (abs(X) < 4.8)).all()
    np.testing.assert_allclose(np.cos(heading), np.sign(X))
    for side in (1, -1):
        order = np.argsort(Z[np.sign(X) == side])
        apart = np.diff(Z[np.sign(X) == side][order])
        assert (apart > half_length.min() * 2).all(), "no two stand in each other"
    assert (half_width < half_length).all()


def test_another_seed_furnishes_the_same_road_otherwise(paint: Paint) -> None:
    one, same, other = scene(paint), scene(paint), scene(paint, seed=1)
    assert np.array_equal(one.static.origin, same.static.origin)
    assert one.static.origin.shape != other.static.origin.shape or not np.allclose(
        one.static.origin, other.static.origin
    )
