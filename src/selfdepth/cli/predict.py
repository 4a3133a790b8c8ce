"""`selfdepth predict`: depth of images, folders and videos."""

from __future__ import annotations

import json
import math
import os
import sys
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from selfdepth.checks import require_stream
from selfdepth.cli.evaluating import require_use_of_predictions_are, stated_model
from selfdepth.cli.printing import remark, say
from selfdepth.config.quantity import Quantity
from selfdepth.errors import ConfigError, InputsFailed, OutputError, SelfDepthError
from selfdepth.inference.shards import Shard, parse_shard
from selfdepth.places import path_of

if TYPE_CHECKING:
    from selfdepth.inference.many import Task
    from selfdepth.inference.save import SaveOptions


@dataclass(frozen=True, kw_only=True)
class PredictArgs:
    """Predict depth for images, folders of images and videos.

    Each frame gives OUT/KIND/NAME.*, where NAME is the image's stem or the frame's number. Results for a whole input
    are OUT/video.mp4, OUT/drive.ply, OUT/bag, OUT/recording.rrd, OUT/trajectory/kitti.txt and tum.txt. Where the names
    of several inputs collide, each input gets its own folder.

    With --shard or --engine ray, INPUT is one list of many inputs. Each gives a folder OUT/NAME, which is there whole
    or not at all, and a line of JSON. What is finished is skipped; an input that fails is named at the end, with exit
    code 3.
    """

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="MODEL")]
    """Run folder, weights folder, published folder or name (mono_640x192), Hugging Face hub name, or ONNX file."""
    inputs: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="INPUT ...")]
    """Images, folders of images, videos and ROS bags; any number of them. With --shard or --engine: one text file
    with a path a line, relative to the file, or one folder with videos and folders of images at any depth."""
    out: str
    """Folder for the results; nothing is written elsewhere."""
    save: tuple[
        Literal["color", "npz", "png16", "confidence", "kitti", "mp4", "ply", "trajectory", "bag", "rrd"], ...
    ] = ("color",)
    """color: disparity in colours, near is bright. npz: depth, disparity, scale, and K where a camera is known.
    png16: depth * 256 in 16 bits (metres if metric, else the model's own unit). confidence: of a self-taught
    model, in grey, white is sure: 255 / (1 + the relative error it expects); it is in npz, too. kitti: the form of
    KITTI's depth benchmark, metres * 256 for its 1216x352 images. mp4: the input above its disparity. ply: coloured
    points of each frame, and of a whole drive fused along its trajectory. trajectory: the path of the camera, from a
    video or a folder of numbered images, in the text formats of KITTI and TUM. bag: a bag of ROS 2 (MCAP) with depth
    in metres along z as 32FC1 images and their camera_info, with the stamps and the frame_id of the input's images.
    rrd: a recording for Rerun with images, depth, camera, its path and fused points over time, for selfdepth view."""
    predictions_are: Quantity | None = None
    """What MODEL gives, if it is an ONNX file that selfdepth export did not write; as for evaluate depth."""
    network_takes: str | None = None
    """The images that such a MODEL takes, where its file does not say it: WIDTHxHEIGHT; imagenet, unit, symmetric or
    bytes (0 to 255), with -bgr for blue first; or both: 518x518,imagenet-bgr."""
    camera: str | None = None
    """fx,fy,cx,cy in pixels of the inputs, a calibration file, or fov:DEGREES. Default: the model's, where it fits."""
    stream: int | None = None
    """Number of the video stream to take, from 0, of files with several cameras. Default: the one with the most
    frames."""
    topic: str | None = None
    """Name of the topic of images to take from ROS bags. Default: that of the only camera."""
    shard: str | None = None
    """Predict the I-th of N parts of a list: 2/8; 1/1 is all of it. auto: by RANK and WORLD_SIZE, the variables of a
    Slurm array, or those of srun. Default: INPUT is no list."""
    engine: Literal["ray"] | None = None
    """ray: share a list out over a cluster through Ray Data, and begin again what a lost worker had. It needs
    `pip install 'selfdepth[ray]'`, and a disk that all machines share."""
    address: str | None = None
    """--engine ray: HOST:PORT of a running cluster, or auto for the one of this machine. Default: RAY_ADDRESS, else
    Ray is started on this machine, for the time of the work."""
    workers: int | None = None
    """--engine ray: number of processes. Default: as many as the GPUs of the cluster hold; without GPUs, one per CPU
    core."""
    gpus_per_worker: float | None = None
    """--engine ray: 0.5 lets two workers share a GPU. Default: 1 where the cluster has GPUs, else 0."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of the networks. auto: bf16 where the device is faster in it."""
    batch_size: int = 8
    """Frames per forward pass."""
    every: int | None = None
    """ply, rrd, trajectory: frames between two poses. Default: the spacing that the model was trained with."""
    factor: float | None = None
    """kitti, bag: what the predicted depth is multiplied by to be in metres. A monocular model needs it, measured on
    training frames. Default: known for a model that learned from stereo pairs."""
    allow_relative: bool = False
    """bag: write the depth of a model that knows no metres as it is, in topics called relative_depth. Else it is
    refused, because robots take depth for metres."""
    max_depth: float | None = None
    """ply, rrd: leave out points farther than this, in the depth's unit. Default: four times the first frame's
    median."""
    voxel: float | None = None
    """ply, rrd: edge of the cubes that hold one fused point each, in the depth's unit. Default: max_depth / 400."""


