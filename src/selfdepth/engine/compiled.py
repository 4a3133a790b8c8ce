"""The training step, compiled where that helps."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from selfdepth.engine.setup import Run, worth_compiling
from selfdepth.learner import SelfSupervisedDepth
from selfdepth.structs import Batch, StepOutput

Step = Callable[[Batch], StepOutput]


def training_step(run: Run, say: Callable[[str], None]) -> Step:
    """The learner itself, or its compiled form; falls back to the former with a sentence if compiling fails."""
    if not worth_compiling(run.config, run.device):
        return run.learner
    if run.device.type == "cpu" and not any(shutil.which(name) for name in ("g++", "clang++", "c++")):
        say("no C++ compiler was found: training goes on uncompiled, somewhat slower")
        return run.learner
    say("compiling the training step: the first step takes some minutes")
    if run.device.type == "cpu":
        return _WithFallback(_networks_compiled(run.learner), run.learner, say)
    return _WithFallback(torch.compile(run.learner, dynamic=False), run.learner, say)


def _networks_compiled(learner: SelfSupervisedDepth) -> Step:
    """The learner with compiled networks. On a processor the objective is a compiled library of its own."""
    depth_net, pose_net = learner.depth_net, learner.pose_net
    parts: tuple[Callable[..., Any], ...] = (depth_net.encode, depth_net.decode, pose_net.forward)
    encode, decode, move = (torch.compile(part, dynamic=False) for part in parts)

    @contextmanager
    def compiled() -> Iterator[None]:
        # For the time of a step only: validation has other batch sizes, and would be compiled anew for each.
        vars(depth_net).update(encode=encode, decode=decode)
        vars(pose_net).update(forward=move)
        try:
            yield
        finally:
            del vars(depth_net)["encode"], vars(depth_net)["decode"], vars(pose_net)["forward"]

    def step(batch: Batch) -> StepOutput:
        with compiled():
            output: StepOutput = learner(batch)
            return output

    return step


class _WithFallback:
    """Runs the compiled step; if its first call fails to compile, the plain one from then on."""

    def __init__(self, compiled: Step, plain: Step, say: Callable[[str], None]) -> None:
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
