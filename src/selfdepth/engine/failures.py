"""Why a run had to stop, in words that name the step, the clip and the way out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from selfdepth.config import TrainConfig
from selfdepth.engine.setup import Run
from selfdepth.errors import TrainingError
from selfdepth.structs import Batch


@torch.no_grad()
def non_finite(run: Run, batch: Batch) -> TrainingError:
    """The error for a loss that is not a number; looks for the clips that it comes from, one by one."""
    step = run.progress.step
    names = run.data.train.describe(step)
    guilty = [name for clip, name in enumerate(names) if not torch.isfinite(run.learner(_one(batch, clip)).loss)]
    return TrainingError(
        f"the loss is not finite at step {step + 1}",
        where=", ".join(guilty or names),
        expected="a finite loss",
        got="one of these clips gives no number" if guilty else "the batch gives no number, each clip alone does",
        fix="look at these frames; if they are sound, resume from the last checkpoint with a lower --learning-rate "
        "or --precision fp32",
    )


@contextmanager
def explain_memory_errors(config: TrainConfig, folder: Path) -> Iterator[None]:
    """Turn running out of memory into a sentence that suggests a batch size."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not _is_memory_error(error):
            raise
        smaller = max(1, config.batch_size // 2)
        fix = f"try --batch-size {smaller}" if smaller < config.batch_size else "try a smaller --width"
        raise TrainingError("out of memory", where=folder, got=f"--batch-size {config.batch_size}", fix=fix) from error


def _is_memory_error(error: RuntimeError) -> bool:
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in text or "can't allocate memory" in text


def _one(batch: Batch, clip: int) -> Batch:
    one = slice(clip, clip + 1)
    stereo = batch.T_stereo_target
    return replace(
        batch,
        frames=batch.frames[one],
        inputs=batch.inputs[one],
        K=batch.K[one],
        T_stereo_target=None if stereo is None else stereo[one],
    )
