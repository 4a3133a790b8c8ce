"""How much a sequence moves: where the camera is parked, and how many frames apart a clip's frames should be.

Self-supervision needs parallax between neighbours, but they must overlap. The method was designed on KITTI, at 10
frames per second, where most of the image moves by about one percent of its width from frame to frame;
`choose_spacing` finds the spacing that comes closest to that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from selfdepth.data.footage import Footage
from selfdepth.data.frames import FrameRef, FrameSequence, readable
from selfdepth.errors import DataError

MAX_SPACING = 10
IDEAL_MOTION = 0.0095
"""Displacement between neighbours to aim for, as a share of the image's width."""
PARKED_MOTION = 0.0015
"""Displacement over MAX_SPACING frames, as a share of the width, below which the camera stands still: a seventh of a
pixel in the small images that are compared."""

_ANCHOR_STEP = MAX_SPACING // 2
"""Every fifth frame is compared with the one ten frames later, so that consecutive stretches overlap."""
_N_WINDOWS = 24
_WIDTH_PX, _BLOCK_PX = 96, 12
"""Width of the images that are compared, and side of a block. At this size a sequence is measured in seconds."""
_REACH_X_PX, _REACH_Y_PX = 12, 6
"""Largest displacement that is searched. A turn moves the image sideways; little moves it up and down."""
_ALIKE = 0.3
"""Mean squared difference of two images of spread 1 below which they show the same scene; 2 if they share nothing."""
_MIN_TEXTURE = 3.0
"""Standard deviation in grey levels (0 to 255) below which a block matches anywhere, so its displacement is noise."""


@dataclass(frozen=True, kw_only=True)
class Motion:
    """How much one sequence moves.

    Attributes:
        parked: stretches in which the camera stands still, as (first, last) frame numbers; they do not touch.
        by_spacing: mean displacement between frames 1, 2, ... MAX_SPACING apart outside parked stretches, as a share
            of the width; NaN if no such pair was measured.
        n_frames: number of frames outside parked stretches, the weight of this sequence in `choose_spacing`.
    """

    parked: tuple[tuple[int, int], ...]
    by_spacing: tuple[float, ...]
    n_frames: int

    def is_parked(self, number: int) -> bool:
        """Whether the frame with this number lies in a parked stretch."""
        return any(first <= number <= last for first, last in self.parked)


def measure_motion(sequence: FrameSequence) -> Motion:
    """Compare every fifth frame with a later one to find parked stretches, and windows of eleven frames for the motion.

    Frames that cannot be read are left out.
    """
    existing = set(sequence.numbers)
    anchors = [number for number in sequence.numbers[::_ANCHOR_STEP] if number + MAX_SPACING in existing]
    windows = [
        (start, start + s)
        for start in _window_starts(sequence)
        for s in range(1, MAX_SPACING + 1)
        if start + s in existing
    ]
    ends = [(anchor, anchor + MAX_SPACING) for anchor in anchors if anchor + MAX_SPACING in existing]
    # One pass in increasing order: a video can only be decoded forward.
    needed = tuple(sorted({number for pair in (*windows, *ends) for number in pair}))
    small = {number: shrink(image) for number, image in readable(sequence, needed)}
    # Frames that cannot be read have no motion. Who decodes them all, a store or `check`, reports them.
    windows = [(start, end) for start, end in windows if start in small and end in small]
    ends = [(start, end) for start, end in ends if start in small and end in small]

    parked = _join(pair for pair in ends if displacement(small[pair[0]], small[pair[1]]) < PARKED_MOTION)
    stops = Motion(parked=parked, by_spacing=(), n_frames=0)
    motions: dict[int, list[float]] = {s: [] for s in range(1, MAX_SPACING + 1)}
    for start, end in windows:
        # A stop at traffic lights must not raise the spacing of the moving rest.
        if not (stops.is_parked(start) or stops.is_parked(end)):
            motions[end - start].append(displacement(small[start], small[end]))
    return Motion(
        parked=parked,
        by_spacing=tuple(float(np.mean(values)) if values else float("nan") for values in motions.values()),
        n_frames=sum(not stops.is_parked(number) for number in sequence.numbers),
    )


