"""The store of a run: build it at the run's size, or check that an existing store agrees with the run's options."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from selfdepth.config import ResolvedConfig, TrainConfig, learning_of
from selfdepth.data.footage import Footage, Origin
from selfdepth.data.kitti.splits import split_path
from selfdepth.data.scan import Unreadable, scan, without_unreadable
from selfdepth.data.store.build import Accept, Progress, fingerprint, open_or_build
from selfdepth.data.store.store import Store, is_store, open_store, training_size
from selfdepth.errors import ConfigError, DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.crop_resize import CropResize
from selfdepth.geometry.learned_lenses import require_learnable_lens
from selfdepth.geometry.rectify import is_rectified, view_shape
from selfdepth.places import path_of

_LISTED = 5


def store_of(
    config: TrainConfig,
    footage: Footage,
    folder: Path,
    progress: Progress | None = None,
    accept: Accept | None = None,
) -> Store:
    """The store of a data set in `folder`, with the crop and size of a configuration. A fitting one is reused.

    Frames that cannot be read are left out with a warning, and with them the clips that need them, if the
    configuration says so and they are few.

    Raises:
        DataError, OutputError: as `build_store`. The error for frames that cannot be read counts all of them.
    """
    _refuse_lenses_of_pairs(footage)
    fit = fit_of(config, [sequence.camera for sequence in footage.sequences])

    done = 0

    def on_frames(n: int, total: int) -> None:
        nonlocal done
        done = max(done, n)  # a second try starts from nothing, and a bar does not run backwards
        if progress is not None:
            progress(done, total)

    def build(of: Footage) -> Store:
        return open_or_build(of, folder, **vars(fit), progress=on_frames, accept=accept)

    if config.on_error == "skip":
        kept = _as_stored(config, footage, folder)
        if kept is not None:
            return _say_left_out(build(kept), footage)
    try:
        return build(footage)
    except DataError:
        # One frame has failed. All of them are found at once, or the next would show after this one was mended.
        unreadable = tuple(each for sequence in footage.sequences for each in scan(sequence).unreadable)
        if not unreadable:
            raise
        left = without_unreadable(footage, unreadable, on_error=config.on_error, steps=_steps(config, footage))
        return _say_left_out(build(left), footage)


def readable_footage(config: TrainConfig, footage: Footage) -> Footage:
    """The data set that chunks are made of: with `--on-error skip`, without the frames that cannot be read.

    All frames are looked at for that, before any is written: what is left decides which chunks there are.

    Warns:
        SelfDepthWarning: about frames that are left out.

    Raises:
        DataError: for more of them than may be left out, and for pairs that cannot be learned from.
    """
    _refuse_lenses_of_pairs(footage)
    if config.on_error != "skip":
        return footage
    unreadable = tuple(each for sequence in footage.sequences for each in scan(sequence).unreadable)
    left = without_unreadable(footage, unreadable, on_error="skip", steps=_steps(config, footage))
    if unreadable:
        n_frames = sum(len(each.numbers) for each in unreadable)
        n_clips = len(footage.train) + len(footage.val) - len(left.train) - len(left.val)
        said = (
            f"left out, because they cannot be read: {n_frames} of the frames ({unreadable[0]}), and {n_clips} targets"
        )
        warnings.warn(said, SelfDepthWarning, stacklevel=3)
    return left


def fit_of(config: TrainConfig, cameras: Sequence[Camera]) -> CropResize:
    """How a configuration brings the frames of these cameras to the networks' size, and whether it rectifies them.

    Without --height, the aspect ratio of the first one decides for all: a store has a single size.

    Raises:
        DataError: for a crop or a view that leaves nothing of the frames.
    """
    cropped = [camera.cropped(config.crop_px) for camera in cameras]
    # What is rectified by the start of a lens that is learned could not be undone.
    first, rectified = cropped[0], not config.learns_distortion and is_rectified(config.rectify, cropped)
    across, down = view_shape(first) if rectified and not first.is_pinhole else (first.width, first.height)
    width, height = training_size(across, down, config.width, config.height)
    return CropResize(width=width, height=height, crop=config.crop_px, rectify=rectified)


def lenses_of(store: Store) -> str | None:
    """A sentence: what was done with the frames of cameras with a lens; None if there are none in the store."""
    fit = CropResize(width=store.width, height=store.height, crop=store.crop, rectify=store.rectified)
    return describe_lenses(fit, [sequence.camera for sequence in store.sequences])


def shown_share(store: Store) -> float:
    """The share of the stored frames that is not black for lack of a pixel that shows it: 1 without rectification."""
    fit = CropResize(width=store.width, height=store.height, crop=store.crop, rectify=store.rectified)
    shares = [(1 - fit.black(each.camera)) * len(each.numbers) for each in store.sequences]
    return sum(shares) / len(store.frames)


def describe_lenses(fit: CropResize, cameras: Sequence[Camera]) -> str | None:
    """`CropResize.describe_lenses`, with the option that asks for it."""
    sentence = fit.describe_lenses(cameras)
    return None if sentence is None else f"{sentence} (--rectify {'yes' if fit.rectify else 'no'})"


def _refuse_lenses_of_pairs(footage: Footage) -> None:
    for sequence in footage.sequences:
        if sequence.partner is not None and not sequence.camera.is_pinhole:
            raise DataError(
                "a stereo pair of cameras with a lens cannot be learned from: rectifying each along its own axis does "
                "not make their rows agree",
                where=sequence.name,
                expected="the frames of a rectified pair, without distortion",
                got=f"the lens {sequence.camera.lens.model}",
                fix="rectify the pair first (OpenCV: stereoRectify), or leave --stereo out",
            )


def _as_stored(config: TrainConfig, footage: Footage, folder: Path) -> Footage | None:
    """The data without the frames that a store in this folder left out; None if it left none out, or is of others."""
    try:
        store = open_store(folder) if is_store(folder) else None
    except DataError:
        return None
    if store is None or [sequence.name for sequence in store.sequences] != [each.name for each in footage.sequences]:
        return None
    absent = tuple(
        Unreadable(sequence=sequence.name, numbers=numbers, reason="cannot be read")
        for sequence, stored in zip(footage.sequences, store.sequences, strict=True)
        if (numbers := tuple(sorted(set(sequence.numbers) - set(stored.numbers))))
    )
    try:
        left = without_unreadable(footage, absent, on_error="skip", steps=_steps(config, footage))
    except DataError:
        return None
    fit = CropResize(width=store.width, height=store.height, crop=config.crop_px, rectify=store.rectified)
    return left if absent and fingerprint(left, **vars(fit)) == store.fingerprint else None


def _say_left_out(store: Store, footage: Footage) -> Store:
    """Warn of the frames that a store lacks because they cannot be read."""
    lacking: list[str] = []
    for sequence in footage.sequences:
        stored = set(store.by_name[sequence.name].numbers)
        named = zip(sequence.numbers, sequence.names, strict=True)
        lacking += [f"{name} of {sequence.name}" for number, name in named if number not in stored]
    listed = ", ".join(lacking[:_LISTED]) + (f" and {len(lacking) - _LISTED} more" if len(lacking) > _LISTED else "")
    n_clips = len(footage.train) + len(footage.val) - len(store.train) - len(store.val)
    warnings.warn(
        f"left out, because they cannot be read: {len(lacking)} of the frames ({listed}), and the {n_clips} targets "
        "that need them",
        SelfDepthWarning,
        stacklevel=3,
    )
    return store


def _steps(config: TrainConfig, footage: Footage) -> tuple[int, ...]:
    return tuple(offset * footage.spacing for offset in config.offsets)


def resolved(config: TrainConfig, store: Store) -> ResolvedConfig:
    """The configuration with the store's size, spacing, crop and rectification filled in, as a run records it."""
    crop = str(store.crop) if store.crop else None
    every = config.every or str(store.spacing)
    changes: dict[str, Any] = {"width": store.width, "height": store.height}
    changes |= {"crop": config.crop or crop, "every": every}
    if config.learns_distortion or any(not sequence.camera.is_pinhole for sequence in store.sequences):
        changes["rectify"] = "yes" if store.rectified else "no"
    return ResolvedConfig.of(config, **changes)


