"""The store that a run learns from: built from footage at the size that the run asks for, or built already."""

from __future__ import annotations

from pathlib import Path

from selfdepth.config import ResolvedConfig, TrainConfig
from selfdepth.data.footage import Footage, Origin
from selfdepth.data.kitti.splits import split_path
from selfdepth.data.store.build import Progress, open_or_build
from selfdepth.data.store.store import Store, training_size
from selfdepth.errors import ConfigError


def store_of(config: TrainConfig, footage: Footage, folder: Path, progress: Progress | None = None) -> Store:
    """The footage as a store in `folder`, cropped and at the size that a run asks for; used again where it fits.

    Raises:
        DataError, OutputError: as `build_store`.
    """
    crop, camera = config.crop_px, footage.sequences[0].camera
    width, height = training_size(*crop.size_of(camera.width, camera.height), config.width, config.height)
    return open_or_build(footage, folder, width=width, height=height, crop=crop, progress=progress)


def resolved(config: TrainConfig, store: Store) -> ResolvedConfig:
    """The run's configuration with the size, spacing and crop of its store filled in."""
    crop = str(store.crop) if store.crop else None
    every = config.every or str(store.spacing)
    return ResolvedConfig.of(config, width=store.width, height=store.height, crop=config.crop or crop, every=every)


def check_agreement(config: TrainConfig, store: Store) -> None:
    """Refuse options that a store was not made with: they cannot be changed any more.

    Raises:
        ConfigError: naming the first such option.
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
            "the store holds no stereo partners",
            where=store.folder,
            expected="a store made with --stereo",
            got=f"--stereo {config.stereo}",
            fix="leave --stereo out, or make another store with: selfdepth prepare DATA --out STORE --stereo",
        )
    asked_split = None if config.split is None else split_path(config.split)
    every = [str(store.spacing), "auto"] if origin.auto else [str(store.spacing)]
    # Option, whether it agrees, what the store was made with, what was asked for.
    table = (
        ("--split", asked_split in (None, origin.split), origin.split, config.split),
        ("--camera", _same_camera(config.camera, origin.camera), origin.camera, config.camera),
        ("--every", config.every is None or config.every in every, " or ".join(every), config.every),
        ("--crop", config.crop is None or config.crop_px == store.crop, str(store.crop), config.crop),
    )
    for option, agrees, made_with, asked in table:
        if not agrees:
            raise ConfigError(
                f"{option} was fixed when the store was made",
                where=store.folder,
                expected="none" if made_with is None else str(made_with),
                got=str(asked),
                fix="leave the option out, or make another store with: selfdepth prepare DATA --out STORE",
            )


def _same_camera(asked: str | None, made_with: str | None) -> bool:
    if asked is None or asked == made_with:
        return True
    return made_with is not None and str(Path(asked).expanduser().resolve()) == made_with
