"""One factor of several witnesses: by how steady each is, and whether they agree."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy import ndarray

from selfdepth.scale.combine import combine, median_slope
from selfdepth.scale.witness import Testimony, WitnessKind

Testimony.__test__ = False  # type: ignore[attr-defined]  not a test, whatever its name


def says(witness: WitnessKind, factors: list[float] | ndarray, source: str = "x", **more: object) -> Testimony:
    values = np.asarray(factors, np.float64)
    return Testimony(witness=witness, source=source, times_s=np.arange(len(values)) / 10, factors=values, **more)


def noisy(middle: float, spread: float, seed: int = 0, n: int = 801) -> ndarray:
    return middle * (1 + spread * np.random.default_rng(seed).standard_normal(n))


def test_one_witness_counts_by_its_median_and_its_median_deviation() -> None:
    done = combine([says("height", [1.0, 2.0, 3.0, 4.0, 100.0], "1.65 m")], timed=True)
    assert done.scale.factor == pytest.approx(3.0)
    assert done.scale.spread == pytest.approx(1.4826 * 1 / 3)
    assert done.scale.witness == "height 1.65 m" and done.scale.word == "metric within 50 %"
    assert done.agreements == ()


def test_the_spread_of_normal_noise_is_its_standard_deviation() -> None:
    found = combine([says("lidar", noisy(5, 0.04))], timed=True).scale
    assert found.factor == pytest.approx(5, rel=0.01) and found.spread == pytest.approx(0.04, rel=0.1)


def test_the_steadier_of_two_witnesses_that_agree_counts_more() -> None:
    steady, loose = says("stereo", noisy(10.0, 0.02)), says("height", noisy(10.4, 0.08, seed=1))
    done = combine([steady, loose], timed=True)
    assert abs(done.scale.factor - 10.0) < abs(done.scale.factor - 10.4) / 5
    assert [each.agrees for each in done.agreements] == [True]
    assert done.scale.witness == "stereo x and height x"


def test_witnesses_that_contradict_each_other_count_about_equally_and_widen_the_spread() -> None:
    steady, loose = says("height", noisy(10.0, 0.01)), says("lidar", noisy(20.0, 0.05, seed=1))
    done = combine([steady, loose], timed=True)
    assert done.scale.factor == pytest.approx(math.sqrt(200), rel=0.02)
    assert done.scale.spread is not None and done.scale.spread > 0.3
    (agreement,) = done.agreements
    assert not agreement.agrees and agreement.ratio == pytest.approx(0.5, rel=0.01)
    assert agreement.allowed == pytest.approx(math.hypot(0.01, 0.05), rel=0.15)


def test_every_pair_of_witnesses_is_compared() -> None:
    kinds: tuple[WitnessKind, ...] = ("speed", "height", "stereo")
    done = combine([says(kind, noisy(3, 0.03, seed=i)) for i, kind in enumerate(kinds)], timed=True)
    assert [(each.first, each.second) for each in done.agreements] == [
        ("speed x", "height x"),
        ("speed x", "stereo x"),
        ("height x", "stereo x"),
    ]


def test_exact_witnesses_need_not_agree_to_the_last_digit() -> None:
    done = combine([says("height", [2.0] * 9), says("lidar", [2.001] * 9)], timed=True)
    assert done.agreements[0].agrees and done.scale.spread == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("factors", [[2.0], [2.0, 2.1]])
def test_fewer_than_three_estimates_tell_no_spread(factors: list[float]) -> None:
    done = combine([says("distance", factors, "tape.csv")], timed=True)
    assert done.scale.spread is None and done.findings[0].drift is None
    assert done.scale.word == "metric with unknown spread"


def test_a_witness_of_unknown_spread_counts_only_where_there_is_no_other_but_is_compared() -> None:
    done = combine([says("distance", [3.0]), says("stereo", noisy(2.0, 0.02))], timed=True)
    assert done.scale.factor == pytest.approx(2.0, rel=0.01) and done.scale.witness == "stereo x"
    assert len(done.agreements) == 1 and not done.agreements[0].agrees


def test_the_drift_is_the_change_from_the_first_estimate_to_the_last_whatever_a_few_outliers_say() -> None:
    factors = 4 * np.exp(np.linspace(0, math.log(1.25), 201))
    factors[::20] *= 3
    (finding,) = combine([says("speed", factors)], timed=True).findings
    assert finding.drift == pytest.approx(0.25, rel=0.02)


def test_the_median_slope_is_that_of_all_pairs() -> None:
    rng = np.random.default_rng(3)
    times, values = rng.uniform(0, 5, 30), rng.uniform(0, 1, 30)
    slow = [(values[j] - values[i]) / (times[j] - times[i]) for i, j in itertools.combinations(range(30), 2)]
    assert median_slope(times, values) == pytest.approx(np.median(slow))
    assert median_slope(np.zeros(4), np.arange(4.0)) == 0


def test_all_numbers_are_in_the_json() -> None:
    done = combine(
        [says("height", [2.0, 2.1, 2.2], left_out={"too little ground": 4}), says("lidar", [2.1, 2.1, 2.2])],
        timed=False,
        known=5.4,
    )
    values = done.to_json()
    assert (values["factor"], values["spread"], values["witness"]) == tuple(done.scale.to_json().values())
    assert values["scale"] == "metric" and values["times_are"] == "frame numbers"
    assert values["factor_by_training"] == 5.4
    assert [each["used"] for each in values["witnesses"]] == [3, 3]
    assert values["witnesses"][0]["left_out"] == {"too little ground": 4}
    assert values["witnesses"][1]["factors"] == [2.1, 2.1, 2.2]
    assert values["agreement"][0]["agrees"] is True
