"""How long a run lasts, and what of it is done."""

from __future__ import annotations

from dataclasses import dataclass

from selfdepth.config import TrainConfig
from selfdepth.presets import DEFAULT_EPOCHS

_DROP_AT = 0.75
_DROP = 0.1


@dataclass(frozen=True, kw_only=True)
class Budget:
    """A number of steps or of seconds; one of them is set."""

    steps: int | None = None
    seconds: float | None = None

    @staticmethod
    def of(config: TrainConfig, steps_per_epoch: int) -> Budget:
        """The budget of a configuration; without one, the paper's 20 epochs."""
        if config.minutes is not None:
            return Budget(seconds=60 * config.minutes)
        if config.steps is not None:
            return Budget(steps=config.steps)
        return Budget(steps=(config.epochs or DEFAULT_EPOCHS) * steps_per_epoch)

    def fraction(self, step: int, elapsed_s: float) -> float:
        """How much of the budget is used: 0 at the start, 1 or more at the end."""
        if self.steps is not None:
            return step / self.steps
        assert self.seconds is not None
        return elapsed_s / self.seconds


def learning_rate(base: float, fraction: float) -> float:
    """Step decay as published: a tenth after 15 of 20 epochs, that is after three quarters of any budget."""
    return base * (_DROP if fraction >= _DROP_AT else 1)
