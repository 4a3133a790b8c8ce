"""`selfdepth evaluate depth`: the usual depth errors, beside those of the best constant depth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from selfdepth.checks import require_stream
from selfdepth.cli.evaluating import require_use_of_predictions_are, run_evaluation, stated_model, write_json
from selfdepth.cli.printing import safe_console
from selfdepth.config.quantity import Quantity
from selfdepth.errors import ConfigError
from selfdepth.places import path_of

if TYPE_CHECKING:
    from rich.table import Table

    from selfdepth.evaluation.depth.run import ComparisonOptions, DepthEvaluation


@dataclass(frozen=True, kw_only=True)
class EvaluateDepthArgs:
    """Measure depth against ground truth: that of MODEL on --data, or the --predictions of any method.

    A model is evaluated on the test frames of the split, or else on its validation frames, or else on all frames. It
    predicts at its training size, inside its training crop, in float32.
    """

    model: Annotated[tyro.conf.Positional[str | None], tyro.conf.arg(metavar="[MODEL]")] = None
    """Run folder, weights folder, published folder or name, Hugging Face hub name, or ONNX file. Not needed with
    --predictions."""
    data: str | None = None
    """Root of KITTI raw, or a store made from it; Make3D's folder of Test134 and Gridlaserdata; with --ground-truth
    also a folder of images, a video or a ROS bag."""
    split: str | None = None
    """Folder with test_files.txt or val_files.txt; or a published split: eigen, eigen_benchmark (KITTI)."""
    part: Literal["train", "val", "test"] | None = None
    """Which frames of the split, or of --data, to evaluate. Default: test, else val, else all."""
    frames: int | None = None
    """Evaluate MODEL on at most this many frames, evenly spaced. Default: all."""
    stream: int | None = None
    """Number of the video stream to take, from 0. Default: the one with the most frames."""
    topic: str | None = None
    """Name of the topic of images to take from ROS bags. Default: that of the only camera."""
    predictions: str | None = None
    """Predictions of any method, instead of MODEL: .npy or .npz with maps (images, height, width) at any resolution; or
    a folder with one .npy, .npz or 16-bit .png per frame of --data, named like the frame."""
    predictions_are: Quantity | None = None
    """What --predictions holds, or what MODEL gives if it is an ONNX file that selfdepth export did not write:
    disparity, an inverse depth, or depth, each up to a factor; depth in metres; or disparity-affine, up to a factor and
    a shift, as MiDaS gives it, which is aligned by least squares. Default: disparity for --predictions; such a MODEL
    needs it."""
    network_takes: str | None = None
    """The images that such a MODEL takes, where its file does not say it: WIDTHxHEIGHT; imagenet, unit, symmetric or
    bytes (0 to 255), with -bgr for blue first; or both: 518x518,imagenet-bgr."""
    ground_truth: str | None = None
    """.npy or .npz with depth in metres (images, height, width), 0 where unknown; or the folder of KITTI's improved
    ground truth. Default: what was measured with --data."""
    truth_cache: str | None = None
    """Folder that keeps the depth maps made from LiDAR scans for the next time. Default: nothing is kept."""
    protocol: Literal["eigen", "eigen_benchmark", "dense", "make3d"] | None = None
    """eigen: raw LiDAR. eigen_benchmark: KITTI's improved ground truth, searched for in --data unless --ground-truth
    names its folder. dense: rendered depth. make3d: ground truth below 70 m, four errors. Default: what fits the split
    and the ground truth; eigen for --predictions alone."""
    min_depth: float | None = None
    """In metres: ignore ground truth below this, and clamp predictions to it. Default: the protocol's."""
    max_depth: float | None = None
    """In metres: ignore ground truth beyond this, and clamp predictions to it. Default: the protocol's."""
    median_scaling: bool = True
    """Scale each prediction to the median of its ground truth first, as monocular depth has no unit. For a model that
    learned from stereo pairs or was calibrated, both errors are shown."""
    one_scale: bool = False
    """Scale all images by one number, the median of their ratios, instead of each by its own."""
    factor: float | None = None
    """Multiply the predicted depth by this first. Default: what gives metres if MODEL learned from stereo pairs, such
    as 5.4 after --stereo nominal; else 1."""
    post_process: bool = False
    """Average each prediction with that for the mirrored image."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""
    batch_size: int = 8
    """Frames per forward pass."""
    json: str | None = None
    """File for the numbers, with a row per image."""
    plots: str | None = None
    """Folder for sparsification.png: whether the confidence of a self-taught MODEL knows where its depth is wrong."""


SECTIONS = {
    "input": (
        "model",
        "data",
        "split",
        "part",
        "frames",
        "stream",
        "topic",
        "predictions",
        "predictions_are",
        "network_takes",
        "ground_truth",
    ),
    "protocol": ("protocol", "min_depth", "max_depth", "median_scaling", "one_scale", "factor", "post_process"),
    "output": ("json", "plots", "truth_cache"),
    "machine": ("device", "batch_size"),
}
"""How `--help` groups the options."""


def evaluate_depth(args: EvaluateDepthArgs) -> None:
    """Run the verb: predict unless predictions are given, compare, print a table, write --json.

    Raises:
        SelfDepthError: for contradictory options, and for invalid files, data or models.
    """
    _check(args)  # before torch is imported
    from selfdepth.evaluation.depth.run import ComparisonOptions

    options = ComparisonOptions(
        part=args.part,
        at_most=args.frames,
        stream=args.stream,
        topic=args.topic,
        protocol=args.protocol,
        median_scaling=args.median_scaling,
        factor=args.factor,
        one_scale=args.one_scale,
        min_depth=args.min_depth,
        max_depth=args.max_depth,
        truth_cache=None if args.truth_cache is None else path_of(args.truth_cache),
        need_confidence=args.plots is not None,
    )
    done = run_evaluation(
        lambda: _evaluate(args, options),
        status="predicting and comparing",
        json=args.json,
        folders={"--truth-cache": args.truth_cache, "--plots": args.plots},
    )
    inputs = {name: getattr(args, name) for name in ("model", "data", "split", "part", "predictions", "ground_truth")}
    write_json(args.json, {**done.to_json(), **inputs, "post_process": args.post_process})
    if args.plots is not None and done.sparsification is not None:
        from selfdepth.evaluation.depth.plots import PLOT_FILE, plot_sparsification

        plot_sparsification(path_of(args.plots) / PLOT_FILE, done.sparsification)
    _show(done, args)


def _evaluate(args: EvaluateDepthArgs, options: ComparisonOptions) -> DepthEvaluation:
    from selfdepth.evaluation.depth.run import evaluate_files, evaluate_model, evaluate_predictions

    truth, data, predictions = (
        None if text is None else path_of(text) for text in (args.ground_truth, args.data, args.predictions)
    )
    quantity = args.predictions_are or "disparity"
    if predictions is not None and data is not None:
        return evaluate_predictions(
            predictions, data, split=args.split, ground_truth=truth, quantity=quantity, options=options
        )
    if predictions is not None and truth is not None:
        return evaluate_files(predictions, truth, quantity=quantity, options=options)
    assert args.model is not None and data is not None, "_check refuses their absence"
    return evaluate_model(
        stated_model(args),
        data,
        split=args.split,
        ground_truth=truth,
        options=options,
        device=args.device,
        batch_size=args.batch_size,
        post_process=args.post_process,
    )


def _check(args: EvaluateDepthArgs) -> None:
    """Refuse contradictory options. An option that would be ignored is refused too: the user expects an effect."""
    if args.predictions is None:
        if args.model is None:
            raise ConfigError("there is nothing to evaluate", expected="MODEL, or --predictions FILE")
        if args.data is None:
            raise ConfigError("there is no data to evaluate on", where="--data", fix="add --data KITTI_ROOT --split S")
        require_use_of_predictions_are(args.model, args.predictions, args.predictions_are, args.network_takes)
    else:
        for option, given in (
            ("MODEL", args.model),
            ("--post-process", args.post_process or None),
            ("--frames", args.frames),
            ("--plots", args.plots),
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
        only = {"--split": args.split, "--part": args.part, "--stream": args.stream, "--topic": args.topic}
        only["--truth-cache"] = args.truth_cache
        for option, value in only.items():
            if value is not None:
                raise ConfigError(
                    f"{option} applies only with --data", got=f"{value}", fix="leave it out, or add --data DATA"
                )
    require_stream(args.stream)
    _check_numbers(args)


def _check_numbers(args: EvaluateDepthArgs) -> None:
    if args.one_scale and not args.median_scaling:
        raise ConfigError("--one-scale and --no-median-scaling exclude each other", fix="leave one of them out")
    for option, bound in (("--min-depth", args.min_depth), ("--max-depth", args.max_depth)):
        if bound is not None and not 0 < bound < math.inf:
            raise ConfigError("option out of range", where=option, expected="metres, more than 0", got=str(bound))
    low, high = args.min_depth or 1e-3, args.max_depth or 80.0  # the eigen protocol's
    if low >= high:
        raise ConfigError(
            "no depth lies between the bounds", where="--min-depth, --max-depth", got=f"{low:g} and {high:g}"
        )
    if args.factor is not None and not 0 < args.factor < math.inf:
        raise ConfigError("option out of range", where="--factor", expected="more than 0", got=str(args.factor))
    for option, count in (("--batch-size", args.batch_size), ("--frames", args.frames)):
        if count is not None and count < 1:
            raise ConfigError("option out of range", where=option, expected="at least 1", got=str(count))


def _show(done: DepthEvaluation, args: EvaluateDepthArgs) -> None:
    console = safe_console(soft_wrap=True, highlight=False, markup=False)
    console.print(_table(done, "predictions" if args.model is None else "this model"))
    report = done.report
    # Only the scaled of the two reports has a ratio.
    for each in (report, done.other):
        if each is not None and each.ratio_median is not None:
            spread = f"spread {each.ratio_spread:.3f}"
            console.print(f"scale: median of true / predicted depth {each.ratio_median:.4g}, {spread}")
    factor = "" if report.factor == 1 else f", predictions times {report.factor:g}"
    if factor and args.factor is None:
        factor += " (the model's: it was trained with a baseline of 0.1)"
    scaling = _SCALING[done.scaling]
    bounds = [f"{option} {bound:g} m" for option, bound in (("from", args.min_depth), ("to", args.max_depth)) if bound]
    console.print(f"protocol: {', '.join([report.protocol.name, *bounds, scaling])}{factor}")
    if done.metric is not None:
        console.print(f"predictions: {done.metric}")
    pixels = sum(image.pixels for image in report.images)
    skipped = f"; {report.skipped} left out, without ground truth" if report.skipped else ""
    console.print(f"compared: {len(report.images)} of the {done.frames}, {pixels} pixels{skipped}")
    console.print(
        f"best constant: {done.constant_m:.2f} m at every pixel, which has the smallest abs_rel of all constants; a "
        "network should do better"
    )
    if done.sparsification is not None:
        for metric, curve in done.sparsification.curves.items():
            console.print(
                f"confidence, {metric}: AUSE {curve.ause:.4f} (0: it ranks pixels as their errors do), AURG "
                f"{curve.aurg:+.4f} (0: no better than a random order)"
            )
    if done.frames == "training frames":
        console.print("note: errors on training frames show how well the model fits them, not how good its depth is")


_SCALING = {
    "image": "each image at its true median",
    "set": "all images at one scale, that median",
    "scale and shift": "each image aligned by scale and shift, by least squares in disparity",
    "none": "without median scaling",
}


def _table(done: DepthEvaluation, what: str) -> Table:
    """Errors of the predictions, with the other scaling if the model has a unit, and of the best constant.

    Args:
        what: heading of the row of the predictions.
    """
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
