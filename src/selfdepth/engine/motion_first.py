"""How a run starts: the motion first, then depth, then the auto-mask (ours, not the paper's).

Depth can be learned only once the motion is about right, and the auto-mask hides the very pixels that would correct a
wrong motion. So a run goes through two stages before it learns by the paper's objective:

1. "motion": the motion alone, at a constant depth and on small images (`losses/motion_first.py`);
2. "unmasked": depth and motion by the full objective, less the auto-mask.

Each ends when the run has seen enough: when warping explains a certain share of the pixels better than not warping.
benchmarks/results/README.md has what this gains.
"""

from __future__ import annotations

from dataclasses import dataclass

from selfdepth.engine.progress import Progress
from selfdepth.learners.self_supervised import Stage

_MEMORY = 0.9
"""Weight of the past in the running mean of the explained share: about the last ten steps count."""


@dataclass(frozen=True, kw_only=True)
class _Stage:
    """When a stage ends.

    Attributes:
        enough: share of pixels that warping explains better than not warping.
        longest: share of the budget after which it ends in any case. A still camera, blank images or a wrong camera
            never explain enough; the run then goes on, and warns of what it lacks.
        then: the stage that follows.
        news: what the user is told.
    """

    enough: float
    longest: float
    then: Stage
    news: str


_STAGES: dict[Stage, _Stage] = {
    "motion": _Stage(enough=0.5, longest=0.1, then="unmasked", news="depth is learned from here on"),
    "unmasked": _Stage(enough=0.6, longest=0.3, then="full", news="the auto-mask is on from here on"),
}


class MotionFirst:
    """The stage of the next step. Its state is the run's progress, so that a resumed run continues in its stage.

    Args:
        wanted: whether the run has these stages at all.
        automask: whether the objective has an auto-mask to wait for.
        shown: share of the frames that is not black for lack of a pixel that shows it, where nothing is explained.
    """

    def __init__(self, progress: Progress, *, wanted: bool, automask: bool, shown: float = 1.0) -> None:
        self._progress, self._wanted, self._automask, self._shown = progress, wanted, automask, shown

    @property
    def stage(self) -> Stage:
        """The stage of the next step."""
        return self._progress.stage if self._wanted else "full"

    def after_step(self, kept: float, fraction: float) -> str | None:
        """Take note of a step, and go on to the next stage if it is time.

        Args:
            kept: share of its pixels that warping explains better than not warping (`StepOutput.kept`).
            fraction: share of the budget that is used.

        Returns:
            A sentence for the user if a new stage begins.
        """
        stage, progress = _STAGES.get(self.stage), self._progress
        if stage is None:
            return None
        progress.explained = _MEMORY * progress.explained + (1 - _MEMORY) * kept / self._shown
        if progress.explained <= stage.enough and fraction <= stage.longest:
            return None
        progress.stage = stage.then if self._automask else "full"
        return f"step {progress.step}: the motion explains {progress.explained:.0%} of the image; {stage.news}"
