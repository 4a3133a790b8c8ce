"""The data of a run: its store, opened or built, and the loaders of its clips."""

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
from selfdepth.data.clips.clips import ClipSet, make_clips
from selfdepth.data.clips.loader import ClipLoader
from selfdepth.data.clips.order import Windows, steps_per_epoch
from selfdepth.data.clips.resident import resident_frames, with_resident_maps
from selfdepth.data.footage import Footage
from selfdepth.data.sources.chunks import Chunks
from selfdepth.data.sources.given import GivenFootage
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.sources.source import DataSource
from selfdepth.data.store.chunked import ChunkedStore
from selfdepth.data.store.prepare import resolved
from selfdepth.data.store.store import Store
from selfdepth.data.store.teacher_maps import TeacherMaps
from selfdepth.data.truth import DepthTruth
from selfdepth.engine.distributed import ALONE, World
from selfdepth.engine.driven import driven_distances
from selfdepth.engine.pairs import focal_baseline_of
from selfdepth.errors import ConfigError, SelfDepthWarning
from selfdepth.evaluation.depth.metrics import PROTOCOLS, DepthProtocol
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.ray_depth import DepthIs
from selfdepth.places import is_url, path_of
from selfdepth.presets import DEFAULT_EPOCHS


@dataclass(frozen=True, kw_only=True)
class Data:
    """The clips from which a run learns, and the ground truth with which it is validated.

    Attributes:
        store: the decoded frames.
        train, val: loaders of the training and validation clips.
        truth: ground-truth depth of whole frames.
        protocol: range and crop within which predictions are compared with it.
        camera: intrinsics of the first sequence at the original size of its frames, before crop and resize.
        focal_baseline: as in `weights.files.WeightsMeta`.
    """

    store: Store
    train: ClipLoader
    val: ClipLoader
    truth: DepthTruth
    protocol: DepthProtocol
    camera: Camera
    focal_baseline: float | None = None

    @property
    def depth_is(self) -> DepthIs:
        """What the depth is that the run learns: along z, or through lenses the distance along the ray."""
        return "z" if self.train.clips.lenses is None else "ray"


def open_data(
    source: DataSource,
    config: TrainConfig,
    folder: Path,
    *,
    check: Callable[[TrainConfig], None],
    expected: str | None = None,
    on_frames: Callable[[int, int], None] | None,
) -> tuple[Store, DepthTruth, ResolvedConfig]:
    """Open the store of a run, or build it.

    Args:
        folder: the run folder. The store is built in it unless `config.store` names another place.
        check: called with the configuration before anything is decoded. An error that it raises ends the work.
        expected: the `contents` of the store with which the run started; None for a new run.
        on_frames: called with (decoded, total) while a store is built.

    Returns:
        The decoded frames, their ground truth, and the configuration with size, spacing and budget filled in.

    Raises:
        SelfDepthError: for invalid data or options.
    """
    if all(budget is None for budget in (config.steps, config.epochs, config.minutes)):
        config = replace(config, epochs=DEFAULT_EPOCHS)

    if config.cache_gb is not None and source.kind != "chunks":
        what, expected = "these data are not read through a cache", "chunks as --data"
        raise ConfigError(what, where="--cache-gb", expected=expected, got=source.kind, fix="leave it out")

    def before_decoding(resolved_config: TrainConfig, n_train: int) -> None:
        # Decoding takes minutes to hours, and replaces a store that does not fit: a run that will be refused for its
        # options must do neither.
        check(resolved_config)
        steps_per_epoch((n_train,), config.batch_size)  # raises if the clips do not fill one batch

    place = path_of(config.store) if config.store else folder / "store"
    accept = partial(_require_contents, expected=expected, data=config.data)
    store = source.store_for(config, place, check=before_decoding, progress=on_frames, accept=accept)
    accept(store)  # one that was there already
    # The spacing that auto found stays out of the configuration: a repeated or resumed run measures it again.
    if isinstance(store, ChunkedStore) and config.shuffle_window is None:
        config = replace(config, shuffle_window=store.default_window)
    return store, store.own_truth or source.truth, resolved(config, store)


def _require_contents(store: Store, expected: str | None, data: str) -> None:
    """Refuse data that are not those with which a run started."""
    if expected is not None and store.contents != expected:
        raise ConfigError(
            "a resumed run cannot change what it learns from, and the contents of its data have changed since",
            where=f"--data {data}" if data else "the given footage",
            expected="the frames, cameras and clips with which it started",
            got="others",
            fix="bring back those files, or start a new run in another folder with --out NEW --init RUN/last, which "
            "begins with the weights of this one",
        )


def source_of(config: TrainConfig, footage: Footage | None) -> DataSource:
    """The data of a run: the given footage, else the data that the configuration names.

    Raises:
        ConfigError: if there is neither, or for `--every auto` with given footage.
        DataError: if the path is not data of any known kind.
    """
    if footage is not None:
        spacing = config.spacing
        if spacing is None:
            raise ConfigError(
                "motion is not measured in footage given from Python", where="--every", expected="a number", got="auto"
            )
        return GivenFootage(given=footage if config.every is None else replace(footage, spacing=spacing))
    if not config.data:
        raise ConfigError("there is no data to train on", where="--data", fix="add --data VIDEO or --data FOLDER")
    if is_url(config.data):
        return Chunks(path=Path(config.data), place=config.data).at(stream=config.stream, topic=config.topic)
    return recognise(path_of(config.data), config.stream, config.topic)