SECTIONS = {
    "input": ("model", "inputs", "predictions_are", "network_takes", "shard", "camera", "stream", "topic"),
    "output": ("out", "save", "every", "factor", "allow_relative", "max_depth", "voxel"),
    "cluster": ("engine", "address", "workers", "gpus_per_worker"),
    "machine": ("device", "precision", "batch_size"),
}
"""How `--help` groups the options."""


def predict(args: PredictArgs) -> None:
    """Run the verb: read MODEL, predict every input, print what was written.

    Raises:
        SelfDepthError: for an invalid model, input, option or output folder.
    """
    _check(args)
    shard = Shard(number=1, count=1) if args.shard is None else parse_shard(args.shard, os.environ)
    from selfdepth.inference.pointcloud import CloudLimits
    from selfdepth.inference.save import SaveOptions

    options = SaveOptions(
        kinds=tuple(dict.fromkeys(args.save)),  # each once, in the order given
        batch_size=args.batch_size,
        clouds=CloudLimits(max_depth=args.max_depth, voxel=args.voxel),
        metres_per_unit=args.factor,
        spacing=args.every,
        allow_relative=args.allow_relative,
    )
    if args.shard is None and args.engine is None:
        _predict_inputs(args, options)
    else:
        _predict_list(args, options, shard)


def _predict_inputs(args: PredictArgs, options: SaveOptions) -> None:
    from selfdepth.cli.progress import progress
    from selfdepth.geometry.ray_depth import describe_depth_is
    from selfdepth.inference.depth_bag import describe_bag
    from selfdepth.inference.inputs import open_inputs
    from selfdepth.inference.kitti_benchmark import describe_benchmark
    from selfdepth.inference.predict import predict_inputs
    from selfdepth.weights.metres import describe_unit

    inputs = open_inputs(args.inputs, camera=args.camera, stream=args.stream, topic=args.topic)
    with progress("predicting", sum(len(each.names) for each in inputs), "frames") as advance:
        done = predict_inputs(
            stated_model(args),
            inputs,
            path_of(args.out),
            options,
            device=args.device,
            precision=args.precision,
            advance=advance,
            say=_say,
        )
    own_factor = done.predictor.metres_per_unit
    unit = describe_unit(done.predictor.scale, own_factor, done.predictor.metric)
    if done.predictor.depth_is == "ray":
        unit += f", and is {describe_depth_is(done.predictor.depth_is)}"
    frames = "1 frame" if done.count == 1 else f"{done.count} frames"
    say(f"wrote {', '.join(options.kinds)} for {frames} to {args.out}; the depth is {unit}")
    if "kitti" in options.kinds:
        folder = done.folders[0] / "kitti"
        say(describe_benchmark(done.count, folder, done.metres_per_unit, own_factor))
    if "bag" in options.kinds:
        say(describe_bag(done.predictor, options.metres_per_unit))


