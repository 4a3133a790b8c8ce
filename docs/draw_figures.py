"""Draw the figures of docs/paper.md: the effect of each of the paper's three contributions, on rendered drives.

Depth and motion are the true ones. Nothing is trained; the figures show the photometric error alone.

python docs/draw_figures.py
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import tyro
from figure_parts import AFTER, BEFORE, LOSS, OTHER, OURS, Clip, picture, ratio_axis, save, truth_line
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from selfdepth.geometry.camera import downscale
from selfdepth.geometry.se3 import invert
from selfdepth.geometry.warp import project
from selfdepth.synthetic.drive import DriveSpec, SyntheticDrive, render_drive

SEED = 1
TARGET = 12
"""The frame of the street that the figures show: a van hides what is behind it in one of the neighbours."""
SCALE = 3
BLOCK = 2**SCALE
STEP_M = 0.1
"""The motion that is assumed at a stop: the prediction of a network is never exactly zero."""


def occlusion(drive: SyntheticDrive, target: int) -> Figure:
    """Contribution 1: the minimum over the sources, compared with their mean."""
    clip = Clip.of(drive, target)
    errors = clip.errors(clip.depth)
    height, width = errors.shape[-2:]
    in_sources = [project(clip.depth, clip.T_source_target[:, s], clip.K)[0].numpy() for s in range(2)]
    v, u = hidden_in_one(errors, in_sources)
    box = around(u, v, width, height)
    figure = Figure(figsize=(9.6, 6.0), layout="constrained")
    rows = figure.add_gridspec(3, 12, height_ratios=(1.0, 1.45, 1.75))
    points = (in_sources[0][:, v, u], np.array([u, v]), in_sources[1][:, v, u])
    worst = int(errors[:, v, u].argmax())
    for i, (view, name) in enumerate(((1, "previous frame (source)"), (0, "target"), (2, "next frame (source)"))):
        axes = picture(figure.add_subplot(rows[0, 4 * i : 4 * i + 4]), clip.frames[0, view].permute(1, 2, 0), name)
        hides = view == worst + 1
        axes.plot(*points[i], "X" if hides else "o", color="yellow", markersize=8, markeredgecolor="black")
        if hides:
            axes.set_title(f"{name}: hidden at X", fontsize=9)
        if view == 0:
            axes.add_patch(Rectangle(box[:2], box[2], box[3], fill=False, color="yellow", linewidth=1.3))
    maps = (errors[0], errors[1], errors.mean(0), errors.amin(0))
    names = ("error of the previous", "error of the next", "their mean (before)", "their minimum (paper)")
    for i, (values, name) in enumerate(zip(maps, names, strict=True)):
        axes = figure.add_subplot(rows[1, 3 * i : 3 * i + 3])
        picture(axes, values, f"{name}\nmean of the image {float(values.mean()):.3f}", cmap="inferno", vmin=0, vmax=0.5)
        axes.plot(u, v, "o", color="cyan", markersize=8, markerfacecolor="none", markeredgewidth=1.6)
        axes.set_xlim(box[0] - 0.5, box[0] + box[2] - 0.5)
        axes.set_ylim(box[1] + box[3] - 0.5, box[1] - 0.5)
    ratios = np.geomspace(0.4, 2.5, 121)
    curves = torch.stack([clip.errors(clip.depth * float(ratio))[:, v, u] for ratio in ratios], 1).numpy()
    axes = figure.add_subplot(rows[2, :])
    axes.plot(ratios, curves[0], ":", color=BEFORE, label="previous frame")
    axes.plot(ratios, curves[1], ":", color=AFTER, label="next frame")
    for curve, colour, name in ((curves.mean(0), OTHER, "mean"), (curves.min(0), OURS, "minimum")):
        lowest = ratios[curve.argmin()]
        axes.plot(ratios, curve, color=colour, linewidth=2.2, label=f"{name}: lowest at {lowest:.2f}")
        axes.plot(lowest, curve.min(), "v", color=colour, markersize=10, markeredgecolor="black")
    truth_line(axes, 1)
    ratio_axis(axes, "depth given to the marked pixel / true depth (triangles: lowest point)")
    axes.legend(fontsize=8, ncols=4, loc="upper center", bbox_to_anchor=(0.5, 1.22), frameon=False)
    return figure


def hidden_in_one(errors: Tensor, in_sources: list[np.ndarray]) -> tuple[int, int]:
    """(v, u) of the pixel where the mean exceeds the minimum most, among those that project into both sources.

    Args:
        errors: of each source, 2 h w.
        in_sources: (u, v) of each target pixel in each source, 2 h w each.
    """
    height, width = errors.shape[-2:]
    # The mean over 5x5 pixels, so that one odd pixel is not taken for an occlusion.
    gain = F.avg_pool2d((errors.mean(0) - errors.amin(0))[None], 5, stride=1, padding=2)[0].numpy()
    for u, v in in_sources:
        gain = np.where((u > 3) & (v > 3) & (u < width - 4) & (v < height - 4), gain, -1)
    return tuple(int(i) for i in np.unravel_index(gain.argmax(), gain.shape))  # type: ignore[return-value]


def automask(follow: SyntheticDrive, halt: SyntheticDrive) -> Figure:
    """Contribution 2: what the auto-mask leaves out, behind a car of the same speed and at a stop."""
    ahead = most_followed(follow)
    moving, standing = Clip.of(follow, ahead), Clip.of(halt, halted(halt))
    figure = Figure(figsize=(9.6, 6.4), layout="constrained")
    rows = figure.add_gridspec(3, 2, height_ratios=(1, 1, 1.35))
    assumed = standing.moved(forward(STEP_M))
    titles = ("the car ahead keeps our speed", "the camera stands still")
    car = follow.comoving[ahead]
    for column, (clip, title) in enumerate(zip((moving, assumed), titles, strict=True)):
        image_axes = picture(figure.add_subplot(rows[0, column]), clip.image, title)
        keep = clip.keep()
        part = f"; of that car {100 * keep[car].mean():.0f} %" if column == 0 and car.any() else ""
        name = f"auto-mask: white counts. Kept {100 * keep.mean():.0f} %{part}"
        axes = picture(figure.add_subplot(rows[1, column]), keep, name, cmap="gray", vmin=0, vmax=1)
        if column == 0 and car.any():
            for each in (image_axes, axes):
                each.contour(car, levels=[0.5], colors=["yellow" if each is image_axes else AFTER], linewidths=1.2)
    if car.any():
        car_curve(figure.add_subplot(rows[2, 0]), moving, torch.from_numpy(car))
    stop_curve(figure.add_subplot(rows[2, 1]), standing)
    return figure


def most_followed(drive: SyntheticDrive) -> int:
    """The frame in which the car that moves at the camera's speed is largest."""
    return int(drive.comoving[1:-1].sum((1, 2)).argmax()) + 1


