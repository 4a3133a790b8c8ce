"""Measure what each of the paper's three contributions adds, on rendered streets with exact depth (after its Table 2).

    python benchmarks/contributions.py --steps 600 --seeds 0 1 2 --json street.json
    python benchmarks/contributions.py --kind all --steps 400 --batch 12 --json benchmarks/results/contributions.json

Eight variants are trained in the same way on one street and evaluated on every frame of another: the baseline (mean
reprojection, no auto-mask, each scale at its own resolution), each contribution alone, each one removed, and the full
method. The plain street has a little of what each contribution is for; --kind takes streets that have much of one, and
trains there what tells whether that one matters.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from measuring import facts, write_json
from selfdepth.config import EncoderConfig, TrainConfig
from selfdepth.data.footage import Footage
from selfdepth.data.sources.rendered import CAMERA_FILE
from selfdepth.demo.drives import TRAIN, make_drives
from selfdepth.demo.evaluate import Baselines, baselines
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


def variants_on(kind: str) -> dict[str, dict[str, Any]]:
    """All variants on the plain street; on a kind made for one contribution, those with and without that one."""
    made_for = [name for name, its_kind in MADE_FOR.items() if its_kind == kind]
    wanted = {variant for name in made_for for pair in _comparisons(name) for variant in pair}
    return {name: changes for name, changes in variants().items() if not made_for or name in wanted}


def _comparisons(name: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """The variants (without, with) that tell what a contribution changes: from the full method, and to the baseline."""
    return (f"without {name}", "full method"), ("baseline", f"{name} alone")


@dataclass(frozen=True, kw_only=True)
class Street:
    """A street to train on and another to evaluate on, rendered.

    Attributes:
        data: the folder of the first.
        footage: of both.
        to_beat: errors without a network.
    """

    data: Path
    footage: Footage
    to_beat: Baselines


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training.

    Attributes:
        kind, variant: where it belongs in the tables.
        config: without data and camera.
        street: to train and evaluate on.
        folder: of the run.
    """

    kind: str
    variant: str
    config: TrainConfig
    street: Street
    folder: Path


def render(train: DriveSpec, held_out: DriveSpec, folder: Path) -> Street:
    """Render two streets, once for all trainings."""
    torch.set_num_threads(1)  # several processes share the cores
    drives = make_drives((train,), held_out, folder, val_every=1, progress=lambda done, total: None)
    return Street(data=drives.folder / TRAIN / "street_0", footage=drives.footage, to_beat=baselines(drives))


def work(job: Job) -> dict[str, float]:
    """Train and evaluate one variant from one seed. Returns the errors."""
    torch.set_num_threads(1)
    data = job.street.data
    # Validation covers every held-out frame, so it runs once, at the end.
    config = replace(job.config, data=str(data), camera=str(data / CAMERA_FILE), save_every=10**9)
    run = train(config, job.folder, footage=job.street.footage)
    depth = validate(run).depth
    assert depth is not None, "a rendered street has ground truth"
    return {name: getattr(depth, name) for name in ("abs_rel", "rmse", "a1", "ratio_spread")}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Train all variants from all seeds on all kinds of streets, and print the tables.

    Returns:
        the document that the JSON file holds; with --json it is written after each training.
    """
    args = _parser().parse_args(argv)
    kinds: list[str] = list(KIND_OPTIONS) if args.kind == "all" else [args.kind]
    document: dict[str, Any] = {
        "facts": facts(),
        "steps": args.steps,
        "batch": args.batch,
        "encoder": args.encoder,
        "street": args.street,
        "kinds": {},
    }
    with (
        tempfile.TemporaryDirectory(prefix="selfdepth-bench-") as name,
        # Spawned, not forked: torch's threads do not survive a fork.
        ProcessPoolExecutor(args.workers, multiprocessing.get_context("spawn")) as pool,
    ):
        streets = dict(zip(kinds, pool.map(render, *_specs(kinds, args, Path(name))), strict=True))
        for kind, street in streets.items():
            document["kinds"][kind] = {
                "constant_abs_rel": street.to_beat.constant.abs_rel,
                "per_row_abs_rel": street.to_beat.per_row.abs_rel,
                "variants": {variant: {} for variant in variants_on(kind)},
            }
        waiting = {pool.submit(work, job): job for job in _jobs(streets, args, Path(name))}
        for done in as_completed(waiting):
            job, errors = waiting[done], done.result()
            document["kinds"][job.kind]["variants"][job.variant][job.config.seed] = errors
            print(f"{job.kind}, {job.variant}, seed {job.config.seed}: abs_rel {errors['abs_rel']:.3f}", flush=True)
            if args.json is not None:
                write_json(document, args.json)
    for kind in kinds:
        print(f"\n{kind}\n\n{table(document['kinds'][kind])}\n")
    print(effects(document))
    return document


def _specs(kinds: Sequence[str], args: argparse.Namespace, folder: Path) -> list[tuple[Any, ...]]:
    """The arguments of `render`, for `map`: streets to train on, streets held out, folders."""
    held_out = max(12, args.frames // 3)
    return [
        tuple(DriveSpec(seed=args.street, frames=args.frames, kind=kind, **KIND_OPTIONS[kind]) for kind in kinds),
        tuple(DriveSpec(seed=args.street + 1, frames=held_out, kind=kind, **KIND_OPTIONS[kind]) for kind in kinds),
        tuple(folder / f"drives-{kind}" for kind in kinds),
    ]


def _jobs(streets: Mapping[str, Street], args: argparse.Namespace, folder: Path) -> Iterator[Job]:
    """All trainings, one seed after the other: if time runs out, whole tables of the first seeds are there."""
    for seed in args.seeds:
        for kind, street in streets.items():
            for number, (variant, changes) in enumerate(variants_on(kind).items()):
                config = replace(
                    _CONFIG,
                    seed=seed,
                    steps=args.steps,
                    width=args.width,
                    batch_size=args.batch,
                    encoder=EncoderConfig(name=args.encoder, pretrained=False),
                    loss=replace(_CONFIG.loss, **changes),
                    precision="fp32",  # "auto" depends on the machine
                )
                run = folder / f"{kind}-{number}-{seed}"
                yield Job(kind=kind, variant=variant, config=config, street=street, folder=run)


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
    """What each contribution changes where it was tried, as a table of Markdown: abs_rel without it minus with it.

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
            if any(variant not in measured["variants"] for pair in _comparisons(name) for variant in pair):
                continue
            cells = [_difference(measured["variants"], *pair) for pair in _comparisons(name)]
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
    parser.add_argument("--batch", type=int, default=_CONFIG.batch_size, help="clips per step")
    parser.add_argument("--encoder", default=_CONFIG.encoder.name, help="from random weights")
    parser.add_argument("--workers", type=int, default=2, help="trainings at a time, with one thread each")
    parser.add_argument("--json", type=Path)
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
