"""Measure what training in several processes costs on this machine, and work out what it costs on many GPUs.

    python benchmarks/many_processes.py --json benchmarks/results/many_processes.json
    python benchmarks/many_processes.py --curve --seeds 0 1 2 --json benchmarks/results/many_processes_curve.json

Measured are one process with two threads and two processes with one thread each, which take turns on the same two
cores, with the same clips in a step; and the exchange of the gradients alone. Worked out is the efficiency on 8, 64 and
256 GPUs (many_on_paper.py has the model). --curve trains on a rendered street in one process and in two, whose batch
normalisations see the clips of their own process alone, from several seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from many_on_paper import Cluster, Step, paper, table
from many_sides import CORES, SIDES, measure
from measuring import BENCHMARKS, ROOT, Setting, facts, write_json
from selfdepth.config import EncoderConfig, TrainConfig, to_json
from selfdepth.data.sources.rendered import write_drive
from selfdepth.demo.run import DEMO_CONFIG
from selfdepth.engine.tracking import read_metrics
from selfdepth.synthetic.drive import DriveSpec, render_drive

GPUS = (8, 64, 256)
GPU_RESULT = BENCHMARKS / "results/gpu.json"
ASSUMED_CLIPS_PER_S, ASSUMED_CLIPS = 500.0, 12
"""Of one H100, where gpu.sh has left no measurement of one."""


@dataclass(frozen=True, kw_only=True)
class Street:
    """What the curve is trained on: frames of each drive, and steps and clips of the training."""

    frames: int = 120
    steps: int = 300
    batch: int = 4
    config: TrainConfig = DEMO_CONFIG


def curve(street: Street, seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Loss and abs_rel on held-out frames at the end, in one process and in two, from each seed."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="selfdepth-bench-") as name:
        for seed in seeds:
            drives = Path(name) / f"drives_{seed}"
            for number in (0, 1):
                drive = render_drive(DriveSpec(seed=2 * seed + number, frames=street.frames))
                write_drive(drive, drives / f"street_{number}", with_depth=True)
            config = replace(
                street.config,
                data=str(drives),
                seed=seed,
                steps=street.steps,
                save_every=street.steps,
                batch_size=street.batch,
                device="cpu",
                precision="fp32",
            )
            for size in SIDES:
                rows.append({"seed": seed, "processes": size} | _trained(size, config, Path(name) / f"{seed}_{size}"))
                print(json.dumps(rows[-1]), flush=True)
    return rows


def _trained(size: int, config: TrainConfig, folder: Path) -> dict[str, float]:
    file = folder.with_suffix(".json")
    file.write_text(json.dumps(to_json(config)), encoding="utf-8")
    by_torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(size)]
    program = ["-m", "selfdepth", "train", "--config", str(file), "--out", str(folder)]
    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    threads = os.environ | {"OMP_NUM_THREADS": str(CORES // size), "PYTHONPATH": path}
    subprocess.run([sys.executable, *(by_torchrun if size > 1 else []), *program], env=threads, check=True)
    last = [line for line in read_metrics(folder) if line["kind"] == "val"][-1]
    return {"val_loss": last["loss"], "abs_rel": last["abs_rel"]}


def noise(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean and deviation over the seeds of both, and whether their means differ by no more than the larger one."""
    found = []
    for name in ("val_loss", "abs_rel"):
        one, two = (np.array([row[name] for row in rows if row["processes"] == size]) for size in SIDES)
        deviations = [float(each.std(ddof=1)) if len(each) > 1 else 0.0 for each in (one, two)]
        difference = float(two.mean() - one.mean())
        found.append(
            {
                "measure": name,
                "one": float(one.mean()),
                "two": float(two.mean()),
                "one_std": deviations[0],
                "two_std": deviations[1],
                "difference": difference,
                "within_seed_noise": abs(difference) <= max(deviations),
            }
        )
    return found


