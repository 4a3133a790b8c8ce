"""Validation over the whole validation set: the loss of every clip, depth errors where there is ground truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from numpy import ndarray

from selfdepth.engine.setup import Run
from selfdepth.evaluation.depth import METRICS, DepthReport, evaluate_set
from selfdepth.evaluation.frames import crop_truth
from selfdepth.geometry.warp import scaled_disparity


@dataclass(frozen=True, kw_only=True)
class Validation:
    """How good the networks are now.

    Attributes:
        loss: mean over all validation clips that hold a source; None if there are none.
        depth: errors against ground truth; None where nothing is measured. Depths are compared as metres where the
            stereo baseline says what a metre is, else after median scaling.
        scaled: the same after median scaling, whatever is known.
    """

    loss: float | None
    depth: DepthReport | None
    scaled: DepthReport | None

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
    run.learner.eval()
    try:
        for refs, batch in run.data.val.evaluation_batches(run.config.batch_size):
            if batch.frames.shape[1] > 1:
                output = run.learner(batch)
                losses.append(float(output.loss) * len(refs))
                finest = output.disparity
            else:  # without a stereo partner, there is depth to judge, but nothing to compare the target with
                finest = run.learner.see(batch)
            cfg = run.config.loss
            predicted = scaled_disparity(finest, cfg.near, cfg.far)[:, 0].float().cpu().numpy()
            for ref, disparity in zip(refs, predicted, strict=True):
                truth = run.data.truth(ref)
                if truth is not None:
                    disparities.append(disparity)
                    truths.append(crop_truth(truth, run.config.crop_px()))
    finally:
        run.learner.train()
    clips = len(run.data.val.clips.with_source)
    loss = sum(losses) / clips if clips else None
    if not truths:
        return Validation(loss=loss, depth=None, scaled=None)
    factor = run.config.metres_per_unit
    compare = partial(evaluate_set, disparities, truths, run.data.protocol, factor=factor or 1.0)
    scaled = compare()
    depth = scaled if factor is None else compare(median_scaling=False)
    return Validation(loss=loss, depth=depth, scaled=scaled)
