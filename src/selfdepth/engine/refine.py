"""Refine a model on footage of a new place: a short run of its own objective, anchored to where it started.

There is no second training loop: `refinement` gives the configuration of a run, which `engine/train.py` runs as any
other.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

from selfdepth.config import LossConfig, TrainConfig
from selfdepth.data.readers.cameras import is_camera_file
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.sources.source import DataSource
from selfdepth.errors import CheckpointError, ConfigError, SelfDepthWarning
from selfdepth.places import path_of
from selfdepth.weights.files import LoadedWeights, load_weights

DEFAULT_MINUTES = 3.0
_RATE_SHARE = 0.1
"""Of the model's own learning rate: the rate at which its training ended."""


@dataclass(frozen=True, kw_only=True)
class RefineOptions:
    """How a model is refined.

    Attributes:
        anchor: weight of |log d - log d0|; see losses/anchor.py.
        camera: as `TrainConfig.camera`; None: the data's own, else the model's where it fits the frames.
        every: frames between the neighbours of a clip; None: as the model was trained.
        stream: number of the video stream to take; None: the one with the most frames.
        topic: name of the topic of a bag to take; None: that of its only camera.
        learning_rate: None: a tenth of the model's.
        steps, minutes: the budget, at most one of them; None: DEFAULT_MINUTES.
        run: other fields of the run's configuration, such as its batch size and device.
    """

    anchor: float
    camera: str | None = None
    every: int | None = None
    stream: int | None = None
    topic: str | None = None
    learning_rate: float | None = None
    steps: int | None = None
    minutes: float | None = None
    run: dict[str, Any]


def refinement(model: str, footage: str, options: RefineOptions) -> TrainConfig:
    """The configuration of a run that refines a model.

    Networks, objective, size, crop and clips are the model's. Batch normalisation keeps its statistics, which a short
    video would replace by those of one place.

    Args:
        model: any MODEL that `load_weights` accepts, with a pose network.
        footage: any data that `recognise` knows; its stereo partners, if it has some, are not used.

    Warns:
        SelfDepthWarning: about a crop that does not fit the frames, and metres that are lost.

    Raises:
        SelfDepthError: for a model or footage that cannot be used, or an option out of range.
    """
    weights = load_weights(model)
    _require_motion(weights, model)
    source = recognise(path_of(footage), options.stream, options.topic)
    config = weights.config
    if config.metres_per_unit is not None and config.camera_height is None:
        _warn_of_metres()
    minutes = DEFAULT_MINUTES if options.steps is None and options.minutes is None else options.minutes
    return TrainConfig(
        data=footage,
        stream=options.stream,
        topic=options.topic,
        camera=options.camera or _camera(source, weights),
        crop=_crop(source, weights),
        rectify=config.rectify,
        every=str(options.every) if options.every is not None else config.every,
        width=config.width,
        height=config.height,
        offsets=config.offsets,
        encoder=config.encoder,
        loss=replace(config.loss, speed=LossConfig.speed),
        camera_height=config.camera_height,  # the same vehicle, in another place
        init=model,
        anchor=options.anchor,
        freeze_batch_norm=True,
        learning_rate=options.learning_rate or _RATE_SHARE * config.learning_rate,
        steps=options.steps,
        minutes=minutes,
        **options.run,
    )


def _warn_of_metres() -> None:
    warnings.warn(
        "footage of one camera does not keep metres: the refined depth is relative. With stereo pairs, or a speed "
        "log, refine by selfdepth train --init MODEL --anchor WEIGHT --freeze-batch-norm",
        SelfDepthWarning,
        stacklevel=3,
    )


def _require_motion(weights: LoadedWeights, model: str) -> None:
    """Refuse a model that cannot learn from the video of one camera, or whose confidence that would make wrong."""
    if weights.config.has_confidence:
        raise ConfigError(
            "refining would leave the confidence of a self-taught model behind its depth",
            where=model,
            expected="a model that learned from images",
            fix=f"refine {weights.config.self_teacher}, from which it learned, and teach a student again",
        )
    if not weights.config.offsets or not any(name.startswith("pose_net.") for name in weights.state):
        raise CheckpointError(
            "the model has no pose network, without which a video of one camera teaches nothing",
            where=model,
            expected="a model that learned from neighbours in time",
        )


def _camera(source: DataSource, weights: LoadedWeights) -> str | None:
    """The model's camera, in pixels of the frames, if they come without one and have its aspect; else None.

    Raises:
        ConfigError: for a camera with a lens whose file is no longer there.
    """
    if weights.camera is None or source.camera_origin(None) == "calibration":
        return None
    sizes = _sizes(source)
    size = next(iter(sizes))
    if len(sizes) > 1 or not weights.camera.has_aspect_of(*size):
        return None
    if not weights.camera.is_pinhole:  # four numbers cannot say it
        if is_camera_file(weights.config.camera):
            return weights.config.camera
        raise ConfigError(
            "the model's camera has a lens, which only a file can tell",
            where="--camera",
            expected=f"its calibration file ({weights.camera.lens.model})",
            got="none" if weights.config.camera is None else f"{weights.config.camera}, which is not there",
            fix="give it with --camera FILE; of a learned camera, that is camera.yaml in the folder of its run",
        )
    camera = weights.camera.resized(*size)
    return ",".join(f"{value:.6g}" for value in (camera.fx, camera.fy, camera.cx, camera.cy))


def _crop(source: DataSource, weights: LoadedWeights) -> str | None:
    """The model's crop, if the frames have the size of its training frames; else None, with a warning."""
    camera, crop = weights.camera, weights.config.crop
    if not weights.config.crop_px:
        return None
    if camera is not None and _sizes(source) == {(camera.width, camera.height)}:
        return crop
    warnings.warn(
        f"the model was trained on frames cropped by {crop} (top, bottom, left, right), but frames of another size are "
        "not cropped",
        SelfDepthWarning,
        stacklevel=2,
    )
    return None


def _sizes(source: DataSource) -> set[tuple[int, int]]:
    """Width and height of the frames of every sequence."""
    return {(each.camera.width, each.camera.height) for each in source.sequences_to_predict()}
