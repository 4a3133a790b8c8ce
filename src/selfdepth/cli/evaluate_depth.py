"""`selfdepth evaluate depth`: the field's numbers, and what a constant would reach."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from selfdepth.cli.evaluating import judged, write_numbers
from selfdepth.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from selfdepth.evaluation.depth.run import ComparisonOptions, DepthEvaluation


@dataclass(frozen=True, kw_only=True)
class EvaluateDepthArgs:
    """Measure depth against ground truth: of MODEL on --data, or of anybody's --predictions.

    A model is judged on the test frames of the split; where there are none, on the validation frames; else on all
    frames. It predicts at its training size, inside its training crop, in float32.
    """

    model: Annotated[tyro.conf.Positional[str | None], tyro.conf.arg(metavar="[MODEL]")] = None
    """Run, weights or published folder, published name, or Hugging Face hub name. Not needed with --predictions."""
    data: str | None = None
    """KITTI raw root, or a store made of it; Make3D's folder of Test134 and Gridlaserdata; with --ground-truth also a
    folder of images or a video."""
    split: str | None = None
    """Folder with test_files.txt, or val_files.txt; or a published split: eigen, eigen_benchmark (KITTI)."""
    part: Literal["train", "val", "test"] | None = None
    """Which frames of the split, or of --data. Default: test, else val, else all."""
    frames: int | None = None
    """Compare no more than this many frames of MODEL, evenly spaced. Default: all of them."""
    predictions: str | None = None
    """Anybody's, instead of MODEL: .npy or .npz with maps (images, height, width) of any resolution; or a folder with
    one .npy, .npz or 16-bit .png per frame of --data, called as the frame is."""
    predictions_are: Literal["disparity", "depth"] = "disparity"
    """What --predictions holds. Disparities are inverse depths."""
    ground_truth: str | None = None
    """.npy or .npz with depth in metres (images, height, width), 0 = not known; or the folder of KITTI's improved
    ground truth. Default: what --data measured."""
    truth_cache: str | None = None
    """Folder that keeps the depth maps made of LiDAR scans, for the next time. Default: nothing is kept."""
    protocol: Literal["eigen", "eigen_benchmark", "dense", "make3d"] | None = None
    """eigen: raw LiDAR. eigen_benchmark: KITTI's improved ground truth, looked for in --data unless --ground-truth
    names a place. dense: rendered depth. make3d: truth below 70 m, four errors. Default: what fits split and ground
    truth; eigen for --predictions alone."""
    min_depth: float | None = None
    """In metres: ground truth below does not count, predictions below are moved there. Default: the protocol's."""
    max_depth: float | None = None
    """In metres: ground truth beyond does not count, predictions beyond are moved there. Default: the protocol's."""
    median_scaling: bool = True
    """Bring each prediction to the median of its ground truth first, as monocular depth has no unit. Of a model that
    learned from stereo, both errors are shown."""
    one_scale: bool = False
    """Scale the whole set by one number, the median of its images' ratios, not each image by its own."""
    factor: float | None = None
    """Predicted depths are multiplied by this first. Default: what makes MODEL's metres (5.4 after training with
    --stereo nominal), else 1."""
    post_process: bool = False
    """Average with the prediction for the mirrored image."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    batch_size: int = 8
    """Frames per pass of the network."""
    json: str | None = None
    """File for the numbers, with a row per image."""


def evaluate_depth(args: EvaluateDepthArgs) -> None:
    """Run the verb: predict if need be, compare, show a table, write --json.

    Raises:
        SelfDepthError: for options that do not go together, and for files and models that cannot be used.
    """
    _check(args)
    from selfdepth.evaluation.depth.run import ComparisonOptions

    options = ComparisonOptions(
        part=args.part,
        at_most=args.frames,
        protocol=args.protocol,
        median_scaling=args.median_scaling,
        factor=args.factor,
        one_scale=args.one_scale,
        min_depth=args.min_depth,
        max_depth=args.max_depth,
        truth_cache=None if args.truth_cache is None else Path(args.truth_cache).expanduser(),
    )
    done = judged(
        lambda: _evaluate(args, options),
        doing="predicting and comparing",
        json=args.json,
        folders={"--truth-cache": args.truth_cache},
    )
    asked = {name: getattr(args, name) for name in ("model", "data", "split", "part", "predictions", "ground_truth")}
    write_numbers(args.json, {**done.to_json(), **asked, "post_process": args.post_process})
    _show(done, args)


def _evaluate(args: EvaluateDepthArgs, options: ComparisonOptions) -> DepthEvaluation:
    from selfdepth.evaluation.depth.run import evaluate_files, evaluate_model, evaluate_predictions

    truth, data, predictions = (
        None if text is None else Path(text).expanduser() for text in (args.ground_truth, args.data, args.predictions)
    )
    if predictions is not None and data is not None:
        return evaluate_predictions(
            predictions, data, split=args.split, ground_truth=truth, quantity=args.predictions_are, options=options
        )
    if predictions is not None and truth is not None:
        return evaluate_files(predictions, truth, quantity=args.predictions_are, options=options)
    assert args.model is not None and data is not None, "_check refuses their absence"
    return evaluate_model(
        args.model,
        data,
        split=args.split,
        ground_truth=truth,
        options=options,
        device=args.device,
        batch_size=args.batch_size,
        post_process=args.post_process,
    )


def _check(args: EvaluateDepthArgs) -> None:
    if args.predictions is None:
        if args.model is None:
            raise ConfigError("there is nothing to evaluate", expected="MODEL, or --predictions FILE")
        if args.data is None:
            raise ConfigError("there is no data to evaluate on", where="--data", fix="add --data KITTI_ROOT --split S")
        if args.predictions_are != "disparity":
            raise ConfigError("there are no predictions that it is about", where="--predictions-are")
    else:
        for option, given in (
            ("MODEL", args.model),
            ("--post-process", args.post_process or None),
            ("--frames", args.frames),
            ("--device", None if args.device == "auto" else args.device),
        ):
            if given is not None:
                raise ConfigError(f"{option} and --predictions exclude each other", got=f"{given}")
        if args.data is None and args.ground_truth is None:
            raise ConfigError(
                "there is nothing to compare with",
                where="--predictions",
                expected="--data KITTI_ROOT --split S, or --ground-truth with a .npy or .npz file",
            )
    if args.data is None:
        for option, value in (("--split", args.split), ("--part", args.part), ("--truth-cache", args.truth_cache)):
            if value is not None:
                raise ConfigError(f"{option} is about --data, which is not given", got=value)
    _check_numbers(args)


def _check_numbers(args: EvaluateDepthArgs) -> None:
    if args.one_scale and not args.median_scaling:
        raise ConfigError("--one-scale and --no-median-scaling exclude each other", fix="leave one of them out")
    for option, bound in (("--min-depth", args.min_depth), ("--max-depth", args.max_depth)):
        if bound is not None and not 0 < bound < math.inf:
            raise ConfigError("option out of range", where=option, expected="metres, more than 0", got=str(bound))
    low, high = args.min_depth or 1e-3, args.max_depth or 80.0
    if low >= high:
        raise ConfigError("there is no depth in between", where="--min-depth, --max-depth", got=f"{low:g} and {high:g}")
    if args.factor is not None and not 0 < args.factor < math.inf:
        raise ConfigError("option out of range", where="--factor", expected="more than 0", got=str(args.factor))
    for option, count in (("--batch-size", args.batch_size), ("--frames", args.frames)):
        if count is not None and count < 1:
            raise ConfigError("option out of range", where=option, expected="at least 1", got=str(count))


def _show(done: DepthEvaluation, args: EvaluateDepthArgs) -> None:
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False, markup=False)
    console.print(_table(done, "predictions" if args.model is None else "this model"))
    report = done.report
    for each in (report, done.other):
        if each is not None and each.ratio_median is not None:
            spread = f"spread {each.ratio_spread:.3f}"
            console.print(f"scale: median of true / predicted depth {each.ratio_median:.4g}, {spread}")
    factor = "" if report.factor == 1 else f", predictions times {report.factor:g}"
    if factor and args.factor is None:
        factor += " (the model's: it was trained with a baseline of 0.1)"
    scaling = "all images at one scale, that median" if done.one_scale else _SCALING[report.median_scaling]
    bounds = [f"{option} {bound:g} m" for option, bound in (("from", args.min_depth), ("to", args.max_depth)) if bound]
    console.print(f"protocol: {', '.join([report.protocol.name, *bounds, scaling])}{factor}")
    pixels = sum(image.pixels for image in report.images)
    skipped = f"; {report.skipped} left out, without ground truth" if report.skipped else ""
    console.print(f"compared: {len(report.images)} of the {done.frames}, {pixels} pixels{skipped}")
    console.print(
        f"best constant: {done.constant_m:.2f} m at every pixel, the smallest abs_rel that one number can have here; "
        "a network should do better"
    )
    if done.frames == "training frames":
        console.print("note: errors on training frames say how well they were fitted, not how good the depth is")


_SCALING = {True: "each image at its true median", False: "without median scaling"}


def _table(done: DepthEvaluation, what: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    metrics = done.report.protocol.metrics
    for metric in metrics:
        table.add_column(metric, justify="right", no_wrap=True)
    rows = [(what, done.report), ("best constant", done.baseline)]
    if done.other is not None:
        rows.insert(1, ("scaled" if done.other.median_scaling else "not scaled", done.other))
    for name, report in rows:
        table.add_row(name, *(f"{getattr(report, metric):.3f}" for metric in metrics))
    return table
