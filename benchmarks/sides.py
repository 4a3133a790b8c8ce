"""The two sides of a comparison: selfdepth with its own choices of precision and compilation, and the yardstick."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from measuring import Setting
from plain import PlainModel, PlainObjective, four_scales, homogeneous
from scenes import street_footage
from selfdepth.config import EncoderConfig, TrainConfig
from selfdepth.engine.compiled import training_step
from selfdepth.engine.setup import Run, prepare_run, seed_step, worth_compiling
from selfdepth.losses.objective import self_supervised_loss
from selfdepth.structs import Batch

_LEARNING_RATE = 1e-4

SIDES = ("ours", "plain")


def our_run(setting: Setting, images: Path, folder: Path, device: str = "cpu") -> Run:
    """A run of selfdepth on a folder of images, ready for its first step."""
    config = TrainConfig(
        data=str(images),
        width=setting.width,
        height=setting.height,
        # Speed does not depend on the weights, and a download would.
        encoder=EncoderConfig(name=setting.encoder, pretrained=False),
        batch_size=setting.batch,
        learning_rate=_LEARNING_RATE,
        precision=setting.precision,
        compile=setting.compile,
        device=device,
    )
    return prepare_run(config, folder, resume=False, footage=street_footage(images))


def is_compiled(run: Run) -> bool:
    """Whether selfdepth compiles the step, by its own choice or by the setting."""
    return worth_compiling(run.config, run.device)


def our_step(run: Run) -> Callable[[Batch], Tensor]:
    """One step of the training loop: forward, objective, backward, optimiser. The step returns its loss."""
    step = training_step(run, lambda sentence: None)
    number = 0

    def call(batch: Batch) -> Tensor:
        nonlocal number
        seed_step(run.config.seed, number)  # part of every step of the loop, so part of its time
        number += 1
        output = step(batch)
        run.optimizer.zero_grad(set_to_none=True)
        output.loss.backward()
        run.optimizer.step()
        return output.loss.detach()

    return call


def plain_step(setting: Setting, batch: Batch) -> Callable[[], None]:
    """One step of the yardstick on the same clips. Its loader makes the coarser frames, so they are made beforehand."""
    torch.manual_seed(0)
    model = PlainModel(setting.height, setting.width)
    optimizer = torch.optim.Adam(model.parameters(), lr=_LEARNING_RATE)
    frames, K = four_scales(batch.frames), homogeneous(batch.K)

    def call() -> None:
        optimizer.zero_grad()
        model(batch.inputs, frames, K).backward()
        optimizer.step()

    return call


def objectives(run: Run, batch: Batch) -> dict[str, Callable[[], None]]:
    """Forward and backward passes of both objectives alone, on the same disparities and motions."""
    size = batch.frames.shape[-2:]
    # Depths of about 1 to 5 at near 0.1: pixels then stay inside the sources, as they do in training.
    disparities = tuple(
        (0.02 + 0.1 * torch.rand(len(batch.frames), 1, size[0] >> s, size[1] >> s)).requires_grad_() for s in range(4)
    )
    with torch.no_grad():
        T = run.learner.relative_transforms(batch)
    T.requires_grad_()
    on_gpu = run.device.type == "cuda"  # on a CPU the objective is a compiled C library already
    fast = torch.compile(self_supervised_loss, dynamic=False) if is_compiled(run) and on_gpu else self_supervised_loss
    slow, frames, K = PlainObjective(*size), four_scales(batch.frames), homogeneous(batch.K)

    def ours() -> None:
        loss = fast(disparities, T, batch.frames, batch.K, run.config.loss).loss
        torch.autograd.grad(loss, [*disparities, T])

    def plain() -> None:
        torch.autograd.grad(slow(disparities, T, frames, K), [*disparities, T])

    return {"ours": ours, "plain": plain}
