"""From a configuration to everything a run needs: data, networks, optimiser, device."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from selfdepth.config import TrainConfig, from_json, to_json
from selfdepth.data.clips import ClipLoader, ClipSet, make_clips
from selfdepth.data.frames import Footage
from selfdepth.data.order import steps_per_epoch
from selfdepth.data.prepare import Truth, check_agreement, footage_of, resolved, store_of, truth_of
from selfdepth.data.resident import resident_frames
from selfdepth.data.splits import split_path
from selfdepth.data.store import Store, is_store, open_store
from selfdepth.engine.budget import Budget
from selfdepth.engine.checkpoint import Progress, last_checkpoint, load_checkpoint
from selfdepth.engine.initial import start_from
from selfdepth.errors import CheckpointError, ConfigError, OutputError, SelfDepthWarning
from selfdepth.evaluation.depth import PROTOCOLS, DepthProtocol
from selfdepth.files import whole_file
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.warp import depth_from_disparity
from selfdepth.inference.device import resolve_device, resolve_precision
from selfdepth.inference.weights import Scale, WeightsMeta
from selfdepth.learner import SelfSupervisedDepth
from selfdepth.presets import DEFAULT_EPOCHS

CONFIG_FILE = "config.json"

_SCHEDULE = ("steps", "epochs", "minutes", "drop_after")
_RUN_ONLY = (*_SCHEDULE, "save_every", "keep", "device", "precision", "compile", "store")
"""Fields that a resumed run may change: they do not change what is learned from which frames."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """What a run learns from and is judged by.

    Attributes:
        train, val: loaders of the training and validation clips.
        truth: metric depth of a frame (0 = unknown), or None.
        protocol: how depth is compared with it.
        camera: of the first sequence's frames as they are in the file, before crop and resize.
    """

    store: Store
    train: ClipLoader
    val: ClipLoader
    truth: Truth
    protocol: DepthProtocol
    camera: Camera


@dataclass(frozen=True, kw_only=True)
class Run:
    """Everything of a run; only `progress`, the weights and the optimiser change."""

    config: TrainConfig
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
    _check_folder(folder, resume=resume)
    device = resolve_device(config.device)
    # Before the frames: a missing encoder shall not be found out after an hour of decoding.
    learner = _build_learner(config, device, from_checkpoint=resume)
    if resume and not is_store(Path(config.data).expanduser()):
        _check_same_run(config, folder)  # before the run's store is made anew for other settings
    store, truth, config = _open_data(config, folder, on_frames, footage)
    if resume:
        _check_same_run(config, folder)
    data = _loaders(store, truth, config, device)
    optimizer = torch.optim.Adam(learner.parameters(), lr=config.learning_rate, fused=device.type in ("cpu", "cuda"))
    progress = Progress()
    if resume:
        progress = load_checkpoint(_require_checkpoint(folder), learner, optimizer, device)
    with whole_file(folder / CONFIG_FILE) as path:
        path.write_text(json.dumps(to_json(config), indent=2) + "\n", encoding="utf-8")
    return Run(
        config=config,
        folder=folder,
        data=data,
        learner=learner,
        optimizer=optimizer,
        budget=Budget.of(config, data.train.steps_per_epoch),
        progress=progress,
        device=device,
    )


def read_run_config(folder: Path) -> TrainConfig:
    """The configuration of a run folder. Raises ConfigError or CheckpointError if it holds none."""
    path = folder / CONFIG_FILE if folder.is_dir() else folder
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            "there is no configuration to read",
            where=path,
            expected="the config.json of a run",
            got=getattr(error, "strerror", None) or str(error),
        ) from error
    return from_json(values, where=path)


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


def _check_folder(folder: Path, *, resume: bool) -> None:
    if resume:
        _require_checkpoint(folder)
    elif last_checkpoint(folder) is not None:  # a run that was killed before its first leaves nothing to continue
        raise OutputError(
            "the output folder holds a run",
            where=folder,
            expected="a new or empty folder",
            fix="continue that run with --resume, or name another folder with --out",
        )


def _require_checkpoint(folder: Path) -> Path:
    checkpoint = last_checkpoint(folder)
    if checkpoint is None:
        raise CheckpointError(
            "there is nothing to resume",
            where=folder,
            expected="a run folder with checkpoints/",
            fix="leave --resume away to start a run there",
        )
    return checkpoint


def _open_data(
    config: TrainConfig,
    folder: Path,
    on_frames: Callable[[int, int], None] | None,
    footage: Footage | None,
) -> tuple[Store, Truth, TrainConfig]:
    """The frames, their ground truth, and the configuration with its size, spacing and budget resolved."""
    if footage is None and not config.data:
        raise ConfigError("there is no data to train on", where="--data", fix="add --data VIDEO or --data FOLDER")
    if all(budget is None for budget in (config.steps, config.epochs, config.minutes)):
        config = replace(config, epochs=DEFAULT_EPOCHS)
    path = Path(config.data).expanduser()
    if footage is None and is_store(path):
        store = open_store(path)
        check_agreement(config, store)
        return store, truth_of(store), resolved(config, store)
    footage = footage_of(config) if footage is None else _at_spacing(footage, config)
    steps_per_epoch((len(footage.train),), config.batch_size)  # refuses too few clips before they are decoded
    place = Path(config.store).expanduser() if config.store else folder / "store"
    store = store_of(config, footage, place, on_frames)
    # What auto finds is not written to the run's configuration: repeating or resuming the run measures the same again.
    return store, footage.truth, resolved(config, store)


def _at_spacing(footage: Footage, config: TrainConfig) -> Footage:
    spacing = config.spacing()
    if spacing is None:
        raise ConfigError("given footage is not measured", where="--every", expected="a number", got="auto")
    return footage if config.every is None else replace(footage, spacing=spacing)


def _loaders(
    store: Store,
    truth: Truth,
    config: TrainConfig,
    device: torch.device,
) -> Data:
    made = partial(make_clips, store, offsets=config.offsets, spacing=store.spacing, stereo=config.stereo)
    train, val = made(store.train), made(store.val, lone_targets=True)
    for sentence in (*_left_out(train, config), *_out_of_sight(train, store, config)):
        warnings.warn(sentence, SelfDepthWarning, stacklevel=2)
    options: dict[str, Any] = {"batch_size": config.batch_size, "seed": config.seed, "device": device}
    options["resident"] = resident_frames(store, device)
    loaders = [ClipLoader(store, clips, augment=augment, **options) for clips, augment in ((train, True), (val, False))]
    loaders[0].steps_per_epoch  # noqa: B018  refuses too few clips before anything is built
    return Data(
        store=store,
        train=loaders[0],
        val=loaders[1],
        truth=truth,
        protocol=PROTOCOLS[store.protocol],
        camera=store.sequences[0].camera,
    )


def _left_out(clips: ClipSet, config: TrainConfig) -> Iterator[str]:
    """What of the training frames is not learned from as asked, in sentences."""
    if clips.n_dropped:
        lack = f"neighbour {clips.spacing} frames away" if config.offsets else "stereo partner"
        total = clips.n_dropped + len(clips)
        yield f"{clips.n_dropped} of {total} training frames have no {lack} and are left out"
    alone, paired = clips.n_of_kind
    if config.stereo != "none" and alone:
        yield f"{alone} of {len(clips)} training frames have no stereo partner; they are learned from without one"
        for n, kind in ((alone, "without"), (paired, "with")):
            if n < config.batch_size <= max(alone, paired):
                yield (
                    f"the {n} clips {kind} a stereo partner do not fill a batch of {config.batch_size} and are left "
                    f"out; --batch-size {max(n, 1)} would take them"
                )


def _out_of_sight(clips: ClipSet, store: Store, config: TrainConfig) -> Iterator[str]:
    """A warning, if at the depth that the untrained network gives, the partner is shifted out of the image."""
    if clips.T_stereo_target is None or not len(clips):
        return
    start = config.loss.start_depth or float(depth_from_disparity(torch.tensor(0.5), config.loss.near, config.loss.far))
    shift_px = float(np.abs(clips.T_stereo_target[:, 0, 3] * clips.K[:, 0, 0]).max()) / start
    if shift_px > store.width / 2:
        yield (
            f"at the untrained depth of {start:.2g}, the stereo partner is shifted by {shift_px:.0f} of {store.width} "
            "pixels, and little can be learned from it: take a stereo preset, or add --loss.near 0.5 "
            "--loss.start-depth 5"
        )


def _check_same_run(config: TrainConfig, folder: Path) -> None:
    run = read_run_config(folder)
    asked = replace(config, height=config.height or run.height, every=config.every or str(config.spacing()))
    before, now = to_json(run), to_json(asked)
    # The same place may be written in two ways.
    before["data"], now["data"] = (v["data"] and str(Path(v["data"]).expanduser().resolve()) for v in (before, now))
    before["split"], now["split"] = (v["split"] and str(split_path(v["split"])) for v in (before, now))
    changed = [name for name in now if name not in _RUN_ONLY and before[name] != now[name]]
    if changed:
        raise ConfigError(
            "a resumed run cannot change what it learns",
            where=f"--{changed[0].replace('_', '-')}",
            expected=str(before[changed[0]]),
            got=str(now[changed[0]]),
            fix="repeat the run's own options with --resume, or start a new run in another folder",
        )


def seed_step(seed: int, step: int) -> None:
    """Make the step's noise a function of (seed, step), so that a resumed run goes on exactly."""
    torch.manual_seed(int(np.random.SeedSequence((seed % 2**64, step)).generate_state(1, np.uint64)[0] >> np.uint64(1)))
