"""Measure what a lens costs: streets through each camera model, with its distortion ignored, rectified, or native.

    python benchmarks/cameras.py --batch 12 --seeds 0 1 2 --json benchmarks/results/cameras.json     # hours
    python benchmarks/cameras.py --lenses pinhole brown --steps 300                                  # two lenses only

The same streets are rendered through every lens, in frames of the same size. The networks learn from some of them with
an equal budget, and are evaluated on another one: "ignored" is told a pinhole with the focal length and the principal
point of the true camera, "rectified" (--rectify yes) and "native" (--rectify no) the true camera. Where a lens cannot
be rectified, the table says so.

What is compared is the distance of each pixel along its ray, up to one factor per image, at the pixels that all ways of
a lens see. Depth along z becomes a distance by the true camera. A lens that sees further than 60 degrees from its axis
has rays at its rim along which z hardly grows; there, "ignored" takes the rays of the pinhole that it was told.
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
from numpy import ndarray

from measuring import facts, write_json
from selfdepth.config import EncoderConfig, TrainConfig
from selfdepth.data.sources.rendered import CAMERA_FILE, write_drive
from selfdepth.demo.run import DEMO_CONFIG
from selfdepth.engine.train import train
from selfdepth.errors import SelfDepthError
from selfdepth.evaluation.depth.metrics import PROTOCOLS, DepthReport, evaluate_set
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import PINHOLE
from selfdepth.inference.predictor import Predictor
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive
from selfdepth.synthetic.lenses import LENSES

IGNORED, RECTIFIED, NATIVE = "ignored", "rectified", "native"
BASELINE = "pinhole"
"""The lens that has nothing to ignore: the others are compared with it."""
RECTIFY = {RECTIFIED: "yes", NATIVE: "no"}
_FRAME = 2
"""Side of the frames, in sides of the network's input: rectification has more pixels to draw from than it needs."""
_PROTOCOL = PROTOCOLS["dense"]
_BATCH = 16


