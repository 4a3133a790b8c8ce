"""Measure how soon depth appears with the full objective at once, the motion first, and the motion aligned, too.

    python benchmarks/start.py --steps 600 --seeds 0 1 2 --json benchmarks/results/start.json --plot start.png
    python benchmarks/start.py --data kitti_raw --split splits/mini --steps 300 --json start-kitti.json

Each way is trained from several seeds, and validated over the steps. Without --data, the demo's networks learn from one
rendered street and are validated on another. --scratch starts from random weights. Steps are counted and not minutes,
so that other work on the machine changes nothing.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from measuring import facts, write_json
from selfdepth.config import EncoderConfig, TrainConfig
from selfdepth.data.footage import Footage
from selfdepth.demo.drives import TRAIN, make_drives
from selfdepth.demo.run import DEMO_CONFIG
from selfdepth.engine.tracking import read_metrics
from selfdepth.engine.train import train
from selfdepth.presets import preset
from selfdepth.synthetic.drive import DriveSpec

STARTS = {
    "full objective at once": {"motion_first": False, "align_motion": False},
    "motion first": {"motion_first": True, "align_motion": False},
    "motion first and aligned": {"motion_first": True, "align_motion": True},
}
"""The options of each way; the last is that of the presets."""
_SMALL = EncoderConfig(name="test_resnet", pretrained=False)
"""timm's smallest ResNet from random weights, with which the standstill is longest."""


def curve(config: TrainConfig, footage: Footage | None, folder: Path) -> dict[str, list[float]]:
    """Train once, and return steps and validation errors. abs_rel is against ground truth."""
    train(config, folder, footage=footage)
    lines = [line for line in read_metrics(folder) if line["kind"] == "val"]
    return {"steps": [line["step"] for line in lines], "abs_rel": [line["abs_rel"] for line in lines]}


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Train every way from every seed and print the table. Returns the document that the JSON file holds."""
    args = _parser().parse_args(argv)
    curves: dict[str, dict[int, dict[str, list[float]]]] = {name: {} for name in STARTS}
    with tempfile.TemporaryDirectory(prefix="selfdepth-bench-") as name:
        for seed in args.seeds:
            config, footage = _data(args, seed, Path(name))
            config = replace(config, seed=seed, steps=args.steps, save_every=args.look_every, keep=2)
            for number, (start, options) in enumerate(STARTS.items()):
                run = Path(name) / f"{seed}-{number}"
                curves[start][seed] = curve(_started(config, **options), footage, run)
                print(f"seed {seed}, {start}: {_row(curves[start][seed]['abs_rel'])}", flush=True)
    document = {"facts": facts(), "arguments": {k: str(v) for k, v in vars(args).items()}, "curves": curves}
    print(table(document))
    if args.json is not None:
        write_json(document, args.json)
    if args.plot is not None:
        plot(document, args.plot)
    return document


def _started(config: TrainConfig, *, motion_first: bool, align_motion: bool) -> TrainConfig:
    return replace(config, motion_first=motion_first, loss=replace(config.loss, align_motion=align_motion))


def _data(args: argparse.Namespace, seed: int, folder: Path) -> tuple[TrainConfig, Footage | None]:
    if args.data is not None:
        # Compiling, which GPUs do unasked, would take longer than so few steps.
        config = replace(preset(args.preset), data=str(args.data), store=str(folder / "store"), compile=False)
        encoder = replace(config.encoder, pretrained=config.encoder.pretrained and not args.scratch)
        return replace(config, split=None if args.split is None else str(args.split), encoder=encoder), None
    drives = make_drives(
        (DriveSpec(seed=2 * seed, frames=args.frames),),
        DriveSpec(seed=2 * seed + 1, frames=max(12, args.frames // 3)),
        folder / f"drives-{seed}",
        val_every=5,
        progress=lambda done, total: None,
    )
    config = replace(DEMO_CONFIG, data=str(drives.folder / TRAIN))
    if args.scratch:
        config = replace(config, encoder=_SMALL, learning_rate=4e-4)
    return config, drives.footage


def _row(values: Sequence[float]) -> str:
    return " ".join(f"{value:.3f}" for value in values)


def table(document: dict[str, Any]) -> str:
    """abs_rel after each look, mean and standard deviation over the seeds, as a table of Markdown."""
    (first, *_) = next(iter(document["curves"].values())).values()
    lines = [f"| after step | {' | '.join(map(str, first['steps']))} |", "|---" * (1 + len(first["steps"])) + "|"]
    for start, by_seed in document["curves"].items():
        values = np.array([each["abs_rel"] for each in by_seed.values()])
        spread = values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1])
        cells = [f"{mean:.3f} ± {std:.3f}" for mean, std in zip(values.mean(axis=0), spread, strict=True)]
        lines.append(f"| {start} | {' | '.join(cells)} |")
    return "\n".join(lines)


def plot(document: dict[str, Any], path: Path) -> None:
    """Draw every training as a thin line, and the mean of each start as a thick one."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(6, 3.6))
    for (start, by_seed), colour in zip(document["curves"].items(), ("C1", "C2", "C0"), strict=True):
        for each in by_seed.values():
            axis.plot(each["steps"], each["abs_rel"], color=colour, alpha=0.35, linewidth=0.8)
        mean = np.mean([each["abs_rel"] for each in by_seed.values()], axis=0)
        axis.plot(next(iter(by_seed.values()))["steps"], mean, color=colour, label=start)
    axis.set_xlabel("step")
    axis.set_ylabel("abs_rel")
    axis.legend()
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--look-every", type=int, default=100, help="steps between validations")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--frames", type=int, default=300, help="of the rendered training street")
    parser.add_argument("--scratch", action="store_true", help="random weights; on streets also the smallest networks")
    parser.add_argument("--data", type=Path, help="KITTI raw, or other data with ground truth, instead of streets")
    parser.add_argument("--split", type=Path)
    parser.add_argument("--preset", default="mono-320x96", help="for --data")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the curves")
    return parser


if __name__ == "__main__":
    main()
