"""The road bends as it is told, and a place along it is the same place on the ground."""

from __future__ import annotations

import numpy as np
import pytest

from selfdepth.synthetic.road import STEP_M, Road, build_road, build_schedule


def road(seed: int = 0, *, bends: bool = True) -> Road:
    return build_road(np.random.default_rng(seed), start_m=-30.0, end_m=300.0, bends=bends)


def test_without_bends_the_road_runs_straight_along_z() -> None:
    straight = road(bends=False)
    assert np.array_equal(straight.heading_rad, np.zeros_like(straight.heading_rad))
    place, heading = straight.place(120.0, 3.0)
    assert (place.tolist(), heading) == ([3.0, 120.0], 0.0)


@pytest.mark.parametrize("seed", range(4))
def test_samples_are_as_far_apart_as_they_say_and_bends_are_no_sharper_than_a_street_has(seed: int) -> None:
    bent = road(seed)
    steps = np.linalg.norm(np.diff(bent.centre, axis=0), axis=1)
    np.testing.assert_allclose(steps, STEP_M, rtol=1e-9)
    assert np.radians(15) < np.abs(bent.heading_rad).max() < np.radians(60)
    assert np.abs(bent.curvature).max() < 1 / 44
    assert bent.end_m == pytest.approx(300, abs=STEP_M)


@pytest.mark.parametrize("seed", range(3))
def test_a_place_on_the_ground_is_found_again_along_the_road(seed: int) -> None:
    bent, rng = road(seed), np.random.default_rng(seed)
    s, d = rng.uniform(-20, 290, 50), rng.uniform(-8, 8, 50)
    x, z = np.array([bent.place(*each)[0] for each in zip(s, d, strict=True)]).T
    found_s, found_d, _, stretch = bent.locate(x, z)
    np.testing.assert_allclose(found_s, s, atol=0.05)
    np.testing.assert_allclose(found_d, d, atol=0.05)
    assert (stretch > 0.5).all()


def test_the_clearance_is_the_distance_to_the_middle_of_the_road() -> None:
    straight = road(bends=False)
    points = np.array([[4.0, 100.0], [-7.0, 50.0]])
    assert straight.clearance_m(points) == pytest.approx(4.0, abs=0.2)


def test_the_camera_starts_brakes_waits_and_goes_again() -> None:
    plan = build_schedule(np.random.default_rng(1), frames=400, fps=10.0, stops=True, moving_cars=True)
    assert plan.s_m[0] == 0 and (np.diff(plan.s_m) >= 0).all()
    assert (plan.speed_mps == 0).any() and plan.speed_mps.max() < 12
    np.testing.assert_allclose(np.diff(plan.s_m) * 10, (plan.speed_mps[1:] + plan.speed_mps[:-1]) / 2, atol=1e-9)
    assert np.abs(np.diff(plan.speed_mps)).max() * 10 < 3.5, "no brake is harder"


def test_without_stops_it_never_stands() -> None:
    plan = build_schedule(np.random.default_rng(1), frames=400, fps=10.0, stops=False, moving_cars=True)
    assert plan.speed_mps.min() > 5


def test_the_car_ahead_keeps_its_distance_for_a_while_and_nobody_drives_through_another() -> None:
    plan = build_schedule(np.random.default_rng(2), frames=300, fps=10.0, stops=True, moving_cars=True)
    gap = plan.cars_s_m[0] - plan.s_m
    assert (gap > 8).all()
    both = plan.keeps_distance[1:] & plan.keeps_distance[:-1]
    assert 0.3 < both.mean() < 1
    assert np.abs(np.diff(gap))[both].max() < 1e-9
    for direction in (1, -1):
        lane = {float(d) for d in plan.cars_d_m[plan.direction == direction]}
        assert lane == {1.75 * direction}


def test_without_traffic_there_are_no_cars_and_nothing_keeps_its_distance() -> None:
    plan = build_schedule(np.random.default_rng(2), frames=20, fps=10.0, stops=True, moving_cars=False)
    assert plan.cars_s_m.shape == (0, 20)
    assert not plan.keeps_distance.any()
