"""The budget of a run, and the learning rate that follows from it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from selfdepth.config import Method, TrainConfig
from selfdepth.presets import DEFAULT_EPOCHS

_DROPS: dict[Method, tuple[tuple[float, float], ...]] = {
    "monodepth2": ((0.75, 0.1),),
    "monodepth-v1": ((0.6, 0.5), (0.8, 0.5)),
}
"""At which shares of any budget the learning rate drops, and by which factors: after the published 15 of 20 epochs to a
tenth; of Monodepth v1, after 30 and 40 of 50 epochs to a half each."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The length of a run, in steps or in seconds; exactly one of them is set.

    Attributes:
        drop_step: step at which the learning rate drops to a tenth; None: as the method says, in shares of the budget.
        method: whose learning rate it is.
    """

    steps: int | None = None
    seconds: float | None = None
    drop_step: int | None = None
    method: Method = "monodepth2"

    @staticmethod
    def of(config: TrainConfig, steps_per_epoch: int) -> Budget:
        """The budget of a configuration, or the paper's 20 epochs if it names none."""
        drop = None if config.drop_after is None else config.drop_after * steps_per_epoch
        if config.minutes is not None:
            return Budget(seconds=60 * config.minutes, drop_step=drop, method=config.method)
        steps = config.steps or (config.epochs or DEFAULT_EPOCHS) * steps_per_epoch
        return Budget(steps=steps, drop_step=drop, method=config.method)

    def fraction(self, step: int, elapsed_s: float) -> float:
        """Share of the budget that is used: 0 at the start, 1 or more at the end."""
        if self.steps is not None:
            return step / self.steps
        assert self.seconds is not None
        return elapsed_s / self.seconds

    def learning_rate(self, base: float, step: int, elapsed_s: float) -> float:
        """Step decay: `base` times the factors of all drops up to now.

        A function of the progress, not a scheduler with a state, so a resumed run needs to restore nothing. It drops in
        the budget's own unit: of 60 minutes, the last 15 run at the low rate however fast the machine is.
        """
        if self.drop_step is not None:
            return base * (_DROPS["monodepth2"][0][1] if step >= self.drop_step else 1)
        used = self.fraction(step, elapsed_s)
        return base * math.prod(factor for share, factor in _DROPS[self.method] if used >= share)