@dataclass(frozen=True, kw_only=True)
class Streets:
    """Streets seen through one lens, on disk.

    Attributes:
        lens: its name.
        camera: the true one, of the frames.
        depth_is: "z" or "ray": what the rendered depth is.
        train: folder of the drives to train on.
        held_out: file with the images and the distances (metres along the rays) of another street.
    """

    lens: str
    camera: Camera
    depth_is: str
    train: Path
    held_out: Path

    @property
    def ways(self) -> tuple[str, ...]:
        """How the lens is trained. A pinhole needs one way only."""
        return (NATIVE,) if self.camera.is_pinhole else (IGNORED, RECTIFIED, NATIVE)

    @property
    def pinhole(self) -> Camera:
        """The camera that ignores the lens."""
        return replace(self.camera, lens=PINHOLE)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training.

    Attributes:
        way: how the lens is treated.
        config: without data and camera.
        streets: to train and evaluate on.
        folder: of the run.
    """

    way: str
    config: TrainConfig
    streets: Streets
    folder: Path


def render(lens: str, options: Mapping[str, int], folder: Path) -> Streets:
    """Render the streets through a lens and write them.

    Args:
        options: seed of the first street, number of streets to train on, frames of each, width and height.
    """
    torch.set_num_threads(1)  # several processes share the cores
    size = {"width": options["width"], "height": options["height"], "lens": LENSES[lens]}
    specs = [
        DriveSpec(seed=options["street"] + i, frames=options["frames"], **size) for i in range(options["streets"] + 1)
    ]
    for number, spec in enumerate(specs[:-1]):
        write_drive(render_drive(spec, workers=1), folder / f"train/street_{number}")
    drive = render_drive(specs[-1], workers=1)
    np.savez(folder / "held_out.npz", images=drive.images, distances=true_distances(drive))
    return Streets(
        lens=lens,
        camera=drive.camera,
        depth_is=drive.depth_is,
        train=folder / "train",
        held_out=folder / "held_out.npz",
    )


def true_distances(drive: SyntheticDrive) -> ndarray:
    """Distances along the rays in metres, n h w; 0 where there is none."""
    return drive.depth if drive.depth_is == "ray" else drive.depth * _metres_per_z(drive.camera)


def predicted_distances(depth: ndarray, depth_is: str, streets: Streets, way: str) -> ndarray:
    """Distances along the rays from what a network predicts for an image; 0 where it sees nothing."""
    if depth_is == "ray":
        return depth
    believed = streets.pinhole if way == IGNORED and streets.depth_is == "ray" else streets.camera
    return np.asarray(depth * _metres_per_z(believed))


def _metres_per_z(camera: Camera) -> ndarray:
    """Distance along the ray of each pixel per metre along z; 0 where a pixel has no ray, or one that goes back."""
    rays, valid = camera.rays()
    forward = valid & (rays[..., 2] > 1e-3)
    return np.where(forward, 1 / np.where(forward, rays[..., 2], 1), 0)


def configured(job: Job) -> TrainConfig:
    """The configuration of a training with its data and its camera."""
    streets = job.streets
    config = replace(job.config, data=str(streets.train))
    if job.way == IGNORED:
        c = streets.camera
        return replace(config, camera=f"{c.fx!r},{c.fy!r},{c.cx!r},{c.cy!r}")
    # The camera is the same for all streets: that of the first is given for all.
    config = replace(config, camera=str(streets.train / "street_0" / CAMERA_FILE))
    return config if streets.camera.is_pinhole else replace(config, rectify=RECTIFY[job.way])


def work(job: Job) -> str | Path:
    """Train one way from one seed, and predict the held-out street.

    Returns:
        the file with the predicted distances, or the sentence with which the way was refused.
    """
    torch.set_num_threads(1)
    try:
        run = train(configured(job), job.folder)
    except SelfDepthError as refusal:
        return str(refusal)
    predictor = Predictor.load(run.folder / "last", device=str(run.device))
    with np.load(job.streets.held_out) as held_out:
        images = held_out["images"]
    distances = [
        predicted_distances(each.depth, each.depth_is, job.streets, job.way).astype(np.float32)
        for each in predictor.predict_stream(images, _BATCH)
    ]
    np.save(job.folder / "distances.npy", np.stack(distances))
    return job.folder / "distances.npy"


def errors(streets: Streets, predictions: Mapping[str, ndarray]) -> dict[str, dict[str, float]]:
    """Errors of each way on the held-out street.

    Args:
        predictions: distances of the held-out street, n h w, by the name of the way; in any unit, 0 where it sees
            nothing.

    Returns:
        by way: abs_rel and a1, at the pixels that all ways see; abs_rel_shared, at those of them whose direction the
        pinhole's frame holds, too, which compares one lens with another; abs_rel_own, at all that this way sees; and
        which share of the pixels with ground truth that is.
    """
    with np.load(streets.held_out) as held_out:
        truth = held_out["distances"]
    seen = {way: (truth > 0) & np.isfinite(each) & (each > 0) for way, each in predictions.items()}
    by_all = np.logical_and.reduce(list(seen.values()))
    shared = by_all & _in_pinhole(streets.camera)
    found = {}
    for way, distances in predictions.items():
        whole, same, own = (_report(distances, truth, mask) for mask in (by_all, shared, seen[way]))
        found[way] = {
            "abs_rel": whole.abs_rel,
            "a1": whole.a1,
            "abs_rel_shared": same.abs_rel,
            "abs_rel_own": own.abs_rel,
            "seen": float(seen[way].sum() / (truth > 0).sum()),
        }
    return found


def _report(distances: ndarray, truth: ndarray, mask: ndarray) -> DepthReport:
    return evaluate_set(list(1 / np.where(mask, distances, 1)), list(np.where(mask, truth, 0)), _PROTOCOL)


def _in_pinhole(camera: Camera) -> ndarray:
    """Which pixels look in a direction that the frames of the baseline hold."""
    rays, valid = camera.rays()
    baseline = LENSES[BASELINE].camera(camera.width, camera.height)
    pixels, ahead = baseline.project(rays.reshape(-1, 3))
    inside = ahead & (pixels > -0.5).all(-1) & (pixels < [camera.width - 0.5, camera.height - 0.5]).all(-1)
    return np.asarray(valid & inside.reshape(valid.shape))


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Train all ways of all lenses from all seeds, and print the table.

    Returns:
        the document that the JSON file holds; with --json it is written after each lens and seed.
    """
    args = _parser().parse_args(argv)
    config = _config(args)
    arguments = {name: str(value) for name, value in vars(args).items()}
    document: dict[str, Any] = {"facts": facts(), "arguments": arguments, "lenses": {lens: {} for lens in args.lenses}}
    options = {
        "street": args.street,
        "streets": args.streets,
        "frames": args.frames,
        "width": _FRAME * args.width,
        "height": _FRAME * args.height,
    }
    with (
        tempfile.TemporaryDirectory(prefix="selfdepth-bench-") as name,
        # Spawned, not forked: torch's threads do not survive a fork.
        ProcessPoolExecutor(args.workers, multiprocessing.get_context("spawn")) as pool,
    ):
        folders = [Path(name) / lens for lens in args.lenses]
        rendered = pool.map(render, args.lenses, [options] * len(folders), folders)
        all_streets = dict(zip(args.lenses, rendered, strict=True))
        waiting = {pool.submit(work, job): job for job in _jobs(all_streets, config, args.seeds, Path(name))}
        answers: dict[tuple[str, int], dict[str, str | Path]] = {}
        for done in as_completed(waiting):
            job, answer = waiting[done], done.result()
            streets, seed = job.streets, job.config.seed
            said = "trained" if isinstance(answer, Path) else answer
            print(f"{streets.lens}, {job.way}, seed {seed}: {said}", flush=True)
            answers.setdefault((streets.lens, seed), {})[job.way] = answer
            if len(answers[streets.lens, seed]) == len(streets.ways):
                document["lenses"][streets.lens][seed] = judged(streets, answers[streets.lens, seed])
                if args.json is not None:
                    write_json(document, args.json)
    print(table(document))
    return document


