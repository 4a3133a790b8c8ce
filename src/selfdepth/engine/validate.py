"""Validation over the whole validation set: the loss of every clip, depth errors where there is ground truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from numpy import ndarray

from selfdepth.data.frames import FrameRef
from selfdepth.engine.setup import Run
from selfdepth.errors import DataError
from selfdepth.evaluation.depth.frames import cropped_truth
from selfdepth.evaluation.depth.metrics import METRICS, DepthReport, evaluate_set


@dataclass(frozen=True, kw_only=True)
class Validation:
    """How good the networks are now.

    Attributes:
        loss: mean over all validation clips that hold a source; None if there are none.
        depth: errors against ground truth; None where nothing is measured. Depths are compared as metres where the
            stereo baseline says what a metre is, else after median scaling.
        scaled: the same after median scaling, whatever is known.
        trouble: sentences on ground truth that could not be used. Training does not need it, and goes on.
    """

    loss: float | None
    depth: DepthReport | None = None
    scaled: DepthReport | None = None
    trouble: tuple[str, ...] = ()

    @property
    def score(self) -> float | None:
        """What `best/` is chosen by: abs_rel if depth was measured, else the loss."""
        return self.depth.abs_rel if self.depth is not None else self.loss

    def metrics(self) -> dict[str, Any]:
        """Scalars for the log."""
        scalars: dict[str, Any] = {} if self.loss is None else {"loss": self.loss}
        if self.depth is not None and self.scaled is not None:
            scalars |= {name: getattr(self.depth, name) for name in METRICS}
            scalars |= {name: getattr(self.scaled, name) for name in ("ratio_median", "ratio_spread")}
            if not self.depth.median_scaling:
                scalars["abs_rel_median_scaled"] = self.scaled.abs_rel
        return scalars


@torch.no_grad()
def validate(run: Run) -> Validation:
    """Evaluate on every validation clip, in evaluation mode; training mode is back afterwards."""
    losses: list[float] = []
    disparities: list[ndarray] = []
    truths: list[ndarray] = []
    trouble: list[str] = []
    run.learner.eval()
    try:
        for refs, batch in run.data.val.evaluation_batches(run.config.batch_size):
            if batch.frames.shape[1] > 1:
                output = run.learner(batch)
                losses.append(float(output.loss) * len(refs))
                finest = output.disparity
            else:  # without a stereo partner, there is depth to judge, but nothing to compare the target with
                finest = run.learner.see(batch)
            predicted = run.config.loss.depth_range.disparity(finest)[:, 0].float().cpu().numpy()
            for ref, disparity in zip(refs, predicted, strict=True):
                try:
                    truth = _truth(run, ref)
                except DataError as error:
                    trouble.append(str(error))
                    continue
                if truth is not None:
                    disparities.append(disparity)
                    truths.append(truth)
    finally:
        run.learner.train()
    clips = len(run.data.val.clips.with_source)
    loss = sum(losses) / clips if clips else None
    depth, scaled = None, None
    if truths:
        try:
            depth, scaled = _depth(run, disparities, truths)
        except DataError as error:
            trouble.append(str(error))
    return Validation(loss=loss, depth=depth, scaled=scaled, trouble=tuple(trouble))


def _truth(run: Run, ref: FrameRef) -> ndarray | None:
    """Ground truth of what the networks see of a frame. Raises DataError where it cannot be used."""
    camera = run.data.store.by_name[ref.sequence].camera
    return cropped_truth(run.data.truth, ref, camera, run.config.crop_px)


def _depth(run: Run, disparities: list[ndarray], truths: list[ndarray]) -> tuple[DepthReport, DepthReport]:
    """Errors as they are judged, and after median scaling. Raises DataError if no image can be compared."""
    factor = run.config.metres_per_unit
    compare = partial(evaluate_set, disparities, truths, run.data.protocol, factor=factor or 1.0)
    scaled = compare()
    return (scaled if factor is None else compare(median_scaling=False)), scaled
