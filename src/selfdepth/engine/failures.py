"""Errors that end a run: each names the step or the setting at fault, and what to do."""

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
def non_finite_loss(run: Run, batch: Batch) -> TrainingError:
    """The error for a loss of NaN or infinity. Runs the clips of the batch one by one, to name those at fault."""
    step = run.progress.step
    names = run.data.train.describe(step)
    at_fault = [name for clip, name in enumerate(names) if not torch.isfinite(run.learner(_one(batch, clip)).loss)]
    return TrainingError(
        f"the loss is not finite at step {step + 1}",
        where=", ".join(at_fault or names),
        expected="a finite loss",
        got="nan or infinity" if at_fault else "nan or infinity from the batch, but from none of its clips alone",
        # A resumed run cannot change its learning rate: that would be another run.
        fix="look at these frames; if they are intact, resume from the last checkpoint with --precision fp32, or start "
        "a new run with a lower --learning-rate",
    )


@contextmanager
def explain_memory_errors(config: TrainConfig, folder: Path) -> Iterator[None]:
    """Turn an out-of-memory error into a sentence that suggests a smaller batch or image.

    Raises:
        TrainingError: for any out-of-memory error in the block, of the GPU, of torch on the CPU, or of Python.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not _is_memory_error(error):
            raise
        smaller = max(1, config.batch_size // 2)
        fix = f"try --batch-size {smaller}" if smaller < config.batch_size else "try a smaller --width"
        raise TrainingError("out of memory", where=folder, got=f"--batch-size {config.batch_size}", fix=fix) from error


def _is_memory_error(error: RuntimeError) -> bool:
    # On the CPU torch raises a plain RuntimeError, recognisable only by its words.
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in text or "can't allocate memory" in text


def _one(batch: Batch, clip: int) -> Batch:
    """One clip of a batch, as a batch."""
    one = slice(clip, clip + 1)
    stereo = batch.T_stereo_target
    return replace(
        batch,
        frames=batch.frames[one],
        inputs=batch.inputs[one],
        K=batch.K[one],
        T_stereo_target=None if stereo is None else stereo[one],
        teacher=None if batch.teacher is None else batch.teacher[one],
    )
