"""What was published for Monodepth v1, as rows like those of `tables.py`. No torch here.

Figures of "Unsupervised Monocular Depth Estimation with Left-Right Consistency" (arXiv 1609.03677, version 3), Table 2:
KITTI, Eigen's test frames, up to 80 m.
"""

from __future__ import annotations

from selfdepth.paper.figures import DepthFigures
from selfdepth.paper.tables import Evaluation, Row
from selfdepth.presets import MONODEPTH_V1

TABLE = "2 (2017)"


def _row(name: str, judged: Evaluation, *figures: float) -> Row:
    names = ["abs_rel", "sq_rel", "rmse", "rmse_log", "a1", "a2", "a3"]
    published = DepthFigures(**dict(zip(names, figures, strict=True)))
    return Row(tables=TABLE, name=name, preset=MONODEPTH_V1, figures=published, judged=judged)


V1_ROWS: tuple[Row, ...] = (
    _row("VGG-like, KITTI", "eigen", 0.148, 1.344, 5.927, 0.247, 0.803, 0.922, 0.964),
    _row("VGG-like, Cityscapes + KITTI", "eigen", 0.124, 1.076, 5.311, 0.219, 0.847, 0.942, 0.973),
    _row(
        "VGG-like, Cityscapes + KITTI, flipped too",
        "eigen, flipped too",
        0.118,
        0.923,
        5.015,
        0.210,
        0.854,
        0.947,
        0.976,
    ),
    _row(
        "ResNet-50, Cityscapes + KITTI, flipped too",
        "eigen, flipped too",
        0.114,
        0.898,
        4.935,
        0.206,
        0.861,
        0.949,
        0.976,
    ),
)
"""The published networks differ from the preset's in what the name says. The preset is ResNet-50 on KITTI alone."""
