"""Turn a configuration into a run: data, networks, optimiser, budget, device."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from selfdepth.config import EncoderConfig, ResolvedConfig, TrainConfig, to_json
from selfdepth.data.footage import Footage
from selfdepth.device import Arithmetic, choose_arithmetic, resolve_device
from selfdepth.engine.batch_norm import synchronise
from selfdepth.engine.checkpoint import Checkpoint, load_checkpoint, newest_intact, put_damaged_aside
from selfdepth.engine.data import Data, make_loaders, open_data, source_of
from selfdepth.engine.distributed import ALONE, World
from selfdepth.engine.history import record_changes
from selfdepth.engine.learned_camera import cameras_of, learn_camera, parameter_groups
from selfdepth.engine.progress import Progress
from selfdepth.engine.resume import check_same_run
from selfdepth.engine.run_config import CONFIG_FILE, read_run_config, recorded_config, restore_config
from selfdepth.engine.schedule import Budget
from selfdepth.engine.self_teacher import anchor_of, check_depth_is, check_spacing, check_student, student_of
from selfdepth.engine.teach import ask_teacher, record_teacher
from selfdepth.errors import CheckpointError, SelfDepthWarning
from selfdepth.files import whole_file
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.depth_range import DepthRange
from selfdepth.learners.methods import Learner, build_learner
from selfdepth.learners.self_taught import SelfTaughtDepth
from selfdepth.losses.fused.binding import warn_if_not_compiled
from selfdepth.teachers.open_teacher import open_teacher
from selfdepth.teachers.teacher import Ask
from selfdepth.weights.files import (
    LoadedWeights,
    Scale,
    WeightsMeta,
    depth_range_of,
    describe_mismatch,
    load_weights,
)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run. Only `progress`, the weights and the optimiser change while it trains."""

    config: ResolvedConfig
    folder: Path
    data: Data
    learner: Learner
    optimizer: torch.optim.Optimizer
    budget: Budget
    progress: Progress
    device: torch.device
    world: World = ALONE

    def fraction(self) -> float:
        """Share of the budget that is used, 0 to 1 or more."""
        return self.budget.fraction(self.progress.step, self.progress.elapsed_s)

    @property
    def is_finished(self) -> bool:
        """Whether the budget is used."""
        return self.fraction() >= 1

    def write_config(self) -> None:
        """Write the configuration into the run folder.

        Raises:
            OutputError: if it cannot be written.
        """
        with whole_file(self.folder / CONFIG_FILE) as path:
            path.write_text(json.dumps(to_json(self.config), indent=2) + "\n", encoding="utf-8")

    def learning_rate(self) -> float:
        """Learning rate of the next step."""
        return self.budget.learning_rate(self.config.learning_rate, self.progress.step, self.progress.elapsed_s)

    @property
    def cameras(self) -> tuple[Camera, ...]:
        """The camera of the frames of each size, at that size, before crop and resize: as learned up to now, if it is.
        The first is that of the first sequence."""
        return cameras_of(self.learner, self.data.store)

    @property
    def depth_range(self) -> DepthRange:
        """The depths that the network can predict, with their conversion from its sigmoid."""
        return depth_range_of(self.config, self.data.focal_baseline)

    def weights_meta(self) -> WeightsMeta:
        """Content of the `config.json` beside the weights in `best/` and `last/`."""
        scale: Scale = "metric" if self.config.metres_per_unit == 1 else "relative"
        # With the spacing that auto found: the pose network has learned motions over that many frames.
        config = replace(self.config, every=str(self.data.store.spacing))
        return WeightsMeta(
            config=config,
            camera=self.cameras[0],
            scale=scale,
            step=self.progress.step,
            focal_baseline=self.data.focal_baseline,
            depth_is=self.data.depth_is,
        )


