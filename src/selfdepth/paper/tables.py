"""What the paper published, row by row, and the preset and commands that give each row. No torch here.

Figures of "Digging Into Self-Supervised Monocular Depth Estimation" (arXiv 1806.01260, version 4), on KITTI and Make3D.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from selfdepth.paper.figures import (
    DepthFigures,
    Figures,
    Make3dFigures,
    OdometryFigures,
    OneScaleFigures,
    ServerFigures,
)
from selfdepth.presets import CONTINUES, FIRST_EPOCHS, PRESETS

Judged = Literal[
    "eigen",
    "eigen, flipped too",
    "eigen_benchmark",
    "eigen_benchmark, one scale",
    "make3d",
    "kitti's server",
    "odometry",
]
"""How a row was measured: raw LiDAR in the Garg crop, the same averaged with the mirrored image's prediction, the
improved ground truth without a crop, the same with one scale for all images, the middle of Make3D's images, by KITTI's
server for depth from single images, or the five-frame error of trajectories."""

OtherSplit = Literal["eigen_full", "odom"]

EXAMPLE_SCALE = "31.4"
"""In commands, in place of the scale of a monocular model, which is measured by the command before."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of a table.

    Attributes:
        tables: the tables of the paper that such rows are in.
        name: the row, in the paper's words or close to them.
        preset: the run that gives it.
        figures: what was published.
        judged: how it was measured.
        other_split: the published split that it was trained on, if not the one that is usual for its mode.
    """

    tables: str
    name: str
    preset: str
    figures: Figures
    judged: Judged = "eigen"
    other_split: OtherSplit | None = None

    @property
    def split(self) -> str:
        """The frames that it was trained on: Zhou's, without standstill, where neighbours in time are sources; all of
        Eigen's for pairs alone (section 4.1)."""
        return self.other_split or ("eigen_zhou" if PRESETS[self.preset].offsets else "eigen_full")

    @property
    def run(self) -> str:
        """Folder of the run in the commands; a preset trained on other frames than usual has another."""
        return f"runs/{self.preset}" + (f"-{self.other_split}" if self.other_split else "")

    def train_commands(self) -> tuple[str, ...]:
        """The command that trains the model, after that for the model it continues, if it does."""
        data = "kitti_odometry" if self.judged == "odometry" else "kitti_raw"
        given = f"--data {data} --split {self.split}"
        first = CONTINUES.get(self.preset)
        if first is None:
            return (f"selfdepth train {self.preset} {given} --out {self.run}",)
        start = f"runs/{first}-{FIRST_EPOCHS}"
        return (
            f"selfdepth train {first} {given} --epochs {FIRST_EPOCHS} --out {start}",
            f"selfdepth train {self.preset} {given} --init {start}/last --out {self.run}",
        )

    def evaluate_commands(self) -> tuple[str, ...]:
        """The commands that measure it: the last weights, as published."""
        if self.judged == "odometry":
            measure = f"selfdepth evaluate odometry {self.run}/last --data kitti_odometry --sequence"
            return tuple(f"{measure} {sequence}" for sequence in ("09", "10"))
        if self.judged == "kitti's server":
            return self._export_commands()
        options = "" if self._is_monocular else " --no-median-scaling"
        options += {
            "eigen, flipped too": " --post-process",
            "eigen_benchmark": IMPROVED,
            "eigen_benchmark, one scale": f" --one-scale{IMPROVED}",
        }.get(self.judged, "")
        split = "eigen_benchmark" if self.judged.startswith("eigen_benchmark") else "eigen"
        data = "make3d" if self.judged == "make3d" else f"kitti_raw --split {split}"
        return (f"selfdepth evaluate depth {self.run}/last --data {data}{options}",)

    def _export_commands(self) -> tuple[str, ...]:
        """The predictions for the server; before them the scale, measured on training frames, where it is not known."""
        export = (
            f"selfdepth predict {self.run}/last depth_selection/test_depth_prediction_anonymous "
            f"--out benchmark/{self.preset} --save kitti --precision fp32"
        )
        if not self._is_monocular:
            return (export,)
        scale = (
            f"selfdepth evaluate depth {self.run}/last --data kitti_raw --split {self.split} --part train --frames 1000"
        )
        return (scale, f"{export} --factor {EXAMPLE_SCALE}  # in place of {EXAMPLE_SCALE}: the scale shown before")

    @property
    def _is_monocular(self) -> bool:
        return PRESETS[self.preset].stereo == "none"


IMPROVED = " --ground-truth data_depth_annotated"


class _Line(NamedTuple):
    """A line of a table: the row's name, its preset without "paper-", and its figures in the order of the columns."""

    name: str
    preset: str
    figures: tuple[float | None, ...]


