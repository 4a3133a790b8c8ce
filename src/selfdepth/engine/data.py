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

from selfdepth.config import TrainConfig
from selfdepth.data.clips.clips import ClipLoader, ClipSet, make_clips
from selfdepth.data.clips.order import steps_per_epoch
from selfdepth.data.clips.resident import resident_frames
from selfdepth.data.footage import open_sequences
from selfdepth.data.frames import Footage
from selfdepth.data.kitti.odometry import is_kitti_odometry
from selfdepth.data.kitti.raw import is_kitti_raw
from selfdepth.data.sources.images import IMAGE_SUFFIXES, find_image_folders
from selfdepth.data.sources.video import VIDEO_SUFFIXES
from selfdepth.data.store.prepare import Truth, check_agreement, footage_of, resolved, store_of, truth_of
from selfdepth.data.store.store import Store, is_store, open_store
from selfdepth.errors import ConfigError, DataError, SelfDepthWarning
from selfdepth.evaluation.depth.metrics import PROTOCOLS, DepthProtocol
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.warp import depth_from_disparity
from selfdepth.presets import DEFAULT_EPOCHS


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


def require_data(config: TrainConfig) -> None:
    """Refuse data that is missing or of no kind that is read, by the names of its files: none is decoded.

    Raises:
        ConfigError: if no data is named.
        DataError: if nothing is there, or nothing to train on.
    """
    if not config.data:
        raise ConfigError("there is no data to train on", where="--data", fix="add --data VIDEO or --data FOLDER")
    path = Path(config.data).expanduser()
    if not path.exists():
        raise DataError("there is no such file or folder", where=path, fix="check --data")
    if not _is_recognised(path):
        open_sequences(path)  # says what is wrong with it


def _is_recognised(path: Path) -> bool:
    if path.is_file():  # the decoder knows more kinds of video than we do
        return path.suffix.lower() not in IMAGE_SUFFIXES
    if is_store(path) or is_kitti_raw(path) or is_kitti_odometry(path) or find_image_folders(path):
        return True
    return any(file.suffix.lower() in VIDEO_SUFFIXES for file in path.iterdir())


def open_data(
    config: TrainConfig,
    folder: Path,
    on_frames: Callable[[int, int], None] | None,
    footage: Footage | None,
) -> tuple[Store, Truth, TrainConfig]:
    """The frames, their ground truth, and the configuration with its size, spacing and budget resolved."""
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


def make_loaders(
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
