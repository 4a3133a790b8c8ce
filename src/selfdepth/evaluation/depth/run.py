"""A model, or anybody's predictions, on the frames of a data set; and files against files."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from selfdepth.data.frames import FrameRef
from selfdepth.data.kitti.improved import IMPROVED, LAYOUT, ImprovedTruth
from selfdepth.data.kitti.raw import KittiTruth
from selfdepth.errors import DataError
from selfdepth.evaluation.depth.arrays import Quantity, check_aspect, check_pairs, read_predictions, read_truths
from selfdepth.evaluation.depth.compare import ComparisonOptions, DepthEvaluation, Pair, compare
from selfdepth.evaluation.depth.frames import EvaluationFrames, frames_to_evaluate
from selfdepth.evaluation.depth.metrics import flip_post_process
from selfdepth.evaluation.depth.predictions import predictions_of, read_folder
from selfdepth.evaluation.depth.truth_cache import CachedTruth
from selfdepth.geometry.crop_resize import CropResize
from selfdepth.inference.predictor import Predictor
from selfdepth.weights.files import load_weights

__all__ = ["DepthEvaluation", "ComparisonOptions", "evaluate_files", "evaluate_model", "evaluate_predictions"]

_BATCHES_AHEAD = 2
"""Ground truth is made while the network computes, this many batches early."""


def evaluate_model(
    model: str,
    data: Path,
    *,
    split: str | Path | None = None,
    ground_truth: Path | None = None,
    measure: ComparisonOptions | None = None,
    device: str = "auto",
    batch_size: int = 8,
    post_process: bool = False,
) -> DepthEvaluation:
    """Predict the frames of a data set with a model, in float32, and compare.

    Args:
        model: as `load_weights` takes it.
        data, split: as `frames_to_evaluate` takes them.
        ground_truth: file with one depth map per frame, in the order of the frames; or folder of KITTI's improved
            ground truth. Default: measured by the data set; see `_with_truths`.
        post_process: average with the prediction for the mirrored image (two passes).

    Raises:
        SelfDepthError: for a model, data or ground truth that cannot be used.
    """
    weights = load_weights(model)
    config = weights.config
    assert config.height is not None, "load_weights refuses configurations without a height"
    fit = CropResize(width=config.width, height=config.height, crop=config.crop_px())
    measure = measure or ComparisonOptions()
    frames = frames_to_evaluate(data, split, fit, part=measure.part, every_frame=ground_truth is not None)
    frames = _with_truths(frames, data, split, ground_truth, measure)
    if measure.at_most is not None:
        frames = frames.evenly(measure.at_most)
    predictor = Predictor(weights, device=device, precision="fp32")
    if measure.factor is None:
        measure = dataclasses.replace(measure, factor=config.metres_per_unit)
    skipped: list[FrameRef] = []
    pairs = _predict(predictor, frames, skipped, batch_size=batch_size, post_process=post_process)
    return _compare(pairs, frames, measure, skipped, data, both=config.metres_per_unit is not None)


def evaluate_predictions(
    predictions: Path,
    data: Path,
    *,
    split: str | Path | None = None,
    ground_truth: Path | None = None,
    quantity: Quantity = "disparity",
    measure: ComparisonOptions | None = None,
) -> DepthEvaluation:
    """Compare anybody's predictions for the frames of a data set with their ground truth.

    Args:
        predictions: as `predictions_of` takes them.
        data, split, ground_truth: as for `evaluate_model`; a store is refused.

    Raises:
        DataError: for predictions, data or ground truth that cannot be used or do not belong together.
    """
    measure = measure or ComparisonOptions()
    frames = frames_to_evaluate(data, split, None, part=measure.part, every_frame=ground_truth is not None)
    frames = _with_truths(frames, data, split, ground_truth, measure)
    disparities = predictions_of(predictions, frames, quantity)
    skipped: list[FrameRef] = []

    def pairs() -> Iterator[Pair]:
        for truths in _truths_ahead(frames, batch_size=8):
            for ref, truth in truths:
                disparity = next(disparities)
                if truth is None:
                    skipped.append(ref)
                    continue
                name = f"{ref.sequence} {ref.number}"
                image = frames.cameras[ref.sequence]  # Make3D's depth has another aspect than its images
                shape = (disparity.shape[0], disparity.shape[1])
                check_aspect(shape, (image.height, image.width), f"{predictions}, {name}")
                yield name, disparity, truth

    return _compare(pairs(), frames, measure, skipped, data)


def evaluate_files(
    predictions: Path, ground_truth: Path, *, quantity: Quantity = "disparity", measure: ComparisonOptions | None = None
) -> DepthEvaluation:
    """Compare predictions with ground truth in a file; see `read_truths`.

    Args:
        predictions: as `read_predictions` takes them, or a folder of files whose names are in the truths' order, as
            people count (2 before 10).

    Raises:
        DataError: for files that cannot be used or do not belong together.
    """
    truths = read_truths(ground_truth)
    if predictions.is_dir():
        by_name = read_folder(predictions, quantity)
        names, disparities = list(by_name), list(by_name.values())
    else:
        disparities = read_predictions(predictions, quantity)
        names = [f"{predictions.name} {index}" for index in range(len(disparities))]
    check_pairs(disparities, truths, str(predictions))
    measure = measure or ComparisonOptions()
    protocol = measure.protocol_on("eigen")
    return compare(zip(names, disparities, truths, strict=True), protocol, measure, f"images of {predictions.name}")


def _compare(
    pairs: Iterator[Pair],
    frames: EvaluationFrames,
    measure: ComparisonOptions,
    skipped: list[FrameRef],
    data: Path,
    *,
    both: bool = False,
) -> DepthEvaluation:
    """Compare the pairs; the frames that had to be `skipped` on the way are counted, and may not be all."""
    first = next(pairs, None)
    if first is None:
        improved = isinstance(frames.measured, ImprovedTruth)
        scans = "KITTI raw with velodyne_points, or a store made of it; or --ground-truth FILE"
        raise DataError(
            "there is no ground truth",
            where=frames.measured.root if isinstance(frames.measured, ImprovedTruth) else data,
            expected=LAYOUT if improved else scans,
            got=f"{len(skipped)} frames ({frames.part}) without any",
            fix="name the folder with --ground-truth" if improved else None,
        )
    done = compare(
        itertools.chain([first], pairs), measure.protocol_on(frames.protocol), measure, frames.part, both=both
    )
    n_skipped = done.report.skipped + len(skipped)
    return dataclasses.replace(done, report=dataclasses.replace(done.report, skipped=n_skipped))


def _predict(
    predictor: Predictor, frames: EvaluationFrames, skipped: list[FrameRef], *, batch_size: int, post_process: bool
) -> Iterator[Pair]:
    """Frames that have ground truth, with the network's disparity at its own size; the others go to `skipped`."""
    for truths in _truths_ahead(frames, batch_size):
        known = [(ref, truth) for ref, truth in truths if truth is not None]
        skipped += [ref for ref, truth in truths if truth is None]
        images = list(frames.read(tuple(ref for ref, _ in known)))
        for (ref, truth), disparity in zip(known, _disparities(predictor, images, post_process), strict=True):
            yield f"{ref.sequence} {ref.number}", disparity, truth