def make_loaders(
    store: Store,
    truth: DepthTruth,
    config: TrainConfig,
    device: torch.device,
    teacher: TeacherMaps | None = None,
    world: World = ALONE,
) -> Data:
    """The loaders of a run's clips.

    Args:
        world: the processes among which the clips of a training step are shared out.
        teacher: a teacher's maps of the training targets. The validation loss does not look at them, so that it can be
            compared with that of a run without a teacher.

    Warns:
        SelfDepthWarning: about training frames that are left out or lack a partner, and about a start from which little
            can be learned.

    Raises:
        SelfDepthError: if the training clips do not fill one batch.
    """
    clips_of = partial(make_clips, store, offsets=config.offsets, spacing=store.spacing, stereo=config.stereo)
    clips_of = partial(clips_of, through_lenses=config.learns_distortion)
    _refuse_lenses(store, config)
    # A validation frame without any source has no loss, but its depth can still be compared with ground truth.
    train, val = clips_of(store.train), clips_of(store.val, lone_targets=True)
    for sentence in (*_dropped_frames(train, config), *_partner_out_of_view(train, store, config)):
        warnings.warn(sentence, SelfDepthWarning, stacklevel=2)
    options: dict[str, Any] = {"seed": config.seed, "device": device}
    options["resident"] = resident_frames(store, device)
    driven_m = driven_distances(train, store, config)
    train = replace(train, teacher=with_resident_maps(teacher, device), driven_m=driven_m)
    train = replace(train, windows=_windows(train, store, config))
    own, share = world.share_of(config.batch_size), (world.rank, world.size)
    train_loader = ClipLoader(store, train, augment=config.augment, batch_size=own, share=share, **options)
    train_loader.steps_per_epoch  # noqa: B018  raises if the clips do not fill one batch, before the first step does
    return Data(
        store=store,
        train=train_loader,
        val=ClipLoader(store, val, augment=None, batch_size=config.batch_size, **options),
        truth=truth,
        protocol=PROTOCOLS[store.protocol],
        camera=store.sequences[0].camera,
        focal_baseline=focal_baseline_of(train, store.width) if config.method == "monodepth-v1" else None,
    )


def _windows(clips: ClipSet, store: Store, config: TrainConfig) -> Windows | None:
    if config.shuffle_window is None:
        return None
    return Windows(store.runs.of_row[clips.rows[:, 0]], config.shuffle_window)


def _refuse_lenses(store: Store, config: TrainConfig) -> None:
    lenses = [each.stored_camera.lens.model for each in store.sequences if not each.stored_camera.is_pinhole]
    if lenses and config.method == "monodepth-v1":
        raise ConfigError(
            "Monodepth v1 compares the rows of rectified pairs, which a lens bends",
            where="--method monodepth-v1",
            got=f"the lens {lenses[0]}",
            fix="give rectified pairs, or another preset",
        )


def _dropped_frames(clips: ClipSet, config: TrainConfig) -> Iterator[str]:
    """Warnings about training frames that are left out, or that lack their stereo partner."""
    if clips.n_dropped:
        missing = f"neighbour {clips.spacing} frames away" if config.offsets else "stereo partner"
        total = clips.n_dropped + len(clips)
        yield f"{clips.n_dropped} of {total} training frames have no {missing} and are left out"
    alone, paired = clips.n_of_kind
    if config.stereo != "none" and alone:
        yield f"{alone} of {len(clips)} training frames have no stereo partner and are used without one"
        # Every batch holds clips of one kind, so the rarer kind may be too small for a single batch.
        for n, kind in ((alone, "without"), (paired, "with")):
            if n < config.batch_size <= max(alone, paired):
                yield (
                    f"the {n} clips {kind} a stereo partner do not fill a batch of {config.batch_size} and are left "
                    f"out; --batch-size {max(n, 1)} would include them"
                )


def _partner_out_of_view(clips: ClipSet, store: Store, config: TrainConfig) -> Iterator[str]:
    """A warning if, at the depth that the untrained network predicts, most of the target projects outside the partner.

    A pixel that is sampled outside the image has no gradient, so such a run may never start to learn.
    """
    # Monodepth v1 starts at a disparity of 0.15 widths whatever the cameras.
    if clips.T_stereo_target is None or not len(clips) or config.method == "monodepth-v1":
        return
    start_depth = config.loss.untrained_depth
    # The disparity of a rectified pair in pixels: baseline times focal length over depth.
    shift_px = float(np.abs(clips.T_stereo_target[:, 0, 3] * clips.K[:, 0, 0]).max()) / start_depth
    if shift_px > store.width / 2:
        yield (
            f"at the untrained depth of {start_depth:.2g}, the stereo partner is shifted by {shift_px:.0f} of "
            f"{store.width} pixels, and little can be learned from it: use a stereo preset, or add --loss.near 0.5 "
            "--loss.start-depth 5"
        )
