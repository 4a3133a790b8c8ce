"""The reference configurations of the objective: inputs, switches and the values that they give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from selfdepth.config import LossConfig
from selfdepth.geometry.se3 import invert, transform_from_axis_angle
from selfdepth.losses.objective import Objective, self_supervised_loss

BASE = LossConfig(tie_break_noise=0.0, pixel_convention="corner")
MONO, STEREO = ("-1", "1"), ("s",)


def variant(**changes: object) -> LossConfig:
    return LossConfig(**{"tie_break_noise": 0.0, "pixel_convention": "corner", **changes})  # type: ignore[arg-type]


CASES: dict[str, tuple[tuple[str, ...], LossConfig]] = {
    "default": (MONO, BASE),
    "mono_stereo": (MONO + STEREO, BASE),
    "stereo_only": (STEREO, BASE),
    "avg_reprojection": (MONO, variant(reprojection="mean")),
    "no_automasking": (MONO, variant(automask=False)),
    "v1_multiscale": (MONO, variant(multiscale="native")),
    "no_ssim": (MONO, variant(ssim=False)),
    "baseline": (MONO, variant(reprojection="mean", automask=False, multiscale="native")),
    "predictive_mask": (
        MONO,
        variant(reprojection="mean", automask=False, multiscale="native", predictive_mask=True),
    ),
}


def relative(got: Tensor | ndarray, wanted: ndarray) -> float:
    got = got.detach().numpy() if isinstance(got, Tensor) else got
    return float(np.linalg.norm(got - wanted) / np.linalg.norm(wanted))


class Case:
    """One golden configuration, evaluated with gradients."""

    def __init__(self, golden: Path, name: str) -> None:
        self.sources, self.cfg = CASES[name]
        self.wanted = np.load(golden / "loss" / f"{name}.npz")
        inputs = np.load(golden / "loss" / "inputs.npz")
        self.leaves = {
            key: torch.tensor(inputs[key], requires_grad=True)
            for key in inputs
            if key.startswith(("disp/", "axisangle/", "translation/"))
        }
        self.T_source_target = torch.stack([self._motion(source, inputs) for source in self.sources], dim=1)
        self.frames = torch.stack([torch.tensor(inputs[f"frame/{name}"]) for name in ("0", *self.sources)], dim=1)
        self.K = torch.tensor(inputs["K_pixels/0"]).expand(len(self.frames), 3, 3)
        self.disparities = tuple(self.leaves[f"disp/{s}"] for s in range(4))
        masks = tuple(torch.tensor(inputs[f"predictive_mask/{s}"])[:, : len(self.sources)] for s in range(4))
        self.masks = masks if self.cfg.predictive_mask else None

    def _motion(self, source: str, inputs: np.lib.npyio.NpzFile) -> Tensor:
        if source == "s":
            return torch.tensor(inputs["stereo_T"])
        T = transform_from_axis_angle(self.leaves[f"axisangle/{source}"], self.leaves[f"translation/{source}"])
        return invert(T) if int(source) < 0 else T

    def evaluate(self) -> Objective:
        objective = self_supervised_loss(
            self.disparities, self.T_source_target, self.frames, self.K, self.cfg, self.masks
        )
        objective.loss.backward()
        return objective
