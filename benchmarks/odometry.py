"""Measure the error of the camera's path before and after a demo's training, on the held-out street.

    selfdepth demo --out demo --seed 0
    python benchmarks/odometry.py demo --json benchmarks/results/odometry.json --plot benchmarks/results/odometry.png

"Before" are the same networks with the weights that the training started from.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from measuring import facts, write_json
from selfdepth.demo.drives import HELD_OUT
from selfdepth.evaluation.odometry.run import OdometryEvaluation, evaluate_trajectory, predict_trajectory
from selfdepth.evaluation.odometry.sequences import sequence_to_evaluate
from selfdepth.learners.self_supervised import SelfSupervisedDepth
from selfdepth.weights.files import WeightsMeta, load_weights, save_weights

HEADINGS = ("five-frame error, m", "ATE, m", "RPE, m", "RPE, degrees", "straight line's ATE, m")


def save_untrained(model: Path, folder: Path) -> Path:
    """Write the weights that a run started from, drawn again from its seed. Returns the folder."""
    weights = load_weights(model)
    config = weights.config
    torch.manual_seed(config.seed)
    state = SelfSupervisedDepth(config).state_dict()
    save_weights(folder, state, WeightsMeta(config=config, camera=weights.camera, scale=weights.scale, step=0))
    return folder


def numbers(evaluation: OdometryEvaluation) -> dict[str, Any]:
    """The errors of one model; lengths are in metres."""
    return {
        "five_frame_error_m": {"mean": evaluation.five_frame.mean, "std": evaluation.five_frame.std},
        "ate_m": evaluation.absolute.rmse,
        "rpe_m": evaluation.relative.translation_rmse,
        "rpe_deg": evaluation.relative.rotation_rmse_deg,
        "straight_ate_m": evaluation.straight_rmse,
        "scale": evaluation.absolute.alignment.scale,
    }


def row(name: str, errors: dict[str, Any]) -> str:
    """A line of the table, from `numbers`."""
    five = errors["five_frame_error_m"]
    cells = [f"{five['mean']:.4f} ± {five['std']:.4f}", f"{errors['ate_m']:.3f}", f"{errors['rpe_m']:.4f}"]
    cells += [f"{errors['rpe_deg']:.4f}", f"{errors['straight_ate_m']:.3f}"]
    return f"| {name} | {' | '.join(cells)} |"


def draw(path: Path, evaluations: dict[str, OdometryEvaluation]) -> None:
    """Draw the true path and the aligned ones from above, with x stretched: a street is long and narrow."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.add_subplot()
    truth = evaluations["after"].truth.T_world_camera
    axes.plot(truth[:, 2, 3], truth[:, 0, 3], color="#1c2230", label="ground truth")
    for (name, each), colour in zip(evaluations.items(), ("#94a3b8", "#c2410c"), strict=True):
        poses, label = each.predicted.T_world_camera, f"{name} training, ATE {each.absolute.rmse:.2f} m"
        axes.plot(poses[:, 2, 3], poses[:, 0, 3], color=colour, label=label)
    axes.set(xlabel="z, forward (m)", ylabel="x, right (m)")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Evaluate both and print the table. Returns the document that the JSON file holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=Path, help="the --out folder of selfdepth demo")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    args = parser.parse_args(argv)
    trained, held_out = args.demo / "run" / "last", sequence_to_evaluate(args.demo / "drives" / HELD_OUT)
    evaluations: dict[str, OdometryEvaluation] = {}
    with tempfile.TemporaryDirectory(prefix="selfdepth-bench-") as name:
        for when, model in (("before", save_untrained(trained, Path(name))), ("after", trained)):
            predicted, _ = predict_trajectory(str(model), held_out, device="cpu")
            evaluations[when] = evaluate_trajectory(predicted, held_out.truth, "sim3", where=str(model))
    strides = np.linalg.norm(np.diff(held_out.truth.T_world_camera[:, :3, 3], axis=0), axis=1)
    document: dict[str, Any] = {
        "facts": facts(),
        "steps": load_weights(trained).step,
        "alignment": "sim3",
        "frames": len(held_out.truth),
        "length_m": float(strides.sum()),
        **{when: numbers(each) for when, each in evaluations.items()},
    }
    print(f"| | {' | '.join(HEADINGS)} |\n|---|{'---|' * len(HEADINGS)}")
    print("\n".join(row(f"{when} training", document[when]) for when in evaluations))
    if args.json is not None:
        write_json(document, args.json)
    if args.plot is not None:
        draw(args.plot, evaluations)
    return document


if __name__ == "__main__":
    main(sys.argv[1:])