def choose_spacing(motions: Iterable[Motion]) -> int:
    """The spacing, 1 to 10, whose mean motion is closest in ratio to IDEAL_MOTION; 1 if nothing was measured.

    The mean, not the median: with repeated frames, the median would jump from zero to the motion of the true rate.
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
    # Half the motion is as far from the ideal as twice the motion, so the distance is a ratio.
    log_ratio = np.full(MAX_SPACING, np.inf)
    log_ratio[typical > 0] = np.abs(np.log(typical[typical > 0] / IDEAL_MOTION))
    return int(log_ratio.argmin()) + 1


def without_parked(footage: Footage, motions: Mapping[str, Motion], where: Path) -> Footage:
    """The data without the targets at which the camera stands still.

    Args:
        motions: of each sequence, by its name.
        where: the data, for the error.

    Raises:
        DataError: if no target is left to train on.
    """

    def moving(refs: tuple[FrameRef, ...]) -> tuple[FrameRef, ...]:
        return tuple(ref for ref in refs if not motions[ref.sequence].is_parked(ref.number))

    left = replace(footage, train=moving(footage.train), val=moving(footage.val))
    if not left.train:
        raise DataError(
            "the camera stands still at every frame that could be trained on",
            where=where,
            expected="frames from a moving camera",
            fix="give other data, or set --every by hand",
        )
    return left


def displacement(before: Float[ndarray, "h w"], after: Float[ndarray, "h w"]) -> float:
    """Median displacement of the textured blocks between two small grey images (0 to 255), as a share of the width.

    Block matching by squared differences, refined to a fraction of a pixel by a parabola through the minimum. The
    median, because traffic that passes a standing camera covers less than half of the image.

    Returns:
        0 for images without texture. At most about an eighth of the width: larger displacements are not searched.
    """
    if min(before.shape) < _BLOCK_PX:
        return 0.0
    textured = np.sqrt(_block_variances(before)) > _MIN_TEXTURE
    if not textured.any():
        return 0.0
    cost = _costs(before, after)
    n_y, n_x, rows, columns = cost.shape
    cost[_REACH_Y_PX, _REACH_X_PX] -= 1e-3  # zero displacement wins a tie, as in a repeated frame
    best = cost.reshape(n_y * n_x, rows, columns).argmin(axis=0)
    dy, dx = best // n_x, best % n_x
    lengths = np.hypot(dy - _REACH_Y_PX + _vertex(cost, dy, dx, 0), dx - _REACH_X_PX + _vertex(cost, dy, dx, 1))
    return float(np.median(lengths[textured]) / before.shape[1])


def unexplained(before: Float[ndarray, "h w"], after: Float[ndarray, "_h _w"]) -> float:
    """Share of the contrast of one small grey image (0 to 255) that no displacement of its blocks finds in another.

    About 0 for neighbours in a video, whatever moves, and near 1 for pictures of different scenes. A flash or a change
    of the exposure counts for nothing: both images are brought to the same mean and spread.

    Returns:
        0 for images of one colour; 1 for images of different shapes.
    """
    if before.shape != after.shape or min(before.shape) < _BLOCK_PX:
        return float(before.shape != after.shape)
    spread = (float(before.std()), float(after.std()))
    if min(spread) < _MIN_TEXTURE:
        return float(max(spread) > 4 * _MIN_TEXTURE)
    a, b = ((image - image.mean()) / image.std() for image in (before, after))
    if float(((a - b) ** 2).mean()) < _ALIKE:
        return 0.0  # matching blocks takes a hundred times as long, and could only find less
    variances = _block_variances(a)
    cost = _costs(a, b).reshape(-1, *variances.shape).min(axis=0)
    return float(min(1.0, np.minimum(cost, variances).sum() / variances.sum()))


def _costs(before: Float[ndarray, "h w"], after: Float[ndarray, "h w"]) -> Float[ndarray, "y x r c"]:
    """Mean squared difference of each block of one image and the other, displaced by every candidate."""
    rows, columns = before.shape[0] // _BLOCK_PX, before.shape[1] // _BLOCK_PX
    height, width = rows * _BLOCK_PX, columns * _BLOCK_PX
    target = before[:height, :width]
    # Candidates outside the image get a cost that no candidate inside can reach.
    source = np.pad(after[:height, :width], ((_REACH_Y_PX,) * 2, (_REACH_X_PX,) * 2), constant_values=1e4)
    cost = np.empty((2 * _REACH_Y_PX + 1, 2 * _REACH_X_PX + 1, rows, columns), dtype=np.float32)
    blocks = (rows, _BLOCK_PX, 1, columns, _BLOCK_PX)
    for y in range(cost.shape[0]):
        beside = sliding_window_view(source[y : y + height], width, axis=1)  # row, displacement, column
        off = target.reshape(blocks) - beside.reshape(rows, _BLOCK_PX, -1, columns, _BLOCK_PX)
        cost[y] = np.einsum("ripcj,ripcj->prc", off, off) / _BLOCK_PX**2
    return cost


def _block_variances(image: Float[ndarray, "h w"]) -> Float[ndarray, "r c"]:
    return np.asarray(np.maximum(0, _per_block(image**2) - _per_block(image) ** 2))


def _window_starts(sequence: FrameSequence) -> list[int]:
    """Frame numbers spread unevenly over the sequence: even steps could coincide with a period of repeated frames."""
    indices = np.linspace(0, max(0, len(sequence.numbers) - MAX_SPACING - 1), _N_WINDOWS).astype(int)
    shifts = (np.arange(_N_WINDOWS) * 7) % MAX_SPACING  # 7 and 10 have no common divisor: all remainders occur
    chosen = np.minimum(indices + shifts, len(sequence.numbers) - 1)
    return [sequence.numbers[index] for index in sorted(set(chosen.tolist()))]


def _vertex(cost: Float[ndarray, "y x r c"], dy: ndarray, dx: ndarray, axis: int) -> Float[ndarray, "r c"]:
    """Vertex of the parabola through a minimum and its two neighbours along an axis, -1/2 to 1/2 from the minimum."""
    r, c = np.indices(dy.shape)
    index, limit = (dy, cost.shape[0]) if axis == 0 else (dx, cost.shape[1])
    inside = (index > 0) & (index < limit - 1)
    step_y, step_x = (inside.astype(int), 0) if axis == 0 else (0, inside.astype(int))
    lower, upper = cost[dy - step_y, dx - step_x, r, c], cost[dy + step_y, dx + step_x, r, c]
    curvature = lower + upper - 2 * cost[dy, dx, r, c]
    # The artificial cost of a neighbour outside the image would push the vertex away from it.
    usable = inside & (curvature > 0) & (np.maximum(lower, upper) < 1e5)
    offset: ndarray = np.divide(0.5 * (lower - upper), curvature, out=np.zeros_like(curvature), where=usable)
    return offset.clip(-0.5, 0.5)


def _per_block(values: Float[ndarray, "h w"]) -> Float[ndarray, "r c"]:
    """Mean over each block of _BLOCK_PX x _BLOCK_PX pixels."""
    rows, columns = values.shape[0] // _BLOCK_PX, values.shape[1] // _BLOCK_PX
    whole = values[: rows * _BLOCK_PX, : columns * _BLOCK_PX]
    means: ndarray = whole.reshape(rows, _BLOCK_PX, columns, _BLOCK_PX).mean(axis=(1, 3))
    return means


def shrink(image: UInt8[ndarray, "h w 3"]) -> Float[ndarray, "_h _w"]:
    """The image in grey levels 0 to 255, _WIDTH_PX wide."""
    height = max(_BLOCK_PX, round(image.shape[0] * _WIDTH_PX / image.shape[1]))
    grey = Image.fromarray(image).convert("L").resize((_WIDTH_PX, height), Image.Resampling.BOX)
    return np.asarray(grey, dtype=np.float32)


def _join(stretches: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Merge stretches that touch or overlap. They come in increasing order of their starts."""
    joined: list[tuple[int, int]] = []
    for first, last in stretches:
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(joined)
