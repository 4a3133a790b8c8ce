"""How much footage moves: which stretches are parked, and how many frames apart a clip's frames should be.

Self-supervision needs parallax between neighbours, yet they must overlap. The method was designed on drives at 10
frames a second, where most of the image moves by about one percent of its width from frame to frame; `choose_spacing`
looks for the spacing that comes nearest to that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image

from selfdepth.data.frames import FrameSequence

MAX_SPACING = 10
IDEAL_MOTION = 0.0095
"""Typical displacement between neighbours that is aimed at, as a share of the image's width."""
PARKED_MOTION = 0.0015
"""Displacement over MAX_SPACING frames, as a share of the width, below which the camera stands."""

_ANCHOR_STEP = MAX_SPACING // 2
_N_WINDOWS = 24
_WIDTH_PX, _BLOCK_PX = 96, 12
_REACH_X_PX, _REACH_Y_PX = 12, 6
_MIN_TEXTURE = 3.0
"""Standard deviation in grey levels (0 to 255) below which a block says nothing about motion."""


@dataclass(frozen=True, kw_only=True)
class Motion:
    """How much one sequence moves.

    Attributes:
        parked: stretches in which the camera stands, as (first, last) frame numbers; they do not touch.
        by_spacing: mean displacement between frames 1, 2, ... MAX_SPACING apart outside parked stretches, as a share
            of the width; NaN where no such pair was found.
        n_frames: frames that are not parked: the weight of this sequence among others.
    """

    parked: tuple[tuple[int, int], ...]
    by_spacing: tuple[float, ...]
    n_frames: int

    def is_parked(self, number: int) -> bool:
        """Whether the frame of that number lies in a parked stretch."""
        return any(first <= number <= last for first, last in self.parked)


def measure_motion(sequence: FrameSequence) -> Motion:
    """Look at every fifth frame for parked stretches, and at some windows of eleven frames for the spacing.

    Raises:
        DataError: for frames that cannot be read.
    """
    known = set(sequence.numbers)
    anchors = [number for number in sequence.numbers[::_ANCHOR_STEP] if number + MAX_SPACING in known]
    windows = [
        (start, start + s)
        for start in _window_starts(sequence)
        for s in range(1, MAX_SPACING + 1)
        if start + s in known
    ]
    ends = [(anchor, anchor + MAX_SPACING) for anchor in anchors if anchor + MAX_SPACING in known]
    wanted = tuple(sorted({number for pair in (*windows, *ends) for number in pair}))
    small = dict(zip(wanted, map(_shrink, sequence.read(wanted)), strict=True)) if wanted else {}

    parked = _join(pair for pair in ends if displacement(small[pair[0]], small[pair[1]]) < PARKED_MOTION)
    standing = Motion(parked=parked, by_spacing=(), n_frames=0)
    motions: dict[int, list[float]] = {s: [] for s in range(1, MAX_SPACING + 1)}
    for start, end in windows:
        if not (standing.is_parked(start) or standing.is_parked(end)):
            motions[end - start].append(displacement(small[start], small[end]))
    return Motion(
        parked=parked,
        by_spacing=tuple(float(np.mean(values)) if values else float("nan") for values in motions.values()),
        n_frames=sum(not standing.is_parked(number) for number in sequence.numbers),
    )


def choose_spacing(motions: Iterable[Motion]) -> int:
    """The spacing, 1 to 10, whose mean motion comes nearest in ratio to the ideal; 1 where nothing was measured.

    Not the median: in footage with repeated frames it would jump from nothing to the motion of the true frame rate.
    """
    total, weight = np.zeros(MAX_SPACING), np.zeros(MAX_SPACING)
    for motion in motions:
        values = np.array(motion.by_spacing)
        measured = np.isfinite(values)
        total[measured] += motion.n_frames * values[measured]
        weight[measured] += motion.n_frames
    typical = np.divide(total, weight, out=np.zeros(MAX_SPACING), where=weight > 0)
    if not (typical > 0).any():
        return 1
    ratio = np.full(MAX_SPACING, np.inf)
    ratio[typical > 0] = np.abs(np.log(typical[typical > 0] / IDEAL_MOTION))
    return int(ratio.argmin()) + 1