def prepare_run(
    config: TrainConfig,
    folder: Path,
    *,
    resume: bool,
    on_frames: Callable[[int, int], None] | None = None,
    on_maps: Callable[[int, int], None] | None = None,
    footage: Footage | None = None,
    teacher: Ask | None = None,
    world: World = ALONE,
) -> Run:
    """Check the options, build the networks, open the data, and restore the last checkpoint of a resumed run.

    Args:
        folder: of the run. That the run may start or resume there, `check_folder` has found.
        on_frames, on_maps: called with (done, total) while a store is built, and while a teacher is asked.
        footage: data to learn from, instead of the data that `config.data` names.
        teacher: the teacher as a function, as in `open_teacher`.
        world: the processes that train the run. Only the first one writes; see `prepare_in_turn`.

    Raises:
        SelfDepthError: for an invalid configuration, data, model or teacher, or a folder that cannot be written.
    """
    if resume:
        config = _as_begun(config, folder, world)
    device = resolve_device(config.device)
    checkpoint = newest_intact(folder) if resume else None
    before = None if checkpoint is None else checkpoint.progress.arithmetic
    arithmetic = choose_arithmetic(config.precision, device, before)
    # From cheap to expensive, so that a mistake is reported before the work that it would waste: a look at the path,
    # the networks, which may download pretrained weights, then decoding, which may take hours.
    source = source_of(config, footage)
    opened_teacher = open_teacher(config.teacher, teacher)
    self_teacher = None if config.self_teacher is None else load_weights(config.self_teacher)
    learner = _build_learner(config, device, arithmetic.dtype, self_teacher, from_checkpoint=resume)

    check = partial(_check_others, folder=folder if resume else None, self_teacher=self_teacher)
    expected = None if checkpoint is None else checkpoint.progress.data
    store, truth, resolved = open_data(source, config, folder, check=check, expected=expected, on_frames=on_frames)
    resolved = replace(resolved, precision=arithmetic.precision)  # so that the run can be repeated exactly
    check(resolved)  # again, now that the data have given the height
    check_spacing(resolved, store.spacing, self_teacher)
    maps = ask_teacher(opened_teacher, store, folder, resume=resume, progress=on_maps)
    data = make_loaders(store, truth, resolved, device, maps, world)
    check_depth_is(resolved, data.depth_is, self_teacher)
    run = _assemble(resolved, folder, data, learner, checkpoint, arithmetic, world)
    if maps is not None and not resume and world.is_first:
        record_teacher(maps, folder)
    return run


def _as_begun(config: TrainConfig, folder: Path, world: World) -> TrainConfig:
    """The options of a resumed run with the window that was found for its chunks, whose cache may have changed."""
    if world.is_first:
        restore_config(folder)
    return replace(config, shuffle_window=config.shuffle_window or recorded_config(folder).shuffle_window)


def prepare_in_turn(prepare: Callable[..., Run], config: TrainConfig, world: World, *, resume: bool) -> Run:
    """The run, as the first process prepares it, which decodes the frames and asks the teacher; then, with what lies
    there by now, as the others do.

    Args:
        prepare: `prepare_run` with all arguments but these.
    """
    run = prepare(config, resume=resume) if world.is_first else None
    # The precision that one machine has measured is that of all.
    precision, resume = world.gather(None if run is None else [run.config.precision, resume])[0]
    return prepare(replace(config, precision=precision), resume=resume) if run is None else run


def _assemble(
    config: ResolvedConfig,
    folder: Path,
    data: Data,
    learner: Learner,
    checkpoint: Checkpoint | None,
    arithmetic: Arithmetic,
    world: World,
) -> Run:
    """The run, from its parts: new, or as its checkpoint has it."""
    device = data.train.device
    if config.sync_batch_norm and world.size > 1:
        synchronise(learner)
    if world.is_first:
        warn_if_not_compiled(device, config.loss)
    if config.learns_camera:
        learn_camera(learner, data.store, device, distortion=config.learns_distortion)
    run = Run(
        config=config,
        folder=folder,
        data=data,
        learner=learner,
        optimizer=torch.optim.Adam(
            parameter_groups(learner), lr=config.learning_rate, fused=device.type in ("cpu", "cuda")
        ),
        budget=Budget.of(config, data.train.steps_per_epoch),
        progress=Progress() if checkpoint is None else checkpoint.progress,
        device=device,
        world=world,
    )
    if checkpoint is None:
        if world.is_first:
            run.write_config()
    else:
        _continue(run, checkpoint, arithmetic)
    run.progress.arithmetic, run.progress.data = arithmetic, data.store.contents
    return run


def _continue(run: Run, checkpoint: Checkpoint, arithmetic: Arithmetic) -> None:
    """Restore a checkpoint, and record what is different from here on. A finished run is left as it is."""
    load_checkpoint(checkpoint, run.learner, run.optimizer, run.device)
    if not run.world.is_first:
        return
    put_damaged_aside(checkpoint)
    if not run.is_finished:
        record_changes(run.folder, run.progress, read_run_config(run.folder), run.config, arithmetic)
        run.write_config()


