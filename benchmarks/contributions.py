"""Measure what each of the paper's three contributions adds, on rendered streets with exact depth (after its Table 2).

    python benchmarks/contributions.py --steps 600 --seeds 0 1 2 --json benchmarks/results/contributions.json

Eight variants are trained in the same way on one street and evaluated on every frame of another: the baseline (mean
reprojection, no auto-mask, each scale at its own resolution), each contribution alone, each one removed, and the full
method.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from measuring import facts, write_json
from selfdepth.config import TrainConfig
from selfdepth.data.sources.rendered import CAMERA_FILE
from selfdepth.demo.drives import TRAIN, Drives, make_drives
from selfdepth.demo.evaluate import baselines
from selfdepth.demo.run import DEMO_CONFIG
from selfdepth.engine.train import train
from selfdepth.engine.validate import validate
from selfdepth.synthetic.drive import DriveSpec

WITHOUT: dict[str, dict[str, Any]] = {
    "minimum reprojection": {"reprojection": "mean"},
    "auto-mask": {"automask": False},
    "full-resolution multiscale": {"multiscale": "native"},
}
"""The options of the loss that turn each contribution off."""


def variants() -> dict[str, dict[str, Any]]:
    """Changes of the loss, by the name of the variant in the table."""

    def off(*names: str) -> dict[str, Any]:
        return {key: value for name in names for key, value in WITHOUT[name].items()}

    alone = {f"{name} alone": off(*(other for other in WITHOUT if other != name)) for name in WITHOUT}
    removed = {f"without {name}": off(name) for name in WITHOUT}
    return {"baseline": off(*WITHOUT), **alone, **removed, "full method": {}}


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training, and its streets.

    Attributes:
        variant: its name.
        config: without data and camera.
        train, held_out: the streets, which every process renders for itself.
        folder: for the run.
    """

    variant: str
    config: TrainConfig
    train: DriveSpec
    held_out: DriveSpec
    folder: Path


@cache
def _drives(train: DriveSpec, held_out: DriveSpec, folder: Path) -> Drives:
    """The streets, rendered once per process."""
    return make_drives((train,), held_out, folder, val_every=1, progress=lambda done, total: None)


def work(job: Job) -> tuple[str, int, dict[str, float]]:
    """Train and evaluate one variant from one seed. Returns its name, the seed and the errors."""
    torch.set_num_threads(1)  # several processes share the cores
    drives = _drives(job.train, job.held_out, job.folder.parent / f"drives-{os.getpid()}")
    data = drives.folder / TRAIN / "street_0"
    # Validation covers every held-out frame, so it runs once, at the end.
    config = replace(job.config, data=str(data), camera=str(data / CAMERA_FILE), save_every=10**9)
    run = train(config, job.folder / "run", footage=drives.footage)
    depth = validate(run).depth
    assert depth is not None, "a rendered street has ground truth"
    return job.variant, config.seed, {name: getattr(depth, name) for name in ("abs_rel", "rmse", "a1", "ratio_spread")}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Train all variants from all seeds and print the table. Returns the document that the JSON file holds."""
    args = _parser().parse_args(argv)
    streets = {
        "train": DriveSpec(seed=args.street, frames=args.frames),
        "held_out": DriveSpec(seed=args.street + 1, frames=max(12, args.frames // 3)),
    }
    results: dict[str, dict[int, dict[str, float]]] = {name: {} for name in variants()}
    with tempfile.TemporaryDirectory(prefix="selfdepth-bench-") as name:
        to_beat = baselines(_drives(**streets, folder=Path(name) / "drives"))
        jobs = [
            Job(
                variant=variant,
                config=replace(
                    DEMO_CONFIG,
                    seed=seed,
                    steps=args.steps,
                    width=args.width,
                    loss=replace(DEMO_CONFIG.loss, **changes),
                    precision="fp32",  # "auto" depends on the machine
                ),
                **streets,
                folder=Path(name) / f"{number}-{seed}",
            )
            for seed in args.seeds
            for number, (variant, changes) in enumerate(variants().items())
        ]
        # Spawned, not forked: torch's threads do not survive a fork.
        with ProcessPoolExecutor(args.workers, multiprocessing.get_context("spawn")) as pool:
            for variant, seed, errors in pool.map(work, jobs):
                results[variant][seed] = errors
                print(f"{variant}, seed {seed}: abs_rel {errors['abs_rel']:.3f}", flush=True)
    document = {
        "facts": facts(),
        "steps": args.steps,
        "batch": DEMO_CONFIG.batch_size,
        "street": args.street,
        "constant_abs_rel": to_beat.constant.abs_rel,
        "per_row_abs_rel": to_beat.per_row.abs_rel,
        "variants": results,
    }
    print(table(document))
    if args.json is not None:
        write_json(document, args.json)
    return document


def table(document: dict[str, Any]) -> str:
    """Mean and standard deviation over the seeds, as a table of Markdown."""
    lines = ["| | abs_rel | rmse | a1 |", "|---|---|---|---|"]
    for variant, by_seed in document["variants"].items():
        cells = []
        for name in ("abs_rel", "rmse", "a1"):
            values = [errors[name] for errors in by_seed.values()]
            spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
            cells.append(f"{np.mean(values):.3f} ± {spread:.3f}")
        lines.append(f"| {variant} | {' | '.join(cells)} |")
    lines.append(f"| mean depth of each row | {document['per_row_abs_rel']:.3f} | | |")
    lines.append(f"| best constant depth | {document['constant_abs_rel']:.3f} | | |")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the weights and of the order of clips"
    )
    parser.add_argument("--street", type=int, default=0, help="seed of the street; the next one is held out")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--width", type=int, default=DEMO_CONFIG.width)
    parser.add_argument("--workers", type=int, default=2, help="trainings at a time, with one thread each")
    parser.add_argument("--json", type=Path)
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
