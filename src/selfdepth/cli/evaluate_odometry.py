"""`selfdepth evaluate odometry`: errors of a trajectory against the true one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from selfdepth.checks import require_stream
from selfdepth.cli.evaluating import run_evaluation, write_json
from selfdepth.cli.printing import safe_console
from selfdepth.errors import ConfigError
from selfdepth.places import path_of

if TYPE_CHECKING:
    from rich.table import Table

    from selfdepth.evaluation.odometry.run import OdometryEvaluation


@dataclass(frozen=True, kw_only=True)
class EvaluateOdometryArgs:
    """Measure a trajectory against the true one: that of MODEL on --data, or the --predictions of any method.

    A model's motions between successive frames are chained. It predicts them at its own frame spacing, inside its
    training crop, in float32.
    """

    model: Annotated[tyro.conf.Positional[str | None], tyro.conf.arg(metavar="[MODEL]")] = None
    """Run folder, weights folder, published folder or name, or Hugging Face hub name. Not needed with --predictions."""
    data: str | None = None
    """Root of KITTI odometry (true poses: poses/09.txt) or KITTI raw (oxts), folder of images with poses.txt,
    video, or ROS bag."""
    sequence: str | None = None
    """Which of several sequences in --data, such as 09 or 2011_09_26_drive_0005_sync."""
    stream: int | None = None
    """Number of the video stream to take, from 0. Default: the one with the most frames."""
    topic: str | None = None
    """Name of the topic of images to take from ROS bags. Default: that of the only camera."""
    predictions: str | None = None
    """Trajectory of any method, instead of MODEL: KITTI's text (a pose per frame) or TUM's."""
    ground_truth: str | None = None
    """True trajectory: KITTI's text or TUM's. Default: the one that belongs to --data."""
    align: Literal["none", "scale", "se3", "sim3"] | None = None
    """Align with the true trajectory first. scale: in scale alone. se3: by a rigid motion. sim3: by both. Default:
    sim3, or se3 for a model that learned from stereo pairs."""
    every: int | None = None
    """Frames between two poses of MODEL. Default: the spacing that it was trained with."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""
    batch_size: int = 8
    """Motions per forward pass."""
    plots: str | None = None
    """Folder for path.png (from above) and axes.png (x, y, z over time)."""
    json: str | None = None
    """File for the numbers."""


SECTIONS = {
    "input": ("model", "data", "sequence", "stream", "topic", "every", "predictions", "ground_truth"),
    "protocol": ("align",),
    "output": ("json", "plots"),
    "machine": ("device", "batch_size"),
}
"""How `--help` groups the options."""


def evaluate_odometry(args: EvaluateOdometryArgs) -> None:
    """Run the verb: follow the camera unless a trajectory is given, compare, print a table, write --json and --plots.

    Raises:
        SelfDepthError: for contradictory options, and for invalid files, data or models.
    """
    _check(args)
    done = run_evaluation(
        lambda: _evaluate(args), status="following the camera", json=args.json, folders={"--plots": args.plots}
    )
    inputs = {name: getattr(args, name) for name in ("model", "data", "sequence", "predictions", "ground_truth")}
    write_json(args.json, {**done.to_json(), **inputs})
    if args.plots is not None:
        _plot(path_of(args.plots), done)
    _show(done, args)