def _rows(
    tables: str,
    kind: Callable[..., Figures],
    columns: str,
    *lines: _Line,
    judged: Judged = "eigen",
    other_split: OtherSplit | None = None,
) -> tuple[Row, ...]:
    """The rows of a table whose columns are these fields of `kind`, separated by blanks."""
    names = columns.split()
    return tuple(
        Row(
            tables=tables,
            name=line.name,
            preset=f"paper-{line.preset}",
            figures=kind(**dict(zip(names, line.figures, strict=True))),
            judged=judged,
            other_split=other_split,
        )
        for line in lines
    )


ROWS: tuple[Row, ...] = (
    *_rows(
        "1",
        DepthFigures,
        "abs_rel sq_rel rmse rmse_log a1 a2 a3",
        _Line("M, no pt", "mono-640x192-no-pt", (0.132, 1.044, 5.142, 0.210, 0.845, 0.948, 0.977)),
        _Line("M", "mono-640x192", (0.115, 0.903, 4.863, 0.193, 0.877, 0.959, 0.981)),
        _Line("M, 1024x320", "mono-1024x320", (0.115, 0.882, 4.701, 0.190, 0.879, 0.961, 0.982)),
        _Line("S, no pt", "stereo-640x192-no-pt", (0.130, 1.144, 5.485, 0.232, 0.831, 0.932, 0.968)),
        _Line("S", "stereo-640x192", (0.109, 0.873, 4.960, 0.209, 0.864, 0.948, 0.975)),
        _Line("S, 1024x320", "stereo-1024x320", (0.107, 0.849, 4.764, 0.201, 0.874, 0.953, 0.977)),
        _Line("MS, no pt", "mono-stereo-640x192-no-pt", (0.127, 1.031, 5.266, 0.221, 0.836, 0.943, 0.974)),
        _Line("MS", "mono-stereo-640x192", (0.106, 0.818, 4.750, 0.196, 0.874, 0.957, 0.979)),
        _Line("MS, 1024x320", "mono-stereo-1024x320", (0.106, 0.806, 4.630, 0.193, 0.876, 0.958, 0.980)),
        _Line("M, 416x128", "mono-416x128", (0.128, 1.087, 5.171, 0.204, 0.855, 0.953, 0.978)),
    ),
    *_rows(
        "2, 6, 12",
        DepthFigures,
        "abs_rel sq_rel rmse rmse_log a1",
        _Line("baseline: none of the three", "mono-640x192-baseline", (0.140, 1.610, 5.512, 0.223, 0.852)),
        _Line("baseline + minimum reprojection", "mono-640x192-baseline-min", (0.122, 1.081, 5.116, 0.199, 0.866)),
        _Line("baseline + auto-masking", "mono-640x192-baseline-automask", (0.124, 0.936, 5.010, 0.206, 0.858)),
        _Line(
            "baseline + full-resolution multi-scale",
            "mono-640x192-baseline-multiscale",
            (0.124, 1.170, 5.249, 0.203, 0.865),
        ),
        _Line("without minimum reprojection", "mono-640x192-no-min", (0.117, 0.878, 4.846, 0.196, 0.870)),
        _Line("without auto-masking", "mono-640x192-no-automask", (0.120, 1.097, 5.074, 0.197, 0.872)),
        _Line("without full-resolution multi-scale", "mono-640x192-no-multiscale", (0.117, 0.866, 4.864, 0.196, 0.871)),
        _Line("without SSIM", "mono-640x192-no-ssim", (0.118, 0.853, 4.824, 0.198, 0.868)),
        _Line(
            "with a predictive mask (Zhou et al.)", "mono-640x192-predictive-mask", (0.123, 1.177, 5.210, 0.200, 0.869)
        ),
        _Line("full", "mono-640x192", (0.115, 0.903, 4.863, 0.193, 0.877)),
    ),
    *_rows(
        "2, 6, 12",
        DepthFigures,
        "abs_rel sq_rel rmse a1",
        _Line("no pt: baseline", "mono-640x192-baseline-no-pt", (0.150, 1.585, 5.671, 0.827)),
        _Line("no pt: without auto-masking", "mono-640x192-no-automask-no-pt", (0.138, 1.197, 5.369, 0.842)),
        _Line("no pt: without minimum reprojection", "mono-640x192-no-min-no-pt", (0.133, 1.021, 5.219, 0.841)),
        _Line("no pt: without full-res. multi-scale", "mono-640x192-no-multiscale-no-pt", (0.131, 1.030, 5.206, 0.846)),
        _Line("no pt: full", "mono-640x192-no-pt", (0.132, 1.044, 5.142, 0.845)),
        _Line("pose network: PoseCNN, pairs", "mono-640x192-posecnn", (0.138, 1.122, 5.308, 0.840)),
        _Line("pose network: PoseCNN, three frames", "mono-640x192-posecnn-all", (0.148, 1.211, 5.595, 0.815)),
        _Line("pose network: shared encoder, pairs", "mono-640x192-shared", (0.125, 0.986, 5.070, 0.857)),
        _Line("pose network: shared encoder, three frames", "mono-640x192-shared-all", (0.123, 1.031, 5.052, 0.863)),
        _Line("pose network: separate ResNet-18, pairs", "mono-640x192", (0.115, 0.919, 4.863, 0.877)),
        _Line("pose network: separate, three frames", "mono-640x192-separate-all", (0.115, 0.902, 4.847, 0.877)),
    ),
    *_rows(
        "2, 6, 12",
        DepthFigures,
        "abs_rel sq_rel rmse rmse_log a1",
        _Line("all of Eigen's frames: baseline", "mono-640x192-baseline", (0.146, 1.876, 5.666, 0.230, 0.848)),
        _Line("all of Eigen's frames: full", "mono-640x192", (0.116, 0.918, 4.872, 0.193, 0.874)),
        other_split="eigen_full",
    ),
    *_rows(
        "6",
        DepthFigures,
        "abs_rel sq_rel rmse rmse_log a1 a2 a3",
        _Line("M, ResNet-50", "mono-640x192-resnet50", (0.110, 0.831, 4.642, 0.187, 0.883, 0.962, 0.982)),
        _Line("M, ResNet-50, no pt", "mono-640x192-resnet50-no-pt", (0.131, 1.023, 5.064, 0.206, 0.849, 0.951, 0.979)),
    ),
    *_rows(
        "3",
        Make3dFigures,
        "abs_rel sq_rel rmse log10",
        _Line("M", "mono-640x192", (0.322, 3.589, 7.417, 0.163)),
        _Line("MS", "mono-stereo-640x192", (0.374, 3.792, 8.238, 0.201)),
        judged="make3d",
    ),
    *_rows(
        "4",
        OdometryFigures,
        "error_09_m spread_09_m error_10_m spread_10_m",
        _Line("M", "mono-640x192", (0.017, 0.008, 0.015, 0.010)),
        _Line("M, no pt", "mono-640x192-no-pt", (0.018, 0.010, 0.015, 0.010)),
        _Line("MS", "mono-stereo-640x192", (0.017, 0.008, 0.015, 0.010)),
        _Line("MS, no pt", "mono-stereo-640x192-no-pt", (0.018, 0.009, 0.015, 0.010)),
        judged="odometry",
        other_split="odom",
    ),
    *_rows(
        "7",
        DepthFigures,
        "abs_rel sq_rel rmse rmse_log a1 a2 a3",
        _Line("M, no pt", "mono-640x192-no-pt", (0.112, 0.715, 4.502, 0.167, 0.876, None, None)),
        _Line("M", "mono-640x192", (0.090, 0.545, 3.942, 0.137, 0.914, 0.983, 0.995)),
        _Line("S, no pt", "stereo-640x192-no-pt", (0.110, None, None, None, None, None, None)),
        _Line("S", "stereo-640x192", (0.085, 0.537, 3.868, 0.139, 0.912, 0.979, 0.993)),
        _Line("MS, no pt", "mono-stereo-640x192-no-pt", (0.107, None, None, None, None, None, None)),
        _Line("MS", "mono-stereo-640x192", (0.080, 0.466, 3.681, 0.127, 0.926, 0.985, 0.995)),
        judged="eigen_benchmark",
    ),
    *_rows(
        "8",
        OneScaleFigures,
        "spread abs_rel sq_rel rmse rmse_log a1 a2 a3",
        _Line("M", "mono-640x192", (0.093, 0.109, 0.623, 4.136, 0.154, 0.873, 0.977, 0.994)),
        judged="eigen_benchmark, one scale",
    ),
    *_rows(
        "9",
        ServerFigures,
        "silog sq_rel_percent abs_rel_percent irmse_per_km",
        _Line("M", "mono-640x192", (15.57, 4.52, 12.98, 16.70)),
        _Line("MS", "mono-stereo-640x192", (15.07, 4.16, 11.64, 15.27)),
        _Line("MS, ResNet-50", "mono-stereo-640x192-resnet50", (14.41, 3.67, 11.22, 14.73)),
        judged="kitti's server",
    ),
    *_rows(
        "10",
        DepthFigures,
        "abs_rel sq_rel rmse rmse_log a1",
        _Line("M, no pt", "mono-640x192-no-pt", (0.129, None, None, None, None)),
        _Line("M", "mono-640x192", (0.112, 0.851, 4.754, 0.190, 0.881)),
        _Line("M, 1024x320", "mono-1024x320", (0.112, 0.838, 4.607, 0.187, 0.883)),
        _Line("S, no pt", "stereo-640x192-no-pt", (0.128, None, None, None, None)),
        _Line("S", "stereo-640x192", (0.108, 0.842, 4.891, 0.207, 0.866)),
        _Line("S, 1024x320", "stereo-1024x320", (0.105, 0.822, 4.692, 0.199, 0.876)),
        _Line("MS, no pt", "mono-stereo-640x192-no-pt", (0.125, None, None, None, None)),
        _Line("MS", "mono-stereo-640x192", (0.104, 0.786, 4.687, 0.194, 0.876)),
        _Line("MS, 1024x320", "mono-stereo-1024x320", (0.104, 0.775, 4.562, 0.191, 0.878)),
        judged="eigen, flipped too",
    ),
)
