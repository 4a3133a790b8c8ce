"""Measure how well a camera is learned from footage alone, from a wrong start.

    python benchmarks/learned_camera.py --steps 3000 --json benchmarks/results/learned_camera.json --plot camera.png
    python benchmarks/learned_camera.py --video residential.mp4 --truth-fov 81.4 --steps 6000 --json video.json

Without --video, the demo's networks learn from rendered streets with bends, where the camera can be known, from
straight ones, where it cannot, and from bends through a wide lens with strong barrel distortion, which is learned from
none on (--drives brown; it is not among the default ones). The truth is 81.5 degrees across for a pinhole, the start
--start-fov. With --video, they learn from that
video, and a second run with the true camera shows what the learned one costs. Steps are counted and not minutes, so
that other work on the machine changes nothing.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from measuring import facts, write_json
from selfdepth.config import TrainConfig
from selfdepth.demo.drives import TRAIN, make_drives
from selfdepth.demo.run import DEMO_CONFIG
from selfdepth.engine.camera_report import describe, read_distortions, read_verdicts
from selfdepth.engine.tracking import read_metrics
from selfdepth.engine.train import train
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import PINHOLE
from selfdepth.learners.lens import edge_of, reach_of
from selfdepth.presets import preset
from selfdepth.synthetic.drive import DriveSpec
from selfdepth.synthetic.lenses import LENSES

DRIVES: dict[str, dict[str, Any]] = {
    "bends": {"bends": True},
    "straight": {"bends": False},
    "brown": {"bends": True, "lens": LENSES["brown"]},
}
"""What is rendered. Through a lens, the distortion is learned as well, from none on."""


def learned(config: TrainConfig, folder: Path, true_deg: float | None) -> dict[str, Any]:
    """Train once. Returns the course of the focal length, the validation, the verdict, and the error.

    Args:
        true_deg: true field of view across the width; None: unknown.
    """
    run = train(config, folder)
    lines = read_metrics(folder)
    camera = run.cameras[0]
    course = [(line["step"], line["camera/fx"]) for line in lines if "camera/fx" in line]
    scores = [line for line in lines if line["kind"] == "val"]
    result: dict[str, Any] = {
        "camera": camera.to_json(),
        "course": course,
        "val_loss": scores[-1].get("loss") if scores else None,
        "abs_rel": scores[-1].get("abs_rel") if scores else None,
    }
    for found, verdict in read_verdicts(folder)[:1]:
        result |= {"verdict": vars(verdict), "is_known": verdict.is_known, "sentence": describe(found, verdict)}
        print(result["sentence"], flush=True)
    if true_deg is not None:
        result["true_fx"] = camera.width / 2 / math.tan(math.radians(true_deg) / 2)
        result["error"] = camera.fx / result["true_fx"] - 1
    return result


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Learn from every footage, and print the table. Returns the document that the JSON file holds."""
    args = _parser().parse_args(argv)
    runs: dict[str, dict[str, Any]] = {}
    start = f"learn:fov:{args.start_fov:g}"
    with tempfile.TemporaryDirectory(prefix="selfdepth-bench-") as name:
        folder = args.keep or Path(name)
        if args.video is not None:
            config = replace(_config(args), data=str(args.video), every=args.every)
            cameras = {"learned": start} | ({"true camera": f"fov:{args.truth_fov:g}"} if args.truth_fov else {})
            for kind, camera in cameras.items():
                runs[kind] = learned(replace(config, camera=camera), folder / kind.split()[0], args.truth_fov)
        else:
            for kind in args.drives:
                runs[kind] = _rendered(args, kind, start, folder)
    document = {"facts": facts(), "arguments": {k: str(v) for k, v in vars(args).items()}, "runs": runs}
    print(table(document))
    if args.json is not None:
        write_json(document, args.json)
    if args.plot is not None:
        plot(document, args.plot)
    return document


def _rendered(args: argparse.Namespace, kind: str, start: str, folder: Path) -> dict[str, Any]:
    spec = DriveSpec(frames=args.frames, width=192, height=64, **DRIVES[kind])
    specs = [replace(spec, seed=seed) for seed in range(args.streets + 1)]
    drives = make_drives(specs[1:], specs[0], folder / f"drives-{kind}", val_every=5, progress=lambda done, total: None)
    config = replace(_config(args), data=str(drives.folder / TRAIN), every=args.every)
    true = specs[0].camera()
    if true.is_pinhole:
        return learned(replace(config, camera=start), folder / kind, _across(true))
    result = learned(replace(config, camera=start.replace("learn:", "learn+distortion:")), folder / kind, _across(true))
    (distortion,) = read_distortions(folder / kind)
    if distortion is not None:
        reach = reach_of(replace(true, lens=PINHOLE))
        result |= {"distortion": vars(distortion), "distortion_sentence": str(distortion)}
        result["true_edge"] = edge_of(true.lens, reach)
        print(f"{distortion}; the true one moves it by {100 * result['true_edge']:.1f} %", flush=True)
    return result


def _across(camera: Camera) -> float:
    return math.degrees(2 * math.atan(camera.width / 2 / camera.fx))


def _config(args: argparse.Namespace) -> TrainConfig:
    config = preset(args.preset) if args.preset else replace(DEMO_CONFIG, batch_size=6)
    config = replace(config, steps=args.steps, epochs=None, minutes=None, seed=args.seed)
    return replace(config, save_every=args.look_every, keep=2, compile=False)


def table(document: dict[str, Any]) -> str:
    """Learned field of view, its error where the truth is known, and the verdict, as a table of Markdown."""
    lines = ["| footage | degrees across | error of the focal length | verdict | loss | abs_rel |", "|---" * 6 + "|"]
    for kind, run in document["runs"].items():
        camera = Camera.from_json(dict(run["camera"]))
        degrees = _across(camera)
        error = f"{100 * run['error']:+.1f} %" if "error" in run else "-"
        verdict = run.get("sentence", "given").rpartition("): ")[2]
        numbers = [f"{run[name]:.4f}" if run[name] is not None else "-" for name in ("val_loss", "abs_rel")]
        lines.append(f"| {kind} | {degrees:.1f} | {error} | {verdict} | {' | '.join(numbers)} |")
    return "\n".join(lines)


def plot(document: dict[str, Any], path: Path) -> None:
    """Draw the learned focal length over the steps, as a share of the true one where that is known."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(6, 3.6))
    for kind, run in document["runs"].items():
        if run["course"]:
            steps, values = zip(*run["course"], strict=True)
            unit = run.get("true_fx", 1.0)
            axis.plot(steps, [value / unit for value in values], label=kind)
    axis.axhline(1.0, color="black", linewidth=0.8)
    axis.set_xlabel("step")
    axis.set_ylabel("focal length / true one")
    axis.legend()
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--start-fov", type=float, default=60.0, metavar="DEGREES")
    parser.add_argument("--drives", nargs="+", choices=DRIVES, default=["bends", "straight"])
    parser.add_argument("--frames", type=int, default=200, help="of each rendered street")
    parser.add_argument("--streets", type=int, default=3, help="rendered streets to learn from")
    parser.add_argument("--video", type=Path, help="footage to learn from, instead of streets")
    parser.add_argument("--truth-fov", type=float, metavar="DEGREES", help="true field of view of --video")
    parser.add_argument("--preset", help="default: the demo's networks at 192x64, 6 clips per step")
    parser.add_argument("--every", help="frames between neighbours; default: 1")
    parser.add_argument("--look-every", type=int, default=500, help="steps between validations")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the runs in this folder")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the courses")
    return parser


if __name__ == "__main__":
    main()