def _evaluate(args: EvaluateOdometryArgs) -> OdometryEvaluation:
    from selfdepth.data.readers.trajectories import read_trajectory
    from selfdepth.evaluation.odometry.run import evaluate_trajectory, predict_trajectory, read_predicted
    from selfdepth.evaluation.odometry.sequences import sequence_to_evaluate

    given = None if args.ground_truth is None else path_of(args.ground_truth)
    sequence = None
    if args.data is not None:
        sequence = sequence_to_evaluate(path_of(args.data), args.sequence, given, stream=args.stream, topic=args.topic)
    if args.predictions is not None:
        if sequence is None:
            assert given is not None, "_check refuses its absence"
            truth = read_trajectory(given)
        else:
            truth = sequence.truth
        # The ground truth gives the timestamps of predictions without any (KITTI's format).
        predicted = read_predicted(path_of(args.predictions), truth)
        return evaluate_trajectory(predicted, truth, args.align or "sim3", where=args.predictions)
    assert args.model is not None and sequence is not None, "_check refuses their absence"
    # The model determines the default alignment: a known scale must not be fitted away.
    predicted, alignment = predict_trajectory(
        args.model, sequence, spacing=args.every, device=args.device, batch_size=args.batch_size
    )
    return evaluate_trajectory(predicted, sequence.truth, args.align or alignment, where=args.model)


def _check(args: EvaluateOdometryArgs) -> None:
    """Refuse contradictory options, and those that would be ignored."""
    if args.predictions is None:
        if args.model is None:
            raise ConfigError("there is nothing to evaluate", expected="MODEL, or --predictions FILE")
        if args.data is None:
            raise ConfigError("there is no data to evaluate on", where="--data", fix="add --data DATA --sequence S")
    else:
        for option, given in (("MODEL", args.model), ("--every", args.every)):
            if given is not None:
                raise ConfigError(f"{option} and --predictions exclude each other", got=f"{given}")
        if args.data is None and args.ground_truth is None:
            raise ConfigError(
                "there is nothing to compare with", expected="--ground-truth FILE, or --data DATA --sequence S"
            )
    for option, value in (("--sequence", args.sequence), ("--stream", args.stream), ("--topic", args.topic)):
        if value is not None and args.data is None:
            raise ConfigError(
                f"{option} applies only with --data", got=f"{value}", fix="leave it out, or add --data DATA"
            )
    require_stream(args.stream)
    if args.batch_size < 1:
        raise ConfigError("option out of range", where="--batch-size", expected="at least 1", got=str(args.batch_size))


def _plot(folder: Path, done: OdometryEvaluation) -> None:
    from selfdepth.evaluation.odometry.plots import PLOT_FILES, plot_axes, plot_path

    for name, plot in zip(PLOT_FILES, (plot_path, plot_axes), strict=True):
        plot(folder / name, done.predicted, done.truth, unit="m")


def _show(done: OdometryEvaluation, args: EvaluateOdometryArgs) -> None:
    console = safe_console(soft_wrap=True, highlight=False, markup=False)
    console.print(_table(done))
    console.print(f"compared: {len(done.truth)} poses of {done.frames} true ones, along {done.length:.1f} m")
    console.print(f"alignment: {done.how}, predicted lengths times {done.absolute.alignment.scale:.4g}")
    if done.predicted.metric is not None:
        console.print(f"predictions: {done.predicted.metric}")
    console.print(
        f"straight line at the true mean speed: ATE {done.straight_rmse:.3f} m; unless the road is straight, a network "
        "should do better"
    )
    console.print("five-frame error: published as ATE, but it is RMSE / sqrt(N); each snippet has its own scale")
    if done.drift is None:
        console.print("t_err and r_err need more than 100 m of road")


def _table(done: OdometryEvaluation) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("five-frame (m)", "ATE (m)", "RPE (m)", "RPE (deg)", "t_err (%)", "r_err (deg/100 m)"):
        table.add_column(heading, justify="right", no_wrap=True)
    drift = done.drift
    table.add_row(
        f"{done.five_frame.mean:.4f} +- {done.five_frame.std:.4f}",
        f"{done.absolute.rmse:.3f}",
        f"{done.relative.translation_rmse:.4f}",
        f"{done.relative.rotation_rmse_deg:.4f}",
        "-" if drift is None else f"{drift.t_err_percent:.3f}",
        "-" if drift is None else f"{drift.r_err_deg_per_100m:.3f}",
    )
    return table
