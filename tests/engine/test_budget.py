"""How long a run lasts, and when the learning rate drops."""

from __future__ import annotations

import pytest

from selfdepth.config import TrainConfig
from selfdepth.engine.budget import Budget, learning_rate


@pytest.mark.parametrize(
    ("config", "budget"),
    [
        (TrainConfig(steps=7), Budget(steps=7)),
        (TrainConfig(epochs=3), Budget(steps=30)),
        (TrainConfig(minutes=1.5), Budget(seconds=90.0)),
        (TrainConfig(), Budget(steps=200)),
    ],
    ids=["steps", "epochs", "minutes", "the paper's 20 epochs"],
)
def test_a_budget_is_in_the_unit_it_was_given_in(config: TrainConfig, budget: Budget) -> None:
    assert Budget.of(config, steps_per_epoch=10) == budget


def test_the_share_that_is_used_runs_from_zero_to_one_in_the_budgets_own_unit() -> None:
    steps, seconds = Budget(steps=8), Budget(seconds=60.0)
    assert [steps.fraction(step, 1e9) for step in (0, 2, 8)] == [0, 0.25, 1]
    assert [seconds.fraction(10**9, elapsed) for elapsed in (0.0, 45.0, 90.0)] == [0, 0.75, 1.5]


def test_the_learning_rate_is_a_tenth_after_three_quarters() -> None:
    assert [learning_rate(1e-4, fraction) for fraction in (0.0, 0.5, 0.7499)] == [1e-4] * 3
    assert [learning_rate(1e-4, fraction) for fraction in (0.75, 0.9, 1.0)] == pytest.approx([1e-5] * 3)