def require_learnable(config: TrainConfig, cameras: Iterable[Camera]) -> None:
    """Refuse to learn the focal length alone of a camera with a lens, and a distortion that cannot be learned.

    Raises:
        ConfigError: naming the lens.
    """
    cameras = tuple(cameras)
    if config.learns_distortion:
        _require_learnable_lenses(config, cameras)
        return
    lens = next((camera.lens for camera in cameras if not camera.is_pinhole), None)
    if config.learns_camera and lens is not None:
        raise ConfigError(
            "a camera with a lens cannot be learned: its distortion belongs to its focal length",
            where=f"--camera {config.camera}",
            expected="a start without distortion",
            got=f"a lens of the model {lens.model}",
            fix="learn both (learn+distortion:), or give the file without learn:",
        )


def _require_learnable_lenses(config: TrainConfig, cameras: Sequence[Camera]) -> None:
    first_of: dict[tuple[int, int], Camera] = {}
    for camera in cameras:
        require_learnable_lens(camera.lens)
        first = first_of.setdefault((camera.width, camera.height), camera)
        if camera.lens != first.lens:
            raise ConfigError(
                "sequences whose frames have one size share the lens that is learned, and start from different ones",
                where=f"--camera {config.camera}",
                expected=f"{first.lens.model} {first.lens.coefficients}",
                got=f"{camera.lens.model} {camera.lens.coefficients}",
                fix="give one start for all (learn+distortion:FILE), or learn from each of them on its own",
            )


