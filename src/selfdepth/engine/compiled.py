"""The training step, compiled where that makes it faster."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from selfdepth.engine.setup import Run, worth_compiling
from selfdepth.learners.methods import Learner
from selfdepth.structs import Batch, StepOutput

Step = Callable[[Batch], StepOutput]


def training_step(run: Run, say: Callable[[str], None], wrapped: nn.Module | None = None) -> Step:
    """The learner, or its compiled form, which falls back to the learner if compiling fails.

    Args:
        wrapped: the learner as a part of several processes (`World.wrap`); None: as it is.
        say: called with a sentence for the user: that compiling takes time, or that it failed.
    """
    learner = run.learner if wrapped is None else wrapped
    if not worth_compiling(run.config, run.device):
        return learner
    if run.device.type == "cpu" and not any(shutil.which(name) for name in ("g++", "clang++", "c++")):
        say("no C++ compiler was found: training continues uncompiled, somewhat slower")
        return learner
    say("compiling the training step: the first step takes some minutes")
    # Nor is the objective through a lens compiled: tracing its alignment takes longer than many a run.
    if run.device.type == "cpu" or run.data.train.clips.lenses is not None:
        return _WithFallback(_networks_compiled(run.learner, learner), learner, say)
    # All training batches have one shape, and code for a fixed shape is faster than code for any.
    return _WithFallback(torch.compile(learner, dynamic=False), learner, say)


def _networks_compiled(learner: Learner, wrapped: nn.Module) -> Step:
    """The learner with compiled networks. The objective is left alone: on a CPU it is already one pass in C, beside
    which the compiled tensor operations took three times as long (benchmarks/results/README.md)."""
    depth_net, pose_net = learner.depth_net, learner.pose_net
    parts: tuple[Callable[..., Any], ...] = (depth_net.encode, depth_net.decode, pose_net.forward)
    encode, decode, move = (torch.compile(part, dynamic=False) for part in parts)

    @contextmanager
    def compiled() -> Iterator[None]:
        # Only during a step: validation has other batch sizes, and each would be compiled anew. These attributes of the
        # instances hide the methods of their classes until they are deleted.
        vars(depth_net).update(encode=encode, decode=decode)
        vars(pose_net).update(forward=move)
        try:
            yield
        finally:
            del vars(depth_net)["encode"], vars(depth_net)["decode"], vars(pose_net)["forward"]

    def step(batch: Batch) -> StepOutput:
        with compiled():
            output: StepOutput = wrapped(batch)
            return output

    return step


class _WithFallback:
    """Calls the compiled step. If it fails to compile, calls the plain step from then on.

    torch.compile returns at once and compiles in the first call, so that is where it fails.
    """

    def __init__(self, compiled: Step, plain: Step, say: Callable[[str], None]) -> None:
        self._step, self._plain, self._say = compiled, plain, say

    def __call__(self, batch: Batch) -> StepOutput:
        try:
            return self._step(batch)
        except torch._dynamo.exc.TorchDynamoException as error:
            if self._step is self._plain:
                raise
            self._say(f"compiling failed ({type(error).__name__}): training continues uncompiled, somewhat slower")
            self._step = self._plain
            return self._plain(batch)
