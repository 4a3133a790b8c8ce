"""The live loop: the newest frame, its depth, a picture for whoever looks, a frame of the recording; again."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera, crop
from selfdepth.inference.pixels import require_large_enough
from selfdepth.inference.predict import ReadyModel
from selfdepth.inference.predictor import Predictor
from selfdepth.inference.visualize import ColourRange, colour_range, side_by_side, smooth_range
from selfdepth.live.capture import Capture
from selfdepth.live.figures import Figures, describe_figures
from selfdepth.live.newest import Newest
from selfdepth.live.page import Page
from selfdepth.live.recorder import Recorder
from selfdepth.live.shown import NOTHING_SHOWN, Shown
from selfdepth.live.sources import LiveFrame, LiveSource
from selfdepth.structs import DepthPrediction
from selfdepth.weights.metres import describe_unit

_LOOK_S = 0.2
"""Seconds between looks at whether the end has come, while no frame does."""
_SILENT_S = 5.0
"""Seconds without a frame, after which this is said."""
_SAY_S = 10.0
"""Seconds between lines with the figures."""


@runtime_checkable
class DepthOf(Protocol):
    """What gives the depth of a frame: `Predictor.predict`, or a filter around it."""

    def __call__(self, image: UInt8[ndarray, "h w 3"], camera: Camera | None) -> DepthPrediction: ...


@dataclass(frozen=True, kw_only=True)
class LiveOptions:
    """How to run.

    Attributes:
        host, port: of the page.
        record: video to write, the picture above its depth; None: none.
        duration_s: when to end; None: when the source does, or the user.
        lossless: predict every frame of the source, and wait with the next for it.
    """

    host: str = "127.0.0.1"
    port: int = 8042
    record: Path | None = None
    duration_s: float | None = None
    lossless: bool = False


def go_live(
    ready: ReadyModel,
    depth_of: DepthOf,
    source: LiveSource,
    options: LiveOptions,
    *,
    stopped: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda sentence: None,
    tell_page: Callable[[str], None] = lambda url: None,
) -> dict[str, Any]:
    """Predict the newest frame of a source, again and again, and show it on a page.

    The recording is whole however it ends: with the source, after the time, by `stopped`, or because the source fails
    or gives a frame that cannot be used. Such frames of cameras and streams are left out.

    Args:
        stopped: asked several times a second whether to end.
        say: called with sentences on what happens.
        tell_page: called with the address of the page, once there is something to see.

    Returns:
        The figures, as `Live.figures` gives them.

    Raises:
        ConfigError: for a host or a port that cannot be served.
        DataError: for a source that gives no frame that can be used, or a recording that is damaged.
        OutputError: if the recording cannot be written.
    """
    live = Live(ready, depth_of, source, lossless=options.lossless, say=say)
    with Page(options.host, options.port, live.views, live.figures) as page:
        _warm_up(depth_of, ready.predictor)
        with ExitStack() as stack:
            stack.enter_context(live.capture)
            first = _first_frame(live.capture, source, stopped, options.duration_s)
            recorder = stack.enter_context(Recorder(options.record, say))
            tell_page(page.url)
            failed = live.follow(first, options.duration_s, stopped, recorder)
        for error in (failed, live.capture.error):
            if isinstance(error, BaseException):
                raise error
        return live.figures()


class Live:
    """One live run.

    Attributes:
        views: what clients are shown.
        capture: what reads the source.
    """

    def __init__(
        self, ready: ReadyModel, depth_of: DepthOf, source: LiveSource, *, lossless: bool, say: Callable[[str], None]
    ) -> None:
        self._ready, self._depth_of, self._source, self._say = ready, depth_of, source, say
        self.views: Newest[Shown] = Newest()
        self.capture = Capture(source, lossless=lossless, say=say)
        self._figures = Figures()
        self._shown: Shown | None = None
        self._colours: ColourRange | None = None
        self._said_uncropped = False
        self._left_out: DataError | None = None

    def figures(self) -> dict[str, Any]:
        """The figures of `Figures.snapshot` and of `Shown.figures`, with what source, model and unit they are of."""
        predictor, shown = self._ready.predictor, self._shown
        factor = predictor.metres_per_unit
        return {
            "source": self._source.name,
            "model": self._ready.model,
            "state": self.capture.state,
            "losses": self.capture.losses,
            **self._figures.snapshot(),
            **(NOTHING_SHOWN if shown is None else shown.figures()),
            "unit": "units" if factor is None else "m",
            "scale": predictor.scale,
            "about": f"depth is {describe_unit(predictor.scale, factor, predictor.metric)}",
            "network_size": [predictor.width, predictor.height],
            "device": str(predictor.device),
            "precision": predictor.precision,
        }

    def follow(
        self, first: LiveFrame, duration_s: float | None, stopped: Callable[[], bool], recorder: Recorder
    ) -> DataError | None:
        """Predict the newest frame until the source, the time or the user's patience ends.

        Returns:
            What is wrong with a frame of a recording, at which it has ended.

        Raises:
            DataError: if no frame could be used: a recording of no frame is none.
        """
        start_s = said_s = last_s = time.monotonic()
        number, begin_s, silent, failed = 0, first.time_s, False, None
        while not number or not (stopped() or (duration_s is not None and time.monotonic() - start_s > duration_s)):
            found = self.capture.slot.after(number, _LOOK_S)
            now_s = time.monotonic()
            if found is not None:
                number, last_s, silent = found[0], now_s, False
                try:
                    self._take(found[1], number, recorder, begin_s)
                except DataError as error:
                    if not self._source.returns:
                        failed = error
                        break
                    self._leave_out(error)
            elif self.capture.slot.closed:
                break
            elif not silent and now_s - last_s > _SILENT_S and self.capture.state == "live":
                silent = True
                self._say(f"no frame of {self._source.name} has come for {_SILENT_S:g} s; waiting")
            if now_s - said_s > _SAY_S:
                said_s = now_s
                self._say(describe_figures(self._figures.snapshot()))
        if self._shown is None:
            raise failed or self._left_out or DataError("the source gave no frame", where=self._source.name)
        return failed

    def _take(self, frame: LiveFrame, number: int, recorder: Recorder, begin_s: float) -> None:
        shown, image = self._predict(frame, number)
        if recorder.records:
            recorder.write(side_by_side(image, shown.coloured()), max(0.0, frame.time_s - begin_s))

    def _leave_out(self, error: DataError) -> None:
        """Say what is wrong with a frame, once for frames that follow each other."""
        if str(error) != str(self._left_out):
            self._say(f"left out: {error}")
        self._left_out = error

    def _predict(self, frame: LiveFrame, number: int) -> tuple[Shown, UInt8[ndarray, "h w 3"]]:
        image = frame.read()
        image, camera = self._as_trained(image, frame.camera_for(image.shape[1], image.shape[0]))
        require_large_enough(image.shape[1], image.shape[0], self._source.name)
        prediction = self._depth_of(image, camera)
        now_s = time.monotonic()
        self._figures.add(arrived=number, latency_s=now_s - frame.arrived_s, now_s=now_s)
        self._colours = smooth_range(self._colours, colour_range(prediction.disparity))
        self._shown = Shown(image, prediction, self._colours, self._ready.predictor.metres_per_unit)
        self.views.put(self._shown)
        return self._shown, image

    def _as_trained(
        self, image: UInt8[ndarray, "_h _w 3"], camera: Camera | None
    ) -> tuple[UInt8[ndarray, "_hh _ww 3"], Camera | None]:
        """A frame of the training frames' size cropped as these were; others as they are, which is said once."""
        weights = self._ready.weights
        sides, whole = weights.fit.crop, weights.camera
        if not sides:
            return image, camera
        if whole is None or image.shape[:2] != (whole.height, whole.width):
            if not self._said_uncropped:
                warnings.warn(
                    f"the model was trained on frames cropped by {sides} (top, bottom, left, right), but those of "
                    f"{self._source.name} are not cropped: their depth may be worse",
                    SelfDepthWarning,
                    stacklevel=2,
                )
            self._said_uncropped = True
            return image, camera
        cropped, own = crop(image, whole if camera is None else camera, sides)
        return np.ascontiguousarray(cropped), own


def _first_frame(
    capture: Capture, source: LiveSource, stopped: Callable[[], bool], duration_s: float | None
) -> LiveFrame:
    """The first frame, which stays in its slot.

    Raises:
        DataError: if the source gives none, or none in time.
    """
    start_s = time.monotonic()
    while (found := capture.slot.peek(_LOOK_S)) is None:
        late = duration_s is not None and time.monotonic() - start_s > duration_s
        if capture.slot.closed and capture.error is not None:
            raise capture.error
        if capture.slot.closed or stopped() or late:
            raise DataError(
                "the source gave no frame", where=source.name, got=f"none in {duration_s:g} s" if late else None
            )
    return found


def _warm_up(depth_of: DepthOf, predictor: Predictor) -> None:
    """Predict once: the first time takes longer, and a latency would be of that."""
    depth_of(np.zeros((predictor.height, predictor.width, 3), dtype=np.uint8), None)
