"""The budget of a run, and the learning rate that follows from it."""

from __future__ import annotations

from dataclasses import dataclass

from selfdepth.config import TrainConfig
from selfdepth.presets import DEFAULT_EPOCHS

_DROP_AT = 0.75
"""The published 15 of 20 epochs, as a share of any budget."""
_DROP = 0.1


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The length of a run, in steps or in seconds; exactly one of them is set.

    Attributes:
        drop_step: step at which the learning rate drops; None: at 75 % of the budget.
    """

    steps: int | None = None
    seconds: float | None = None
    drop_step: int | None = None

    @staticmethod
    def of(config: TrainConfig, steps_per_epoch: int) -> Budget:
        """The budget of a configuration, or the paper's 20 epochs if it names none."""
        drop = None if config.drop_after is None else config.drop_after * steps_per_epoch
        if config.minutes is not None:
            return Budget(seconds=60 * config.minutes, drop_step=drop)
        steps = config.steps or (config.epochs or DEFAULT_EPOCHS) * steps_per_epoch
        return Budget(steps=steps, drop_step=drop)

    def fraction(self, step: int, elapsed_s: float) -> float:
        """Share of the budget that is used: 0 at the start, 1 or more at the end."""
        if self.steps is not None:
            return step / self.steps
        assert self.seconds is not None
        return elapsed_s / self.seconds

    def learning_rate(self, base: float, step: int, elapsed_s: float) -> float:
        """Step decay: a tenth of `base` after three quarters of the budget (15 of 20 epochs, as published).

        A function of the progress, not a scheduler with a state, so a resumed run needs to restore nothing. It drops in
        the budget's own unit: of 60 minutes, the last 15 run at the low rate however fast the machine is.
        """
        late = self.fraction(step, elapsed_s) >= _DROP_AT if self.drop_step is None else step >= self.drop_step
        return base * (_DROP if late else 1)
