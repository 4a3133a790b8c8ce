"""Compute the usual depth errors of any predictions, from two numpy arrays. This needs numpy, but not torch.

python examples/04_depth_metrics_on_your_own_arrays.py --disparities pred.npy --depths truth.npy
python examples/04_depth_metrics_on_your_own_arrays.py      # a rendered street, with artificial errors
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import tyro

from selfdepth.evaluation.depth.metrics import METRICS, PROTOCOLS, evaluate_set


def made_up() -> tuple[np.ndarray, np.ndarray]:
    """Predictions at half the size of the ground truth, in another unit, with 10 % noise; and the ground truth."""
    from selfdepth.synthetic.drive import DriveSpec, render_drive  # needs torch, unlike the rest of the file

    truth = render_drive(DriveSpec(frames=4, width=192, height=64)).depth
    filled = np.where(truth > 0, truth, 80.0)  # a prediction has a depth in the sky, too
    noise = np.random.default_rng(0).normal(1.0, 0.1, filled.shape).clip(0.5)
    disparity = 7.3 * noise / filled
    return disparity[:, ::2, ::2], truth


def main(
    disparities: Path | None = None,
    depths: Path | None = None,
    protocol: Literal["eigen", "eigen_benchmark", "dense"] = "dense",
    median_scaling: bool = True,
) -> None:
    """Print the errors.

    Args:
        disparities: .npy with predicted inverse depths, images x height x width, at any resolution.
        depths: .npy with true depths in metres, images x height x width, 0 where unknown.
        protocol: which pixels count.
        median_scaling: scale each prediction to the median of its ground truth first, as is usual for monocular depth.
    """
    if disparities is None or depths is None:
        predicted, truth = made_up()
    else:
        predicted, truth = np.load(disparities), np.load(depths)  # by default numpy refuses pickles

    report = evaluate_set(predicted, truth, PROTOCOLS[protocol], median_scaling=median_scaling)

    for metric in METRICS:
        print(f"{metric:<9} {getattr(report, metric):.4f}")
    print(f"images    {len(report.images)}, each with the same weight; {report.skipped} without ground truth")
    if report.ratio_median is not None:
        # A spread of 0 means that one factor fits all images: the predictions have a consistent scale.
        print(f"scale     median {report.ratio_median:.4g}, spread {report.ratio_spread:.3f}")


if __name__ == "__main__":
    tyro.cli(main)
