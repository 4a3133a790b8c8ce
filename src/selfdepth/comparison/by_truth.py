"""Judging models by ground truth, as `evaluate depth` does, beside baselines that do not look at the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.comparison.candidates import Candidate
from selfdepth.comparison.result import CONSTANT, ROWS, SHOWN, Errors, Judged, View
from selfdepth.errors import DataError
from selfdepth.evaluation.depth.baselines import profile_disparity, row_profile
from selfdepth.evaluation.depth.compare import ComparisonOptions, DepthEvaluation, align
from selfdepth.evaluation.depth.frames import EvaluationFrames
from selfdepth.evaluation.depth.metrics import DepthReport, evaluate_set, resize_disparity
from selfdepth.evaluation.depth.pairs import truths_ahead
from selfdepth.evaluation.depth.run import evaluate_predictor
from selfdepth.geometry.camera import resample
from selfdepth.inference.visualize import colorize_disparity


def by_truth(candidates: Sequence[Candidate], sights: Sequence[EvaluationFrames], options: ComparisonOptions) -> Judged:
    """Errors by the protocol of `evaluate depth`, each frame at its true median.

    If one of the models gives disparity up to a shift, those of all are aligned by scale and shift.

    Args:
        sights: the frames as each of the candidates sees them.

    Raises:
        SelfDepthError: for frames or ground truth that cannot be read, and predictions that are no depth.
    """
    shifted = [each.name for each in candidates if each.predictor.has_shift]
    if shifted:
        options = options.with_shift()
    done = [
        evaluate_predictor(each.predictor, seen, options=options) for each, seen in zip(candidates, sights, strict=True)
    ]
    first = done[0]
    errors = [_errors(each.report, each.other) for each in done]
    if len({each.frames.shape for each in errors}) > 1:
        raise DataError("the models do not see the same frames with ground truth", where=sights[0].source.path)
    baselines = {CONSTANT: _errors(first.baseline), ROWS: _errors(_row_baseline(sights[0], first))}
    scaled = "the depth of each frame is scaled to its true median"
    if shifted:
        scaled = (
            f"{' and '.join(shifted)} gives disparity up to a shift, so the disparity of each frame is aligned by "
            "scale and shift, by least squares, that of every model and of the mean of each row"
        )
    return Judged(
        errors=errors,
        baselines=baselines,
        measure="abs_rel",
        how=(
            f"protocol {first.report.protocol.name} of evaluate depth; {scaled}",
            f"the best constant, {first.constant_m:.1f} m, and the mean of each row are those of these very frames",
        ),
        frames=f"{len(first.report.images)} {first.frames}",
        views=_views(candidates, sights, done),
    )


def _errors(report: DepthReport, other: DepthReport | None = None) -> Errors:
    return Errors(
        mean=report.abs_rel,
        frames=np.array([image.abs_rel for image in report.images]),
        depth=report,
        in_metres=None if other is None else other.abs_rel,
    )


def _row_baseline(frames: EvaluationFrames, done: DepthEvaluation) -> DepthReport:
    """Errors of the mean depth of each row of the true depths themselves, each frame at its true median."""
    protocol = done.report.protocol

    def truths() -> list[ndarray]:
        return [truth for batch in truths_ahead(frames, 8) for _, truth in batch if truth is not None]

    found = truths()
    rows = profile_disparity(row_profile(found, protocol, len(found[0])), 1)
    if done.shift:
        aligned = [align(rows, each, protocol) for each in found]
        return evaluate_set(aligned, found, protocol, median_scaling=False)
    return evaluate_set([rows] * len(found), found, protocol)


def _views(
    candidates: Sequence[Candidate], sights: Sequence[EvaluationFrames], done: Sequence[DepthEvaluation]
) -> tuple[View, ...]:
    by_name = {f"{ref.sequence} {ref.number}": ref for ref in sights[0].refs}
    images = done[0].report.images
    views = []
    for index in np.unique(np.linspace(0, len(images) - 1, min(SHOWN, len(images))).round().astype(int)).tolist():
        ref = by_name[images[index].name]
        (frame,) = sights[0].read((ref,))
        truth = sights[0].truth_in_crop(ref)
        assert truth is not None, "it was compared"
        near = np.divide(1, truth, out=np.zeros_like(truth), where=truth > 0)
        high = float(np.percentile(near[near > 0], 97))
        true = colorize_disparity(_thick(near), low=0, high=high)
        pictures = [("image", frame), ("true", resample(true, frame.shape[1], frame.shape[0]))]
        for each, seen, evaluation in zip(candidates, sights, done, strict=True):
            row = evaluation.report.images[index]
            (image,) = seen.read((ref,))
            found = each.predictor.predict_fitted([image])[0].disparity
            if evaluation.shift:
                found = align(found, truth, evaluation.report.protocol)
            else:
                found = found / ((row.ratio or 1.0) * evaluation.report.factor)
            disparity = resize_disparity(found, (frame.shape[0], frame.shape[1]))
            pictures.append((f"{each.name}: {row.abs_rel:.3f}", colorize_disparity(disparity, low=0, high=high)))
        views.append(View(name=f"frame {ref.number} of {ref.sequence}", pictures=tuple(pictures)))
    return tuple(views)


def _thick(disparity: Float[ndarray, "h w"]) -> Float[ndarray, "h w"]:
    """A disparity whose points are as wide as can be seen: a scan has one in twenty pixels."""
    from scipy.ndimage import grey_dilation

    return disparity if (disparity > 0).mean() > 0.5 else np.asarray(grey_dilation(disparity, size=(5, 5)))
