"""Steps that go wrong, and errors that end a run: each names the step or the setting at fault, and what to do."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from selfdepth.config import TrainConfig
from selfdepth.engine.checkpoint import last_checkpoint, not_finite
from selfdepth.engine.health import collapse
from selfdepth.engine.setup import Run
from selfdepth.engine.tracking import read_metrics, to_picture
from selfdepth.errors import DataError, OutputError, TrainingError
from selfdepth.files import whole_file
from selfdepth.structs import Batch

MOST_IN_ROW = 5
"""So many steps in a row without finite numbers end a run: it would not recover by itself."""
_LARGEST_GRADIENT = 1e18
"""A larger one is as good as infinite: with the mean of its square, which Adam keeps, a weight never moves again."""
SKIPPED_FOLDER = "skipped"
_MOST_SAVED = 10
"""Skipped steps whose clips are saved and named, the first ones."""


def is_finite(loss: Tensor, parameters: Iterable[nn.Parameter]) -> bool:
    """Whether a loss is finite, and every gradient one that Adam can square. On a GPU it waits for the backward pass,
    once."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    # The largest magnitudes: a sum of squares may overflow though every gradient is finite.
    magnitudes = torch._foreach_norm(gradients, math.inf) if gradients else (torch.zeros_like(loss),)
    largest = torch.stack(tuple(magnitudes)).max()  # NaN if one of them is
    return bool(torch.isfinite(loss.detach()) & (largest <= _LARGEST_GRADIENT))


class Statistics:
    """Running statistics of a network, to be restored after a forward pass that has filled them with NaN."""

    def __init__(self, learner: nn.Module) -> None:
        self._now = list(learner.buffers())
        self._kept = [buffer.clone() for buffer in self._now]

    @torch.no_grad()
    def keep(self) -> None:
        """Remember the statistics as they are."""
        if self._now:
            torch._foreach_copy_(self._kept, self._now)

    @torch.no_grad()
    def restore(self) -> None:
        """Bring back what was remembered."""
        if self._now:
            torch._foreach_copy_(self._now, self._kept)


@torch.no_grad()
def report_skipped(run: Run, batch: Batch) -> str | None:
    """Save the clips of a step that was not applied, as pictures and by name.

    The networks run on them one by one, to find those at fault; the caller restores the running statistics.

    Returns:
        A sentence for the user; None after the first such steps of a run.
    """
    step = run.progress.step
    if run.progress.skipped > _MOST_SAVED:
        return None
    names = run.data.train.describe(step)
    own = [bool(torch.isfinite(run.learner(_one(batch, clip)).loss)) for clip in range(len(names))]
    every = [clip for part in run.world.gather([names, own, batch.K.tolist()]) for clip in zip(*part, strict=True)]
    at_fault = [number for number, (_, is_right, _) in enumerate(every) if not is_right]
    accused = ", ".join(every[number][0] for number in at_fault or range(len(every)))
    alone = "" if at_fault else "; none of its clips alone has such a loss"
    place = run.folder / SKIPPED_FOLDER / f"step_{step + 1:06d}"
    sentence = f"step {step + 1} is skipped, because its loss or gradients are not finite: {accused}{alone}"
    try:
        first = run.world.rank * len(names)
        for clip in range(len(names)):  # each process has the pictures of its own
            if not at_fault or first + clip in at_fault:
                pictures = [to_picture(frame) for frame in batch.frames[clip]]
                with whole_file(place / f"clip_{first + clip}.png") as path:
                    Image.fromarray(np.hstack(pictures)).save(path, format="png")
        if run.world.is_first:
            clips, K = {number: name for number, (name, _, _) in enumerate(every)}, [K for _, _, K in every]
            values = {"step": step + 1, "clips": clips, "at_fault": at_fault, "K": K}
            with whole_file(place / "clips.json") as path:
                path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    except OutputError as error:
        return f"{sentence} (no picture of them: {error})"
    return f"{sentence} (pictures: {place})"


def diverged(run: Run) -> TrainingError:
    """The error for a run whose steps, one after the other, have no finite loss or gradients."""
    progress = run.progress
    or_fp32 = " or --precision fp32" if run.config.precision == "bf16" else ""
    return TrainingError(
        f"loss or gradients were not finite in the last {progress.skipped_in_row} steps, up to step {progress.step}",
        where=run.folder / SKIPPED_FOLDER,
        expected="finite numbers",
        got="nan or infinity; none of these steps was applied",
        fix=f"look at the pictures there, and at --camera; if they are intact, {_slower(run)}{or_fp32}",
    )


def how_it_ended(run: Run) -> Iterator[str]:
    """What a user must know of a run that has used its budget: of skipped steps, and of depth that was not learned."""
    progress = run.progress
    if progress.skipped:
        yield (
            f"{progress.skipped} of {progress.step} steps were skipped, because loss or gradients were not finite; "
            f"the first are in {run.folder / SKIPPED_FOLDER}"
        )
    if run.config.self_teacher is not None:
        return  # a student is as its teacher is
    try:
        yield from collapse(read_metrics(run.folder), automask=run.config.loss.automask)
    except DataError as error:  # the run is trained and saved all the same
        yield f"whether the run has learned depth cannot be told: {error}"


def require_finite_weights(run: Run) -> None:
    """Refuse to save weights that are no numbers: they would replace others.

    Raises:
        TrainingError: naming a tensor.
    """
    broken = not_finite(run.learner)
    if broken:
        raise TrainingError(
            "the weights are not finite, and are not saved",
            where=run.folder,
            got=f"nan or infinity in {broken} at step {run.progress.step}",
            fix=_slower(run),
        )


def _slower(run: Run) -> str:
    """How a run goes on with smaller steps."""
    checkpoint = last_checkpoint(run.folder)
    go_on = f"go on from {checkpoint.name} with --resume and" if checkpoint else "start again with"
    return f"{go_on} --learning-rate {run.config.learning_rate / 10:g}"


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
    whole = ("offsets", "part")
    fields = {name: value for name, value in vars(batch).items() if name not in whole and value is not None}
    alone = replace(batch, part=None, **{name: value[one] for name, value in fields.items()})
    hard = alone.hard_targets
    return alone if hard is None or len(hard.clips) else replace(alone, hard_targets=None)
