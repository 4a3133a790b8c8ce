"""Validation on the whole validation set: the loss of every clip, and depth errors where there is ground truth."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from itertools import zip_longest
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.frames import FrameRef
from selfdepth.engine.setup import Run, seed_step
from selfdepth.errors import DataError
from selfdepth.evaluation.depth.frames import compared, cropped_truth
from selfdepth.evaluation.depth.metrics import METRICS, DepthReport, ImageErrors, evaluate_image, summarize
from selfdepth.evaluation.depth.units import truth_out_of_range
from selfdepth.geometry.crop_resize import CropResize
from selfdepth.structs import Batch

_CLIPS_AT_ONCE = 16
"""Of a batch of validation, at most."""


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


def validate(run: Run, constant: float | None = None) -> Validation:
    """Compare every validation clip, and every prediction that has ground truth.

    Each process of the run takes its share of the batches, and all get the result. It is that of one process, to the
    last digit where they compute alike.

    Args:
        constant: `constant` of this run's validation, from an earlier one; None: it is computed.

    In evaluation mode: with the running statistics of batch normalisation, the result of a clip does not depend on the
    others in its batch, and validation does not change the networks. Afterwards they are in training mode again.
    """
    shares = run.world.gather(_own_batches(run, with_constant=constant is None))
    # In the order in which one process meets them: batch by batch, each process in its turn.
    batches = [batch for turn in zip_longest(*shares) for batch in turn if batch is not None]
    images = [image for batch in batches for image in batch["images"]]
    losses = [batch["loss"] for batch in batches if batch["loss"] is not None]
    clips = len(run.data.val.clips.with_source)
    problems = [image["problem"] for image in images if "problem" in image]
    depth, scaled = None, None
    if any("truth" in image for image in images):
        try:
            depth, scaled = _depth(run, images)
            if constant is None:
                constant = float(np.mean([image["constant"] for image in images if "constant" in image]))
        except DataError as error:
            problems.append(str(error))
    return Validation(
        loss=sum(losses) / clips if clips else None,
        depth=depth,
        scaled=scaled,
        spread=float(np.mean([image["spread"] for image in images])) if images else None,
        constant=constant,
        problems=tuple(problems),
    )


@torch.no_grad()
def _own_batches(run: Run, *, with_constant: bool) -> list[dict[str, Any]]:
    """What this process finds in its share of the batches, as JSON values: the loss of each, and its images."""
    rank, size = run.world.rank, run.world.size
    found = []
    run.learner.eval()
    try:
        # Batches that do not depend on the number of processes, nor would fill the memory of each at a large one.
        clips_at_once = min(run.config.batch_size, _CLIPS_AT_ONCE)
        for turn, (refs, batch) in enumerate(run.data.val.evaluation_batches(clips_at_once, share=(rank, size))):
            seed_step(run.config.seed, turn * size + rank)  # the tie-breaking noise, the same at every validation
            loss = None
            if batch.frames.shape[1] > 1:
                output = run.learner(batch)
                loss = float(output.loss) * len(refs)  # the last batch may be smaller
                finest = output.disparity
            else:  # a target without sources cannot be rebuilt, but its depth can be evaluated
                finest = run.learner.predict_disparity(batch)
            predicted = run.depth_range.disparity(finest)[:, 0].float().cpu().numpy()
            spreads = _spreads(predicted, batch)
            images = [
                {"spread": spread} | _errors(run, ref, disparity, with_constant=with_constant)
                for ref, disparity, spread in zip(refs, predicted, spreads, strict=True)
            ]
            found.append({"loss": loss, "images": images})
    finally:
        run.learner.train()
    return found


def _errors(run: Run, ref: FrameRef, disparity: Float[ndarray, "h w"], *, with_constant: bool) -> dict[str, Any]:
    """The errors of a prediction after median scaling, those in metres if the scale is known, and a constant's.

    Or what hinders: "problem", a sentence about the ground truth; "broken", one about the prediction; "beyond", the
    least, median and largest depth of a map of which nothing counts. Nothing without ground truth.
    """
    try:
        pair = _with_truth(run, ref, disparity)
    except DataError as error:  # a damaged scan must not end a run that does not learn from it
        return {"problem": str(error)}
    if pair is None:
        return {}
    mapped, truth = pair
    factor = run.config.metres_per_unit
    evaluate = partial(evaluate_image, truth=truth, protocol=run.data.protocol)
    try:
        scaled = evaluate(mapped, factor=factor or 1.0, name=f"frame {ref.number} of {ref.sequence}")
        if scaled is None:
            known = truth[truth > 0]
            values = [float(f(known)) for f in (np.min, np.median, np.max)] if known.size else None
            return {"truth": True, "beyond": values}
        errors = {"truth": True, "scaled": asdict(scaled)}
        if factor is not None:
            metres = evaluate(mapped, factor=factor, median_scaling=False)
            errors["metres"] = None if metres is None else asdict(metres)
    except DataError as error:
        return {"truth": True, "broken": str(error)}
    of_constant = evaluate(np.ones_like(truth)) if with_constant else None
    return errors if of_constant is None else errors | {"constant": of_constant.abs_rel}


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


def _depth(run: Run, images: list[dict[str, Any]]) -> tuple[DepthReport, DepthReport]:
    """Errors in metres if the scale is known, else median-scaled; and median-scaled in any case.

    Raises:
        DataError: if no image has a pixel that can be compared, or a prediction is no depth.
    """
    protocol, factor = run.data.protocol, run.config.metres_per_unit
    with_truth = [image for image in images if "truth" in image]
    broken = [image["broken"] for image in with_truth if "broken" in image]
    if broken:
        raise DataError(broken[0])
    compared = [image for image in with_truth if "scaled" in image]
    beyond = [image["beyond"] for image in with_truth if image.get("beyond") is not None]
    if not compared and beyond:
        raise truth_out_of_range(np.array(beyond[-1]), protocol.min_truth, protocol.max_truth)

    def report(kind: str) -> DepthReport:
        return summarize(
            [ImageErrors(**image[kind]) for image in compared],
            protocol,
            median_scaling=kind == "scaled",
            factor=factor or 1.0,
            skipped=len(with_truth) - len(compared),
        )

    scaled = report("scaled")
    return (scaled if factor is None else report("metres")), scaled
