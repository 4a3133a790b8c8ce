"""What the paper published, row by row, and the preset and commands that give each row. No torch here.

Figures of "Digging Into Self-Supervised Monocular Depth Estimation" (arXiv 1806.01260, version 4), on KITTI and Make3D.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
    other_split: Literal["eigen_full", "odom"] | None = None

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

_M = "paper-mono-640x192"


def _of_table_1() -> tuple[Row, ...]:
    table = {
        ("M, no pt", "mono-640x192-no-pt"): DepthFigures(0.132, 1.044, 5.142, 0.210, 0.845, 0.948, 0.977),
        ("M", "mono-640x192"): DepthFigures(0.115, 0.903, 4.863, 0.193, 0.877, 0.959, 0.981),
        ("M, 1024x320", "mono-1024x320"): DepthFigures(0.115, 0.882, 4.701, 0.190, 0.879, 0.961, 0.982),
        ("S, no pt", "stereo-640x192-no-pt"): DepthFigures(0.130, 1.144, 5.485, 0.232, 0.831, 0.932, 0.968),
        ("S", "stereo-640x192"): DepthFigures(0.109, 0.873, 4.960, 0.209, 0.864, 0.948, 0.975),
        ("S, 1024x320", "stereo-1024x320"): DepthFigures(0.107, 0.849, 4.764, 0.201, 0.874, 0.953, 0.977),
        ("MS, no pt", "mono-stereo-640x192-no-pt"): DepthFigures(0.127, 1.031, 5.266, 0.221, 0.836, 0.943, 0.974),
        ("MS", "mono-stereo-640x192"): DepthFigures(0.106, 0.818, 4.750, 0.196, 0.874, 0.957, 0.979),
        ("MS, 1024x320", "mono-stereo-1024x320"): DepthFigures(0.106, 0.806, 4.630, 0.193, 0.876, 0.958, 0.980),
        ("M, 416x128", "mono-416x128"): DepthFigures(0.128, 1.087, 5.171, 0.204, 0.855, 0.953, 0.978),
    }
    return tuple(Row(tables="1", name=n, preset=f"paper-{p}", figures=f) for (n, p), f in table.items())


_ABLATIONS: dict[tuple[str, str], DepthFigures] = {
    ("baseline: none of the three", "-baseline"): DepthFigures(0.140, 1.610, 5.512, 0.223, 0.852),
    ("baseline + minimum reprojection", "-baseline-min"): DepthFigures(0.122, 1.081, 5.116, 0.199, 0.866),
    ("baseline + auto-masking", "-baseline-automask"): DepthFigures(0.124, 0.936, 5.010, 0.206, 0.858),
    ("baseline + full-resolution multi-scale", "-baseline-multiscale"): DepthFigures(0.124, 1.170, 5.249, 0.203, 0.865),
    ("without minimum reprojection", "-no-min"): DepthFigures(0.117, 0.878, 4.846, 0.196, 0.870),
    ("without auto-masking", "-no-automask"): DepthFigures(0.120, 1.097, 5.074, 0.197, 0.872),
    ("without full-resolution multi-scale", "-no-multiscale"): DepthFigures(0.117, 0.866, 4.864, 0.196, 0.871),
    ("without SSIM", "-no-ssim"): DepthFigures(0.118, 0.853, 4.824, 0.198, 0.868),
    ("with a predictive mask (Zhou et al.)", "-predictive-mask"): DepthFigures(0.123, 1.177, 5.210, 0.200, 0.869),
    ("full", ""): DepthFigures(0.115, 0.903, 4.863, 0.193, 0.877),
    ("no pt: baseline", "-baseline-no-pt"): DepthFigures(0.150, 1.585, 5.671, a1=0.827),
    ("no pt: without auto-masking", "-no-automask-no-pt"): DepthFigures(0.138, 1.197, 5.369, a1=0.842),
    ("no pt: without minimum reprojection", "-no-min-no-pt"): DepthFigures(0.133, 1.021, 5.219, a1=0.841),
    ("no pt: without full-res. multi-scale", "-no-multiscale-no-pt"): DepthFigures(0.131, 1.030, 5.206, a1=0.846),
    ("no pt: full", "-no-pt"): DepthFigures(0.132, 1.044, 5.142, a1=0.845),
    ("pose network: PoseCNN, pairs", "-posecnn"): DepthFigures(0.138, 1.122, 5.308, a1=0.840),
    ("pose network: PoseCNN, three frames", "-posecnn-all"): DepthFigures(0.148, 1.211, 5.595, a1=0.815),
    ("pose network: shared encoder, pairs", "-shared"): DepthFigures(0.125, 0.986, 5.070, a1=0.857),
    ("pose network: shared encoder, three frames", "-shared-all"): DepthFigures(0.123, 1.031, 5.052, a1=0.863),
    ("pose network: separate ResNet-18, pairs", ""): DepthFigures(0.115, 0.919, 4.863, a1=0.877),
    ("pose network: separate, three frames", "-separate-all"): DepthFigures(0.115, 0.902, 4.847, a1=0.877),
}

_RESNET50: dict[tuple[str, str], DepthFigures] = {
    ("M, ResNet-50", "-resnet50"): DepthFigures(0.110, 0.831, 4.642, 0.187, 0.883, 0.962, 0.982),
    ("M, ResNet-50, no pt", "-resnet50-no-pt"): DepthFigures(0.131, 1.023, 5.064, 0.206, 0.849, 0.951, 0.979),
}

_WHOLE_EIGEN: dict[tuple[str, str], DepthFigures] = {
    ("all of Eigen's frames: baseline", "-baseline"): DepthFigures(0.146, 1.876, 5.666, 0.230, 0.848),
    ("all of Eigen's frames: full", ""): DepthFigures(0.116, 0.918, 4.872, 0.193, 0.874),
}

_FLIPPED_TOO: dict[tuple[str, str], DepthFigures] = {
    ("M, no pt", "mono-640x192-no-pt"): DepthFigures(0.129),
    ("M", "mono-640x192"): DepthFigures(0.112, 0.851, 4.754, 0.190, 0.881),
    ("M, 1024x320", "mono-1024x320"): DepthFigures(0.112, 0.838, 4.607, 0.187, 0.883),
    ("S, no pt", "stereo-640x192-no-pt"): DepthFigures(0.128),
    ("S", "stereo-640x192"): DepthFigures(0.108, 0.842, 4.891, 0.207, 0.866),
    ("S, 1024x320", "stereo-1024x320"): DepthFigures(0.105, 0.822, 4.692, 0.199, 0.876),
    ("MS, no pt", "mono-stereo-640x192-no-pt"): DepthFigures(0.125),
    ("MS", "mono-stereo-640x192"): DepthFigures(0.104, 0.786, 4.687, 0.194, 0.876),
    ("MS, 1024x320", "mono-stereo-1024x320"): DepthFigures(0.104, 0.775, 4.562, 0.191, 0.878),
}

_IMPROVED: dict[tuple[str, str], DepthFigures] = {
    ("M, no pt", "mono-640x192-no-pt"): DepthFigures(0.112, 0.715, 4.502, 0.167, 0.876),
    ("M", "mono-640x192"): DepthFigures(0.090, 0.545, 3.942, 0.137, 0.914, 0.983, 0.995),
    ("S, no pt", "stereo-640x192-no-pt"): DepthFigures(0.110),
    ("S", "stereo-640x192"): DepthFigures(0.085, 0.537, 3.868, 0.139, 0.912, 0.979, 0.993),
    ("MS, no pt", "mono-stereo-640x192-no-pt"): DepthFigures(0.107),
    ("MS", "mono-stereo-640x192"): DepthFigures(0.080, 0.466, 3.681, 0.127, 0.926, 0.985, 0.995),
}

_ONE_SCALE = OneScaleFigures(0.093, 0.109, 0.623, 4.136, 0.154, 0.873, 0.977, 0.994)

_MAKE3D: dict[tuple[str, str], Make3dFigures] = {
    ("M", "mono-640x192"): Make3dFigures(0.322, 3.589, 7.417, 0.163),
    ("MS", "mono-stereo-640x192"): Make3dFigures(0.374, 3.792, 8.238, 0.201),
}

_SERVER: dict[tuple[str, str], ServerFigures] = {
    ("M", "mono-640x192"): ServerFigures(15.57, 4.52, 12.98, 16.70),
    ("MS", "mono-stereo-640x192"): ServerFigures(15.07, 4.16, 11.64, 15.27),
    ("MS, ResNet-50", "mono-stereo-640x192-resnet50"): ServerFigures(14.41, 3.67, 11.22, 14.73),
}

_ODOMETRY: dict[tuple[str, str], OdometryFigures] = {
    ("M", "mono-640x192"): OdometryFigures(0.017, 0.008, 0.015, 0.010),
    ("M, no pt", "mono-640x192-no-pt"): OdometryFigures(0.018, 0.010, 0.015, 0.010),
    ("MS", "mono-stereo-640x192"): OdometryFigures(0.017, 0.008, 0.015, 0.010),
    ("MS, no pt", "mono-stereo-640x192-no-pt"): OdometryFigures(0.018, 0.009, 0.015, 0.010),
}


def _of_table_4() -> tuple[Row, ...]:
    return tuple(
        Row(
            tables="4",
            name=name,
            preset=f"paper-{preset}",
            figures=figures,
            judged="odometry",
            other_split="odom",
        )
        for (name, preset), figures in _ODOMETRY.items()
    )


ROWS: tuple[Row, ...] = (
    *_of_table_1(),
    *(Row(tables="2, 6, 12", name=n, preset=f"{_M}{p}", figures=f) for (n, p), f in _ABLATIONS.items()),
    *(
        Row(tables="2, 6, 12", name=n, preset=f"{_M}{p}", figures=f, other_split="eigen_full")
        for (n, p), f in _WHOLE_EIGEN.items()
    ),
    *(Row(tables="6", name=n, preset=f"{_M}{p}", figures=f) for (n, p), f in _RESNET50.items()),
    *(Row(tables="3", name=n, preset=f"paper-{p}", figures=f, judged="make3d") for (n, p), f in _MAKE3D.items()),
    *_of_table_4(),
    *(
        Row(tables="7", name=n, preset=f"paper-{p}", figures=f, judged="eigen_benchmark")
        for (n, p), f in _IMPROVED.items()
    ),
    Row(tables="8", name="M", preset=_M, figures=_ONE_SCALE, judged="eigen_benchmark, one scale"),
    *(
        Row(tables="9", name=n, preset=f"paper-{p}", figures=f, judged="kitti's server")
        for (n, p), f in _SERVER.items()
    ),
    *(
        Row(tables="10", name=n, preset=f"paper-{p}", figures=f, judged="eigen, flipped too")
        for (n, p), f in _FLIPPED_TOO.items()
    ),
)
