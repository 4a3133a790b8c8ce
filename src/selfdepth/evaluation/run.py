"""A model, or anybody's predictions, against ground truth; and what a constant would reach on the same frames."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from selfdepth.data.frames import FrameRef
from selfdepth.data.store_decode import Fit
from selfdepth.errors import DataError
from selfdepth.evaluation.arrays import Quantity, check_aspect, check_pairs, read_predictions, read_truths
from selfdepth.evaluation.baselines import best_constant_depth
from selfdepth.evaluation.depth import (
    PROTOCOLS,
    DepthProtocol,
    DepthReport,
    evaluate_set,
    flip_post_process,
    resize_disparity,
)
from selfdepth.evaluation.frames import JudgedFrames, judged_frames
from selfdepth.inference.predictor import Predictor
from selfdepth.inference.weights import load_weights

Pair = tuple[str, "Float[ndarray, '_h _w']", "Float[ndarray, 'h w']"]
"""Name, disparity, ground truth."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """How depth is compared.

    Attributes:
        protocol: key in PROTOCOLS; None: the one that fits the data.
        median_scaling: whether each prediction is brought to the median of its ground truth first.
        factor: predicted depths are multiplied by this before anything else; None: by what makes them metres, where
            the model knows (`TrainConfig.metres_per_unit`), else by 1.
    """

    protocol: str | None = None
    median_scaling: bool = True
    factor: float | None = None


@dataclass(frozen=True, kw_only=True)
class DepthEvaluation:
    """Errors, and what they are to be compared with.

    Attributes:
        report: errors of the predictions.
        baseline: errors of one constant depth for all pixels of all frames, the best one for this ground truth.
        constant_m: that depth in metres.
        frames: what was compared, in words.
        other: the same predictions with median scaling where `report` is without it, and the other way round; None
            where the predictions are up to an unknown factor.
    """

    report: DepthReport
    baseline: DepthReport
    constant_m: float
    frames: str
    other: DepthReport | None = None

    def to_json(self) -> dict[str, Any]:
        """The report's values, and the baseline's beside them; of metres, the report with the other scaling too."""
        baseline = {name: value for name, value in self.baseline.to_json().items() if isinstance(value, float)}
        other = {}
        if self.other is not None:
            key = "with_median_scaling" if self.other.median_scaling else "without_median_scaling"
            other = {key: {name: value for name, value in self.other.to_json().items() if isinstance(value, float)}}
        return {
            **self.report.to_json(),
            **other,
            "baseline": {"kind": "best constant depth", "depth_m": self.constant_m, **baseline},
            "frames": self.frames,
        }


def evaluate_model(
    model: str,
    data: Path,
    *,
    split: Path | None = None,
    ground_truth: Path | None = None,
    measure: Measure | None = None,
    device: str = "auto",
    batch_size: int = 8,
    post_process: bool = False,
) -> DepthEvaluation:
    """Predict the frames of a data set with a model, in float32, and compare.

    Args:
        model: as `load_weights` takes it.
        data, split: as `judged_frames` takes them.
        ground_truth: file with one depth map per frame, in the order of the frames; default: measured by the data set.
        post_process: average with the prediction for the mirrored image (two passes).

    Raises:
        SelfDepthError: for a model, data or ground truth that cannot be used.
    """
    weights = load_weights(model)
    config = weights.config
    assert config.height is not None, "load_weights refuses configurations without a height"
    fit = Fit(width=config.width, height=config.height, crop=config.crop_px())
    frames = judged_frames(data, split, fit, every_frame=ground_truth is not None)
    if ground_truth is not None:
        frames = _with_truths(frames, ground_truth)
    predictor = Predictor(weights, device=device, precision="fp32")
    skipped: list[FrameRef] = []
    pairs = _predict(predictor, frames, skipped, batch_size=batch_size, post_process=post_process)
    measure = measure or Measure()
    if measure.factor is None:
        measure = dataclasses.replace(measure, factor=config.metres_per_unit)
    protocol = PROTOCOLS[measure.protocol or frames.protocol]
    first = next(pairs, None)
    if first is None:
        raise DataError(
            "there is no ground truth",
            where=data,
            expected="KITTI raw with velodyne_points, or a store made of it; or --ground-truth FILE",
            got=f"{len(skipped)} frames ({frames.part}) without any",
        )
    metric = config.metres_per_unit is not None
    done = _compare(itertools.chain([first], pairs), protocol, measure, frames.part, both=metric)
    n_skipped = done.report.skipped + len(skipped)
    return dataclasses.replace(done, report=dataclasses.replace(done.report, skipped=n_skipped))


def evaluate_files(
    predictions: Path, ground_truth: Path, *, quantity: Quantity = "disparity", measure: Measure | None = None
) -> DepthEvaluation:
    """Compare predictions in a file with ground truth in a file; see `read_predictions` and `read_truths`.

    Raises:
        DataError: for files that cannot be used or do not belong together.
    """
    disparities, truths = read_predictions(predictions, quantity), read_truths(ground_truth)
    check_pairs(disparities, truths, str(predictions))
    names = (f"{predictions.name} {index}" for index in range(len(truths)))
    measure = measure or Measure()
    protocol = PROTOCOLS[measure.protocol or "eigen"]
    return _compare(zip(names, disparities, truths, strict=True), protocol, measure, f"images of {predictions.name}")


def _compare(
    pairs: Iterator[Pair], protocol: DepthProtocol, measure: Measure, frames: str, *, both: bool = False
) -> DepthEvaluation:
    names: list[str] = []
    known: list[ndarray] = []
    predicted: list[ndarray] = []
    factor = 1.0 if measure.factor is None else measure.factor

    def noted() -> Iterator[Pair]:
        for name, disparity, truth in pairs:
            names.append(name)
            # For the baseline the known depths are enough: whole maps of a large set would fill the memory.
            mask = protocol.mask(truth)
            known.append(truth[mask][None])
            if both:
                predicted.append(resize_disparity(disparity, (truth.shape[0], truth.shape[1]))[mask][None])
            yield name, disparity, truth

    first, second = itertools.tee(noted())
    report = evaluate_set(
        (disparity for _, disparity, _ in first),
        (truth for _, _, truth in second),
        protocol,
        median_scaling=measure.median_scaling,
        factor=factor,
        names=names,
    )
    anywhere = dataclasses.replace(protocol, crop=None)
    constant_m = best_constant_depth(known, anywhere)
    constant = np.full((1, 1), 1 / constant_m)
    compared = [depths for depths in known if depths.size]
    # No scaling here: the best constant beats a constant brought to each image's median.
    baseline = evaluate_set([constant] * len(compared), compared, anywhere, median_scaling=False)
    other = None
    if both:
        scaling, scaled = not measure.median_scaling, [disparity for disparity in predicted if disparity.size]
        other = evaluate_set(scaled, compared, anywhere, median_scaling=scaling, factor=factor)
    return DepthEvaluation(report=report, baseline=baseline, constant_m=constant_m, frames=frames, other=other)


def _predict(
    predictor: Predictor, frames: JudgedFrames, skipped: list[FrameRef], *, batch_size: int, post_process: bool
) -> Iterator[Pair]:
    """Frames that have ground truth, with the network's disparity at its own size; the others go to `skipped`."""
    for start in range(0, len(frames.refs), batch_size):
        truths = {ref: frames.truth(ref) for ref in frames.refs[start : start + batch_size]}
        known = tuple(ref for ref in frames.refs[start : start + batch_size] if truths[ref] is not None)
        skipped += [ref for ref, truth in truths.items() if truth is None]
        images = list(frames.read(known))
        for ref, disparity in zip(known, _disparities(predictor, images, post_process), strict=True):
            truth = truths[ref]
            assert truth is not None
            yield f"{ref.sequence} {ref.number}", disparity, truth


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


def _with_truths(frames: JudgedFrames, file: Path) -> JudgedFrames:
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
        camera = frames.cameras[ref.sequence]
        check_aspect((camera.height, camera.width), truth, f"{file}, frame {ref.number} of {ref.sequence}")
    return dataclasses.replace(frames, measured=by_ref.get)
