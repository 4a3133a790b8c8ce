"""From a configuration to everything a run needs: data, networks, optimiser, device."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from selfdepth.config import ResolvedConfig, TrainConfig, to_json
from selfdepth.data.footage import Footage
from selfdepth.device import resolve_device, resolve_precision
from selfdepth.engine.checkpoint import Progress, load_checkpoint
from selfdepth.engine.data import Data, make_loaders, open_data, source_of
from selfdepth.engine.resume import check_folder, check_same_run, require_checkpoint
from selfdepth.engine.run_config import CONFIG_FILE
from selfdepth.engine.schedule import Budget
from selfdepth.errors import CheckpointError
from selfdepth.files import whole_file
from selfdepth.learner import SelfSupervisedDepth
from selfdepth.weights.files import Scale, WeightsMeta, load_weights, misfits


@dataclass(frozen=True, kw_only=True)
class Run:
    """Everything of a run; only `progress`, the weights and the optimiser change."""

    config: ResolvedConfig
    folder: Path
    data: Data
    learner: SelfSupervisedDepth
    optimizer: torch.optim.Optimizer
    budget: Budget
    progress: Progress
    device: torch.device

    def fraction(self) -> float:
        """How much of the budget is used."""
        return self.budget.fraction(self.progress.step, self.progress.elapsed_s)

    def learning_rate(self) -> float:
        """That of the next step."""
        return self.budget.learning_rate(self.config.learning_rate, self.progress.step, self.progress.elapsed_s)

    def weights_meta(self) -> WeightsMeta:
        """What is written beside the weights."""
        scale: Scale = "metric" if self.config.metres_per_unit == 1 else "relative"
        # What auto found, too: the motions that the pose network learned are over that many frames.
        config = replace(self.config, every=str(self.data.store.spacing))
        return WeightsMeta(config=config, camera=self.data.camera, scale=scale, step=self.progress.step)


def prepare_run(
    config: TrainConfig,
    folder: Path,
    *,
    resume: bool,
    on_frames: Callable[[int, int], None] | None = None,
    footage: Footage | None = None,
) -> Run:
    """Check everything, decode the frames if need be, build networks, and load the last checkpoint of a resume.

    Args:
        on_frames: called with (decoded, in all) while a store is made.
        footage: what to learn from, instead of what `config.data` names.

    Raises:
        SelfDepthError: for anything in configuration, data, model or output folder that cannot be used.
    """
    check_folder(folder, resume=resume)
    device = resolve_device(config.device)
    source = source_of(config, footage)  # a wrong path is found before pretrained weights are fetched,
    learner = _build_learner(config, device, from_checkpoint=resume)  # and a missing encoder before frames are decoded

    def check(asked: TrainConfig) -> None:
        if resume:
            check_same_run(asked, folder)

    store, truth, resolved = open_data(source, config, folder, check=check, on_frames=on_frames)
    check(resolved)
    data = make_loaders(store, truth, resolved, device)
    optimizer = torch.optim.Adam(learner.parameters(), lr=resolved.learning_rate, fused=device.type in ("cpu", "cuda"))
    progress = Progress()
    if resume:
        progress = load_checkpoint(require_checkpoint(folder), learner, optimizer, device)
    with whole_file(folder / CONFIG_FILE) as path:
        path.write_text(json.dumps(to_json(resolved), indent=2) + "\n", encoding="utf-8")
    return Run(
        config=resolved,
        folder=folder,
        data=data,
        learner=learner,
        optimizer=optimizer,
        budget=Budget.of(resolved, data.train.steps_per_epoch),
        progress=progress,
        device=device,
    )


def worth_compiling(config: TrainConfig, device: torch.device) -> bool:
    """Whether to compile the training step: as asked, else on CUDA only. On processors it was measured not to help."""
    return device.type == "cuda" if config.compile is None else config.compile


def _build_learner(config: TrainConfig, device: torch.device, *, from_checkpoint: bool) -> SelfSupervisedDepth:
    if from_checkpoint or config.init is not None:  # whose weights replace the pretrained ones: no need to fetch them
        config = replace(config, encoder=replace(config.encoder, pretrained=False))
    torch.manual_seed(config.seed)
    learner = SelfSupervisedDepth(config, network_dtype=resolve_precision(config.precision, device))
    if config.init is not None and not from_checkpoint:
        start_from(learner, config.init)
    return learner.to(device).to(memory_format=torch.channels_last)


def start_from(learner: nn.Module, model: str) -> None:
    """Give the networks the weights of a model, which must have the same ones; where no pose network is trained, it
    may have one. What the learner held before is not touched unless all fit.

    Args:
        model: as `load_weights` takes it.

    Raises:
        CheckpointError: for a model that cannot be read, or one with other networks.
    """
    wanted = learner.state_dict()
    with_pose = any(_is_pose(name) for name in wanted)
    found = {name: tensor for name, tensor in load_weights(model).state.items() if with_pose or not _is_pose(name)}
    got = misfits(found, wanted)
    if got:
        raise CheckpointError(
            "the model to start from has other networks",
            where=f"--init {model}",
            expected="the networks of this run",
            got=got,
            fix="give the --encoder options and the --offsets that it was trained with, or leave --init out",
        )
    learner.load_state_dict(found)


def _is_pose(name: str) -> bool:
    return name.startswith("pose_net.")


def seed_step(seed: int, step: int) -> None:
    """Make the step's noise a function of (seed, step), so that a resumed run goes on exactly."""
    torch.manual_seed(int(np.random.SeedSequence((seed % 2**64, step)).generate_state(1, np.uint64)[0] >> np.uint64(1)))
