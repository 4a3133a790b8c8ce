"""A report with made-up numbers."""

from __future__ import annotations

import numpy as np

from selfdepth.demo.report_data import Curve, FrameView, Machine, PathView, Report, Stage
from selfdepth.evaluation.depth.metrics import DepthErrors


def errors(abs_rel: float) -> DepthErrors:
    """Errors of which abs_rel alone differs."""
    return DepthErrors(abs_rel=abs_rel, sq_rel=1.5, rmse=6.5, rmse_log=0.25, a1=0.791, a2=0.9, a3=0.95, log10=0.11)


def example() -> Report:
    """The same report each time."""
    rng = np.random.default_rng(0)
    truth = rng.uniform(2, 60, (24, 72))
    truth[:6] = 0
    frame = FrameView(
        name="frame <7>",
        image=rng.integers(0, 255, (24, 72, 3), dtype=np.uint8),
        depth=np.where(truth > 0, truth, 80.0) * 1.1,
        truth=truth,
        automask=rng.integers(0, 2, (16, 48)).astype(float),
        abs_rel=0.1,
    )
    path = np.stack([np.linspace(0, 3, 20), np.zeros(20), np.linspace(0, 90, 20)], axis=1)
    return Report(
        ours=errors(0.213),
        per_row=errors(0.341),
        constant=errors(0.467),
        constant_m=11.2,
        loss=Curve(minutes=np.linspace(0, 4, 30), values=np.linspace(0.2, 0.1, 30)),
        abs_rel=Curve(minutes=np.array([1.0, 2.0, 4.0]), values=np.array([0.5, 0.3, 0.21])),
        frames=(frame, frame),
        path=PathView(predicted=path + 0.3, truth=path, ate_m=0.87, length_m=91.0, straight_ate_m=2.34),
        training_s=276.0,
        footage_s=29.9,
        machine=Machine(cpu="Fast & Cheap 9000", cores=2, device="2 CPU threads", torch="2.9.9", python="3.12.1"),
        stages=(Stage(name="rendering", seconds=18.25), Stage(name="training", seconds=276.0)),
        facts=(("training", "700 steps of 12 clips"),),
        commands=("selfdepth predict demo/run demo/drives/heldout --out predictions",),
    )
