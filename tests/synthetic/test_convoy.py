"""A convoy keeps together: every car has the camera's speed in every frame."""

from __future__ import annotations

import numpy as np
import pytest

from selfdepth.synthetic.convoy import build_convoy


@pytest.mark.parametrize("seed", range(4))
def test_every_car_keeps_its_distance_and_none_touches_another(seed: int) -> None:
    plan = build_convoy(np.random.default_rng(seed), frames=300, fps=10.0, stops=True)
    gaps = plan.cars_s_m - plan.s_m
    np.testing.assert_allclose(np.diff(gaps, axis=1), 0, atol=1e-9)
    assert plan.keeps_distance.all() and plan.convoy == len(gaps)
    for lane in (1.75, -1.75):
        own = np.sort(gaps[plan.cars_d_m == lane, 0])
        assert own[0] > 5 and (np.diff(own) > 6).all()  # a van is 5.2 m long
    assert (plan.direction == 1).all()


@pytest.mark.parametrize("seed", range(4))
def test_it_waits_for_a_quarter_of_the_time_and_soon(seed: int) -> None:
    plan = build_convoy(np.random.default_rng(seed), frames=600, fps=10.0, stops=True)
    assert 0.18 < (plan.speed_mps == 0).mean() < 0.35
    assert (plan.speed_mps[:100] == 0).sum() > 20, "a short drive has a pause, too"
    assert plan.speed_mps[0] > 2, "already moving in the first frame"


def test_without_stops_it_never_stands() -> None:
    plan = build_convoy(np.random.default_rng(0), frames=300, fps=10.0, stops=False)
    assert plan.speed_mps.min() > 5
