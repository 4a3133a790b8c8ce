"""Prediction along many frames: decoding, the network and writing at the same time."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Literal, TypeVar

from jaxtyping import UInt8
from numpy import ndarray

from selfdepth.geometry.camera import Camera
from selfdepth.inference.predictor import Predictor
from selfdepth.inference.visualize import (
    ColourRange,
    colorize_disparity,
    colour_range,
    side_by_side,
    smooth_range,
)
from selfdepth.inference.writers import FRAME_WRITERS, VideoWriter, create_video, write_png16_note
from selfdepth.structs import DepthPrediction

SaveKind = Literal["color", "npz", "png16", "mp4"]
VIDEO_NAME = "video.mp4"

_T = TypeVar("_T")


def no_camera(width: int, height: int) -> Camera | None:
    """For frames whose camera was not given: the prediction carries the model's, where that fits."""
    return None


@dataclass(frozen=True, kw_only=True)
class FrameSource:
    """Frames to predict, in order.

    Attributes:
        name: of the input, for a folder of its own where several inputs are written.
        names: one output name per frame, all different.
        read: starts decoding; gives RGB frames, one per name.
        first_size: width and height of the first frame, pixels.
        rate: frames per second of a video made of them.
        continuous: frames follow each other in time, so their colours shall not flicker.
        camera_for: intrinsics of a frame from its width and height, or None.
        files: where the frames come from; never overwritten.
    """

    name: str
    names: tuple[str, ...]
    read: Callable[[], Iterator[UInt8[ndarray, "_h _w 3"]]]
    first_size: tuple[int, int]
    rate: Fraction = Fraction(10)
    continuous: bool = True
    camera_for: Callable[[int, int], Camera | None] = no_camera
    files: tuple[Path, ...] = ()


def output_paths(source: FrameSource, folder: Path, kinds: Iterable[SaveKind]) -> Iterator[Path]:
    """Every file that `save_predictions` writes for these kinds, but for the note beside 16-bit PNGs."""
    for kind in kinds:
        if kind == "mp4":
            yield folder / VIDEO_NAME
        else:
            suffix, _ = FRAME_WRITERS[kind]
            yield from (folder / kind / f"{name}{suffix}" for name in source.names)


def save_predictions(
    predictor: Predictor,
    source: FrameSource,
    folder: Path,
    kinds: tuple[SaveKind, ...],
    *,
    batch_size: int = 8,
    advance: Callable[[int], None] = lambda n: None,
) -> int:
    """Predict all frames of a source and write them as `folder/KIND/NAME.*` and `folder/video.mp4`.

    One thread decodes ahead and a few write, while the network runs. Every file appears when it is complete, so
    an interruption leaves whole files only, and no video.

    Args:
        kinds: what to write, see `writers`.
        advance: called with the number of frames that were just predicted.

    Returns:
        How many frames were written.

    Raises:
        DataError: for a frame that cannot be decoded.
        OutputError: when the place cannot be written to.
    """
    frame_kinds = tuple(kind for kind in kinds if kind != "mp4")
    if "png16" in frame_kinds:
        write_png16_note(folder / "png16", predictor.scale, predictor.metres_per_unit)
    count = 0
    with contextlib.ExitStack() as stack:
        video = stack.enter_context(create_video(folder / VIDEO_NAME, source.rate)) if "mp4" in kinds else None
        files = stack.enter_context(_Jobs(workers=min(4, os.cpu_count() or 1)))
        film = stack.enter_context(_Jobs(workers=1))  # a video's frames are encoded in their order
        for name, image, prediction, colours in _predictions(predictor, source, batch_size):
            for kind in frame_kinds:
                suffix, write = FRAME_WRITERS[kind]
                files.submit(write, folder / kind / f"{name}{suffix}", prediction, colours)
            if video is not None:
                film.submit(_write_film_frame, video, image, prediction, colours)
            count += 1
            advance(1)
    return count


def read_ahead(items: Iterable[_T], depth: int) -> Iterator[_T]:
    """The same items, made by another thread up to `depth` items early. An exception in it comes out here."""
    ready: queue.Queue[_T | _End] = queue.Queue(maxsize=depth)
    stop = threading.Event()

    def put(item: _T | _End) -> None:
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                ready.put(item, timeout=0.1)
                break

    def work() -> None:
        try:
            for item in items:
                put(item)
                if stop.is_set():
                    return
            put(_End())
        except BaseException as error:
            put(_End(error))

    thread = threading.Thread(target=work, name="read-ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stop.set()
        thread.join()


@dataclass(frozen=True)
class _End:
    error: BaseException | None = None


class _Jobs:
    """Threads that work off jobs; `submit` waits while too many are pending, and raises what a job raised."""

    def __init__(self, *, workers: int) -> None:
        self._pool = ThreadPoolExecutor(workers)
        self._pending: deque[Future[None]] = deque()
        self._limit = 4 * workers

    def submit(self, function: Callable[..., None], *arguments: object) -> None:
        while len(self._pending) >= self._limit:
            self._pending.popleft().result()
        self._pending.append(self._pool.submit(function, *arguments))

    def __enter__(self) -> _Jobs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            while error is None and self._pending:
                self._pending.popleft().result()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)


def _predictions(
    predictor: Predictor, source: FrameSource, batch_size: int
) -> Iterator[tuple[str, UInt8[ndarray, "h w 3"], DepthPrediction, ColourRange]]:
    colours: ColourRange | None = None
    with contextlib.closing(read_ahead(source.read(), depth=2 * batch_size)) as frames:  # type: ignore[type-var]
        named = zip(source.names, frames, strict=False)
        while batch := list(itertools.islice(named, batch_size)):
            for (name, image), prediction in zip(
                batch, predictor.predict_batch([image for _, image in batch]), strict=True
            ):
                current = colour_range(prediction.disparity)
                colours = smooth_range(colours if source.continuous else None, current)
                camera = source.camera_for(image.shape[1], image.shape[0])
                if camera is not None:
                    prediction = dataclasses.replace(prediction, camera=camera)
                yield name, image, prediction, colours


def _write_film_frame(
    video: VideoWriter, image: UInt8[ndarray, "h w 3"], prediction: DepthPrediction, colours: ColourRange
) -> None:
    low, high = colours
    video.write(side_by_side(image, colorize_disparity(prediction.disparity, low=low, high=high)))
