"""Measure what each of the paper's three contributions adds, on rendered streets with exact depth (after its Table 2).

    python benchmarks/contributions.py --steps 600 --seeds 0 1 2 --json benchmarks/results/contributions.json
    python benchmarks/contributions.py --kind all --steps 600 --seeds 0 1 2 --json contributions.json

Eight variants are trained in the same way on one street and evaluated on every frame of another: the baseline (mean
reprojection, no auto-mask, each scale at its own resolution), each contribution alone, each one removed, and the full
method. The plain street has a little of what each contribution is for; --kind takes streets that have much of one.
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
from selfdepth.config import EncoderConfig, TrainConfig
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

KIND_OPTIONS: dict[str, dict[str, Any]] = {
    "street": {},
    # Without traffic and halts: what the kind is named for is then the only difficulty.
    "occlusions": {"moving_cars": False, "stops": False},
    "comoving": {},
    "fine": {"moving_cars": False, "stops": False},
}
"""The kinds of streets, with further options of `DriveSpec`."""
MADE_FOR = {
    "minimum reprojection": "occlusions",
    "auto-mask": "comoving",
    "full-resolution multiscale": "fine",
}
"""The kind of street on which each contribution must matter."""

_CONFIG = replace(DEMO_CONFIG, encoder=EncoderConfig(name="test_resnet", pretrained=False), learning_rate=4e-4)
"""The demo's, with timm's smallest ResNet from random weights: at ten steps a second many trainings fit in an hour."""


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
    """Train all variants from all seeds on all kinds of streets, and print the tables.

    Returns:
        the document that the JSON file holds; with --json it is written after each kind.
    """
    args = _parser().parse_args(argv)
    kinds: list[str] = list(KIND_OPTIONS) if args.kind == "all" else [args.kind]
    document: dict[str, Any] = {
        "facts": facts(),
        "steps": args.steps,
        "batch": _CONFIG.batch_size,
        "street": args.street,
        "kinds": {},
    }
    with (
        tempfile.TemporaryDirectory(prefix="selfdepth-bench-") as name,
        # Spawned, not forked: torch's threads do not survive a fork.
        ProcessPoolExecutor(args.workers, multiprocessing.get_context("spawn")) as pool,
    ):
        for kind in kinds:
            document["kinds"][kind] = _measure(kind, args, Path(name) / kind, pool)
            print(f"\n{kind}\n\n{table(document['kinds'][kind])}\n", flush=True)
            if args.json is not None:
                write_json(document, args.json)
    print(effects(document))
    return document


def _measure(kind: str, args: argparse.Namespace, folder: Path, pool: ProcessPoolExecutor) -> dict[str, Any]:
    """Train and evaluate all variants on one kind of street."""
    streets = {
        "train": DriveSpec(seed=args.street, frames=args.frames, kind=kind, **KIND_OPTIONS[kind]),
        "held_out": DriveSpec(seed=args.street + 1, frames=max(12, args.frames // 3), kind=kind, **KIND_OPTIONS[kind]),
    }
    to_beat = baselines(_drives(**streets, folder=folder / "drives"))
    jobs = [
        Job(
            variant=variant,
            config=replace(
                _CONFIG,
                seed=seed,
                steps=args.steps,
                width=args.width,
                loss=replace(_CONFIG.loss, **changes),
                precision="fp32",  # "auto" depends on the machine
            ),
            **streets,
            folder=folder / f"{number}-{seed}",
        )
        for seed in args.seeds
        for number, (variant, changes) in enumerate(variants().items())
    ]
    results: dict[str, dict[int, dict[str, float]]] = {name: {} for name in variants()}
    for variant, seed, errors in pool.map(work, jobs):
        results[variant][seed] = errors
        print(f"{kind}, {variant}, seed {seed}: abs_rel {errors['abs_rel']:.3f}", flush=True)
    return {
        "constant_abs_rel": to_beat.constant.abs_rel,
        "per_row_abs_rel": to_beat.per_row.abs_rel,
        "variants": results,
    }


def table(measured: dict[str, Any]) -> str:
    """Mean and standard deviation over the seeds, as a table of Markdown, for one kind of street."""
    lines = ["| | abs_rel | rmse | a1 |", "|---|---|---|---|"]
    for variant, by_seed in measured["variants"].items():
        cells = []
        for name in ("abs_rel", "rmse", "a1"):
            values = [errors[name] for errors in by_seed.values()]
            spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
            cells.append(f"{np.mean(values):.3f} ± {spread:.3f}")
        lines.append(f"| {variant} | {' | '.join(cells)} |")
    lines.append(f"| mean depth of each row | {measured['per_row_abs_rel']:.3f} | | |")
    lines.append(f"| best constant depth | {measured['constant_abs_rel']:.3f} | | |")
    return "\n".join(lines)


def effects(document: dict[str, Any]) -> str:
    """What each contribution changes on each kind of street, as a table of Markdown: abs_rel without it minus with it.

    Two comparisons: removed from the full method, and added to the baseline. Seed by seed, because a seed that starts
    badly does so with and without it; mean and standard deviation over the seeds. Positive: it helps.
    """
    lines = [
        "abs_rel without each contribution minus abs_rel with it; in bold on the kind of street that it is made for",
        "",
        "| | removed from the full method | added to the baseline |",
        "|---|---|---|",
    ]
    for kind, measured in document["kinds"].items():
        for name in WITHOUT:
            pairs = (f"without {name}", "full method"), ("baseline", f"{name} alone")
            cells = [_difference(measured["variants"], *pair) for pair in pairs]
            if MADE_FOR[name] == kind:
                cells = [f"**{cell}**" for cell in cells]
            lines.append(f"| {kind}: {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _difference(by_variant: dict[str, dict[Any, dict[str, float]]], without: str, with_it: str) -> str:
    values = [
        by_variant[without][seed]["abs_rel"] - by_variant[with_it][seed]["abs_rel"] for seed in by_variant[without]
    ]
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return f"{np.mean(values):+.3f} ± {spread:.3f}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the weights and of the order of clips"
    )
    parser.add_argument(
        "--kind", choices=[*KIND_OPTIONS, "all"], default="street", help="of the streets; all: one after the other"
    )
    parser.add_argument("--street", type=int, default=0, help="seed of the street; the next one is held out")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--width", type=int, default=DEMO_CONFIG.width)
    parser.add_argument("--workers", type=int, default=2, help="trainings at a time, with one thread each")
    parser.add_argument("--json", type=Path)
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