def _check_others(requested: TrainConfig, *, folder: Path | None, self_teacher: LoadedWeights | None) -> None:
    """Compare the options with those of the run in `folder` that it continues, and of the model that it learns from."""
    if folder is not None:
        check_same_run(requested, folder)
    check_student(requested, self_teacher)


def worth_compiling(config: TrainConfig, device: torch.device) -> bool:
    """Whether to compile the training step: as `--compile` says, else on CUDA only. On CPUs compiling the networks was
    measured to cost a minute and gain nothing (benchmarks/results/README.md)."""
    automatic = device.type == "cuda" and not config.sync_batch_norm  # which sends messages between the layers
    return automatic if config.compile is None else config.compile


def _build_learner(
    config: TrainConfig,
    device: torch.device,
    dtype: torch.dtype,
    self_teacher: LoadedWeights | None,
    *,
    from_checkpoint: bool,
) -> Learner:
    if from_checkpoint or config.init is not None:  # other weights follow, so do not download pretrained ones
        config = replace(config, encoder=replace(config.encoder, pretrained=False))
    learner: Learner
    if self_teacher is None:
        anchor = anchor_of(config, device=device, dtype=dtype)
        torch.manual_seed(config.seed)  # the initial weights depend on the seed alone
        learner = build_learner(config, network_dtype=dtype, anchor=anchor)
    else:
        learner = student_of(config, self_teacher, device=device, dtype=dtype)
    if config.init is not None and not from_checkpoint:
        start_from(learner, config.init)
    return learner.to(device).to(memory_format=_layout(config.encoder, device))


def _layout(encoder: EncoderConfig, device: torch.device) -> torch.memory_format:
    # Convolutions on CPUs and tensor cores work in this layout; otherwise each of them would convert its input. On CPUs
    # torch 2.15 writes beyond its memory in the backward pass of RepVGG's blocks in it, and the process dies.
    names = (encoder.name, encoder.pose_encoder)
    dies = device.type == "cpu" and any(name.startswith("repvgg") for name in names)
    return torch.contiguous_format if dies else torch.channels_last


def start_from(learner: nn.Module, model: str) -> None:
    """Load the weights of a model with the same networks into a learner, in place (`--init`).

    A pose network in the model is ignored if the learner has none. A student takes the depth alone, and keeps the pose
    network of its teacher. If anything does not fit, the learner is unchanged.

    Args:
        model: any MODEL that `load_weights` accepts.

    Warns:
        SelfDepthWarning: about a calibrated model, whose factor to metres the run does not take over.

    Raises:
        CheckpointError: for a model that cannot be read, or one with other networks.
    """
    required = learner.state_dict()
    if isinstance(learner, SelfTaughtDepth):
        required = {name: tensor for name, tensor in required.items() if not _is_pose(name) and not _is_sigma(name)}
    with_pose = any(_is_pose(name) for name in required)
    weights = load_weights(model)
    state = {name: tensor for name, tensor in weights.state.items() if with_pose or not _is_pose(name)}
    mismatch = describe_mismatch(state, required)
    if mismatch:
        raise CheckpointError(
            "the model to start from has other networks",
            where=f"--init {model}",
            expected="the networks of this run",
            got=mismatch,
            fix="give the preset and the --encoder options with which it was trained, or leave --init out",
        )
    learner.load_state_dict(learner.state_dict() | state)
    if weights.metric is not None:
        warnings.warn(
            f"the metres of {model} (by {weights.metric.witness}) belong to its own weights, and not to what this run "
            "learns: calibrate that again",
            SelfDepthWarning,
            stacklevel=2,
        )


def _is_sigma(name: str) -> bool:
    return name.startswith("depth_net.decoder.log_sigmas.")


def _is_pose(name: str) -> bool:
    return name.startswith("pose_net.")


def seed_step(seed: int, step: int) -> None:
    """Make the noise of a step a function of (seed, step), so that a resumed run continues exactly.

    SeedSequence mixes the two, so that step 1 of seed 0 and step 0 of seed 1 are unrelated; their sum would be equal.
    """
    # SeedSequence takes no negative numbers, and torch no seeds beyond 63 bits.
    torch.manual_seed(int(np.random.SeedSequence((seed % 2**64, step)).generate_state(1, np.uint64)[0] >> np.uint64(1)))
