"""How long a run learns the motion alone: a rule that follows what the run sees (ours, not the paper's).

Depth is held constant, and no pixel is masked, until the predicted motion explains most pixels of the recent steps
better than no motion does (`losses/motion_first.py`). From there on, depth learns within a hundred steps what it
otherwise takes several hundred for: benchmarks/results/README.md has the measurements.
"""

from __future__ import annotations

from selfdepth.engine.checkpoint import Progress
from selfdepth.structs import StepOutput

_ENOUGH = 0.5
"""Share of pixels that the motion must explain. A still camera, blank images or a wrong camera never get there."""
_MEMORY = 0.9
"""Weight of the past in the running mean of that share: about the last ten steps count."""
_LONGEST_SHARE = 0.05
"""Of the budget. Footage whose motion never explains most pixels is trained by the full objective after that, which
warns of what it lacks."""


class MotionFirst:
    """Whether the next step learns the motion alone. Its state is the run's progress, so that a resume continues it."""

    def __init__(self, progress: Progress, *, wanted: bool) -> None:
        self._progress = progress
        self._wanted = wanted

    @property
    def active(self) -> bool:
        """Whether the next step holds depth constant."""
        return self._wanted and not self._progress.motion_found

    def after_step(self, output: StepOutput, fraction: float) -> str | None:
        """Take note of a step that learned the motion alone.

        Args:
            output: of that step; its `automask` holds the pixels that the motion explains.
            fraction: share of the budget that is used.

        Returns:
            A sentence for the user if depth learns from the next step on.
        """
        progress = self._progress
        progress.explained = _MEMORY * progress.explained + (1 - _MEMORY) * float(output.automask.mean())
        if progress.explained > _ENOUGH:
            progress.motion_found = True
            return f"step {progress.step}: the motion explains most of the image; depth is learned from here on"
        if fraction > _LONGEST_SHARE:
            progress.motion_found = True
            return (
                f"step {progress.step}: the motion explains {progress.explained:.0%} of the pixels, fewer than hoped; "
                "depth is learned from here on all the same"
            )
        return None
