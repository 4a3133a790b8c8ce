"""Measure what each option after the paper gains, one at a time, on rendered streets with exact depth.

    python benchmarks/options.py --steps 500 --seeds 0 1 2 --json benchmarks/results/options.json

Every option trains the demo's networks on the demo's ten streets, for the same number of steps, and is evaluated on
every frame of a street that none has seen: depth, depth of the same frames in bad conditions, and the camera's path.
"refine" continues the training without options on the held-out video itself; "self-teacher" takes it as its teacher.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8, UInt16
from numpy import ndarray
from PIL import Image

from measuring import facts, write_json
from selfdepth.config import AugmentConfig, TeacherConfig, TrainConfig
from selfdepth.data.clips.weather import EFFECTS
from selfdepth.demo.drives import HELD_OUT, TRAIN, Drives, make_drives
from selfdepth.demo.evaluate import baselines
from selfdepth.demo.run import DEMO_CONFIG, demo_plan
from selfdepth.engine.refine import RefineOptions, refinement
from selfdepth.engine.tracking import read_metrics
from selfdepth.engine.train import train
from selfdepth.evaluation.depth.metrics import PROTOCOLS, evaluate_set
from selfdepth.evaluation.depth.run import evaluate_model
from selfdepth.evaluation.odometry.run import evaluate_trajectory, predict_trajectory
from selfdepth.evaluation.odometry.sequences import sequence_to_evaluate
from selfdepth.inference.predictor import Predictor
from selfdepth.synthetic.drive import SyntheticDrive

NONE = "none"
"""The row of the presets as they are, with which every other is compared."""

Change = Callable[[TrainConfig, Path], TrainConfig]


def _consistency(config: TrainConfig, folder: Path) -> TrainConfig:
    return replace(config, loss=replace(config.loss, consistency=0.1))


def _teacher(config: TrainConfig, folder: Path) -> TrainConfig:
    return replace(config, teacher=TeacherConfig(path=str(folder / "teacher")))


def _weather(config: TrainConfig, folder: Path) -> TrainConfig:
    return replace(config, augment=AugmentConfig(weather=0.5))


def _self_teacher(config: TrainConfig, folder: Path) -> TrainConfig:
    return replace(config, self_teacher=str(folder / NONE / "last"), motion_first=False)


def _refine(config: TrainConfig, folder: Path) -> TrainConfig:
    assert config.steps is not None
    options = RefineOptions(
        anchor=0.01,
        steps=max(1, config.steps // 4),
        run={"batch_size": config.batch_size, "device": config.device, "precision": config.precision},
    )
    return refinement(str(folder / NONE / "last"), str(folder / "drives" / HELD_OUT), options)


OPTIONS: dict[str, Change] = {
    NONE: lambda config, folder: config,
    "--loss.consistency 0.1": _consistency,
    "--teacher.path": _teacher,
    "--augment.zoom 1.5": lambda config, folder: replace(config, augment=AugmentConfig(zoom=1.5)),
    "--augment.stretch 1.3": lambda config, folder: replace(config, augment=AugmentConfig(stretch=1.3)),
    "--augment.weather 0.5": _weather,
}
"""What each row changes, given the configuration and the folder of its seed."""
AFTERWARDS: dict[str, Change] = {"--self-teacher": _self_teacher, "refine": _refine}
"""The rows that begin with the trained model of the first one."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training, and where it happens.

    Attributes:
        option: its row.
        seed: of the streets, the weights and the order of the clips.
        steps: of training.
        tiny: whether the streets are a few frames long: a trial.
        folder: of the seed; shared by its rows.
    """

    option: str
    seed: int
    steps: int
    tiny: bool
    folder: Path


@cache
def _drives(seed: int, tiny: bool, folder: Path) -> Drives:
    """The demo's streets, rendered once per process."""
    plan = demo_plan(minutes=2, seed=seed)
    specs, held_out = plan.train, plan.held_out
    if tiny:
        specs, held_out = (replace(specs[0], frames=8),), replace(held_out, frames=8)
    return make_drives(specs, held_out, folder, val_every=plan.val_every, progress=lambda done, total: None)


