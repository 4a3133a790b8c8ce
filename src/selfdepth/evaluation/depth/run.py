"""Evaluate depth: a model or given predictions on the frames of a data set, or files against files."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path

from selfdepth.config.quantity import SHIFTED, Quantity
from selfdepth.data.kitti.improved import IMPROVED
from selfdepth.data.truth import GivenTruth
from selfdepth.errors import ConfigError, DataError
from selfdepth.evaluation.depth.arrays import (
    check_aspect,
    check_pairs,
    read_predictions,
    read_truths,
)
from selfdepth.evaluation.depth.compare import ComparisonOptions, DepthEvaluation, Pair, compare
from selfdepth.evaluation.depth.frames import EvaluationFrames, frames_to_evaluate
from selfdepth.evaluation.depth.pairs import name_of, predicted_pairs, truths_ahead
from selfdepth.evaluation.depth.predictions import kind_of_files, kind_of_predictions, predictions_of, read_folder
from selfdepth.evaluation.depth.truth_cache import CachedTruth
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.crop_resize import CropResize
from selfdepth.inference.predictor import Predictor
from selfdepth.weights.models import DepthModel, ModelName, has_confidence, load_model
from selfdepth.weights.onnx_weights import OnnxWeights

__all__ = ["DepthEvaluation", "ComparisonOptions", "evaluate_files", "evaluate_model", "evaluate_predictions"]


def evaluate_model(
    model: ModelName,
    data: Path,
    *,
    split: str | Path | None = None,
    ground_truth: Path | None = None,
    options: ComparisonOptions | None = None,
    device: str = "auto",
    batch_size: int = 8,
    post_process: bool = False,
) -> DepthEvaluation:
    """Predict the frames of a data set with a model, in float32, and compare them with ground truth.

    Args:
        model: any MODEL that `load_model` accepts.
        data, split: for `frames_to_evaluate`.
        ground_truth: file with one depth map per frame, in the order of the frames; or folder of KITTI's improved
            ground truth. None: what the data set holds; see `_with_truth`.
        options: None: the defaults.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        batch_size: frames per forward pass.
        post_process: blend with the prediction for the mirrored image (`flip_post_process`), in two passes.

    Raises:
        SelfDepthError: for a model, data or ground truth that cannot be used.
    """
    options = options or ComparisonOptions()
    weights = load_model(model)
    require_confidence(options, weights, model)
    frames = frames_of_model(weights, data, split=split, ground_truth=ground_truth, options=options)
    # fp32 everywhere: with "auto" the errors of one model would depend on the machine.
    predictor = Predictor(for_frames(weights, frames), device=device, precision="fp32", aligned_later=True)
    return evaluate_predictor(predictor, frames, options=options, batch_size=batch_size, post_process=post_process)


def require_confidence(options: ComparisonOptions, weights: DepthModel, model: ModelName) -> None:
    """Refuse to plot the confidence of a model that predicts none. Raises ConfigError."""
    if options.need_confidence and not has_confidence(weights):
        raise ConfigError(
            "the model does not predict its confidence, so there is nothing to plot",
            where="--plots",
            expected="a model trained with --self-teacher",
            got=str(model),
            fix="leave it out",
        )


def frames_of_model(
    weights: DepthModel,
    data: Path,
    *,
    split: str | Path | None,
    ground_truth: Path | None,
    options: ComparisonOptions,
) -> EvaluationFrames:
    """The frames that the options choose, as a model sees them; the arguments are those of `evaluate_model`."""
    frames = _frames(data, split, weights.fit, ground_truth, options, weights.camera)
    frames = dataclasses.replace(frames, depth_is=weights.depth_is, seen_by=weights.camera)
    frames = dataclasses.replace(frames, fit=for_frames(weights, frames).fit)
    return frames if options.at_most is None else frames.evenly(options.at_most)


def for_frames(weights: DepthModel, frames: EvaluationFrames) -> DepthModel:
    """The model, at a size with the aspect of the frames if it takes any and states none."""
    if not isinstance(weights, OnnxWeights):
        return weights
    camera = frames.cameras[frames.refs[0].sequence]
    return weights.for_frames(camera.width, camera.height)


def evaluate_predictor(
    predictor: Predictor,
    frames: EvaluationFrames,
    *,
    options: ComparisonOptions,
    batch_size: int = 8,
    post_process: bool = False,
) -> DepthEvaluation:
    """Predict frames and compare them with their ground truth; the arguments are those of `evaluate_model`."""
    if predictor.has_shift:
        options = options.with_shift()
        if post_process:
            raise ConfigError(
                "two disparities with unknown shifts cannot be averaged",
                where="--post-process",
                got=f"--predictions-are {SHIFTED}",
                fix="leave it out",
            )
    if options.factor is None:
        options = dataclasses.replace(options, factor=predictor.metres_per_unit)
    pairs = predicted_pairs(predictor, frames, batch_size=batch_size, post_process=post_process)
    done = _compare(pairs, frames, options, both_scalings=predictor.metres_per_unit is not None)
    return dataclasses.replace(done, metric=predictor.metric)


def evaluate_predictions(
    predictions: Path,
    data: Path,
    *,
    split: str | Path | None = None,
    ground_truth: Path | None = None,
    quantity: Quantity = "disparity",
    options: ComparisonOptions | None = None,
) -> DepthEvaluation:
    """Compare given predictions for the frames of a data set with their ground truth.

    Args:
        predictions: file or folder for `predictions_of`.
        data, split, ground_truth, options: as for `evaluate_model`; a store is refused.
        quantity: what the predictions are.

    Raises:
        DataError: for predictions, data or ground truth that cannot be used or do not belong together.
    """
    options = _for_quantity(options or ComparisonOptions(), quantity)
    frames = _frames(data, split, None, ground_truth, options)
    frames = dataclasses.replace(frames, depth_is=kind_of_predictions(predictions, frames))
    disparities = predictions_of(predictions, frames, quantity)

    def pairs() -> Iterator[Pair]:
        for batch in truths_ahead(frames, batch_size=8):
            for ref, truth in batch:
                disparity = next(disparities)
                if truth is not None:
                    # Against the image, not the ground truth: Make3D's depth has another aspect than its images.
                    image = frames.cameras[ref.sequence]
                    shape = (disparity.shape[0], disparity.shape[1])
                    check_aspect(shape, (image.height, image.width), f"{predictions}, {name_of(ref)}")
                yield Pair(name=name_of(ref), disparity=disparity, truth=truth)

    return _compare(pairs(), frames, options, both_scalings=quantity == "depth-metres")


def evaluate_files(
    predictions: Path, ground_truth: Path, *, quantity: Quantity = "disparity", options: ComparisonOptions | None = None
) -> DepthEvaluation:
    """Compare predictions in files with ground truth in a file.

    Args:
        predictions: file for `read_predictions`; or folder with one file per image, whose natural order (2 before 10)
            is that of the ground truth.
        ground_truth: file for `read_truths`.
        quantity: what the predictions are.
        options: None: the defaults, with the protocol "eigen".

    Raises:
        DataError: for files that cannot be used or do not belong together.
    """
    options = _for_quantity(options or ComparisonOptions(), quantity)
    truths = read_truths(ground_truth)
    depth_is = kind_of_files(predictions, ground_truth)
    if predictions.is_dir():
        by_name = read_folder(predictions, quantity, depth_is)
        names, disparities = list(by_name), list(by_name.values())
    else:
        disparities = read_predictions(predictions, quantity)
        names = [f"{predictions.name} {index}" for index in range(len(disparities))]
    check_pairs(disparities, truths, str(predictions))
    pairs = (
        Pair(name=name, disparity=disparity, truth=truth)
        for name, disparity, truth in zip(names, disparities, truths, strict=True)
    )
    what, in_metres = f"images of {predictions.name}", quantity == "depth-metres"
    return compare(pairs, options.protocol_on("eigen"), options, what, both_scalings=in_metres)


def _for_quantity(options: ComparisonOptions, quantity: Quantity) -> ComparisonOptions:
    return options.with_shift() if quantity == SHIFTED else options


def _compare(
    pairs: Iterator[Pair], frames: EvaluationFrames, options: ComparisonOptions, *, both_scalings: bool = False
) -> DepthEvaluation:
    """Compare the pairs. Raises DataError if no frame has ground truth."""
    # `compare` would refuse this too, but could not name the files that are missing. Frames without ground truth are
    # not predicted, so looking for the first frame that has some costs little.
    until_first: list[Pair] = []
    for pair in pairs:
        until_first.append(pair)
        if pair.truth is not None:
            break
    else:
        raise _no_truth(frames)
    protocol = options.protocol_on(frames.protocol)
    all_pairs = itertools.chain(until_first, pairs)
    return compare(all_pairs, protocol, options, frames.part, both_scalings=both_scalings)


def _frames(
    data: Path,
    split: str | Path | None,
    fit: CropResize | None,
    ground_truth: Path | None,
    options: ComparisonOptions,
    camera: Camera | None = None,
) -> EvaluationFrames:
    """The frames that the options choose, with the ground truth to compare with."""
    whole = ground_truth is not None
    frames = frames_to_evaluate(
        data,
        split,
        fit,
        part=options.part,
        stream=options.stream,
        topic=options.topic,
        whole=whole,
        camera=camera,
    )
    return _with_truth(frames, split, ground_truth, options)


def _with_truth(
    frames: EvaluationFrames, split: str | Path | None, ground_truth: Path | None, options: ComparisonOptions
) -> EvaluationFrames:
    """The frames with the requested ground truth, and a protocol that fits it.

    A file overrides everything. KITTI's improved maps are read from a folder or, if the protocol or the split has their
    name, from beside the images. Otherwise the ground truth is that of the data set.

    Raises:
        DataError: for a file or folder that cannot be used, or for a cache of maps that are not computed.
    """
    requested = options.protocol or (Path(split).name if split is not None else None)
    if ground_truth is not None and not ground_truth.is_dir():
        given = dataclasses.replace(frames, truth=_from_file(frames, ground_truth))
        # A split of this name has its protocol wherever the maps are from: the published ones come as a single file.
        frames = dataclasses.replace(given, protocol=IMPROVED) if requested == IMPROVED else given
    elif ground_truth is not None or requested == IMPROVED:
        improved = frames.source.improved_truth(ground_truth)
        if improved is None and ground_truth is not None:
            raise DataError(
                "a folder of ground truth applies to KITTI raw only",
                where=f"--ground-truth {ground_truth}",
                got=str(frames.source.path),
                fix="give a .npy or .npz file",
            )
        if improved is not None:
            frames = dataclasses.replace(frames, truth=improved, protocol=IMPROVED)
    if options.truth_cache is None:
        return frames
    if not frames.truth.is_computed:
        raise DataError(
            "there are no computed depth maps to cache",
            where=f"--truth-cache {options.truth_cache}",
            expected="ground truth computed from LiDAR scans",
            got="ground truth from a file" if ground_truth is not None else f"that of {frames.source.path}",
            fix="leave the option out",
        )
    return dataclasses.replace(frames, truth=CachedTruth(frames.truth, options.truth_cache))


def _from_file(frames: EvaluationFrames, file: Path) -> GivenTruth:
    """The ground truth in a file with one map per frame, in the order of the frames.

    Raises:
        DataError: if the file cannot be used, or its maps cannot be of these frames.
    """
    truths = read_truths(file)
    if len(truths) != len(frames.refs):
        raise DataError(
            "there are not as many ground truths as frames",
            where=file,
            expected=f"{len(frames.refs)}, one for each of the {frames.part}",
            got=str(len(truths)),
        )
    by_ref = dict(zip(frames.refs, truths, strict=True))
    for ref, truth in by_ref.items():
        camera, shape = frames.cameras[ref.sequence], (truth.shape[0], truth.shape[1])
        check_aspect((camera.height, camera.width), shape, f"{file}, frame {ref.number} of {ref.sequence}")
    return GivenTruth(by_ref)


def _no_truth(frames: EvaluationFrames) -> DataError:
    """The refusal of frames none of which has ground truth, with the place where it was looked for."""
    root = frames.truth.root
    return DataError(
        "there is no ground truth",
        where=frames.source.path if root is None else root,
        expected=frames.truth.layout,
        got=f"{len(frames.refs)} frames ({frames.part}) without any",
        fix="name the folder with --ground-truth" if frames.protocol == IMPROVED else None,
    )