def _truths_ahead(
    frames: EvaluationFrames, batch_size: int
) -> Iterator[list[tuple[FrameRef, Float[ndarray, "_h _w"] | None]]]:
    """The frames with their ground truth or None, in batches; some batches early, on all processors."""
    pool = ThreadPoolExecutor(max_workers=os.cpu_count())
    try:
        ahead: deque[list[tuple[FrameRef, Future[Float[ndarray, "_h _w"] | None]]]] = deque()
        for start in range(0, len(frames.refs), batch_size):
            ahead.append([(ref, pool.submit(frames.truth, ref)) for ref in frames.refs[start : start + batch_size]])
            if len(ahead) > _BATCHES_AHEAD:
                yield [(ref, truth.result()) for ref, truth in ahead.popleft()]
        while ahead:
            yield [(ref, truth.result()) for ref, truth in ahead.popleft()]
    finally:
        pool.shutdown(cancel_futures=True)


def _disparities(
    predictor: Predictor, images: Sequence[UInt8[ndarray, "h w 3"]], post_process: bool
) -> list[Float[ndarray, "h w"]]:
    disparities = [prediction.disparity for prediction in predictor.predict_batch(images)]
    if not post_process:
        return disparities
    mirrored = predictor.predict_batch([np.ascontiguousarray(image[:, ::-1]) for image in images])
    return [
        flip_post_process(disparity, other.disparity[:, ::-1])
        for disparity, other in zip(disparities, mirrored, strict=True)
    ]


def _with_truths(
    frames: EvaluationFrames,
    data: Path,
    split: str | Path | None,
    ground_truth: Path | None,
    measure: ComparisonOptions,
) -> EvaluationFrames:
    """The frames with the ground truth that was asked for.

    That is a file's; or KITTI's improved one, of a folder, or of the data's own where protocol or split have its name;
    or what the data set measured.
    """
    asked = measure.protocol or (Path(split).name if split is not None else None)
    improved = frames.root is not None and (ground_truth is not None or asked == IMPROVED)
    scans = ground_truth is None and not improved and isinstance(frames.measured, KittiTruth)
    if measure.truth_cache is not None and not scans:
        raise DataError(
            "there are no depth maps to keep",
            where=f"--truth-cache {measure.truth_cache}",
            expected="ground truth made of LiDAR scans",
            got="ground truth from a file" if ground_truth is not None else f"that of {data}",
            fix="leave the option out",
        )
    if ground_truth is not None and not ground_truth.is_dir():
        given = _from_file(frames, ground_truth)
        return dataclasses.replace(given, protocol=IMPROVED) if asked == IMPROVED else given
    if ground_truth is not None and frames.root is None:
        raise DataError(
            "a folder of ground truth applies to KITTI raw only",
            where=f"--ground-truth {ground_truth}",
            got=str(data),
            fix="give a .npy or .npz file",
        )
    if improved:
        root = ground_truth or frames.root
        assert root is not None, "one of both makes it improved"
        return dataclasses.replace(frames, measured=ImprovedTruth(root), protocol=IMPROVED)
    if measure.truth_cache is not None and isinstance(frames.measured, KittiTruth):
        return dataclasses.replace(frames, measured=CachedTruth(frames.measured, measure.truth_cache))
    return frames


def _from_file(frames: EvaluationFrames, file: Path) -> EvaluationFrames:
    """The frames with the ground truth of a file instead, which is in their order."""
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
    return dataclasses.replace(frames, measured=by_ref.get)
