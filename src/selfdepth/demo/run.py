"""The demo: render streets, learn depth from them, evaluate on another street, and write a report."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from selfdepth.config import LITE0, EncoderConfig, LossConfig, TrainConfig
from selfdepth.demo.drives import HELD_OUT, TRAIN, Drives, make_drives
from selfdepth.demo.evaluate import Baselines, DemoEvaluation, baselines, evaluate_run
from selfdepth.demo.report import render_report
from selfdepth.demo.report_data import Curve, Machine, Report, Stage
from selfdepth.engine.setup import Run
from selfdepth.engine.tracking import read_metrics
from selfdepth.engine.train import train
from selfdepth.engine.watch import Watcher
from selfdepth.errors import ConfigError, OutputError
from selfdepth.files import whole_file
from selfdepth.synthetic.drive import DriveSpec

REPORT_FILE = "report.html"

DEMO_CONFIG = TrainConfig(
    # Its ImageNet weights are installed, so that the demo needs no network.
    encoder=EncoderConfig(name=LITE0),
    motion_first=True,
    # The road begins 2 m ahead, seven times nearer than the median depth. From the published start, at twice the
    # nearest depth, most of the road would be clipped, and the scale of the whole scene would have to grow first.
    loss=LossConfig(near=0.02, start_depth=0.2, align_motion=True),
    width=192,
    height=64,
    batch_size=4,
    learning_rate=2e-4,  # twice the paper's, as in all presets of this size: there are minutes, not 20 epochs
    save_every=200,
    compile=False,  # compiling takes longer than it saves in minutes
)
"""The training configuration, without data, camera, budget and seed. It is small: within minutes, more steps help more
than more pixels."""

_STREETS = 10
MIN_MINUTES = 1.0
_RESERVE_S = 20.0
"""Reserved for evaluation and report, which follow the training."""
_MIN_TRAINING_S = 10.0
"""Of training even if rendering has used up the time: a run without a step has no model to evaluate."""


@runtime_checkable
class DemoWatcher(Watcher, Protocol):
    """Follows a demo: its stages, and the training within."""

    def rendering(self, done: int, total: int) -> None:
        """So many frames are rendered, of so many in all."""

    def stage(self, name: str) -> None:
        """A stage begins."""


@dataclass(frozen=True, kw_only=True)
class DemoPlan:
    """The drives, the training and the time of a demo.

    Attributes:
        train, held_out: the drives; two seeds are two streets.
        config: of the training. Its own budget, if it has one, takes precedence over `minutes`.
        minutes: for everything, at least 1.
        val_every: one of so many held-out frames is evaluated during training.
        n_views: held-out frames with pictures in the report.

    Raises:
        ConfigError: for too few minutes.
    """

    train: tuple[DriveSpec, ...]
    held_out: DriveSpec
    config: TrainConfig = DEMO_CONFIG
    minutes: float = 5.5
    val_every: int = 5
    n_views: int = 5

    def __post_init__(self) -> None:
        if not MIN_MINUTES <= self.minutes < float("inf"):
            raise ConfigError(
                "option out of range",
                where="--minutes",
                expected=f"at least {MIN_MINUTES:g}",
                got=f"{self.minutes:g}",
                fix="rendering alone takes half a minute on two cores",
            )


@dataclass(frozen=True, kw_only=True)
class Demo:
    """The result of a demo.

    Attributes:
        report: its contents.
        path: of the page, OUT/report.html.
    """

    report: Report
    path: Path


def demo_plan(*, minutes: float, seed: int) -> DemoPlan:
    """The demo of the command line: 30 s of driving, on several streets, to train on, and 10 s on another street to
    evaluate on.

    Args:
        minutes: for everything, at least 1.
        seed: of the streets and of the training, at least 0.

    Raises:
        ConfigError: for too few minutes or a negative seed.
    """
    # Streets of even seeds are trained on and those of odd seeds held out, so that no demo is evaluated on a street
    # that another one trained on.
    return DemoPlan(
        # Short drives on many streets teach more about an unseen one than a long drive on one.
        train=tuple(DriveSpec(seed=2 * (_STREETS * seed + i), frames=300 // _STREETS) for i in range(_STREETS)),
        held_out=DriveSpec(seed=2 * seed + 1, frames=100),
        config=replace(DEMO_CONFIG, seed=seed),
        minutes=minutes,
    )


def run_demo(plan: DemoPlan, folder: Path, watcher: DemoWatcher) -> Demo:
    """Run the whole demo. `folder` then holds drives/, run/ and report.html.

    Raises:
        OutputError: if the folder is not empty or cannot be written to.
        Interrupted: after Ctrl-C, SIGTERM or SIGHUP during training, once the run is saved.
    """
    _check_folder(folder)
    clock = _Clock(watcher)
    with clock.stage(f"rendering {len(plan.train) + 1} drives"):
        drives = make_drives(
            plan.train,
            plan.held_out,
            folder / "drives",
            val_every=plan.val_every,
            spacing=plan.config.spacing or 1,
            progress=watcher.rendering,
        )
    with clock.stage("measuring the baselines"):
        to_beat = baselines(drives)
    with clock.stage("training"):
        config = _config(plan, drives.folder / TRAIN, elapsed_s=clock.total_s())
        run = train(config, folder / "run", watcher=watcher, footage=drives.footage)
    with clock.stage("evaluating on the held-out drive"):
        evaluation = evaluate_run(run, drives, n_views=plan.n_views)
    with clock.stage("writing the report"):
        report = _report(run, drives, to_beat, evaluation, ())
        render_report(report)  # once for its time, which the page itself shows
    report = replace(report, stages=tuple(clock.stages))
    path = folder / REPORT_FILE
    with whole_file(path) as part:
        part.write_text(render_report(report), encoding="utf-8")
    return Demo(report=report, path=path)


def _config(plan: DemoPlan, data: Path, *, elapsed_s: float) -> TrainConfig:
    """The plan's configuration with its data, camera and budget: the time that rendering has left."""
    config = replace(plan.config, data=str(data))
    if any(budget is not None for budget in (config.steps, config.epochs, config.minutes)):
        return config
    # Time, not steps: a fast machine learns more in the same minutes, and a slow one still keeps to them.
    left_s = 60 * plan.minutes - elapsed_s - _RESERVE_S
    return replace(config, minutes=max(left_s, _MIN_TRAINING_S) / 60)


