"""`selfdepth evaluate depth`: the field's seven numbers, and what a constant would reach."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tyro

from selfdepth.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from selfdepth.evaluation.run import DepthEvaluation, Measure


@dataclass(frozen=True, kw_only=True)
class EvaluateDepthArgs:
    """Measure depth against ground truth: of MODEL on --data, or of anybody's --predictions.

    A model is judged on the test frames of the split; where there are none, on the validation frames; else on all
    frames. It predicts at its training size, inside its training crop, in float32.
    """

    model: tyro.conf.Positional[str | None] = None
    """Run, weights or published folder, published name, or Hugging Face hub name. Not needed with --predictions."""
    data: str | None = None
    """KITTI raw root, or a store made of it; with --ground-truth also a folder of images or a video."""
    split: str | None = None
    """Folder with test_files.txt, or val_files.txt (KITTI)."""
    predictions: str | None = None
    """.npy or .npz with disparities (images, height, width) of any resolution, instead of MODEL."""
    predictions_are: Literal["disparity", "depth"] = "disparity"
    """What --predictions holds. Disparities are inverse depths."""
    ground_truth: str | None = None
    """.npy or .npz with depth in metres (images, height, width), 0 = not known. Default: what --data measured."""
    protocol: Literal["eigen", "eigen_benchmark", "dense"] | None = None
    """eigen: raw LiDAR. eigen_benchmark: KITTI's improved ground truth. dense: rendered depth. Default: the data's,
    eigen for --predictions."""
    median_scaling: bool = True
    """Bring each prediction to the median of its ground truth first, as monocular depth has no unit. Of a model that
    learned from stereo, both errors are shown."""
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
    from rich.console import Console

    from selfdepth.evaluation.run import Measure
    from selfdepth.inference.files import require_writable

    if args.json is not None:  # before the predictions, which may take long
        require_writable(Path(args.json).expanduser().parent, option="--json")
    console = Console(stderr=True)
    measure = Measure(protocol=args.protocol, median_scaling=args.median_scaling, factor=args.factor)
    if console.is_terminal:
        with console.status("predicting and comparing"):
            done = _evaluate(args, measure)
    else:
        done = _evaluate(args, measure)
    if args.json is not None:
        _write(Path(args.json).expanduser(), args, done)
    _show(done, args)


def _evaluate(args: EvaluateDepthArgs, measure: Measure) -> DepthEvaluation:
    from selfdepth.evaluation.run import evaluate_files, evaluate_model

    truth = None if args.ground_truth is None else Path(args.ground_truth).expanduser()
    if args.predictions is not None and truth is not None:
        predictions = Path(args.predictions).expanduser()
        return evaluate_files(predictions, truth, quantity=args.predictions_are, measure=measure)
    assert args.model is not None and args.data is not None, "_check refuses their absence"
    return evaluate_model(
        args.model,
        Path(args.data).expanduser(),
        split=None if args.split is None else Path(args.split).expanduser(),
        ground_truth=truth,
        measure=measure,
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
            ("--data", args.data),
            ("--split", args.split),
            ("--post-process", args.post_process or None),
        ):
            if given is not None:
                raise ConfigError(f"{option} and --predictions exclude each other", got=f"{given}")
        if args.ground_truth is None:
            raise ConfigError(
                "there is nothing to compare with", where="--ground-truth", expected="a .npy or .npz file"
            )
    if args.factor is not None and not 0 < args.factor < math.inf:
        raise ConfigError("option out of range", where="--factor", expected="more than 0", got=str(args.factor))
    if args.batch_size < 1:
        raise ConfigError("option out of range", where="--batch-size", expected="at least 1", got=str(args.batch_size))


def _write(path: Path, args: EvaluateDepthArgs, done: DepthEvaluation) -> None:
    import json

    from selfdepth.inference.files import whole_file

    asked = {name: getattr(args, name) for name in ("model", "data", "split", "predictions", "ground_truth")}
    values: dict[str, Any] = {**done.to_json(), **asked, "post_process": args.post_process}
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2, allow_nan=False) + "\n", encoding="utf-8")


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
    scaling = _SCALING[report.median_scaling]
    console.print(f"protocol: {report.protocol.name}, {scaling}{factor}")
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

    from selfdepth.evaluation.depth import METRICS

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    for metric in METRICS:
        table.add_column(metric, justify="right", no_wrap=True)
    rows = [(what, done.report), ("best constant", done.baseline)]
    if done.other is not None:
        rows.insert(1, ("scaled" if done.other.median_scaling else "not scaled", done.other))
    for name, report in rows:
        table.add_row(name, *(f"{getattr(report, metric):.3f}" for metric in METRICS))
    return table
