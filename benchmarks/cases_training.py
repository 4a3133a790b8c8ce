"""Benchmarks of the training step and of its objective."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ceilings import Ceilings, objective_bytes_per_clip, step_gflop_per_clip
from measuring import Row, Setting, in_turns, rate_row, section, size_row
from memory import measure_memory
from scenes import write_street
from sides import SIDES, is_compiled, objectives, our_run, our_step, plain_step


def train_step(setting: Setting, ceilings: Ceilings, folder: Path) -> dict[str, Any]:
    """Forward, objective, backward and optimiser on a batch in memory; and the peak memory of both sides."""
    images = folder / "images"
    write_street(images, setting)
    run = our_run(setting, images, folder / "run")
    batch, dtype = run.data.train.batch(0), run.learner.network_dtype
    step = our_step(run)
    seconds = in_turns({"ours": lambda: step(batch), "plain": plain_step(setting, batch)}, setting)
    gflop = step_gflop_per_clip(setting.width, setting.height)
    arithmetic = "bf16" if dtype == torch.bfloat16 else "fp32"
    speed = rate_row(
        "clips_per_s",
        f"training step, batch {setting.batch}",
        "clips/s",
        setting.batch,
        seconds,
        floor=ceilings.step_gflops(dtype) / gflop,
        floor_is=f"{gflop:.1f} GFLOP a clip at the {arithmetic} ceiling",
    )
    return section(
        [speed, *_memory_rows(setting, images)],
        gflop_per_clip=round(gflop, 2),
        floor_fp32_clips_per_s=ceilings.fp32_step_gflops / gflop,
        floor_bf16_clips_per_s=ceilings.bf16_step_gflops / gflop,
        precision=arithmetic,
        compiled=is_compiled(run),
    )


def objective(setting: Setting, ceilings: Ceilings, folder: Path) -> dict[str, Any]:
    """The objective alone: forward, and backward to disparities and motions."""
    images = folder / "images"
    write_street(images, setting)
    run = our_run(setting, images, folder / "run")
    seconds = in_turns(objectives(run, run.data.train.batch(0)), setting)
    least = objective_bytes_per_clip(setting.width, setting.height)
    row = rate_row(
        "clips_per_s",
        f"objective, forward and backward, batch {setting.batch}",
        "clips/s",
        setting.batch,
        seconds,
        floor=ceilings.memory_gb_per_s * 1e9 / least,
        floor_is=f"{least / 1e6:.1f} MB a clip, read twice, at the memory's bandwidth",
    )
    return section([row], megabytes_per_clip=round(least / 1e6, 2), compiled=is_compiled(run))


def _memory_rows(setting: Setting, images: Path) -> list[Row]:
    ours, plain = (measure_memory(side, setting, images) for side in SIDES)
    above = [side["peak_mb"] - side["imported_mb"] for side in (ours, plain)]
    return [
        size_row("peak_mb", "peak memory of the process", ours["peak_mb"], plain["peak_mb"]),
        size_row("peak_above_import_mb", "peak memory beyond that of the imports", *above),
    ]
