"""`selfdepth compare`: models beside each other on the same frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from selfdepth.checks import LARGEST, require, require_stream
from selfdepth.cli.evaluating import run_evaluation, write_json
from selfdepth.cli.printing import say
from selfdepth.config.quantity import Quantity
from selfdepth.errors import ConfigError
from selfdepth.places import path_of

if TYPE_CHECKING:
    from selfdepth.comparison.result import Comparison


@dataclass(frozen=True, kw_only=True)
class CompareArgs:
    """Compare models on the same frames, and say in one sentence which is best and whether training pays.

    Where --data has ground truth, depth is compared with it as evaluate depth does. Elsewhere, frames are rebuilt from
    their neighbours by each depth, with the motion of one model's pose network. Beside the errors stand the time of a
    frame, bytes and parameters, and what predictions reach that do not look at the image.
    """

    model: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="MODEL ...")]
    """Models of any kind: run, weights or published folders, published names, Hugging Face hub names, ONNX files."""
    data: str
    """KITTI, a rendered drive, Make3D, a folder of images, a video, a ROS bag, or a store."""
    split: str | None = None
    """Folder with test_files.txt or val_files.txt; or a published split: eigen, eigen_benchmark (KITTI)."""
    part: Literal["train", "val", "test"] | None = None
    """Which frames of the split, or of --data. Default: test, else val, else all."""
    frames: int | None = None
    """At most this many frames, evenly spaced. Default: all with ground truth, else 25."""
    stream: int | None = None
    """Number of the video stream to take, from 0. Default: the one with the most frames."""
    topic: str | None = None
    """Name of the topic of images to take from ROS bags. Default: that of the only camera."""
    predictions_are: tuple[Quantity, ...] = ()
    """What the ONNX models give that selfdepth export did not write: one word for all, or one for each, in their order;
    as for evaluate depth."""
    network_takes: tuple[str, ...] = ()
    """The images that these models take, where their files do not say it, as for evaluate depth; one word for all, or
    one for each."""
    motion_from: str | None = None
    """Without ground truth: the MODEL whose pose network tells the motion. Default: the first that has one."""
    ground_truth: str | None = None
    """.npy or .npz with depth in metres (images, height, width), 0 where unknown; or the folder of KITTI's improved
    ground truth. Default: what was measured with --data."""
    out: str | None = None
    """Folder for compare.html, a page with the table and pictures."""
    json: str | None = None
    """File for the numbers, with those of each frame."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""


SECTIONS = {
    "input": (
        "model",
        "data",
        "split",
        "part",
        "frames",
        "stream",
        "topic",
        "predictions_are",
        "network_takes",
        "motion_from",
        "ground_truth",
    ),
    "output": ("out", "json"),
    "machine": ("device",),
}
"""How `--help` groups the options."""


def compare(args: CompareArgs) -> None:
    """Run the verb: compare, print a table and the conclusion, write the page and --json.

    Raises:
        SelfDepthError: for models, data or options that cannot be used.
    """
    if not args.model:
        raise ConfigError("there is nothing to compare", where="MODEL", expected="one or more models")
    require(args.frames is None or 0 < args.frames <= LARGEST, "--frames", "at least 1", args.frames)
    require_stream(args.stream)
    from selfdepth.comparison.page import PAGE_FILE, render_comparison
    from selfdepth.comparison.request import CompareRequest
    from selfdepth.comparison.result import conclusion
    from selfdepth.comparison.run import compare_models
    from selfdepth.config.network_input import NetworkInput
    from selfdepth.evaluation.depth.compare import ComparisonOptions
    from selfdepth.files import whole_file

    request = CompareRequest(
        models=args.model,
        data=args.data,
        split=args.split,
        predictions_are=args.predictions_are,
        network_takes=tuple(NetworkInput.parse(each) for each in args.network_takes),
        motion_from=args.motion_from,
        ground_truth=None if args.ground_truth is None else path_of(args.ground_truth),
        options=ComparisonOptions(part=args.part, at_most=args.frames, stream=args.stream, topic=args.topic),
        device=args.device,
    )
    done = run_evaluation(
        lambda: compare_models(request, path_of(args.data)),
        status="predicting and comparing",
        json=args.json,
        folders={"--out": args.out},
    )
    write_json(args.json, done.to_json())
    if args.out is not None:
        with whole_file(path_of(args.out) / PAGE_FILE) as part:
            part.write_text(render_comparison(done), encoding="utf-8")
    _show(done)
    if args.out is not None:
        say(f"the page is {path_of(args.out) / PAGE_FILE}")
    say(conclusion(done))


def _show(done: Comparison) -> None:
    from selfdepth.comparison.page import aligned

    for line in (*aligned(done).splitlines(), "", f"compared on {done.frames} of {done.data}", *done.how):
        say(line)
