"""Compare models on the same frames: errors, times, sizes, beside baselines that do not look at the image."""

from __future__ import annotations

import dataclasses
import statistics
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch

from selfdepth.comparison.by_neighbours import by_neighbours
from selfdepth.comparison.by_truth import by_truth
from selfdepth.comparison.candidates import Candidate, open_candidates
from selfdepth.comparison.request import CompareRequest
from selfdepth.comparison.result import Comparison, Entry, Errors
from selfdepth.data.truth import NoTruth
from selfdepth.errors import ConfigError, SelfDepthWarning
from selfdepth.evaluation.depth.frames import EvaluationFrames
from selfdepth.evaluation.depth.run import frames_of_model

_TIMED = 10
"""Frames that are timed."""


def compare_models(request: CompareRequest, data: Path) -> Comparison:
    """Compare models.

    Args:
        data: the path of `request.data`.

    Raises:
        SelfDepthError: for a model or data that cannot be used, or models that cannot be compared.
    """
    candidates = open_candidates(request.models, request.predictions_are, request.device, request.network_takes)
    sights = [_frames(candidate, request, data) for candidate in candidates]
    sized = [_sized(candidate, seen) for candidate, seen in zip(candidates, sights, strict=True)]
    _warn_of_crops(sized)
    first = sights[0]
    measured = not isinstance(first.truth, NoTruth) and any(first.truth.may_have(ref) for ref in first.refs)
    if measured and request.motion_from is not None:
        raise ConfigError(
            "--motion-from is for data without ground truth",
            got=request.motion_from,
            fix=f"leave it out: {first.part} of {request.data} have ground truth",
        )
    if measured and request.options.at_most is not None:  # else those with neighbours are chosen from
        sights = [each.evenly(request.options.at_most) for each in sights]
    judged = by_truth(sized, sights, request.options) if measured else by_neighbours(sized, sights, request)
    here = [candidate.trained_on(data) for candidate in sized]
    how = list(judged.how)
    if any(here) and first.selection.part in ("all", "train"):
        how.append("these frames include those that the models of this data were trained on, which flatters them")
    entries = [_entry(*each) for each in zip(sized, judged.errors, _times_ms(sized, sights), here, strict=True)]
    return Comparison(
        entries=tuple(entries),
        baselines=judged.baselines,
        measure=judged.measure,
        how=(*how, _how_timed(sized)),
        frames=judged.frames,
        data=request.data,
        views=judged.views,
    )


def _entry(candidate: Candidate, errors: Errors, ms: float, trained_here: bool) -> Entry:
    return Entry(
        name=candidate.name,
        model=candidate.model,
        kind=candidate.kind,
        trained_here=trained_here,
        size=(candidate.predictor.width, candidate.predictor.height),
        unit=candidate.predictor.scale,
        errors=errors,
        ms=ms,
        bytes=candidate.bytes,
        parameters=candidate.parameters,
        has_shift=candidate.predictor.has_shift,
    )


def _frames(candidate: Candidate, request: CompareRequest, data: Path) -> EvaluationFrames:
    return frames_of_model(
        candidate.weights,
        data,
        split=request.split,
        ground_truth=request.ground_truth,
        options=dataclasses.replace(request.options, at_most=None),
    )


def _sized(candidate: Candidate, frames: EvaluationFrames) -> Candidate:
    camera = frames.cameras[frames.refs[0].sequence]
    return dataclasses.replace(candidate, predictor=candidate.predictor.for_frames(camera.width, camera.height))


def _warn_of_crops(candidates: Sequence[Candidate]) -> None:
    crops = {str(each.weights.fit.crop) for each in candidates}
    if len(crops) > 1:
        sentence = f"the models were trained on differently cropped frames ({', '.join(sorted(crops))}): each is judged"
        warnings.warn(f"{sentence} on the part that it sees", SelfDepthWarning, stacklevel=3)


def _times_ms(candidates: Sequence[Candidate], sights: Sequence[EvaluationFrames]) -> list[float]:
    """Median milliseconds of a frame, one at a time, the models taking turns."""
    times: list[list[float]] = [[] for _ in candidates]
    refs = sights[0].evenly(_TIMED).refs
    for ref in refs:
        for i, (each, seen) in enumerate(zip(candidates, sights, strict=True)):
            images = list(seen.read((ref,)))
            each.predictor.predict_fitted(images)  # caches are warm, and threads of the one before are at rest
            start = time.perf_counter()
            each.predictor.predict_fitted(images)
            times[i].append((time.perf_counter() - start) * 1000)
    return [statistics.median(each) for each in times]


def _how_timed(candidates: Sequence[Candidate]) -> str:
    devices = sorted({str(each.predictor.device) for each in candidates})
    threads = f", {torch.get_num_threads()} threads" if "cpu" in devices else ""
    return (
        "the ms of a frame are the median, one at a time and the models in turn, from a picture of the network's size "
        f"to depth of that size, on {' and '.join(devices)}{threads}"
    )