def write_teacher(drives: Sequence[SyntheticDrive], folder: Path, seed: int) -> None:
    """Write the maps of a teacher that knows the shapes, but neither their scale nor their shift, nor fine detail.

    True disparity, averaged over 4x4 pixels, with 5 % noise, in each frame times another factor and plus another shift.
    """
    rng = np.random.default_rng(seed)
    for number, drive in enumerate(drives):
        (folder / TRAIN / f"street_{number}").mkdir(parents=True)
        for frame, depth in enumerate(drive.depth):
            taught = degraded(depth, rng)
            Image.fromarray(taught).save(folder / TRAIN / f"street_{number}" / f"{frame:06d}.png")


def degraded(depth: Float[ndarray, "h w"], rng: np.random.Generator) -> UInt16[ndarray, "_h _w"]:
    """The 16-bit map that the teacher gives of a true depth map."""
    disparity = np.divide(1, depth, out=np.zeros(depth.shape), where=depth > 0)  # the sky is at infinity
    height, width = disparity.shape
    blocks = disparity[: height // 4 * 4, : width // 4 * 4].reshape(height // 4, 4, width // 4, 4).mean((1, 3))
    blocks *= 1 + 0.05 * rng.standard_normal(blocks.shape)
    scaled = rng.uniform(0.5, 2) * blocks / blocks.max() + rng.uniform(0.05, 0.5)
    return np.asarray(np.clip(scaled / 2.6, 0, 1) * 65534 + 1).astype(np.uint16)  # 0 would mean unknown


def work(job: Job) -> tuple[str, int, dict[str, float]]:
    """Train and evaluate one option from one seed. Returns its row, the seed and the numbers."""
    torch.set_num_threads(1)  # several processes share the cores
    drives = _drives(job.seed, job.tiny, job.folder / f"drives-{os.getpid()}")
    config = replace(
        DEMO_CONFIG,
        data=str(drives.folder / TRAIN),
        seed=job.seed,
        steps=job.steps,
        device="cpu",
        precision="fp32",  # "auto" depends on the machine
        save_every=10**9,
    )
    config = (OPTIONS | AFTERWARDS)[job.option](config, job.folder)
    refined = config.init is not None  # on footage of its own
    started = time.perf_counter()
    out = job.folder / job.option.removeprefix("--").replace(" ", "-")
    train(config, out, footage=None if refined else drives.footage)
    minutes = (time.perf_counter() - started) / 60
    costs = {"minutes": minutes, "ms_per_step": median_step_ms(out, config.batch_size)}
    return job.option, job.seed, costs | evaluate(out / "last", drives)


def median_step_ms(run: Path, batch_size: int) -> float:
    """The time of a step, from the record of a run."""
    rates = [line["clips_per_s"] for line in read_metrics(run) if line["kind"] == "train"]
    return 1e3 * batch_size / float(np.median(rates))


def evaluate(model: Path, drives: Drives) -> dict[str, float]:
    """The errors of a model on the held-out street; for a model with confidence, what that knows of them, too."""
    drive = drives.held_out
    predictor = Predictor.load(model, device="cpu", precision="fp32")

    def abs_rel(images: Iterable[ndarray]) -> float:
        disparities = [prediction.disparity for prediction in predictor.predict_stream(images, 16)]
        return evaluate_set(disparities, list(drive.depth), PROTOCOLS["dense"]).abs_rel

    sequence = sequence_to_evaluate(drives.folder / HELD_OUT)
    predicted, _ = predict_trajectory(str(model), sequence, device="cpu")
    path = evaluate_trajectory(predicted, sequence.truth, "sim3", where=str(model))
    numbers = {
        "abs_rel": abs_rel(drive.images),
        "abs_rel_bad_conditions": abs_rel(bad_conditions(drive.images)),
        "ate_m": path.absolute.rmse,
        "rpe_m": path.relative.translation_rmse,
    }
    known = evaluate_model(str(model), drives.folder / HELD_OUT, device="cpu").sparsification
    if known is not None:
        numbers |= {"ause": known.curves["abs_rel"].ause, "aurg": known.curves["abs_rel"].aurg}
    return numbers


def bad_conditions(images: UInt8[ndarray, "n h w 3"]) -> list[UInt8[ndarray, "h w 3"]]:
    """Night, fog, rain, noise, blur and glare in turn, of middling strength, the same for every model."""
    spoiled = []
    for number, image in enumerate(images):
        fields = torch.Generator().manual_seed(number)
        clear = torch.from_numpy(image).permute(2, 0, 1) / 255
        bad = EFFECTS[number % len(EFFECTS)](clear, 0.5, fields).clamp(0, 1)
        spoiled.append((bad * 255).round().to(torch.uint8).permute(1, 2, 0).numpy())
    return spoiled


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Train every option from every seed and print the table. Returns the document that the JSON file holds."""
    args = _parser().parse_args(argv)
    results: dict[str, dict[int, dict[str, float]]] = {name: {} for name in OPTIONS | AFTERWARDS}
    document: dict[str, Any] = {"facts": facts(), "steps": args.steps, "batch": DEMO_CONFIG.batch_size}
    document |= {"width": DEMO_CONFIG.width, "options": results, "constant_abs_rel": {}}
    with (
        tempfile.TemporaryDirectory(prefix="selfdepth-bench-") as name,
        # Spawned, not forked: torch's threads do not survive a fork.
        ProcessPoolExecutor(args.workers, multiprocessing.get_context("spawn")) as pool,
    ):
        folders = {seed: Path(name) / str(seed) for seed in args.seeds}
        for seed, folder in folders.items():
            drives = _drives(seed, args.tiny, folder / "drives")
            write_teacher(drives.train, folder / "teacher", seed)
            document["constant_abs_rel"][seed] = baselines(drives).constant.abs_rel
        for rows in (OPTIONS, AFTERWARDS):
            jobs = [
                Job(option=option, seed=seed, steps=args.steps, tiny=args.tiny, folder=folder)
                for seed, folder in folders.items()
                for option in rows
            ]
            for option, seed, numbers in pool.map(work, jobs):
                results[option][seed] = numbers
                print(f"{option}, seed {seed}: abs_rel {numbers['abs_rel']:.3f}", flush=True)
                if args.json is not None:
                    write_json(document, args.json)
    print(f"\n{table(document)}")
    return document


COLUMNS = {"abs_rel": 3, "abs_rel_bad_conditions": 3, "ate_m": 2, "rpe_m": 4}
"""Digits after the point of each error in the table."""


def table(document: dict[str, Any]) -> str:
    """Mean and standard deviation over the seeds, as a table of Markdown."""
    lines = [
        "| option | training, minutes | ms per step | abs_rel | in bad conditions | ATE, m | RPE, m |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for option, by_seed in document["options"].items():
        runs = list(by_seed.values())
        cells = [f"{np.mean([run['minutes'] for run in runs]):.1f}"]
        cells.append(f"{np.median([run['ms_per_step'] for run in runs]):.0f}")
        cells += [_spread([run[name] for run in runs], digits) for name, digits in COLUMNS.items()]
        lines.append(f"| {option} | {' | '.join(cells)} |")
    constant = [*document["constant_abs_rel"].values()]
    lines.append(f"| best constant depth | | | {_spread(constant, 3)} | | | |")
    known = [run for run in document["options"]["--self-teacher"].values() if "ause" in run]
    if known:
        areas = " and ".join(f"{name.upper()} {_spread([run[name] for run in known], 4)}" for name in ("ause", "aurg"))
        lines.append(f"\nConfidence of --self-teacher, by abs_rel: {areas}.")
    return "\n".join(lines)


def _spread(values: Sequence[float], digits: int) -> str:
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return f"{np.mean(values):.{digits}f} ± {spread:.{digits}f}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=500, help="of every training; refine has a quarter of them")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--workers", type=int, default=2, help="trainings at a time, with one thread each")
    parser.add_argument("--tiny", action="store_true", help="a trial: streets of eight frames; no figures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers after each training")
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
