"""The options of the objective, as plain values. Imports no torch, because --help imports this."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from selfdepth.checks import check_numbers, require
from selfdepth.errors import ConfigError
from selfdepth.geometry.depth_range import DepthRange


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Every switch of the objective; the defaults are the paper's full method."""

    ssim: bool = True
    """Compare images with SSIM and L1; without it, with L1 alone, at weight 1."""
    ssim_weight: float = 0.85
    """Weight of SSIM in the photometric error, from 0 to 1 (alpha in the paper)."""
    smoothness: float = 1e-3
    """Weight of the edge-aware smoothness of the disparity (lambda in the paper)."""
    automask: bool = True
    """Mask pixels that the unwarped source explains better than the warped one (equation 5)."""
    reprojection: Literal["min", "mean"] = "min"
    """Per pixel, take the minimum of the photometric errors of the sources, or their mean."""
    multiscale: Literal["full", "native"] = "full"
    """Compare every scale at full resolution, or each at its own."""
    predictive_mask: bool = False
    """Weight the errors with a learned mask (the ablation after Zhou et al.); needs --loss.no-automask."""
    tie_break_noise: float = 1e-5
    """Standard deviation of the seeded noise that breaks ties between warped and unwarped source; 0 turns it off."""
    near: float = 0.1
    """Smallest depth that the network can predict, in the unit of the translation."""
    far: float = 100.0
    """Largest depth that the network can predict, in the unit of the translation."""
    start_depth: float | None = None
    """Depth that the untrained network predicts, in the unit of the translation. A smaller near with the same start
    leaves room for scenes that begin close to the camera. Default: the sigmoid's middle, about twice near."""
    pixel_convention: Literal["center", "corner"] = "center"
    """K at lower scales: exact for integer pixel centres, or K / 2^s as published. Only native multiscale uses it."""
    align_motion: bool = False
    """Before images are compared, refine the rotation of each predicted motion by aligning them directly, and teach the
    pose network the difference (not the paper's). Depth is then learned by a motion that is right to a fraction of a
    pixel."""
    consistency: float = 0.0
    """Weight of the disagreement between the depths of neighbouring frames (Bian et al. 2019), which ties their scales
    together for trajectories. At 0 the sources' depth is not predicted at all."""

    speed: float = 0.1
    """With --speed, weight of the speed loss: how far the predicted motion is from what the vehicle drove, as a share
    of it (PackNet, 2019)."""
    height: float = 0.1
    """With --camera-height, weight of the height loss: |log| of the height above the predicted road over the known one
    (after DNet, 2020)."""

    def __post_init__(self) -> None:
        check_numbers(self, "loss.")
        require(0 <= self.ssim_weight <= 1, "--loss.ssim-weight", "a number from 0 to 1", self.ssim_weight)
        require(0 <= self.smoothness < math.inf, "--loss.smoothness", "a number of at least 0", self.smoothness)
        require(
            0 <= self.tie_break_noise < math.inf,
            "--loss.tie-break-noise",
            "a number of at least 0",
            self.tie_break_noise,
        )
        require(0 <= self.consistency < math.inf, "--loss.consistency", "a number of at least 0", self.consistency)
        require(0 < self.speed < math.inf, "--loss.speed", "more than 0", self.speed)
        require(0 < self.height < math.inf, "--loss.height", "more than 0", self.height)
        depths = self.depth_range  # refuses a near and far out of order
        require(self.far < math.inf, "--loss.near, --loss.far", "0 < near < far", f"{self.near}, {self.far}")
        require(
            self.start_depth is None or depths.near < self.start_depth < depths.far,
            "--loss.start-depth",
            "between near and far",
            self.start_depth,
        )
        # Options of a part that is switched off are refused: whoever gives them expects an effect.
        require(self.ssim or self.ssim_weight == 0.85, "--loss.ssim-weight", "--loss.ssim", "--loss.no-ssim")
        ties = self.automask or self.tie_break_noise in (0, 1e-5)
        require(ties, "--loss.tie-break-noise", "--loss.automask", "--loss.no-automask")
        if self.predictive_mask and self.automask:
            raise ConfigError(
                "the predictive mask and the auto-mask exclude each other",
                where="--loss.predictive-mask",
                fix="add --loss.no-automask",
            )

    @property
    def depth_range(self) -> DepthRange:
        """The depths that the network can predict, with their conversion from and to its sigmoid."""
        return DepthRange(float(self.near), float(self.far))  # JSON may hold whole numbers

    @property
    def untrained_depth(self) -> float:
        """The depth that the untrained network predicts, about, in the unit of the translation."""
        return float(self.start_depth or self.depth_range.depth(0.5))