def judged(streets: Streets, answers: Mapping[str, str | Path]) -> dict[str, dict[str, Any]]:
    """The errors of the ways that were trained, and the words with which the others were refused."""
    trained = {way: np.load(answers[way]) for way in streets.ways if isinstance(answers[way], Path)}
    found = errors(streets, trained) if trained else {}
    return {way: found.get(way, {"refused": str(answers[way])}) for way in streets.ways}


def _config(args: argparse.Namespace) -> TrainConfig:
    encoder = DEMO_CONFIG.encoder if args.encoder is None else EncoderConfig(name=args.encoder, pretrained=False)
    return replace(
        DEMO_CONFIG,
        steps=args.steps,
        width=args.width,
        height=args.height,
        batch_size=args.batch,
        encoder=encoder,
        learning_rate=args.learning_rate,
        save_every=10**9,  # what is evaluated are the last weights
        precision="fp32",  # "auto" depends on the machine
    )


def _jobs(all_streets: Mapping[str, Streets], config: TrainConfig, seeds: Sequence[int], folder: Path) -> Iterator[Job]:
    """All trainings, one seed after the other: if time runs out, whole tables of the first seeds are there."""
    for seed in seeds:
        for lens, streets in all_streets.items():
            for way in streets.ways:
                run = folder / f"run-{lens}-{way}-{seed}"
                yield Job(way=way, config=replace(config, seed=seed), streets=streets, folder=run)


def table(document: dict[str, Any]) -> str:
    """abs_rel of each way, mean and standard deviation over the seeds, as a table of Markdown.

    Then, of the directions that the pinhole sees, too: abs_rel, and how far it is off the pinhole's. The last columns
    are of all that a way sees, which differs from way to way, and how much that is.
    """
    baseline = document["lenses"].get(BASELINE, {})
    to_beat = _mean(baseline, NATIVE, "abs_rel_shared") if baseline else None
    titles = "lens | way | abs_rel | a1 | abs_rel, pinhole's view | to the pinhole | abs_rel, all it sees | sees"
    lines = [f"| {titles} |", "|---" * 8 + "|"]
    for lens, by_seed in document["lenses"].items():
        for way in next(iter(by_seed.values()), {}):
            cells = [_cell(by_seed, way, name) for name in ("abs_rel", "a1", "abs_rel_shared")]
            here, sees = _mean(by_seed, way, "abs_rel_shared"), _mean(by_seed, way, "seen")
            cells.append("" if to_beat is None or here is None else f"{100 * (here / to_beat - 1):+.0f} %")
            cells += [_cell(by_seed, way, "abs_rel_own"), "" if sees is None else f"{100 * sees:.0f} %"]
            lines.append(f"| {lens} | {way} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _values(by_seed: Mapping[Any, Any], way: str, name: str) -> list[float]:
    return [ways[way][name] for ways in by_seed.values() if name in ways[way]]


def _mean(by_seed: Mapping[Any, Any], way: str, name: str) -> float | None:
    values = _values(by_seed, way, name)
    return float(np.mean(values)) if values else None


def _cell(by_seed: Mapping[Any, Any], way: str, name: str) -> str:
    values = _values(by_seed, way, name)
    if not values:
        return "refused"
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1) if len(values) > 1 else 0.0:.3f}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lenses", nargs="+", choices=list(LENSES), default=list(LENSES))
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=DEMO_CONFIG.batch_size, help="clips per step")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the order of clips")
    parser.add_argument("--width", type=int, default=192, help="of the network's input; frames are twice as wide")
    parser.add_argument("--height", type=int, default=96)
    parser.add_argument("--street", type=int, default=0, help="seed of the first street")
    parser.add_argument("--streets", type=int, default=3, help="to train on; the next one is held out")
    parser.add_argument("--frames", type=int, default=100, help="of each street")
    parser.add_argument("--encoder", help="another encoder, from random weights")
    parser.add_argument("--learning-rate", type=float, default=DEMO_CONFIG.learning_rate)
    parser.add_argument("--workers", type=int, default=2, help="trainings at a time, with one thread each")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers")
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
