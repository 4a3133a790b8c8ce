"""Measure encoders from one to thirty million parameters: size, speed, memory, and depth after an equal time.

    python benchmarks/encoders.py --minutes 10
    python docs/write_encoders.py

For each encoder: the parameters of its depth network, training clips/s and prediction ms at 320x96, the peak memory of
a process that takes training steps, and abs_rel on held-out frames after --minutes of training, from random weights
and, where ImageNet weights are installed, from those too. The file is written after each measurement, and what it holds
is not measured again: the same command continues after a stop. --only adds or picks encoders, any timm model by name.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from measuring import BENCHMARKS, Setting, Spread, facts, in_turns, write_json
from memory import measure_memory
from scenes import write_street
from selfdepth.config import LITE0, TrainConfig
from selfdepth.data.footage import Footage
from selfdepth.demo.drives import TRAIN, make_drives
from selfdepth.engine.setup import prepare_run
from selfdepth.engine.tracking import read_metrics
from selfdepth.engine.train import train
from selfdepth.errors import SelfDepthError
from selfdepth.evaluation.depth.baselines import best_constant
from selfdepth.evaluation.depth.frames import cropped_truth
from selfdepth.inference.predictor import Predictor
from selfdepth.networks.encoder import ImageEncoder
from selfdepth.presets import PRESETS
from selfdepth.synthetic.drive import DriveSpec
from selfdepth.weights.files import save_weights
from sides import our_run, our_step

ENCODERS = (
    "mobilenetv3_small_100",
    "ghostnet_100",
    "mobilenetv4_conv_small",
    "regnety_002",
    "mobilenetv3_large_100",
    LITE0,
    "efficientnet_b0",
    "mobilenetv2_100",
    "resnet18",
    "resnet50",
)
"""timm's names. All have features at 1/2 to 1/32; ConvNeXt and HGNetV2 begin at 1/4, and so do not fit the decoder."""

INSTALLED = (LITE0,)
"""Encoders whose ImageNet weights are installed with the package (networks/pretrained.py): these need no network."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What all encoders learn from.

    Attributes:
        config: everything but the encoder, its start and the seed.
        footage: the rendered streets; None if `config.data` names the data.
        constant_abs_rel: of the best constant depth on the held-out frames: whoever learns nothing has that.
        held_out: number of frames with ground truth.
    """

    config: TrainConfig
    footage: Footage | None
    constant_abs_rel: float
    held_out: int


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure what the file lacks. Returns the document that it holds."""
    parser = _parser()
    args = parser.parse_args(argv)
    names = args.only or list(ENCODERS)
    try:
        for name in names:
            with torch.device("meta"):  # the shape suffices to know whether it fits
                ImageEncoder(name)
        document = _opened(args, parser)
        with tempfile.TemporaryDirectory(prefix="selfdepth-bench-") as folder:
            _measure_all(names, document, args, Path(folder))
    except SelfDepthError as error:
        parser.error(str(error))
    return document


def starts(name: str) -> tuple[str, ...]:
    """What an encoder's weights are before training."""
    return ("scratch", "imagenet") if name in INSTALLED else ("scratch",)


def measure_speed(setting: Setting, folder: Path) -> dict[str, Any]:
    """Size, training step, prediction of one image in memory, and the peak memory of a fresh process."""
    images = folder / "images"
    files = write_street(images, setting)
    run = our_run(setting, images, folder / "run")
    batch, step = run.data.train.batch(0), our_step(run)
    training = in_turns({"ours": lambda: step(batch)}, setting)["ours"]
    save_weights(folder / "model", run.learner.state_dict(), run.weights_meta())
    predictor = Predictor.load(folder / "model", device="cpu", precision=setting.precision)
    with Image.open(files[0]) as file:
        image = np.asarray(file.convert("RGB"))
    predicting = in_turns({"ours": lambda: predictor.predict(image)}, setting)["ours"]
    memory = measure_memory("ours", setting, images)
    return {
        "parameters_m": round(sum(p.numel() for p in run.learner.depth_net.parameters()) / 1e6, 2),
        "pose_encoder": run.config.encoder.pose_encoder,
        "clips_per_s": asdict(Spread.of(setting.batch / s for s in training)),
        "predict_ms": asdict(Spread.of(1e3 * s for s in predicting)),
        "peak_mb": memory["peak_mb"],
        "imported_mb": memory["imported_mb"],
        "precision": str(run.learner.network_dtype).removeprefix("torch."),
    }


def measure_depth(name: str, start: str, seed: int, task: Task, folder: Path) -> dict[str, float]:
    """Train for the task's minutes, and evaluate the last weights on the held-out frames."""
    encoder = replace(task.config.encoder, name=name, pretrained=start == "imagenet")
    run = train(replace(task.config, encoder=encoder, seed=seed), folder, footage=task.footage)
    # The loop validates once, at its end: the last weights.
    last = [line for line in read_metrics(run.folder) if line["kind"] == "val"][-1]
    return {"abs_rel": last["abs_rel"], "steps": run.progress.step}


