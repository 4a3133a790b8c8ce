"""`selfdepth calibrate`: the factor that turns a model's depth into metres, by whoever knows a length."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from selfdepth.checks import LARGEST, require, require_stream
from selfdepth.cli.evaluating import require_use_of_predictions_are, stated_model, write_json
from selfdepth.cli.printing import safe_console, say
from selfdepth.config.known_scale import require_height
from selfdepth.config.quantity import Quantity
from selfdepth.config.teacher import ONNX
from selfdepth.errors import ConfigError, SelfDepthWarning
from selfdepth.places import path_of

if TYPE_CHECKING:
    from rich.table import Table

    from selfdepth.scale.combine import Calibration, Finding
    from selfdepth.scale.run import WitnessRequest


@dataclass(frozen=True, kw_only=True)
class CalibrateArgs:
    """Find the factor that turns the depth of MODEL into metres, and write it into the model.

    A network that learned from one moving camera knows depth up to a factor. A witness knows a length: the speed of the
    vehicle, the camera's height above the road, a stereo baseline, distances measured by hand, a LiDAR. Several may be
    asked at once.
    From then on every verb gives metres, and says by what witness and how sure: depth is "metric" if the factor varies
    by at most 10 %, else "metric within 18 %".
    """

    model: Annotated[tyro.conf.Positional[str | None], tyro.conf.arg(metavar="[MODEL]")] = None
    """Run folder, weights folder, published folder or name, Hugging Face hub name, or ONNX file, into which nothing is
    written. Of a run folder, best/ is calibrated, else last/. Not needed with --predictions."""
    data: str
    """Frames that the witnesses know: a video, a folder of images, KITTI, a rendered drive, or a store."""
    height: float | None = None
    """Witness: height of the lens above the road in metres, on a car for example 1.65. The road must be seen."""
    stereo: bool = False
    """Witness: the baseline of the stereo pairs in --data."""
    distance: str | None = None
    """Witness: file with lines of frame, u, v, metres (from the camera to what is seen at that pixel) or frame, u1, v1,
    u2, v2, metres (between two points)."""
    lidar: bool = False
    """Witness: the ground-truth depth of --data."""
    speed: str | None = None
    """Witness: log of the vehicle's speed. A table of time and speed with units in its first line, GPX, NMEA, a ROS bag
    (BAG or BAG:/TOPIC); or oxts, the measurements of KITTI raw. MODEL needs a pose network, --predictions a
    --trajectory."""
    clock_offset: str | None = None
    """Seconds to add to times of the frames to get times of the speed log; or auto, where the speeds fit best. Default:
    0 for clocks of the same kind, else auto."""
    predictions: str | None = None
    """Depth of any method, instead of MODEL: .npy or .npz with maps (images, height, width) for all frames of --data;
    or a folder with one .npy, .npz or 16-bit .png per frame, named like the frame."""
    predictions_are: Quantity | None = None
    """What --predictions holds, or MODEL gives, as for evaluate depth. Default: disparity for --predictions."""
    network_takes: str | None = None
    """The images that such a MODEL takes, where its file does not say it: WIDTHxHEIGHT; imagenet, unit, symmetric or
    bytes (0 to 255), with -bgr for blue first; or both: 518x518,imagenet-bgr."""
    trajectory: str | None = None
    """With --predictions: the camera's path in the unit of the depth, in KITTI's or TUM's format. --speed needs it, and
    --height then knows the tilt of the road."""
    camera: str | None = None
    """Camera of the frames, as for train. Default: that of --data, else the model's where it fits."""
    stream: int | None = None
    """Number of the video stream to take, from 0. Default: the one with the most frames."""
    topic: str | None = None
    """Name of the topic of images to take from ROS bags. Default: that of the only camera."""
    frames: int = 100
    """Ask about at most this many frames, evenly spaced. A speed log is compared with the whole path, and a list of
    distances has its own frames."""
    out: str | None = None
    """Folder for a calibrated copy of MODEL, which then stays as it is, and for calibration.json and calibration.png.
    Default: all goes into the model."""
    dry_run: bool = False
    """Print the numbers, and write nothing into the model."""
    json: str | None = None
    """Another file for the numbers."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""


_MOST_DIGITS = 40

SECTIONS = {
    "input": (
        "model",
        "data",
        "predictions",
        "predictions_are",
        "network_takes",
        "trajectory",
        "camera",
        "stream",
        "topic",
        "frames",
    ),
    "witnesses": ("speed", "clock_offset", "height", "stereo", "distance", "lidar"),
    "output": ("out", "dry_run", "json"),
    "machine": ("device",),
}
"""How `--help` groups the options."""


def calibrate(args: CalibrateArgs) -> None:
    """Run the verb: ask the witnesses, print what they say, write it into the model.

    Raises:
        SelfDepthError: for an invalid model, data, witness, option or output folder.
    """
    _check(args)
    from selfdepth.cli.progress import progress
    from selfdepth.files import require_writable, require_writable_file
    from selfdepth.scale.run import calibrate_model, calibrate_predictions

    if args.out is not None:
        require_writable(path_of(args.out), option="--out")
    if args.json is not None:
        require_writable_file(path_of(args.json), option="--json")
    request = _request(args)
    data, out = path_of(args.data), _path(args.out)
    with progress("calibrating", None, "frames") as advance:
        if args.predictions is not None:
            done = calibrate_predictions(
                path_of(args.predictions),
                data,
                request,
                quantity=args.predictions_are or "disparity",
                trajectory=_path(args.trajectory),
                out=out,
                advance=advance,
            )
        else:
            assert args.model is not None, "_check refuses its absence"
            done = calibrate_model(
                stated_model(args),
                data,
                request,
                write=not args.dry_run,
                out=out,
                device=args.device,
                advance=advance,
            )
    write_json(args.json, {**done.to_json(), "model": args.model, "predictions": args.predictions, "data": args.data})
    _show(done, args)


def _request(args: CalibrateArgs) -> WitnessRequest:
    from selfdepth.scale.run import WitnessRequest

    return WitnessRequest(
        height_m=args.height,
        stereo=args.stereo,
        distance=_path(args.distance),
        lidar=args.lidar,
        speed=args.speed,
        clock_offset_s=_offset(args.clock_offset),
        camera=args.camera,
        stream=args.stream,
        topic=args.topic,
        frames=args.frames,
    )


def _check(args: CalibrateArgs) -> None:
    """Refuse what needs no torch to be refused, and options that would be ignored."""
    if (args.model is None) == (args.predictions is None):
        raise ConfigError(
            "there is nothing to calibrate" if args.model is None else "MODEL and --predictions exclude each other",
            expected="MODEL, or --predictions FILE",
        )
    if not (args.stereo or args.lidar) and {args.speed, args.height, args.distance} == {None}:
        raise ConfigError(
            "no witness of the scale is given",
            expected="one or more of --speed, --height, --stereo, --distance, --lidar",
        )
    require_use_of_predictions_are(args.model, args.predictions, args.predictions_are, args.network_takes)
    if args.trajectory is not None and args.predictions is None:
        raise ConfigError("--trajectory applies only with --predictions", got=args.trajectory, fix="leave it out")
    if args.trajectory is not None and args.height is None and args.speed is None:
        raise ConfigError("--trajectory applies only to --speed and --height", got=args.trajectory, fix="leave it out")
    if args.predictions is not None and args.speed is not None and args.trajectory is None:
        raise ConfigError(
            "a speed log needs the camera's path",
            where=f"--speed {args.speed}",
            expected="--trajectory FILE in the unit of the depth",
            got="--predictions alone",
            fix="add it, or give another witness",
        )
    if args.clock_offset is not None and args.speed is None:
        raise ConfigError("--clock-offset applies only to --speed", got=args.clock_offset, fix="leave it out")
    _offset(args.clock_offset)
    if args.predictions is not None and args.device != "auto":
        raise ConfigError("--device and --predictions exclude each other", got=args.device, fix="leave it out")
    if args.dry_run and args.out is not None:
        raise ConfigError("--dry-run and --out exclude each other", got=args.out, fix="leave one of them out")
    require_height(args.height, "--height")
    require(0 < args.frames <= LARGEST, "--frames", "at least 1", args.frames)
    require_stream(args.stream)


def _offset(text: str | None) -> float | Literal["auto"] | None:
    """The value of --clock-offset. Raises ConfigError."""
    if text is None or text == "auto":
        return "auto" if text else None
    try:
        seconds = float(text) if len(text) <= _MOST_DIGITS else math.nan
    except ValueError:
        seconds = math.nan
    require(math.isfinite(seconds), "--clock-offset", "a number of seconds, or auto", text)
    return seconds


def _path(text: str | None) -> Path | None:
    return None if text is None else path_of(text)


def _show(done: Calibration, args: CalibrateArgs) -> None:
    console = safe_console(soft_wrap=True, highlight=False, markup=False)
    console.print(_table(done))
    for finding in done.findings:
        for reason, count in finding.testimony.left_out.items():
            console.print(f"left out by {finding.testimony.witness}: {_frames(count)}, {reason}")
        for note in finding.testimony.notes:
            console.print(note)
    for each in done.agreements:
        sentence = (
            f"{each.first} / {each.second}: {each.ratio:.3f}; their spreads explain differences of up to "
            f"{100 * each.allowed:.1f} %"
        )
        console.print(sentence)
        if not each.agrees:
            warnings.warn(
                f"{each.first} and {each.second} differ by {100 * abs(each.ratio - 1):.1f} %, more than their spreads: "
                "one of them is wrong, or the depth is bent",
                SelfDepthWarning,
                stacklevel=2,
            )
    console.print(f"the depth times {done.scale.factor:.5g} is {done.scale}")
    console.print(_known(done, args))


def _known(done: Calibration, args: CalibrateArgs) -> str:
    """What became of the factor."""
    if args.predictions is None and path_of(str(args.model)).suffix.lower() == ONNX:
        kept = "" if args.out is None else f"; the numbers and their plot are in {args.out}"
        return f"nothing is written into {args.model}: multiply its depth by the factor{kept}"
    if done.known is not None:
        apart = f"{100 * (done.scale.factor / done.known - 1):+.1f} %"
        if done.known == 1:
            return f"the model is in metres by its training, and stays so; the witness differs from them by {apart}"
        say(f"by its training, the model's factor is {done.known:g}; the witness differs from that by {apart}")
    if args.predictions is not None:
        return "multiply the depths by the factor, or divide the disparities" + (
            "" if args.out is None else f"; the numbers and their plot are in {args.out}"
        )
    if args.dry_run:
        return "nothing is written"
    if args.out is not None:
        return f"the calibrated copy is {args.out}; the numbers and their plot are in it"
    return f"written into {args.model}, with calibration.json and calibration.png beside the weights"


def _table(done: Calibration) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("witness", overflow="fold")
    for heading in ("factor", "spread", "drift", "used", "left out"):
        table.add_column(heading, justify="right", no_wrap=True)
    for finding in done.findings:
        table.add_row(finding.name, *_numbers(finding))
    if len(done.findings) > 1:
        table.add_row("together", f"{done.scale.factor:.5g}", _percent(done.scale.spread), "", "", "")
    return table


def _numbers(finding: Finding) -> tuple[str, ...]:
    return (
        f"{finding.factor:.5g}",
        _percent(finding.spread),
        "-" if finding.drift is None else f"{100 * finding.drift:+.1f} %",
        str(len(finding.testimony.factors)),
        str(finding.left_out),
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"