def halted(drive: SyntheticDrive) -> int:
    """The first frame at which the camera stands still, as it does at both of its neighbours."""
    still = drive.speed_mps < 1e-6
    return int(np.nonzero(still[:-2] & still[1:-1] & still[2:])[0][0]) + 1


def car_curve(axes: Axes, clip: Clip, car: Tensor) -> None:
    """The error on the car as a function of its assumed depth."""
    true_m = float(clip.depth[0, 0][car].median())
    depths_m = np.geomspace(3, LOSS.far, 60)
    curve = [float(clip.errors(torch.full_like(clip.depth, d)).amin(0)[car].mean()) for d in depths_m]
    axes.plot(depths_m, curve, color=BEFORE, linewidth=2, label=f"warped: lowest at {depths_m[np.argmin(curve)]:.0f} m")
    axes.axhline(float(clip.static_error()[car].mean()), color=OURS, linestyle="--", linewidth=2, label="not warped")
    truth_line(axes, true_m)
    axes.set(xscale="log", xlabel="depth given to the car (m)", ylabel="error on the car", ylim=(0, None))
    axes.set_xticks([3, 10, 30, 100], ["3", "10", "30", "100"])
    axes.minorticks_off()
    axes.legend(fontsize=8, loc="upper right")


def stop_curve(axes: Axes, clip: Clip) -> None:
    """The error at a stop as a function of the assumed motion."""
    motions_m = np.linspace(0, 1, 41)
    curve = [float(clip.moved(forward(float(m))).errors(clip.depth).amin(0).mean()) for m in motions_m]
    axes.plot(motions_m, curve, color=BEFORE, linewidth=2, label="warped, true depth")
    axes.axhline(float(clip.static_error().mean()), color=OURS, linestyle="--", linewidth=2, label="not warped")
    axes.plot(STEP_M, np.interp(STEP_M, motions_m, curve), "o", color=BEFORE, label="motion of the mask above")
    truth_line(axes, 0)
    axes.set(xlabel="motion guessed (m per frame)", ylabel="error on the image", ylim=(0, None))
    axes.legend(fontsize=8, loc="lower right")


