"""Validation on the whole validation set: the loss of every clip, and depth errors where there is ground truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.frames import FrameRef
from selfdepth.engine.setup import Run
from selfdepth.errors import DataError
from selfdepth.evaluation.depth.frames import compared, cropped_truth
from selfdepth.evaluation.depth.metrics import METRICS, DepthReport, evaluate_set
from selfdepth.geometry.crop_resize import CropResize
from selfdepth.structs import Batch


@dataclass(frozen=True, kw_only=True)
class Validation:
    """The result of a validation.

    Attributes:
        loss: mean over all validation clips that have a source; None if there are none.
        depth: errors against ground truth; None if there is none. In metres if the stereo baseline gives the scale,
            else after median scaling.
        scaled: the same errors after median scaling in any case.
        spread: standard deviation of the disparity over its mean, within images; 0 is a constant. None without images.
        constant: abs_rel of a constant depth, after median scaling; None if there is no ground truth.
        problems: sentences about ground truth that could not be used. Training does not need it, so it continues.
    """

    loss: float | None
    depth: DepthReport | None = None
    scaled: DepthReport | None = None
    spread: float | None = None
    constant: float | None = None
    problems: tuple[str, ...] = ()

    @property
    def score(self) -> float | None:
        """The number by which `best/` is chosen, lower is better: abs_rel if there is ground truth, else the loss."""
        return self.depth.abs_rel if self.depth is not None else self.loss

    def metrics(self) -> dict[str, Any]:
        """Scalars for the log, by name."""
        scalars: dict[str, Any] = {} if self.loss is None else {"loss": self.loss}
        if self.depth is not None and self.scaled is not None:
            scalars |= {name: getattr(self.depth, name) for name in METRICS}
            scalars |= {name: getattr(self.scaled, name) for name in ("ratio_median", "ratio_spread")}
            if not self.depth.median_scaling:
                scalars["abs_rel_median_scaled"] = self.scaled.abs_rel
        if self.constant is not None:
            scalars["abs_rel_of_constant"] = self.constant
        if self.spread is not None:
            scalars["disparity_spread"] = self.spread
        return scalars


@torch.no_grad()
def validate(run: Run, constant: float | None = None) -> Validation:
    """Run the networks on every validation clip, and compare their depth with ground truth.

    Args:
        constant: as in Validation, from an earlier one; None: it is computed.

    In evaluation mode: with the running statistics of batch normalisation, the result of a clip does not depend on the
    others in its batch, and validation does not change the networks. Afterwards they are in training mode again.
    """
    losses: list[float] = []
    spreads: list[float] = []
    disparities: list[ndarray] = []
    truths: list[ndarray] = []
    problems: list[str] = []
    run.learner.eval()
    try:
        for refs, batch in run.data.val.evaluation_batches(run.config.batch_size):
            if batch.frames.shape[1] > 1:
                output = run.learner(batch)
                losses.append(float(output.loss) * len(refs))  # the last batch may be smaller
                finest = output.disparity
            else:  # a target without sources cannot be rebuilt, but its depth can be evaluated
                finest = run.learner.predict_disparity(batch)
            predicted = run.depth_range.disparity(finest)[:, 0].float().cpu().numpy()
            spreads += _spreads(predicted, batch)
            for ref, disparity in zip(refs, predicted, strict=True):
                try:
                    pair = _with_truth(run, ref, disparity)
                except DataError as error:  # a damaged scan must not end a run that does not learn from it
                    problems.append(str(error))
                    continue
                if pair is not None:
                    disparities.append(pair[0])
                    truths.append(pair[1])
    finally:
        run.learner.train()
    clips = len(run.data.val.clips.with_source)
    loss = sum(losses) / clips if clips else None
    depth, scaled = None, None
    if truths:
        try:
            depth, scaled = _depth(run, disparities, truths)
            constant = _of_constant(run, truths) if constant is None else constant
        except DataError as error:
            problems.append(str(error))
    spread = float(np.mean(spreads)) if spreads else None
    found = tuple(problems)
    return Validation(loss=loss, depth=depth, scaled=scaled, spread=spread, constant=constant, problems=found)


def _spreads(disparities: Float[ndarray, "b h w"], batch: Batch) -> list[float]:
    """Standard deviation over mean of each image, of the pixels that have a ray."""
    seen = batch.seen((disparities.shape[-2], disparities.shape[-1]))
    counted = [*disparities]
    if seen is not None:
        counted = [each[chosen] for each, chosen in zip(disparities, seen[:, 0].cpu().numpy(), strict=True)]
    return [float(each.std() / max(each.mean(), 1e-12)) for each in counted]


def _with_truth(run: Run, ref: FrameRef, disparity: Float[ndarray, "h w"]) -> tuple[ndarray, ndarray] | None:
    """A disparity and the ground truth of the part of its frame that the networks see; None if there is none.

    Raises:
        DataError: if it cannot be read, or has another size than the frame and so cannot be cropped with it.
    """
    store = run.data.store
    camera = store.by_name[ref.sequence].camera
    if run.config.learns_distortion:  # along the rays that the networks have learned
        camera = run.cameras[store.camera_numbers[ref.sequence]]
    truth = cropped_truth(run.data.truth, ref, camera, run.config.crop_px, run.data.depth_is)
    if truth is None:
        return None
    fit = CropResize(width=store.width, height=store.height, crop=store.crop, rectify=store.rectified)
    return compared(disparity, truth, camera, fit)


def _of_constant(run: Run, truths: list[ndarray]) -> float:
    """abs_rel of a constant depth after median scaling.

    Raises:
        DataError: if no image has a pixel that can be compared.
    """
    return evaluate_set([np.ones_like(truth) for truth in truths], truths, run.data.protocol).abs_rel


def _depth(run: Run, disparities: list[ndarray], truths: list[ndarray]) -> tuple[DepthReport, DepthReport]:
    """Errors in metres if the scale is known, else median-scaled; and median-scaled in any case.

    Raises:
        DataError: if no image has a pixel that can be compared.
    """
    factor = run.config.metres_per_unit
    compare = partial(evaluate_set, disparities, truths, run.data.protocol, factor=factor or 1.0)
    scaled = compare()
    return (scaled if factor is None else compare(median_scaling=False)), scaled
