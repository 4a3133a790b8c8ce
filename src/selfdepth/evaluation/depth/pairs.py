"""Frames with their ground truth and what a network predicts of them, to be compared."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from selfdepth.data.frames import FrameRef
from selfdepth.evaluation.depth.compare import Pair
from selfdepth.evaluation.depth.frames import EvaluationFrames, compared, on_frame
from selfdepth.evaluation.depth.metrics import flip_post_process
from selfdepth.inference.predictor import Predictor

_BATCHES_AHEAD = 2
"""Ground truth is computed while the network predicts, at most this many batches ahead: without a limit, the maps of a
whole split would fill the memory."""


def predicted_pairs(
    predictor: Predictor, frames: EvaluationFrames, *, batch_size: int, post_process: bool
) -> Iterator[Pair]:
    """A pair for each frame; frames with ground truth have the network's disparity, at the network's size."""
    for batch in truths_ahead(frames, batch_size):
        with_truth = tuple(ref for ref, truth in batch if truth is not None)
        predicted = iter(_predicted(predictor, list(frames.read(with_truth)), post_process))
        for ref, truth in batch:
            # Without ground truth there is nothing to compare, so the network is not run on such frames.
            if truth is None:
                yield Pair(name=name_of(ref), disparity=None, truth=None)
            else:
                yield _pair(frames, ref, truth, *next(predicted))


def _pair(
    frames: EvaluationFrames,
    ref: FrameRef,
    truth: Float[ndarray, "_h _w"],
    disparity: Float[ndarray, "h w"],
    confidence: Float[ndarray, "h w"] | None,
) -> Pair:
    """What the network predicted for a frame, and its ground truth; pixel by pixel if the frame was rectified."""
    if frames.fit is not None:
        camera, fit = frames.cameras[ref.sequence], frames.source.fitting(frames.fit)
        if confidence is not None:
            confidence, _ = on_frame(confidence, (truth.shape[0], truth.shape[1]), camera, fit)
        disparity, truth = compared(disparity, truth, camera, fit)
    return Pair(name=name_of(ref), disparity=disparity, truth=truth, confidence=confidence)


def truths_ahead(
    frames: EvaluationFrames, batch_size: int
) -> Iterator[list[tuple[FrameRef, Float[ndarray, "_h _w"] | None]]]:
    """The frames with their ground truth or None, in batches; computed some batches ahead, on all cores."""
    # Threads suffice: the time goes into reading files and into numpy, which release the interpreter's lock.
    pool = ThreadPoolExecutor(max_workers=os.cpu_count())
    try:
        ahead: deque[list[tuple[FrameRef, Future[Float[ndarray, "_h _w"] | None]]]] = deque()
        for start in range(0, len(frames.refs), batch_size):
            ahead.append(
                [(ref, pool.submit(frames.truth_in_crop, ref)) for ref in frames.refs[start : start + batch_size]]
            )
            if len(ahead) > _BATCHES_AHEAD:
                yield [(ref, truth.result()) for ref, truth in ahead.popleft()]
        while ahead:
            yield [(ref, truth.result()) for ref, truth in ahead.popleft()]
    finally:
        pool.shutdown(cancel_futures=True)  # after an error, maps in the queue are of no use


def _predicted(
    predictor: Predictor, images: Sequence[UInt8[ndarray, "h w 3"]], post_process: bool
) -> list[tuple[Float[ndarray, "h w"], Float[ndarray, "h w"] | None]]:
    """Disparities of images of the network's size, at that size, and their confidences if the model has them."""
    maps = [(each.disparity, each.confidence) for each in predictor.predict_fitted(images)]
    if not post_process:
        return maps
    mirrored = predictor.predict_fitted([np.ascontiguousarray(image[:, ::-1]) for image in images])
    return [
        (
            flip_post_process(disparity, other.disparity[:, ::-1]),
            None
            if confidence is None or other.confidence is None
            else flip_post_process(confidence, other.confidence[:, ::-1]),
        )
        for (disparity, confidence), other in zip(maps, mirrored, strict=True)
    ]


def name_of(ref: FrameRef) -> str:
    """The name of a frame in reports."""
    return f"{ref.sequence} {ref.number}"