def displacement(before: Float[ndarray, "h w"], after: Float[ndarray, "h w"]) -> float:
    """Median length of the displacements of blocks with texture between two small grey images, as share of the width.

    Block matching by squared differences, to a fraction of a pixel by a parabola through the minimum. The median:
    what drives past a standing camera covers less than half of the image. 0 for images without texture. Displacements
    beyond an eighth of the width are not found.
    """
    rows, columns = before.shape[0] // _BLOCK_PX, before.shape[1] // _BLOCK_PX
    if rows == 0 or columns == 0:
        return 0.0
    height, width = rows * _BLOCK_PX, columns * _BLOCK_PX
    target = before[:height, :width]
    # Out of the image, every candidate is dear.
    source = np.pad(after[:height, :width], ((_REACH_Y_PX,) * 2, (_REACH_X_PX,) * 2), constant_values=1e4)
    n_y, n_x = 2 * _REACH_Y_PX + 1, 2 * _REACH_X_PX + 1
    cost = np.empty((n_y, n_x, rows, columns), dtype=np.float32)
    for y in range(n_y):
        for x in range(n_x):
            cost[y, x] = _per_block((target - source[y : y + height, x : x + width]) ** 2)
    textured = np.sqrt(_per_block(target**2) - _per_block(target) ** 2) > _MIN_TEXTURE
    if not textured.any():
        return 0.0
    cost[_REACH_Y_PX, _REACH_X_PX] -= 1e-3  # of equals, the one that stands still
    best = cost.reshape(n_y * n_x, rows, columns).argmin(axis=0)
    dy, dx = best // n_x, best % n_x
    lengths = np.hypot(dy - _REACH_Y_PX + _vertex(cost, dy, dx, 0), dx - _REACH_X_PX + _vertex(cost, dy, dx, 1))
    return float(np.median(lengths[textured]) / before.shape[1])


def _window_starts(sequence: FrameSequence) -> list[int]:
    """Frame numbers spread over the sequence, unevenly: even steps would fall in with a period of repeated frames."""
    places = np.linspace(0, max(0, len(sequence.numbers) - MAX_SPACING - 1), _N_WINDOWS).astype(int)
    spread = (np.arange(_N_WINDOWS) * 7) % MAX_SPACING  # each remainder as often as any other
    chosen = np.minimum(places + spread, len(sequence.numbers) - 1)
    return [sequence.numbers[place] for place in sorted(set(chosen.tolist()))]


def _vertex(cost: Float[ndarray, "y x r c"], dy: ndarray, dx: ndarray, axis: int) -> Float[ndarray, "r c"]:
    """Where the parabola through a minimum and its two neighbours along an axis has its vertex, -1/2 to 1/2."""
    r, c = np.indices(dy.shape)
    index, limit = (dy, cost.shape[0]) if axis == 0 else (dx, cost.shape[1])
    inside = (index > 0) & (index < limit - 1)
    step_y, step_x = (inside.astype(int), 0) if axis == 0 else (0, inside.astype(int))
    lower, upper = cost[dy - step_y, dx - step_x, r, c], cost[dy + step_y, dx + step_x, r, c]
    curvature = lower + upper - 2 * cost[dy, dx, r, c]
    # A neighbour outside the image is dear beyond measure and would push the vertex away from it.
    usable = inside & (curvature > 0) & (np.maximum(lower, upper) < 1e5)
    offset: ndarray = np.divide(0.5 * (lower - upper), curvature, out=np.zeros_like(curvature), where=usable)
    return offset.clip(-0.5, 0.5)


def _per_block(values: Float[ndarray, "h w"]) -> Float[ndarray, "r c"]:
    """Mean over each block."""
    rows, columns = values.shape[0] // _BLOCK_PX, values.shape[1] // _BLOCK_PX
    means: ndarray = values.reshape(rows, _BLOCK_PX, columns, _BLOCK_PX).mean(axis=(1, 3))
    return means


def _shrink(image: UInt8[ndarray, "h w 3"]) -> Float[ndarray, "_h _w"]:
    """Grey, 96 pixels wide, 0 to 255."""
    height = max(_BLOCK_PX, round(image.shape[0] * _WIDTH_PX / image.shape[1]))
    grey = Image.fromarray(image).convert("L").resize((_WIDTH_PX, height), Image.Resampling.BOX)
    return np.asarray(grey, dtype=np.float32)


def _join(stretches: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Unite stretches, in increasing order of their starts, that touch or overlap."""
    joined: list[tuple[int, int]] = []
    for first, last in stretches:
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(joined)
