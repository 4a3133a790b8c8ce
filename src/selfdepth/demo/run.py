"""The demo: render a street, learn depth from it, measure on another street, and write it all down."""

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

from selfdepth.config import EncoderConfig, LossConfig, TrainConfig
from selfdepth.data.sources.rendered import CAMERA_FILE
from selfdepth.demo.drives import HELD_OUT, TRAIN, Drives, make_drives
from selfdepth.demo.evaluate import Baselines, DemoEvaluation, baselines, judge
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
    # timm's smallest ResNet: ten steps a second on two cores.
    encoder=EncoderConfig(name="test_resnet", pose_name="test_resnet", pretrained=False),
    # The road begins 2 m ahead, seven times nearer than the median: from the published start, at twice near, most of
    # it would be cut off, and the scale of the whole scene would have to grow before anything else is learned.
    loss=LossConfig(near=0.02, start_depth=0.2),
    width=192,
    height=64,
    batch_size=4,
    learning_rate=4e-4,
    save_every=200,
    keep=1,
    compile=False,
)
"""What the demo trains; data, camera, budget and seed are filled in. Small: in minutes, many steps beat many pixels."""

MIN_MINUTES = 1.0
_RESERVE_S = 20.0
"""Kept for what follows the training: evaluation and report."""
_MIN_TRAINING_S = 10.0


@runtime_checkable
class DemoWatcher(Watcher, Protocol):
    """Who looks on at a demo."""

    def rendering(self, done: int, total: int) -> None:
        """The drives are being rendered."""

    def stage(self, name: str) -> None:
        """A stage begins."""


@dataclass(frozen=True, kw_only=True)
class DemoPlan:
    """What a demo does.

    Attributes:
        train, held_out: the drives; two seeds are two streets.
        config: the run. If it has a budget of its own, that is taken.
        minutes: for everything, where the run has no budget of its own; at least 1.
        val_every: every so many held-out frames one is looked at while training goes on.
        n_views: held-out frames in the report.

    Raises:
        ConfigError: for too few minutes.
    """

    train: DriveSpec
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
    """A demo that is done: what was found, and where it is written."""

    report: Report
    path: Path


def demo_plan(*, minutes: float, seed: int) -> DemoPlan:
    """The demo as the command line gives it: 30 s of driving to learn from, 10 s of another street.

    Raises:
        ConfigError: for too few minutes or a seed below 0.
    """
    return DemoPlan(
        train=DriveSpec(seed=2 * seed, frames=300),
        held_out=DriveSpec(seed=2 * seed + 1, frames=100),
        config=replace(DEMO_CONFIG, seed=seed),
        minutes=minutes,
    )


def run_demo(plan: DemoPlan, folder: Path, watcher: DemoWatcher) -> Demo:
    """Do it all. `folder` then holds drives/, run/ and report.html.

    Raises:
        OutputError: if the folder is not empty or cannot be written.
        Interrupted: after Ctrl-C or SIGTERM while training, once everything is saved.
    """
    _check_folder(folder)
    clock = _Clock(watcher)
    with clock.stage("rendering two drives"):
        drives = make_drives(
            plan.train,
            plan.held_out,
            folder / "drives",
            val_every=plan.val_every,
            spacing=plan.config.spacing or 1,
            progress=watcher.rendering,
        )
    with clock.stage("measuring the baselines"):
        beaten = baselines(drives)
    with clock.stage("training"):
        config = _config(plan, drives.folder / TRAIN, elapsed_s=clock.total_s())
        run = train(config, folder / "run", watcher=watcher, footage=drives.footage)
    with clock.stage("evaluating on the held-out drive"):
        judgement = judge(run, drives, n_views=plan.n_views)
    with clock.stage("writing the report"):
        report = _report(run, drives, beaten, judgement, ())
        render_report(report)  # the time this takes is part of what the page says
    report = replace(report, stages=tuple(clock.stages))
    path = folder / REPORT_FILE
    with whole_file(path) as part:
        part.write_text(render_report(report), encoding="utf-8")
    return Demo(report=report, path=path)


def _config(plan: DemoPlan, data: Path, *, elapsed_s: float) -> TrainConfig:
    config = replace(plan.config, data=str(data), camera=str(data / CAMERA_FILE))
    if any(budget is not None for budget in (config.steps, config.epochs, config.minutes)):
        return config
    left_s = 60 * plan.minutes - elapsed_s - _RESERVE_S
    return replace(config, minutes=max(left_s, _MIN_TRAINING_S) / 60)


def _check_folder(folder: Path) -> None:
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
    """Names the stages and measures them."""

    def __init__(self, watcher: DemoWatcher) -> None:
        self.stages: list[Stage] = []
        self._watcher, self._start = watcher, time.monotonic()

    def total_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure the block."""
        self._watcher.stage(name)
        before = time.monotonic()
        yield
        self.stages.append(Stage(name=name, seconds=time.monotonic() - before))


def _report(
    run: Run, drives: Drives, beaten: Baselines, judgement: DemoEvaluation, stages: tuple[Stage, ...]
) -> Report:
    metrics = read_metrics(run.folder)
    config, drive, folder = run.config, drives.train, drives.folder
    facts = (
        ("learned from", f"{len(drive.images)} frames of {drive.camera.width}x{drive.camera.height}"),
        ("evaluated on", f"{len(drives.held_out.images)} frames of another street"),
        ("network", f"{config.encoder.name}, {config.width}x{config.height}, from random weights"),
        ("training", f"{run.progress.step} steps of {config.batch_size} clips"),
    )
    commands = (
        f"selfdepth predict {run.folder} {folder / HELD_OUT} --out predictions",
        f"selfdepth train mono-192x64 --data {folder / TRAIN} --camera {folder / TRAIN / CAMERA_FILE} --out my-run",
        "selfdepth train mono-320x96 --data MY_VIDEO.mp4 --out my-video",
    )
    return Report(
        ours=judgement.depth,
        per_row=beaten.per_row,
        constant=beaten.constant,
        constant_m=beaten.constant_m,
        loss=_curve(metrics, "train", "loss"),
        abs_rel=_curve(metrics, "val", "abs_rel"),
        frames=judgement.frames,
        path=judgement.path,
        training_s=run.progress.elapsed_s,
        footage_s=float(drive.timestamps[-1]),
        machine=_machine(run.device),
        stages=stages,
        facts=facts,
        commands=commands,
    )


def _curve(metrics: list[dict[str, Any]], kind: str, name: str) -> Curve:
    lines = [line for line in metrics if line["kind"] == kind and name in line]
    return Curve(
        minutes=np.array([line["elapsed_s"] / 60 for line in lines]), values=np.array([line[name] for line in lines])
    )


def _machine(device: torch.device) -> Machine:
    threads = torch.get_num_threads()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
    return Machine(
        cpu=_cpu_name(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        device=f"{threads} CPU thread{'s' * (threads != 1)}" if device.type == "cpu" else name,
        torch=torch.__version__,
        python=platform.python_version(),
    )


def _cpu_name() -> str:
    """What the processor calls itself; its architecture where it does not say."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine() or "unknown"
