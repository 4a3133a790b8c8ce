"""Validation over the whole validation set: the loss of every clip, depth errors where there is ground truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from numpy import ndarray

from selfdepth.engine.setup import Run
from selfdepth.evaluation.depth import DepthReport, evaluate_set
from selfdepth.evaluation.frames import crop_truth
from selfdepth.geometry.warp import scaled_disparity


@dataclass(frozen=True, kw_only=True)
class Validation:
    """How good the networks are now.

    Attributes:
        loss: mean over all validation clips; None if there are none.
        depth: errors against ground truth after median scaling; None where nothing is measured.
    """

    loss: float | None
    depth: DepthReport | None

    @property
    def score(self) -> float | None:
        """What `best/` is chosen by: abs_rel if depth was measured, else the loss."""
        return self.depth.abs_rel if self.depth is not None else self.loss

    def metrics(self) -> dict[str, Any]:
        """Scalars for the log."""
        scalars: dict[str, Any] = {} if self.loss is None else {"loss": self.loss}
        if self.depth is not None:
            names = ("abs_rel", "sq_rel", "rmse", "rmse_log", "a1", "a2", "a3", "ratio_median", "ratio_spread")
            scalars |= {name: getattr(self.depth, name) for name in names}
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
            output = run.learner(batch)
            losses.append(float(output.loss) * len(refs))
            cfg = run.config.loss
            predicted = scaled_disparity(output.disparity, cfg.near, cfg.far)[:, 0].float().cpu().numpy()
            for ref, disparity in zip(refs, predicted, strict=True):
                truth = run.data.truth(ref)
                if truth is not None:
                    disparities.append(disparity)
                    truths.append(crop_truth(truth, run.config.crop_px()))
    finally:
        run.learner.train()
    clips = len(run.data.val.clips)
    return Validation(
        loss=sum(losses) / clips if clips else None,
        depth=evaluate_set(disparities, truths, run.data.protocol) if truths else None,
    )