def _check_folder(folder: Path) -> None:
    """Refuse a folder that holds something: a demo writes many files, and none of them may replace the user's."""
    if folder.exists() and not folder.is_dir():
        raise OutputError("the output folder is a file", where=folder, fix="name another folder with --out")
    if folder.is_dir() and any(folder.iterdir()):
        raise OutputError(
            "the output folder is not empty",
            where=folder,
            expected="a new or empty folder",
            fix="remove it, or name another folder with --out",
        )


class _Clock:
    """Announces the stages to the watcher and measures their time."""

    def __init__(self, watcher: DemoWatcher) -> None:
        self.stages: list[Stage] = []
        self._watcher, self._start = watcher, time.monotonic()

    def total_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Announce a stage and measure the block; a block that raises is not recorded."""
        self._watcher.stage(name)
        before = time.monotonic()
        yield
        self.stages.append(Stage(name=name, seconds=time.monotonic() - before))


def _report(
    run: Run, drives: Drives, to_beat: Baselines, evaluation: DemoEvaluation, stages: tuple[Stage, ...]
) -> Report:
    """Everything that the page shows, from the results and from the record of the run."""
    metrics = read_metrics(run.folder)
    config, folder = run.config, drives.folder
    frames, camera = sum(len(drive.images) for drive in drives.train), drives.train[0].camera
    facts = (
        ("learned from", f"{frames} frames of {camera.width}x{camera.height} on {len(drives.train)} streets"),
        ("evaluated on", f"{len(drives.held_out.images)} frames of another street"),
        ("network", f"{config.encoder.name}, {config.width}x{config.height}, from {_start(config.encoder)} weights"),
        ("training", f"{run.progress.step} steps of {config.batch_size} clips"),
    )
    commands = (
        f"selfdepth predict {run.folder} {folder / HELD_OUT} --out predictions",
        f"selfdepth train mono-192x64 --data {folder / TRAIN} --out my-run",
        "selfdepth train mono-320x96 --data MY_VIDEO.mp4 --out my-video",
    )
    return Report(
        ours=evaluation.depth,
        per_row=to_beat.per_row,
        constant=to_beat.constant,
        constant_m=to_beat.constant_m,
        loss=_curve(metrics, "train", "loss"),
        abs_rel=_curve(metrics, "val", "abs_rel"),
        frames=evaluation.frames,
        path=evaluation.path,
        training_s=run.progress.elapsed_s,
        footage_s=sum(float(drive.timestamps[-1]) for drive in drives.train),
        machine=_machine(run.device),
        stages=stages,
        facts=facts,
        commands=commands,
    )


def _start(encoder: EncoderConfig) -> str:
    return "ImageNet" if encoder.pretrained else "random"


def _curve(metrics: list[dict[str, Any]], kind: str, name: str) -> Curve:
    """One value of the run's record over the minutes of training.

    Args:
        metrics: lines of metrics.jsonl.
        kind: of the lines: "train" or "val".
        name: of the value.
    """
    lines = [line for line in metrics if line["kind"] == kind and name in line]
    return Curve(
        minutes=np.array([line["elapsed_s"] / 60 for line in lines]), values=np.array([line[name] for line in lines])
    )


def _machine(device: torch.device) -> Machine:
    threads = torch.get_num_threads()
    # A container may own fewer cores than the machine has; where the system tells, the page shows those.
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
    return Machine(
        cpu=_cpu_name(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        device=f"{threads} CPU thread{'s' * (threads != 1)}" if device.type == "cpu" else name,
        torch=torch.__version__,
        python=platform.python_version(),
    )


def _cpu_name() -> str:
    """The name that the CPU gives itself, or else its architecture."""
    info = Path("/proc/cpuinfo")
    if info.is_file():  # Linux, where platform.processor() is empty or says x86_64 only
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine() or "unknown"
