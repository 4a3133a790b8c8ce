"""How long a run lasts, and when the learning rate drops."""

from __future__ import annotations

import pytest

from selfdepth.config import TrainConfig
from selfdepth.engine.schedule import Budget
from selfdepth.presets import MONODEPTH_V1, preset


@pytest.mark.parametrize(
    ("config", "budget"),
    [
        (TrainConfig(steps=7), Budget(steps=7)),
        (TrainConfig(epochs=3), Budget(steps=30)),
        (TrainConfig(minutes=1.5), Budget(seconds=90.0)),
        (TrainConfig(), Budget(steps=200)),
        (TrainConfig(epochs=30, drop_after=15), Budget(steps=300, drop_step=150)),
        (TrainConfig(minutes=1.0, drop_after=2), Budget(seconds=60.0, drop_step=20)),
        (preset(MONODEPTH_V1), Budget(steps=500, method="monodepth-v1")),
    ],
    ids=[
        "steps",
        "epochs",
        "minutes",
        "the paper's 20 epochs",
        "a drop in epochs",
        "minutes, with such a drop",
        "Monodepth v1's 50 epochs",
    ],
)
def test_a_budget_is_in_the_unit_it_was_given_in(config: TrainConfig, budget: Budget) -> None:
    assert Budget.of(config, steps_per_epoch=10) == budget


def test_the_share_that_is_used_runs_from_zero_to_one_in_the_budgets_own_unit() -> None:
    steps, seconds = Budget(steps=8), Budget(seconds=60.0)
    assert [steps.fraction(step, 1e9) for step in (0, 2, 8)] == [0, 0.25, 1]
    assert [seconds.fraction(10**9, elapsed) for elapsed in (0.0, 45.0, 90.0)] == [0, 0.75, 1.5]


def test_the_learning_rate_is_a_tenth_after_three_quarters() -> None:
    steps, seconds = Budget(steps=8), Budget(seconds=60.0)
    assert [steps.learning_rate(1e-4, step, 1e9) for step in (0, 5, 6, 7)] == pytest.approx([1e-4, 1e-4, 1e-5, 1e-5])
    assert [seconds.learning_rate(1e-4, 10**9, t) for t in (0.0, 44.9, 45.0)] == pytest.approx([1e-4, 1e-4, 1e-5])


def test_the_learning_rate_drops_after_epochs_where_they_are_given() -> None:
    thirty = Budget.of(TrainConfig(epochs=30, drop_after=15), steps_per_epoch=10)
    assert [thirty.learning_rate(1e-4, step, 0.0) for step in (0, 149, 150, 299)] == pytest.approx(
        [1e-4, 1e-4, 1e-5, 1e-5]
    )
    five = Budget.of(TrainConfig(epochs=5, drop_after=15), steps_per_epoch=10)
    assert {five.learning_rate(1e-5, step, 0.0) for step in range(50)} == {1e-5}


def test_the_learning_rate_of_monodepth_v1_is_halved_after_30_and_40_of_50_epochs() -> None:
    fifty = Budget.of(preset(MONODEPTH_V1), steps_per_epoch=7)
    steps = (0, 30 * 7 - 1, 30 * 7, 40 * 7 - 1, 40 * 7, 50 * 7 - 1)
    assert [fifty.learning_rate(1e-4, step, 0.0) for step in steps] == pytest.approx(
        [1e-4, 1e-4, 5e-5, 5e-5, 2.5e-5, 2.5e-5]
    )
    minutes = Budget(seconds=100.0, method="monodepth-v1")
    assert [minutes.learning_rate(1.0, 0, s) for s in (59.9, 60.0, 79.9, 80.0)] == [1, 0.5, 0.5, 0.25]
