"""The field's depth errors for anybody's predictions: two numpy arrays in, a table out. This needs numpy, not torch.

python examples/04_depth_metrics_on_your_own_arrays.py --disparities pred.npy --depths truth.npy
python examples/04_depth_metrics_on_your_own_arrays.py      # a rendered street, with errors made up
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import tyro

from selfdepth.evaluation.depth.metrics import METRICS, PROTOCOLS, evaluate_set


def made_up() -> tuple[np.ndarray, np.ndarray]:
    """Predictions at half the size of their ground truth, in another unit, and 10 % off from pixel to pixel."""
    from selfdepth.synthetic.drive import DriveSpec, render_drive  # here, as the rest of the file needs no torch

    truth = render_drive(DriveSpec(frames=4, width=192, height=64)).depth
    known = np.where(truth > 0, truth, 80.0)
    noise = np.random.default_rng(0).normal(1.0, 0.1, known.shape).clip(0.5)
    disparity = 7.3 * noise / known
    return disparity[:, ::2, ::2], truth


def main(
    disparities: Path | None = None,
    depths: Path | None = None,
    protocol: Literal["eigen", "eigen_benchmark", "dense"] = "dense",
    median_scaling: bool = True,
) -> None:
    """Print the errors.

    Args:
        disparities: .npy of predicted inverse depths, images x height x width, at any size.
        depths: .npy of true depths in metres, images x height x width, 0 where unknown.
        protocol: which pixels count.
        median_scaling: bring each prediction to the median of its truth first, as is usual for one moving camera.
    """
    if disparities is None or depths is None:
        predicted, truth = made_up()
    else:
        predicted, truth = np.load(disparities), np.load(depths)  # numpy reads no pickles unless told to

    report = evaluate_set(predicted, truth, PROTOCOLS[protocol], median_scaling=median_scaling)

    for metric in METRICS:
        print(f"{metric:<9} {getattr(report, metric):.4f}")
    print(f"images    {len(report.images)}, of which each counts the same; {report.skipped} without ground truth")
    if report.ratio_median is not None:
        # A spread of 0 means one factor fits all images: the predictions agree with each other.
        print(f"scale     median {report.ratio_median:.4g}, spread {report.ratio_spread:.3f}")


if __name__ == "__main__":
    tyro.cli(main)
