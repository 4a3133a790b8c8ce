"""The training step, compiled where that helps."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import torch

from selfdepth.engine.setup import Run, worth_compiling
from selfdepth.structs import Batch, StepOutput


def training_step(run: Run, say: Callable[[str], None]) -> Callable[[Batch], StepOutput]:
    """The learner itself, or its compiled form; falls back to the former with a sentence if compiling fails."""
    if not worth_compiling(run.config, run.budget, run.device):
        return run.learner
    if run.device.type == "cpu" and not any(shutil.which(name) for name in ("g++", "clang++", "c++")):
        say("no C++ compiler was found: training goes on uncompiled, somewhat slower")
        return run.learner
    say("compiling the training step: the first step takes some minutes")
    compiled: Callable[[Batch], StepOutput] = torch.compile(run.learner, dynamic=False)
    return _WithFallback(compiled, run.learner, say)


class _WithFallback:
    """Runs the compiled step; if its first call fails to compile, the plain one from then on."""

    def __init__(
        self,
        compiled: Callable[[Batch], StepOutput],
        plain: Callable[[Batch], StepOutput],
        say: Callable[[str], None],
    ) -> None:
        self._step, self._plain, self._say = compiled, plain, say

    def __call__(self, batch: Batch) -> StepOutput:
        try:
            return self._step(batch)
        except torch._dynamo.exc.TorchDynamoException as error:
            if self._step is self._plain:
                raise
            self._say(f"compiling failed ({type(error).__name__}): training goes on uncompiled, somewhat slower")
            self._step = self._plain
            return self._plain(batch)
