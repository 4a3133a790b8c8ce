"""Measure `selfdepth live --steady` on a rendered street: what flicker it removes, and what it costs.

    python benchmarks/steady.py MODEL --frames 120 --json benchmarks/results/steady.json

The street has true depth and motion. So the same point of the world is found in successive frames, and flicker is told
from change: it is how much the error of a depth, in logarithms, differs from that of the same point one frame before.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray

from measuring import arguments_of, facts, write_json
from selfdepth.geometry.rigid import inverse
from selfdepth.geometry.warp import project_with_depth, sample
from selfdepth.inference.odometry import MotionPredictor
from selfdepth.inference.predictor import Predictor
from selfdepth.live.steady import Steady
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive
from selfdepth.weights.files import load_weights

FARTHEST_M = 80.0
"""Depths beyond are not judged, as in KITTI's metrics."""
_EDGE = 0.15
"""Step of the true depth between neighbouring pixels, in logarithms, that is an edge."""
_REACH_PX = 6
"""Half the width over which the step at an edge is taken: networks draw no edge from one pixel to the next."""


def judge(depths: Float[ndarray, "n h w"], drive: SyntheticDrive) -> dict[str, float]:
    """How good, how steady and how sharp depths are.

    Returns:
        `abs_rel` after one factor for the whole drive; `flicker`, mean absolute change of the logarithmic error from
        frame to frame at the same point, in per cent; `scale_flicker`, the same of the frame's median; `sharpness`, the
        step of the depth at true edges as a share of the true one.
    """
    known = (drive.depth > 0) & (drive.depth < FARTHEST_M)
    error = np.where(known, np.log(depths / np.where(known, drive.depth, 1)), 0)
    error = np.where(known, error - np.median(error[known]), 0).astype(np.float32)
    changes = [_changes(error, known, drive, i) for i in range(1, len(depths))]
    return {
        "abs_rel": float(np.abs(np.expm1(error[known])).mean()),
        "flicker": 100 * float(np.mean([np.abs(each).mean() for each in changes])),
        "scale_flicker": 100 * float(np.mean([abs(np.median(each)) for each in changes])),
        "sharpness": _sharpness(depths, drive, known),
    }


def _changes(
    error: Float[ndarray, "n h w"], known: Bool[ndarray, "n h w"], drive: SyntheticDrive, i: int
) -> Float[ndarray, "_m"]:
    """How the error changed from frame i - 1, at the points of frame i that were seen there, and stand still."""
    T = torch.from_numpy(inverse(drive.T_world_camera[i - 1]) @ drive.T_world_camera[i]).float()[None]
    depth, before = (torch.from_numpy(drive.depth[j])[None, None] for j in (i, i - 1))
    K = torch.from_numpy(drive.camera.matrix()).float()[None]
    places, z = project_with_depth(depth, T, K)
    height, width = depth.shape[-2:]
    inside = (places >= 0).all(1) & (places[:, 0] <= width - 1) & (places[:, 1] <= height - 1)
    seen = (sample(before, places)[:, 0] / z[:, 0] - 1).abs() < 0.02  # else something hid it
    chosen = (inside & seen)[0].numpy() & known[i] & ~drive.moving[i]
    past = sample(torch.from_numpy(error[i - 1])[None, None], places)[0, 0].numpy()
    return np.asarray((error[i] - past)[chosen])


def _sharpness(depths: Float[ndarray, "n h w"], drive: SyntheticDrive, known: Bool[ndarray, "n h w"]) -> float:
    true, log_depths = np.log(np.where(known, drive.depth, 1)), np.log(depths)
    edge = known[..., 1:] & known[..., :-1] & (np.abs(np.diff(true, axis=2)) > _EDGE)
    frames, rows, columns = np.nonzero(edge)
    left, right = columns - _REACH_PX + 1, columns + _REACH_PX
    inside = (left >= 0) & (right < true.shape[2])
    frames, rows, left, right = (each[inside] for each in (frames, rows, left, right))
    step = true[frames, rows, right] - true[frames, rows, left]
    chosen = known[frames, rows, left] & known[frames, rows, right] & (np.abs(step) > _EDGE)
    own = log_depths[frames, rows, right] - log_depths[frames, rows, left]
    return float((own * np.sign(step))[chosen].mean() / np.abs(step)[chosen].mean())


def measure(model: str, drive: SyntheticDrive, memories: Sequence[float], device: str) -> dict[str, dict[str, float]]:
    """The judgement of each way, by its name, with its milliseconds per frame."""
    weights = load_weights(model)
    predictor = Predictor(weights, device=device)
    motion = MotionPredictor(weights, spacing=1, device=device)
    ways: dict[str, Callable[..., Any]] = {"each frame alone": predictor.predict}
    ways |= {f"steady, memory {memory:g}": Steady(predictor, motion, memory=memory) for memory in memories}
    rows = {}
    for name, depth_of in ways.items():
        start_s = time.perf_counter()
        depths = np.stack([depth_of(image, drive.camera).depth for image in drive.images])
        ms = 1000 * (time.perf_counter() - start_s) / len(depths)
        rows[name] = {**judge(depths, drive), "ms": ms}
        print(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in rows[name].items()), flush=True)
    return rows


def table(rows: dict[str, dict[str, float]]) -> str:
    """The rows as a table of Markdown."""
    heads = {"abs_rel": ".4f", "flicker": ".2f", "scale_flicker": ".2f", "sharpness": ".3f", "ms": ".0f"}
    lines = ["| depth | abs_rel | flicker, % | of the whole frame, % | sharpness | ms per frame |", "|---" * 6 + "|"]
    for name, row in rows.items():
        lines.append(f"| {name} | {' | '.join(format(row[key], form) for key, form in heads.items())} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure and print the table. Returns the document that the JSON file holds."""
    args = _parser().parse_args(argv)
    drive = render_drive(DriveSpec(seed=args.seed, frames=args.frames))
    rows = measure(args.model, drive, args.memory, args.device)
    document = {"facts": facts(), "arguments": arguments_of(args), "rows": rows}
    print(table(rows))
    if args.json is not None:
        write_json(document, args.json)
    return document


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="MODEL", help="with a pose network, trained on rendered streets")
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--seed", type=int, default=21, help="of the street, which the model must not have seen")
    parser.add_argument("--memory", type=float, nargs="+", default=[0.8], help="weights of the past to try")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers")
    return parser


if __name__ == "__main__":
    main()