def forward(step_m: float) -> Tensor:
    """T_source_target, 1 2 4 4, of a camera that moves straight on by `step_m` metres per frame."""
    T_next_current = torch.eye(4)
    T_next_current[2, 3] = -step_m
    return torch.stack([invert(T_next_current), T_next_current])[None]


def multiscale(drive: SyntheticDrive, target: int) -> Figure:
    """Contribution 3: the error of a coarse disparity, at its own resolution and at full resolution."""
    clip = Clip.of(drive, target)
    ratios = np.geomspace(0.4, 2.5, 81)
    native, full = coarse_errors(clip, ratios)
    below_sky = cells_below_sky(drive.depth[target])
    best = [ratios[errors.argmin(0)] for errors in (native, full)]
    row, column = most_different(native, full, ratios, below_sky)
    figure = Figure(figsize=(9.6, 6.6), layout="constrained")
    rows = figure.add_gridspec(3, 2, height_ratios=(1, 1, 1.35))
    small = F.avg_pool2d(clip.frames[:, 0], BLOCK)[0].permute(1, 2, 0)
    names = ("its own size, 1/8 (before)", "full size (paper)")
    map_axes = []
    images: list[Tensor | np.ndarray] = [small, clip.image]
    for i, image in enumerate(images):
        axes = picture(figure.add_subplot(rows[0, i]), image, f"compared at {names[i]}")
        side = 1 if i == 0 else BLOCK
        corner = (column * side - 0.5, row * side - 0.5)
        axes.add_patch(Rectangle(corner, side, side, fill=False, color="yellow", linewidth=2))
        off = np.where(below_sky, np.log2(best[i]), np.nan)
        near = 100 * (np.abs(best[i][below_sky] - 1) < 0.1).mean()
        axes = figure.add_subplot(rows[1, i])
        drawn = picture(
            axes, off, f"depth that fits best: within 10 % in {near:.0f} % of cells", cmap="RdBu", vmin=-1, vmax=1
        )
        map_axes.append(drawn)
        drawn.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, color="black", linewidth=2))
    bar = figure.colorbar(map_axes[0].images[0], ax=map_axes, ticks=[-1, 0, 1], shrink=0.9, pad=0.01)
    bar.ax.set_yticklabels(["half", "right", "double"], fontsize=8)
    axes = figure.add_subplot(rows[2, 0])
    for errors, colour, name in zip((native, full), (OTHER, OURS), ("at 1/8", "at full size"), strict=True):
        curve = errors[:, row, column]
        axes.plot(ratios, curve, color=colour, linewidth=2, label=name)
        axes.plot(ratios[curve.argmin()], curve.min(), "v", color=colour, markersize=10, markeredgecolor="black")
    truth_line(axes, 1)
    ratio_axis(axes, "depth given to the marked cell / true depth")
    axes.legend(fontsize=8)
    axes = figure.add_subplot(rows[2, 1])
    for values, colour, name in zip(best, (OTHER, OURS), ("at 1/8", "at full size"), strict=True):
        off = 100 * np.sort(np.abs(values[below_sky] - 1))
        axes.plot(off, 100 * np.arange(1, len(off) + 1) / len(off), color=colour, linewidth=2, label=name)
    axes.set(xlim=(0, 60), ylim=(0, 100), xlabel="error of the depth that fits best, at most (%)", ylabel="cells (%)")
    axes.legend(fontsize=8, loc="lower right")
    return figure


