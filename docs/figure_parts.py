"""What the figures of docs/paper.md are made of: a clip with all that is true of it, and how things are drawn."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from selfdepth.config import LossConfig
from selfdepth.geometry.rigid import relative
from selfdepth.geometry.se3 import invert
from selfdepth.geometry.warp import synthesize
from selfdepth.losses.objective import self_supervised_loss
from selfdepth.losses.photometric import Target, photometric_error
from selfdepth.synthetic.drive import SyntheticDrive

LOSS = LossConfig()
BEFORE, AFTER = "#3b6fb6", "#c8502d"
OURS, OTHER = "#1b7837", "#8c6bb1"


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A target with its two neighbours, and what is true of it."""

    frames: Tensor  # 1 3 3 h w
    depth: Tensor  # 1 1 h w, metres
    K: Tensor  # 1 3 3
    T_source_target: Tensor  # 1 2 4 4

    @staticmethod
    def of(drive: SyntheticDrive, target: int) -> Clip:
        """The clip of one frame of a drive; the sky is as far as the objective can say."""
        images = torch.from_numpy(drive.images[[target, target - 1, target + 1]]).permute(0, 3, 1, 2)
        depth = np.where(drive.depth[target] > 0, drive.depth[target], LOSS.far).clip(LOSS.near, LOSS.far)
        T_next_current = torch.from_numpy(relative(drive.T_world_camera[target - 1 : target + 2])).float()
        return Clip(
            frames=images[None].float() / 255,
            depth=torch.from_numpy(depth).float()[None, None],
            K=torch.from_numpy(drive.camera.matrix()).float()[None],
            T_source_target=torch.stack([invert(T_next_current[0]), T_next_current[1]])[None],
        )

    @property
    def image(self) -> np.ndarray:
        """The target, for drawing."""
        return self.frames[0, 0].permute(1, 2, 0).numpy()

    def errors(self, depth: Tensor) -> Tensor:
        """The photometric error of each neighbour, rebuilt through a depth: 2 h w."""
        sources, motions = self.frames[:, 1:].unbind(1), self.T_source_target.unbind(1)
        warped = [synthesize(source, depth, T, self.K) for source, T in zip(sources, motions, strict=True)]
        return photometric_error(torch.stack(warped, 1), Target.of(self.frames[:, 0]), LOSS)[0]

    def static_error(self) -> Tensor:
        """The smaller error of the two neighbours as they are: h w."""
        return photometric_error(self.frames[:, 1:], Target.of(self.frames[:, 0]), LOSS)[0].amin(0)

    def moved(self, T_source_target: Tensor) -> Clip:
        """The same frames with another motion."""
        return replace(self, T_source_target=T_source_target)

    def keep(self) -> np.ndarray:
        """The auto-mask of the objective itself: h w."""
        sigmoid = LOSS.depth_range.sigmoid(self.depth)
        torch.manual_seed(0)  # of the noise that breaks ties
        return self_supervised_loss((sigmoid,), self.T_source_target, self.frames, self.K, LOSS).automask[0][0].numpy()


def picture(axes: Axes, values: Tensor | np.ndarray, title: str, **how: Any) -> Axes:
    """Show an image or a map without ticks."""
    axes.imshow(np.asarray(values), interpolation="nearest", aspect="equal", **how)
    axes.set_title(title, fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])
    return axes


def ratio_axis(axes: Axes, label: str) -> None:
    """A logarithmic axis of depth / true depth."""
    axes.set(xscale="log", xlabel=label, ylabel="photometric error", ylim=(0, None))
    axes.set_xticks([0.4, 0.5, 0.7, 1, 1.4, 2, 2.5], ["0.4", "0.5", "0.7", "1", "1.4", "2", "2.5"])
    axes.minorticks_off()


def truth_line(axes: Axes, x: float) -> None:
    """Where the truth is."""
    axes.axvline(x, color="black", linewidth=1)
    axes.annotate("truth", (x, 0.96), xycoords=("data", "axes fraction"), xytext=(4, 0), textcoords="offset points",
                  va="top", fontsize=8)  # fmt: skip


def save(figure: Figure, path: Path) -> None:
    """Write a PNG with a palette, which is a third of the size."""
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=110, format="png")
    Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