def check_agreement(config: TrainConfig, store: Store) -> None:
    """Check that the options of a run agree with those that the store was made with, which are fixed.

    Raises:
        ConfigError: naming the first option that differs.
    """
    origin = store.origin or Origin(path=store.folder)
    _require_learnable_frames(config, store)
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
    # A camera that is learned may start from the store's.
    camera = None if config.camera == learning_of(config.camera) else config.start_camera
    # Without a lens, there was nothing to choose.
    lens = any(not sequence.camera.is_pinhole for sequence in store.sequences)
    agreeing = ["auto", "yes" if store.rectified else "no"] if lens else ["auto", "yes", "no"]
    # Option, whether it agrees, the store's value, the requested value. An option that is not given always agrees.
    table = (
        ("--split", requested_split in (None, origin.split), origin.split, config.split),
        ("--camera", _same_camera(camera, origin.camera), origin.camera, camera),
        ("--every", config.every is None or config.every in every, " or ".join(every), config.every),
        ("--crop", config.crop is None or config.crop_px == store.crop, str(store.crop), config.crop),
        ("--rectify", config.rectify in agreeing, " or ".join(agreeing), config.rectify),
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


def _require_learnable_frames(config: TrainConfig, store: Store) -> None:
    require_learnable(config, (sequence.camera for sequence in store.sequences))
    if config.learns_distortion and store.rectified:
        raise ConfigError(
            "the frames of the store are rectified, and have no distortion that could be learned",
            where=f"--camera {config.camera}",
            expected="a store made with --rectify no",
            got="--rectify yes",
            fix="leave --camera out, or make another store with: selfdepth prepare DATA --out STORE --rectify no",
        )


def _same_camera(requested: str | None, made_with: str | None) -> bool:
    if requested is None or requested == made_with:
        return True
    # A store records a camera file by its absolute path.
    return made_with is not None and str(path_of(requested).resolve()) == made_with