def coarse_errors(clip: Clip, ratios: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The error of the true coarse depth times each ratio, for each cell of BLOCK x BLOCK pixels: ratios h/8 w/8.

    Returns:
        the error at the coarse resolution; and at full resolution, the mean over the pixels of the cell.
    """
    disparity = F.avg_pool2d(1 / clip.depth, BLOCK)
    frames, K = downscale(clip.frames, clip.K, SCALE, LOSS.pixel_convention)
    small = Clip(frames=frames, depth=1 / disparity, K=K, T_source_target=clip.T_source_target)
    large = F.interpolate(disparity, scale_factor=BLOCK, mode="bilinear", align_corners=False)
    native, full = [], []
    for ratio in ratios:
        native.append(small.errors(float(ratio) / disparity).amin(0).numpy())
        full.append(F.avg_pool2d(clip.errors(float(ratio) / large).amin(0)[None], BLOCK)[0].numpy())
    return np.stack(native), np.stack(full)


def cells_below_sky(depth: np.ndarray) -> np.ndarray:
    """True for cells that are not all sky."""
    return F.avg_pool2d(torch.from_numpy(depth == 0).float()[None], BLOCK)[0].numpy() < 1


def most_different(native: np.ndarray, full: np.ndarray, ratios: np.ndarray, below_sky: np.ndarray) -> tuple[int, int]:
    """(row, column) of the cell where the depth that is best at native resolution has the largest error at full
    resolution, among the cells whose depth full resolution gets right."""
    at_native_best = np.take_along_axis(full, native.argmin(0)[None], 0)[0]
    right = np.abs(ratios[full.argmin(0)] - 1) < 0.05
    gain = np.where(below_sky & right, at_native_best - full.min(0), -1)
    # Not at the border, where errors are large because pixels leave the image.
    gain[[0, 1, -2, -1]] = gain[:, [0, 1, -2, -1]] = -2
    row, column = np.unravel_index(gain.argmax(), gain.shape)
    return int(row), int(column)


def around(u: int, v: int, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, width and height of a window around a pixel, moved to lie inside the image."""
    w, h = width * 2 // 7, height * 3 // 4
    return min(max(u - w // 2, 0), width - w), min(max(v - h // 2, 0), height - h), w, h


def render(width: int, height: int) -> tuple[SyntheticDrive, SyntheticDrive, SyntheticDrive]:
    """Render a street without traffic, a drive behind a car, and a drive that comes to a halt."""

    def drive(frames: int, *, fps: float = 10.0, traffic: bool = True) -> SyntheticDrive:
        size = DriveSpec(width=width, height=height, brightness_change=0.0)
        return render_drive(replace(size, seed=SEED, frames=frames, fps=fps, moving_cars=traffic))

    # The camera halts after 11 s, which at two frames per second takes few frames.
    return drive(TARGET + 2, traffic=False), drive(22), drive(26, fps=2.0)


def main(out: Path = Path(__file__).parent / "images", width: int = 416, height: int = 128) -> None:
    """Draw all three figures.

    Args:
        out: folder for occlusion.png, automask.png, multiscale.png.
        width, height: of the rendered frames, multiples of 8.
    """
    street, follow, halt = render(width, height)
    out.mkdir(parents=True, exist_ok=True)
    save(occlusion(street, TARGET), out / "occlusion.png")
    save(automask(follow, halt), out / "automask.png")
    save(multiscale(street, TARGET), out / "multiscale.png")


if __name__ == "__main__":
    tyro.cli(main)
