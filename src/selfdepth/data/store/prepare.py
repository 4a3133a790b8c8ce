"""The store of a run: build it at the run's size, or check that an existing store agrees with the run's options."""

from __future__ import annotations

from pathlib import Path

from selfdepth.config import ResolvedConfig, TrainConfig
from selfdepth.data.footage import Footage, Origin
from selfdepth.data.kitti.splits import split_path
from selfdepth.data.store.build import Progress, open_or_build
from selfdepth.data.store.store import Store, training_size
from selfdepth.errors import ConfigError
from selfdepth.places import path_of


def store_of(config: TrainConfig, footage: Footage, folder: Path, progress: Progress | None = None) -> Store:
    """The store of a data set in `folder`, with the crop and size of a configuration. A fitting one is reused.

    Raises:
        DataError, OutputError: as `build_store`.
    """
    # Without --height, the aspect ratio of the first sequence decides for all: a store has a single size.
    crop, camera = config.crop_px, footage.sequences[0].camera
    width, height = training_size(*crop.size_of(camera.width, camera.height), config.width, config.height)
    return open_or_build(footage, folder, width=width, height=height, crop=crop, progress=progress)


def resolved(config: TrainConfig, store: Store) -> ResolvedConfig:
    """The configuration with the store's size, spacing and crop filled in, as a run records it."""
    crop = str(store.crop) if store.crop else None
    every = config.every or str(store.spacing)
    return ResolvedConfig.of(config, width=store.width, height=store.height, crop=config.crop or crop, every=every)


def check_agreement(config: TrainConfig, store: Store) -> None:
    """Check that the options of a run agree with those that the store was made with, which are fixed.

    Raises:
        ConfigError: naming the first option that differs.
    """
    origin = store.origin or Origin(path=store.folder)
    if (config.width, config.height or store.height) != (store.width, store.height):
        raise ConfigError(
            "the store holds frames of another size",
            where=store.folder,
            expected=f"--width {store.width} --height {store.height}",
            got=f"--width {config.width}" + (f" --height {config.height}" if config.height else ""),
            fix="give the store's size, or make another store with: selfdepth prepare DATA --out STORE",
        )
    if config.stereo != "none" and not any(sequence.partner for sequence in store.sequences):
        raise ConfigError(
            "the store holds no stereo pairs",
            where=store.folder,
            expected="a store made with --stereo",
            got=f"--stereo {config.stereo}",
            fix="leave --stereo out, or make another store with: selfdepth prepare DATA --out STORE --stereo",
        )
    requested_split = None if config.split is None else split_path(config.split)
    # "auto" agrees only with a store made by "auto": elsewhere parked stretches are still among the targets.
    every = [str(store.spacing), "auto"] if origin.auto else [str(store.spacing)]
    # Option, whether it agrees, the store's value, the requested value. An option that is not given always agrees.
    table = (
        ("--split", requested_split in (None, origin.split), origin.split, config.split),
        ("--camera", _same_camera(config.camera, origin.camera), origin.camera, config.camera),
        ("--every", config.every is None or config.every in every, " or ".join(every), config.every),
        ("--crop", config.crop is None or config.crop_px == store.crop, str(store.crop), config.crop),
    )
    for option, agrees, made_with, requested in table:
        if not agrees:
            raise ConfigError(
                f"{option} was fixed when the store was made",
                where=store.folder,
                expected="none" if made_with is None else str(made_with),
                got=str(requested),
                fix="leave the option out, or make another store with: selfdepth prepare DATA --out STORE",
            )


def _same_camera(requested: str | None, made_with: str | None) -> bool:
    if requested is None or requested == made_with:
        return True
    # A store records a camera file by its absolute path.
    return made_with is not None and str(path_of(requested).resolve()) == made_with
