"""Predict many inputs with one model: check everything before the first frame, then write input by input."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from selfdepth.data.frames import gaps_refused
from selfdepth.device import Precision
from selfdepth.errors import ConfigError, DataError, OutputError, SelfDepthWarning
from selfdepth.files import require_writable
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.ray_depth import describe_depth_is
from selfdepth.inference.depth_bag import bag_factor, check_bag
from selfdepth.inference.inputs import PredictionInput, cropped_as_trained
from selfdepth.inference.kitti_benchmark import benchmark_factor, require_benchmark_images
from selfdepth.inference.odometry import MotionPredictor, has_pose_network, too_few_frames
from selfdepth.inference.predictor import Predictor
from selfdepth.inference.recording import require_rerun
from selfdepth.inference.save import SaveKind, SaveOptions, check_points, output_paths, save_predictions
from selfdepth.weights.models import DepthModel, ModelName, has_confidence, load_model


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """What `predict_inputs` wrote.

    Attributes:
        predictor: the predictor that was used.
        count: number of frames.
        folders: the folder of each input's results.
        metres_per_unit: factor by which depths were multiplied for "kitti".
    """

    predictor: Predictor
    count: int
    folders: tuple[Path, ...]
    metres_per_unit: float


def predict_inputs(
    model: ModelName,
    inputs: Sequence[PredictionInput],
    out: Path,
    options: SaveOptions,
    *,
    device: str = "auto",
    precision: Precision = "auto",
    advance: Callable[[int], None] = lambda frames: None,
    say: Callable[[str], None] = lambda sentence: None,
) -> Predicted:
    """Predict every frame of the inputs, and write the kinds of output that `options` name.

    Args:
        model: any MODEL that `load_model` accepts.
        inputs: as `open_inputs` returns them.
        out: folder for the results. Where the names of several inputs would collide, each input gets a folder in it.
        options: for "kitti", a `metres_per_unit` of None stands for the model's own.
        device, precision: as for `Predictor.load`.
        advance: called with the number of frames predicted since the last call.
        say: called with sentences for the user.

    Raises:
        SelfDepthError: for an invalid model, input, option or folder, before anything is written.
    """
    # From cheap to expensive, so that a mistake is reported before a model is loaded, and all of them before a frame is
    # written.
    if "kitti" in options.kinds:
        require_benchmark_images(inputs, out / "kitti")
    folders = output_folders(inputs, out, options.kinds)
    require_writable(out, option="--out")
    ready = load_ready(model, options.kinds, device=device, precision=precision)
    return predict_ready(ready, inputs, folders, options, advance=advance, say=say)


@dataclass(frozen=True, kw_only=True)
class ReadyModel:
    """A model in memory, which predicts input after input.

    Attributes:
        model: as the user named it.
        weights, predictor: as they were read, and on the device.
        device, precision: as for `Predictor.load`.
    """

    model: str
    weights: DepthModel
    predictor: Predictor
    device: str
    precision: Precision


def load_ready(model: ModelName, kinds: tuple[SaveKind, ...], *, device: str, precision: Precision) -> ReadyModel:
    """Read a model, for these kinds of output.

    Raises:
        SelfDepthError: for an invalid model or device, or a kind that the model cannot give.
    """
    weights = load_model(model)
    _require_what_is_saved(weights, str(model), kinds)
    predictor = Predictor(weights, device=device, precision=precision)
    return ReadyModel(model=str(model), weights=weights, predictor=predictor, device=device, precision=precision)


def predict_ready(
    ready: ReadyModel,
    inputs: Sequence[PredictionInput],
    folders: Sequence[Path],
    options: SaveOptions,
    *,
    advance: Callable[[int], None] = lambda frames: None,
    say: Callable[[str], None] = lambda sentence: None,
) -> Predicted:
    """As `predict_inputs`, with a model that has been read.

    Args:
        folders: one for each input, as `output_folders` returns them.

    Raises:
        SelfDepthError: for an invalid input or option, before anything is written.
    """
    weights, predictor = ready.weights, ready.predictor.for_frames(*inputs[0].first_size)
    inputs = crop_as_trained(inputs, weights, options.kinds, say)
    warn_of_other_cameras(weights, inputs)
    say_lenses(predictor, inputs, say)
    if "kitti" in options.kinds:
        factor = benchmark_factor(predictor.metres_per_unit, options.metres_per_unit, ready.model)
        options = replace(options, metres_per_unit=factor)
    if "rrd" in options.kinds:
        require_rerun()
        say_unplaced(predictor, inputs, say)
    if "bag" in options.kinds:
        bag_factor(predictor, options.metres_per_unit, allow_relative=options.allow_relative, model=ready.model)
        for each, folder in zip(inputs, folders, strict=True):
            check_bag(each, folder, predictor)
    motion = motion_predictor(weights, inputs, options, device=ready.device, precision=ready.precision)
    if "ply" in options.kinds:
        for each in inputs:
            check_points(predictor, each)
    count = sum(
        save_predictions(predictor, each, folder, options, motion=motion, advance=advance)
        for each, folder in zip(inputs, folders, strict=True)
    )
    return Predicted(
        predictor=predictor, count=count, folders=tuple(folders), metres_per_unit=options.metres_per_unit or 1.0
    )


def output_folders(inputs: Sequence[PredictionInput], out: Path, kinds: tuple[SaveKind, ...]) -> tuple[Path, ...]:
    """The folder of each input's results.

    Raises:
        OutputError: if a result would overwrite an input.
    """
    # These kinds write files whose names do not contain the frame's.
    own_folders = len(inputs) > 1 and ({"mp4", "ply", "trajectory", "bag", "rrd"} & {*kinds} or _names_collide(inputs))
    folders = tuple(out / each.name if own_folders else out for each in inputs)
    originals = {file.resolve() for each in inputs for file in each.files}
    for each, folder in zip(inputs, folders, strict=True):
        for path in output_paths(each, folder, kinds):
            if path.resolve() in originals:
                raise OutputError("the result would replace an input", where=path, fix="give another --out")
    return folders


def crop_as_trained(
    inputs: Sequence[PredictionInput],
    weights: DepthModel,
    kinds: tuple[SaveKind, ...],
    say: Callable[[str], None],
) -> list[PredictionInput]:
    """The inputs with their frames cropped as at training.

    Not cropped are frames of another size, and those for KITTI's benchmark, which expects depth for the whole image.
    The user is told what is cropped, and warned of what is not.
    """
    crop = weights.fit.crop
    if not crop:
        return list(inputs)
    cropped = list(inputs) if "kitti" in kinds else [cropped_as_trained(each, weights) for each in inputs]
    uncropped = [new.name for new, old in zip(cropped, inputs, strict=True) if new is old]
    if len(uncropped) < len(inputs):
        say(f"frames are cropped by {crop} (top, bottom, left, right), as at training")
    if uncropped:
        warnings.warn(
            f"the model was trained on frames cropped by {crop} (top, bottom, left, right), but the frames of "
            f"{', '.join(uncropped)} are not cropped: their depth may be worse",
            SelfDepthWarning,
            stacklevel=2,
        )
    return cropped


def say_lenses(predictor: Predictor, inputs: Sequence[PredictionInput], say: Callable[[str], None]) -> None:
    """Say what becomes of the frames of cameras with a lens.

    Warns:
        SelfDepthWarning: if the model was trained on rectified frames, and the camera of these is not known.
    """
    for source in inputs:
        width, height = source.first_size
        camera = source.camera_for(width, height) or predictor.training_camera(width=width, height=height)
        sentence = predictor.describe_lens(camera)
        if sentence is not None:
            say(f"{source.name}: {sentence}")
        if camera is None and predictor.trained_on_rectified:
            warnings.warn(
                f"the model was trained on rectified frames, and its camera does not fit those of {source.name}, "
                f"{width}x{height}: they are taken as they are; if they have distortion, give --camera FILE",
                SelfDepthWarning,
                stacklevel=2,
            )


def say_unplaced(predictor: Predictor, inputs: Sequence[PredictionInput], say: Callable[[str], None]) -> None:
    """Say of which inputs a recording has pictures alone."""
    for each in inputs:
        width, height = each.first_size
        if each.camera_for(width, height) is None and predictor.training_camera(width=width, height=height) is None:
            say(f"{each.name}: its camera is not known, so the recording has pictures and no points; --camera gives it")


def motion_predictor(
    weights: DepthModel,
    inputs: Sequence[PredictionInput],
    options: SaveOptions,
    *,
    device: str,
    precision: Precision,
) -> MotionPredictor | None:
    """The pose network of the model, if a trajectory or a fused cloud needs the camera's path; else None.

    Point clouds do not require one: without it they are written frame by frame. Trajectories do.

    Raises:
        DataError: for a trajectory of frames that do not follow each other, have gaps, or are too few.
        CheckpointError: for a trajectory from a model without a pose network.
        ConfigError: if a spacing is given, but no path is computed.
    """
    for each in inputs:
        if "trajectory" in options.kinds and not each.continuous:
            raise DataError(
                "these images need not follow each other in time",
                where=each.files[0],
                expected="a video, or a folder of images whose names end in numbers",
                fix="give such an input, or leave --save trajectory out",
            )
        if "trajectory" in options.kinds and each.gaps:
            raise gaps_refused(each.files[0].parent if len(each.files) > 1 else each.files[0], each.gaps)
    path_needed = any(options.follows_camera(each) for each in inputs)
    if not path_needed or ("trajectory" not in options.kinds and not has_pose_network(weights)):
        if options.spacing is not None:
            raise ConfigError(
                "no camera path can be computed here",
                where="--every",
                expected="a model with a pose network, and a video or a folder of numbered images",
                fix="leave it out",
            )
        return None
    motion = MotionPredictor(weights, spacing=options.spacing, device=device, precision=precision)
    for each in inputs:
        n_poses = -(-len(each.names) // motion.spacing)  # rounded up: frames 0, spacing, 2 spacing, ...
        # The path of a single frame is known: it is the origin.
        if options.follows_camera(each) and 1 < n_poses < motion.plan.min_frames:
            raise too_few_frames(motion, len(each.names), where=each.name)
    return motion


def _require_confidence(weights: DepthModel, model: str, kinds: tuple[SaveKind, ...]) -> None:
    """Refuse to save the confidence of a model that does not predict it."""
    if "confidence" in kinds and not has_confidence(weights):
        raise ConfigError(
            "the model does not predict its confidence",
            where="--save confidence",
            expected="a model trained with --self-teacher",
            got=model,
            fix="leave it out, or teach one: selfdepth train PRESET --data DATA --self-teacher MODEL --out RUN",
        )


def _require_what_is_saved(weights: DepthModel, model: str, kinds: tuple[SaveKind, ...]) -> None:
    _require_confidence(weights, model, kinds)
    _require_z(weights, model, kinds)


def _require_z(weights: DepthModel, model: str, kinds: tuple[SaveKind, ...]) -> None:
    if "kitti" in kinds and weights.depth_is == "ray":
        raise ConfigError(
            "KITTI's benchmark takes depth along z",
            where="--save kitti",
            expected="a model of a pinhole camera",
            got=f"{model}, whose depth is {describe_depth_is(weights.depth_is)}",
            fix="leave it out",
        )


def warn_of_other_cameras(weights: DepthModel, inputs: Sequence[PredictionInput]) -> None:
    """Warn of frames of another camera than that through whose lens a model learned.

    The network sees pixels, and takes them for those of its own lens.
    """
    if weights.depth_is == "z" or weights.camera is None:
        return
    own = weights.camera.cropped(weights.fit.crop)
    for source in inputs:
        given, size = source.camera_for(*source.first_size), source.first_size
        if own.has_aspect_of(*size) and (given is None or _alike(given, own.resized(*size))):
            continue
        points = "its rays are not known" if given is None else "points are made with the rays of the given camera"
        warnings.warn(
            f"the frames of {source.name} are not those of the camera through whose lens the model learned: their "
            f"depth may be wrong, and {points}",
            SelfDepthWarning,
            stacklevel=2,
        )


def _alike(a: Camera, b: Camera) -> bool:
    """Whether two cameras of one size have the same rays, to 1 % of their focal lengths and sizes."""
    pairs = zip((a.fx, a.fy, a.cx, a.cy), (b.fx, b.fy, b.cx, b.cy), (b.fx, b.fy, b.width, b.height), strict=True)
    near = all(abs(one - other) <= 0.01 * size for one, other, size in pairs)
    same_lens = a.lens.model == b.lens.model and np.allclose(a.lens.coefficients, b.lens.coefficients, atol=1e-3)
    return near and same_lens


def _names_collide(inputs: Sequence[PredictionInput]) -> bool:
    names = [name for each in inputs for name in each.names]
    return len(set(names)) < len(names)
