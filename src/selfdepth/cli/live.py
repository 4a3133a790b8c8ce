"""`selfdepth live`: depth of a camera, a stream or a recording, as it comes."""

from __future__ import annotations

import json
import math
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from selfdepth.checks import require, require_stream
from selfdepth.cli.evaluating import require_use_of_predictions_are, stated_model
from selfdepth.cli.printing import remark, say
from selfdepth.config.quantity import Quantity
from selfdepth.errors import ConfigError, DataError, OutputError
from selfdepth.places import path_of

if TYPE_CHECKING:
    from pathlib import Path

    from selfdepth.live.run import LiveOptions


@dataclass(frozen=True, kw_only=True)
class LiveArgs:
    """Predict depth live, and show it on a page of this machine.

    The newest frame wins: frames that come while one is predicted are dropped, never queued, so depth is as late as one
    prediction takes. A camera or a stream that is lost is tried again until it is back. Ctrl-C ends, and what was
    recorded is whole.
    """

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MODEL")]
    """Run folder, weights folder, published folder or name (mono_640x192), or Hugging Face hub name."""
    source: str
    """0: the first camera of this machine, /dev/video0. rtsp://HOST/PATH, http://, tcp:// or udp://: a stream. Else a
    video, a folder of images or a ROS bag, played at its own rate."""
    predictions_are: Quantity | None = None
    """What MODEL gives, if it is an ONNX file that selfdepth export did not write: disparity, depth or depth-metres."""
    network_takes: str | None = None
    """The images that such a MODEL takes, where its file does not say it: WIDTHxHEIGHT; imagenet, unit, symmetric or
    bytes (0 to 255), with -bgr for blue first; or both: 518x518,imagenet-bgr."""
    camera: str | None = None
    """fx,fy,cx,cy in pixels of the first frame, a calibration file, or fov:DEGREES. Default: the data's calibration,
    else the model's camera where it fits."""
    stream: int | None = None
    """Number of the video stream to take, from 0. Default: the first of a stream, the longest of a file."""
    topic: str | None = None
    """Name of the topic of images to take from ROS bags. Default: that of the only camera."""
    fast: bool = False
    """Predict every frame of a recording, each as soon as the one before is done, instead of playing it at its own
    rate."""
    steady: bool = False
    """Average depth over time along the motion that the model's pose network sees, where the images agree: less
    flicker, and a little less sharpness."""
    host: str = "127.0.0.1"
    """Name or address that the page is bound to. Default: this machine alone; 0.0.0.0: whoever can reach it."""
    port: int = 8042
    """Port of the page; 0: any that is free."""
    record: str | None = None
    """MP4 to write: each predicted frame above its depth."""
    json: str | None = None
    """File for the figures, when it ends."""
    duration: float | None = None
    """Seconds after which to end. Default: when a recording ends, or at Ctrl-C."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of the networks. auto: bf16 where the device is faster in it."""


SECTIONS = {
    "input": ("model", "source", "predictions_are", "network_takes", "camera", "stream", "topic", "fast"),
    "depth": ("steady",),
    "page": ("host", "port"),
    "output": ("record", "json", "duration"),
    "machine": ("device", "precision"),
}
"""How `--help` groups the options."""


def live(args: LiveArgs) -> None:
    """Run the verb: predict until the end, and print the figures.

    Raises:
        SelfDepthError: for an invalid model, source, option or output, and for a recording that is damaged.
        KeyboardInterrupt: after Ctrl-C, once everything is written; SystemExit after another signal.
    """
    require(args.duration is None or 0 < args.duration < math.inf, "--duration", "more than 0 seconds", args.duration)
    require(0 <= args.port <= 65535, "--port", "0 to 65535", args.port)
    require_stream(args.stream)
    require_use_of_predictions_are(args.model, None, args.predictions_are, args.network_takes)
    from selfdepth.engine.signals import stop_on_signals
    from selfdepth.inference.odometry import MotionPredictor
    from selfdepth.inference.predict import load_ready
    from selfdepth.live.cameras import given_camera
    from selfdepth.live.run import DepthOf, go_live
    from selfdepth.live.sources import SourceOptions, open_source
    from selfdepth.live.steady import Steady

    camera_for = None if args.camera is None else given_camera(args.camera)
    wanted = SourceOptions(camera_for=camera_for, stream=args.stream, topic=args.topic, fast=args.fast)
    source = open_source(args.source, wanted)
    options = _options(args, source.files)
    ready = load_ready(stated_model(args), (), **_machine(args))
    depth_of: DepthOf = ready.predictor.predict
    if args.steady:
        depth_of = Steady(ready.predictor, MotionPredictor(ready.weights, spacing=1, **_machine(args)))
    with stop_on_signals() as request:
        try:
            figures = go_live(
                ready,
                depth_of,
                source,
                options,
                stopped=lambda: request.signal_number is not None,
                say=remark,
                tell_page=_tell_page,
            )
            _write(args, figures)
            _say(args, figures)
        except DataError:  # stopped before the first frame, which is no fault of the source
            if request.signal_number is None:
                raise
    if request.signal_number is not None:
        raise KeyboardInterrupt if request.signal_number == signal.SIGINT else SystemExit(128 + request.signal_number)


def _say(args: LiveArgs, figures: dict[str, Any]) -> None:
    from selfdepth.live.figures import describe_figures

    say(describe_figures(figures))
    say(f"{figures['about']}{'' if args.record is None else f'; recorded to {args.record}'}")


def _machine(args: LiveArgs) -> dict[str, Any]:
    return {"device": args.device, "precision": args.precision}


def _tell_page(url: str) -> None:
    say(f"live on {url}; Ctrl-C ends")
    sys.stdout.flush()  # a pipe would keep it


def _options(args: LiveArgs, inputs: tuple[Path, ...]) -> LiveOptions:
    """The options of the run. Raises OutputError for a file that cannot be written, or that is an input."""
    from selfdepth.files import require_writable_file
    from selfdepth.live.run import LiveOptions

    if args.record is not None and args.json is not None and path_of(args.record) == path_of(args.json):
        raise ConfigError(
            "the recording and the figures are one file", where="--json", got=args.json, fix="name another"
        )
    originals = {file.resolve() for file in inputs}
    for option, word in (("--record", args.record), ("--json", args.json)):
        if word is None:
            continue
        path = path_of(word, option)
        require_writable_file(path, option=option)
        if path.resolve() in originals:
            raise OutputError("the result would replace an input", where=path, fix=f"name another file with {option}")
    return LiveOptions(
        host=args.host,
        port=args.port,
        record=None if args.record is None else path_of(args.record, "--record"),
        duration_s=args.duration,
        lossless=args.fast,
    )


def _write(args: LiveArgs, figures: dict[str, Any]) -> None:
    if args.json is None:
        return
    from selfdepth.files import whole_file

    kept = {name: value for name, value in figures.items() if name not in ("depths", "middle", "rate_now")}
    kept |= {"steady": args.steady, "recorded": args.record}
    with whole_file(path_of(args.json, "--json")) as path:
        path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
