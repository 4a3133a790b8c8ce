"""The progress of a run, and its file in a checkpoint, which is checked like a configuration."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from selfdepth.checks import check_kinds
from selfdepth.device import Arithmetic
from selfdepth.errors import CheckpointError, SelfDepthError
from selfdepth.learners.self_supervised import Stage
from selfdepth.texts import read_json

_LONGEST_S = 1e10
"""Three hundred years. With more, the clock of a run would no longer count its steps."""
_REQUIRED = ("step", "elapsed_s", "best_score", "best_step")
"""Fields that every version has written. The others have the values of a run that knew nothing of them."""


@dataclass(kw_only=True)
class Progress:
    """The progress of a run: with weights and optimiser, all of its state that changes.

    Attributes:
        step: number of steps taken, which is also the index of the next batch.
        elapsed_s: seconds since the start of the loop, validation included, summed over all resumes.
        best_score: lowest validation score so far; None before the first validation.
        best_step: the step whose weights are in best/.
        stage: of a start with the motion first (`engine/motion_first.py`); without effect in other runs.
        explained: running mean of the share of pixels that warping explains, by which a stage ends.
        skipped: how many of the steps were not applied, because loss or gradients were not finite.
        skipped_in_row: how many of them came last, one after the other.
        arithmetic: in which the last step was computed; None if unknown.
        data: the `contents` of the store from which the run learns; None if unknown.
    """

    step: int = 0
    elapsed_s: float = 0.0
    best_score: float | None = None
    best_step: int = 0
    stage: Stage = "motion"
    explained: float = 0.0
    skipped: int = 0
    skipped_in_row: int = 0
    arithmetic: Arithmetic | None = None
    data: str | None = None

    def to_json(self) -> str:
        """As text; `read_progress` restores it unchanged."""
        return json.dumps(asdict(self))


_FRACTIONS = ("elapsed_s", "best_score", "explained")


def read_progress(path: Path, step: int) -> Progress:
    """Read a checkpoint's progress.

    Args:
        path: the file.
        step: of which the checkpoint is, by the name of its folder.

    Raises:
        CheckpointError: if it cannot be read, lacks a field, or has a value of the wrong type or out of range.
    """
    try:
        values = read_json(path, what="the progress of the run cannot be read", error=CheckpointError)
        missing = [name for name in _REQUIRED if name not in values]
        if missing:
            raise ValueError(f"no {missing[0]!r} in it")
        arithmetic = values.pop("arithmetic", None)
        check_kinds(values, Progress, path)
        if arithmetic is not None:
            check_kinds(arithmetic, Arithmetic, path)
        # JSON may say 1 for 1.0.
        values |= {name: float(values[name]) for name in _FRACTIONS if isinstance(values.get(name), int)}
        progress = Progress(**values, arithmetic=None if arithmetic is None else Arithmetic(**arithmetic))
        _check_ranges(progress, step)
    except CheckpointError:
        raise
    except (OSError, ValueError, TypeError, SelfDepthError) as error:
        raise CheckpointError(
            "the progress of the run cannot be read", where=path, got=getattr(error, "strerror", None) or str(error)
        ) from error
    return progress


def _check_ranges(progress: Progress, step: int) -> None:
    ranges: dict[str, tuple[bool, Any]] = {
        "step": (progress.step == step >= 0, step),
        "elapsed_s": (0 <= progress.elapsed_s <= _LONGEST_S, f"0 to {_LONGEST_S:g}"),
        "best_score": (progress.best_score is None or math.isfinite(progress.best_score), "a finite number"),
        "best_step": (0 <= progress.best_step <= step, f"0 to {step}"),
        "explained": (0 <= progress.explained <= 1, "0 to 1"),
        "skipped": (0 <= progress.skipped <= step, f"0 to {step}"),
        "skipped_in_row": (0 <= progress.skipped_in_row <= progress.skipped, f"0 to {progress.skipped}"),
    }
    for name, (is_right, expected) in ranges.items():
        if not is_right:
            raise ValueError(f"{name} {str(getattr(progress, name))[:40]} instead of {expected}")
