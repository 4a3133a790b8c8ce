"""The data of a run: its store, opened or made, and the loaders of its clips."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from selfdepth.config import ResolvedConfig, TrainConfig
from selfdepth.data.clips.clips import ClipLoader, ClipSet, make_clips
from selfdepth.data.clips.order import steps_per_epoch
from selfdepth.data.clips.resident import resident_frames
from selfdepth.data.footage import Footage
from selfdepth.data.sources.given import GivenFootage
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.sources.source import DataSource
from selfdepth.data.store.prepare import resolved
from selfdepth.data.store.store import Store
from selfdepth.data.truth import DepthTruth
from selfdepth.errors import ConfigError, SelfDepthWarning
from selfdepth.evaluation.depth.metrics import PROTOCOLS, DepthProtocol
from selfdepth.geometry.camera import Camera
from selfdepth.presets import DEFAULT_EPOCHS


@dataclass(frozen=True, kw_only=True)
class Data:
    """What a run learns from and is judged by.

    Attributes:
        train, val: loaders of the training and validation clips.
        truth: ground-truth depth of whole frames.
        protocol: how depth is compared with it.
        camera: of the first sequence's frames as they are in the file, before crop and resize.
    """

    store: Store
    train: ClipLoader
    val: ClipLoader
    truth: DepthTruth
    protocol: DepthProtocol
    camera: Camera


def open_data(
    source: DataSource,
    config: TrainConfig,
    folder: Path,
    *,
    check: Callable[[TrainConfig], None],
    on_frames: Callable[[int, int], None] | None,
) -> tuple[Store, DepthTruth, ResolvedConfig]:
    """The frames of a run, decoded; their ground truth; and the configuration with size, spacing and budget filled in.

    Args:
        folder: of the run; the store is made in it unless `config.store` names another place.
        check: called with the configuration before anything is decoded; what it raises ends the work.
        on_frames: called with (decoded, in all) while a store is built.

    Raises:
        SelfDepthError: for data or options that cannot be used.
    """
    if all(budget is None for budget in (config.steps, config.epochs, config.minutes)):
        config = replace(config, epochs=DEFAULT_EPOCHS)

    def before_decoding(resolved_config: TrainConfig, n_train: int) -> None:
        check(resolved_config)
        steps_per_epoch((n_train,), config.batch_size)  # refuses too few clips

    place = Path(config.store).expanduser() if config.store else folder / "store"
    store = source.store_for(config, place, check=before_decoding, progress=on_frames)
    # The spacing that auto finds is not written to the configuration: repeating or resuming the run measures it again.
    return store, source.truth, resolved(config, store)


def source_of(config: TrainConfig, footage: Footage | None) -> DataSource:
    """What a run learns from: given footage, or the data that the configuration names.

    Raises:
        ConfigError: if it names none, or `--every auto` is asked for given footage.
        DataError: if nothing is recognised there.
    """
    if footage is not None:
        spacing = config.spacing
        if spacing is None:
            raise ConfigError("given footage is not measured", where="--every", expected="a number", got="auto")
        return GivenFootage(given=footage if config.every is None else replace(footage, spacing=spacing))
    if not config.data:
        raise ConfigError("there is no data to train on", where="--data", fix="add --data VIDEO or --data FOLDER")
    return recognise(Path(config.data).expanduser())


def make_loaders(
    store: Store,
    truth: DepthTruth,
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
    start = config.loss.start_depth or config.loss.depth_range.depth(0.5)
    shift_px = float(np.abs(clips.T_stereo_target[:, 0, 3] * clips.K[:, 0, 0]).max()) / start
    if shift_px > store.width / 2:
        yield (
            f"at the untrained depth of {start:.2g}, the stereo partner is shifted by {shift_px:.0f} of {store.width} "
            "pixels, and little can be learned from it: take a stereo preset, or add --loss.near 0.5 "
            "--loss.start-depth 5"
        )