def _measure_all(names: list[str], document: dict[str, Any], args: argparse.Namespace, folder: Path) -> None:
    task = None
    for number, name in enumerate(names):
        entry = document["encoders"].setdefault(name, {"depth": {}})
        if "predict_ms" not in entry:
            print(f"{name}: speed and memory …", flush=True)
            entry |= {"load_before": round(os.getloadavg()[0], 2)}
            entry |= measure_speed(_setting(args, name), folder / f"speed-{number}")
            write_json(document, args.json)
        for start in starts(name):
            for seed in args.seeds:
                by_seed = entry["depth"].setdefault(start, {})
                if str(seed) in by_seed:
                    continue
                task = task or _task(args, folder)
                document |= {"constant_abs_rel": task.constant_abs_rel, "held_out": task.held_out}
                print(f"{name}: {args.minutes:g} minutes, {start}, seed {seed} …", flush=True)
                by_seed[str(seed)] = measure_depth(name, start, seed, task, folder / f"{number}-{start}-{seed}")
                write_json(document, args.json)
                print(f"{name}: abs_rel {by_seed[str(seed)]['abs_rel']:.3f}", flush=True)


def _opened(args: argparse.Namespace, parser: argparse.ArgumentParser) -> dict[str, Any]:
    """The document of an earlier start of this program, or a new one."""
    settings = {
        name: getattr(args, name)
        for name in ("minutes", "seeds", "width", "height", "batch_size", "preset", "data", "split", "camera", "quick")
    }
    if not args.json.is_file():
        return {"facts": facts(), "settings": settings, "encoders": {}}
    document: dict[str, Any] = json.loads(args.json.read_text(encoding="utf-8"))
    before = document["settings"]
    differing = [name for name in settings if before.get(name) != settings[name]]
    if differing:
        told = ", ".join(f"{name} {before.get(name)}, now {settings[name]}" for name in differing)
        parser.error(f"{args.json} was measured otherwise ({told}): name another file with --json, or remove it")
    return document


def _setting(args: argparse.Namespace, name: str) -> Setting:
    batch = args.batch_size or PRESETS[args.preset].batch_size
    setting = Setting(
        width=args.width,
        height=args.height,
        batch=batch,
        encoder=name,
        image_width=args.width,  # neither decoding nor resizing is measured
        image_height=args.height,
        n_frames=max(24, batch + 2),
    )
    return replace(setting, rounds=1, round_s=0.0) if args.quick else setting


def _task(args: argparse.Namespace, folder: Path) -> Task:
    """The data, opened once: their frames are decoded into a store that all trainings share."""
    footage, data, camera = None, args.data, args.camera
    if data is None:
        streets, held_out_frames = (1, 12) if args.quick else (10, 100)
        drives = make_drives(
            [DriveSpec(seed=2 * i, frames=30) for i in range(streets)],
            DriveSpec(seed=1, frames=held_out_frames),
            folder / "drives",
            val_every=1,
            progress=lambda done, total: None,
        )
        footage, data = drives.footage, str(drives.folder / TRAIN)
    base = PRESETS[args.preset]
    config = replace(
        base,
        data=data,
        split=args.split,
        camera=camera,
        width=args.width,
        batch_size=args.batch_size or base.batch_size,
        minutes=args.minutes,
        store=str(folder / "store"),
        device="cpu",
        keep=2,
        save_every=10**9,  # validation takes time, so it comes once, after the budget
    )
    probe = replace(config, encoder=replace(config.encoder, name="resnet18", pretrained=False))
    run = prepare_run(probe, folder / "probe", resume=False, footage=footage)
    by_name = run.data.store.by_name
    maps = [
        cropped_truth(run.data.truth, ref, by_name[ref.sequence].camera, run.config.crop_px)
        for ref in run.data.val.clips.refs
    ]
    truths = [np.asarray(each) for each in maps if each is not None]
    if not truths:
        raise SelfDepthError(
            "the encoders cannot be judged",
            where=data,
            expected="held-out frames with ground truth",
            got=f"{len(maps)} held-out frames without",
            fix="give --split with validation frames that have LiDAR, or leave --data out for rendered streets",
        )
    _, constant = best_constant(truths, run.data.protocol)
    return Task(config=config, footage=footage, constant_abs_rel=constant.abs_rel, held_out=len(truths))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="of training, for each encoder, start and seed")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="encoders to measure; by default all ten")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--data", help="what to learn from; by default ten rendered streets, judged on another one")
    parser.add_argument("--split", help="of the data, as in selfdepth train; its validation frames are the judges")
    parser.add_argument("--camera", help="of the data, as in selfdepth train")
    parser.add_argument("--preset", choices=[n for n in PRESETS if "stereo" not in n], default="mono-320x96")
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument(
        "--height", type=int, default=96, help="for speed and memory; training follows the data's aspect"
    )
    parser.add_argument("--batch-size", type=int, help="by default the preset's")
    parser.add_argument("--json", type=Path, default=BENCHMARKS / "results/encoders.json", metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="a trial: one round, twelve frames; no figures")
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