def gpu_step() -> tuple[float, str]:
    """Seconds of a step of one GPU, and where the figure is from."""
    if GPU_RESULT.is_file():
        found = json.loads(GPU_RESULT.read_text(encoding="utf-8"))
        gpu = str(found["machine"]["gpu"])
        if "H100" in gpu:
            batch = int(found["arguments"]["batch"])
            return batch / float(found["clips_per_s"]), f"{batch} clips at {found['clips_per_s']:.0f} clips/s: {gpu}"
    return (
        ASSUMED_CLIPS / ASSUMED_CLIPS_PER_S,
        f"{ASSUMED_CLIPS} clips at {ASSUMED_CLIPS_PER_S:.0f} clips/s, ASSUMED, not measured",
    )


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure and print. Returns the document that the JSON file holds."""
    args = _parser().parse_args(argv)
    document = facts() | {"command": " ".join(sys.argv), "quick": args.quick}
    document |= _curve(args) if args.curve else _costs(args)
    if args.json is not None:
        write_json(document, args.json)
    return document


def _costs(args: argparse.Namespace) -> dict[str, Any]:
    setting = Setting(width=args.width, height=args.height, batch=args.batch)
    if args.quick:
        setting = replace(setting, encoder="test_resnet", width=64, height=64, batch=2, rounds=1, round_s=0.0)
        setting = replace(setting, image_width=160, image_height=96, n_frames=8)
    measured = measure(setting)
    seconds, source = (args.gpu_step_s, "--gpu-step-s") if args.gpu_step_s else gpu_step()
    step = Step(seconds=seconds, gradient_bytes=measured["gradient_bytes"])
    worked_out = paper(step, Cluster(between_gbit_s=args.between_gbit_s), GPUS) | {"step_is": source}
    document = {"setting": asdict(setting), "measured": measured, "on_paper": worked_out}
    print(report(document))
    return document


def _curve(args: argparse.Namespace) -> dict[str, Any]:
    street = Street(steps=args.steps)
    if args.quick:
        small = EncoderConfig(name="test_resnet", pretrained=False)
        street = Street(frames=12, steps=1, batch=2, config=replace(DEMO_CONFIG, encoder=small, width=64))
    rows = curve(street, args.seeds)
    summary = noise(rows)
    for each in summary:
        verdict = "within" if each["within_seed_noise"] else "BEYOND"
        print(
            f"{each['measure']}: {each['one']:.4f} ± {each['one_std']:.4f} in one process, {each['two']:.4f} ± "
            f"{each['two_std']:.4f} in two; {verdict} the noise of the seeds"
        )
    return {"curve": rows, "summary": summary}


def report(document: dict[str, Any]) -> str:
    """What was measured and worked out, as text."""
    measured, worked_out = document["measured"], document["on_paper"]
    lines = [f"{name}: {_told(spread)} clips/s" for name, spread in measured["clips_per_s"].items()]
    verdicts = [f"{row['fp32']['gpus']} GPUs {row['bf16_saves']:+.1%}" for row in worked_out["rows"]]
    return "\n".join(
        [
            *lines,
            f"two processes against one: {_told(measured['ratio'], 3)} times the clips/s",
            f"exchanged in a step: {measured['gradient_bytes'] / 1e6:.1f} MB of gradients, "
            f"{measured['statistics_bytes'] / 1e6:.2f} MB of running statistics",
            f"the exchange alone: {_told(measured['exchange_alone_ms'])} ms",
            f"on paper, a step of one GPU of {worked_out['step']['seconds'] * 1e3:.1f} ms ({worked_out['step_is']}), "
            f"with {json.dumps(worked_out['assumed'])}:",
            table(worked_out),
            f"gradients in bf16 would give, in clips/s: {', '.join(verdicts)}",
        ]
    )


def _told(spread: dict[str, float], digits: int = 2) -> str:
    return f"{spread['median']:.{digits}f} [{spread['low']:.{digits}f}, {spread['high']:.{digits}f}]"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers")
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=192)
    parser.add_argument("--batch", type=int, default=4, help="clips of the whole step")
    parser.add_argument("--gpu-step-s", type=float, help="seconds of a step of one GPU; default: as gpu.sh measured it")
    parser.add_argument("--between-gbit-s", type=float, default=Cluster().between_gbit_s, help="of a network card")
    parser.add_argument("--curve", action="store_true", help="train on a rendered street, in one process and in two")
    parser.add_argument("--steps", type=int, default=300, help="of the curve")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the curve")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round: a trial, not a measurement")
    return parser


if __name__ == "__main__":
    main()