def _predict_list(args: PredictArgs, options: SaveOptions, shard: Shard) -> None:
    """Predict a list, or a part of it. stdout gets a line of JSON for each input that is finished, and nothing else.

    Raises:
        InputsFailed: if inputs failed; each has been named.
    """
    from selfdepth.cli.progress import progress
    from selfdepth.inference.input_lists import read_input_list
    from selfdepth.inference.many import Outcome, predict_many
    from selfdepth.inference.on_ray import RayOptions, predict_on_ray

    cluster = RayOptions(address=args.address, workers=args.workers, gpus_per_worker=args.gpus_per_worker)
    task = _task(args, options)
    place = path_of(args.inputs[0])
    listed = read_input_list(place, out=task.out)
    mine = shard.of(listed)
    if args.engine is None:
        remark(f"shard {shard}, by {shard.told_by}: {len(mine)} of {len(listed)} inputs")
    outcomes: list[Outcome] = []
    try:
        with progress("predicting", len(mine), "inputs") as advance:

            def tell(outcome: Outcome) -> None:
                outcomes.append(outcome)
                if outcome.record is not None:
                    say(json.dumps(outcome.record))
                    sys.stdout.flush()  # a pipe would keep it, and lose it when the process is killed
                advance(1)

            if args.engine is None:
                predict_many(task, mine, tell=tell, say=remark)
            else:
                predict_on_ray(task, mine, cluster, place=place, tell=tell, say=remark)
    finally:  # also when it is stopped: what failed so far is known
        failed = [(each.listed.key, each.error) for each in outcomes if each.error is not None]
        for key, error in failed:
            remark(f"failed: {key}: {error if isinstance(error, SelfDepthError) else repr(error)}")
    counts = Counter(_STATUS_WORDS[each.status] for each in outcomes)
    remark(", ".join(f"{count} {words}" for words, count in counts.items()) or "nothing to do")
    for _, error in failed:
        if not isinstance(error, SelfDepthError):
            raise error  # a bug: with its traceback, now that the others are done
    if failed:
        raise InputsFailed(len(failed), len(mine))


def _task(args: PredictArgs, options: SaveOptions) -> Task:
    from selfdepth.inference.many import Task

    return Task(
        model=stated_model(args),
        out=path_of(args.out),
        options=options,
        camera=args.camera,
        stream=args.stream,
        topic=args.topic,
        device=args.device,
        precision=args.precision,
    )


_STATUS_WORDS = {
    "finished": "predicted",
    "there": "finished before",
    "busy": "left to another process that is at work on them",
    "failed": "failed",
}


def _check(args: PredictArgs) -> None:
    """Refuse what needs no torch to be refused, and options that would be ignored."""
    if not args.inputs:
        raise ConfigError("nothing to predict", where="INPUT", expected="images, folders or videos")
    require_use_of_predictions_are(args.model, None, args.predictions_are, args.network_takes)
    _check_engine(args)
    option = "--shard" if args.engine is None else f"--engine {args.engine}"
    if (args.shard or args.engine) is not None and len(args.inputs) != 1:
        raise ConfigError(
            f"{option} takes one list",
            where="INPUT",
            expected="one text file with a path a line, or one folder",
            got=f"{len(args.inputs)} inputs",
            fix="write them into a file, one a line",
        )
    if not args.save:
        raise ConfigError(
            "nothing to save",
            where="--save",
            expected="one or more of color, npz, png16, confidence, kitti, mp4, ply, trajectory, bag, rrd",
        )
    if args.batch_size < 1:
        raise ConfigError("option out of range", where="--batch-size", expected="at least 1", got=str(args.batch_size))
    require_stream(args.stream)
    clouds, metres = ("point clouds", ("ply", "rrd")), ("KITTI's benchmark and bags", ("kitti", "bag"))
    for option, value, (what, kinds) in (
        ("--max-depth", args.max_depth, clouds),
        ("--voxel", args.voxel, clouds),
        ("--factor", args.factor, metres),
    ):
        if value is not None and not 0 < value < math.inf:
            raise ConfigError("option out of range", where=option, expected="more than 0", got=str(value))
        if value is not None and not {*kinds} & {*args.save}:
            needed = " or ".join(kinds)
            raise ConfigError(f"{option} applies only to {what}", expected=f"--save {needed}", fix="leave it out")
    if args.allow_relative and "bag" not in args.save:
        raise ConfigError("--allow-relative applies only to bags", expected="--save bag", fix="leave it out")
    if args.every is not None and not {"ply", "rrd", "trajectory"} & {*args.save}:
        what, expected = "--every applies only to the path of the camera", "--save trajectory, ply or rrd"
        raise ConfigError(what, expected=expected, fix="leave it out")
    place = path_of(args.out)
    if next((folder for folder in (place, *place.parents) if folder.is_file()), None):
        raise OutputError("the output folder is a file", where=place, fix="name a folder with --out")


def _check_engine(args: PredictArgs) -> None:
    if args.engine is not None and args.shard is not None:
        what = f"--engine {args.engine} shares the list out by itself"
        raise ConfigError(what, where="--shard", got=args.shard, fix="leave --shard out")
    given = {"--address": args.address, "--workers": args.workers, "--gpus-per-worker": args.gpus_per_worker}
    option = next((name for name, value in given.items() if value is not None), None)
    if args.engine is None and option is not None:
        raise ConfigError(f"{option} applies only to a cluster", expected="--engine ray", fix="leave it out")


def _say(sentence: str) -> None:
    say(sentence)
