"""Judging depth where there is no ground truth: by how well it rebuilds a frame from its neighbours.

The motion is that of one pose network, the same for all. Every model's depth has a factor of its own, which may even
change from frame to frame; so each frame is rebuilt with the factor that suits that depth best. Where a model gives
disparity up to a shift, so it is with the shift.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from selfdepth.comparison.candidates import Candidate
from selfdepth.config import LossConfig
from selfdepth.data.frames import FrameRef
from selfdepth.errors import DataError
from selfdepth.evaluation.depth.frames import EvaluationFrames
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lenses import Lenses, lens_for
from selfdepth.geometry.rigid import inverse
from selfdepth.geometry.warp import synthesize
from selfdepth.inference.odometry import MotionPredictor
from selfdepth.losses.photometric import Target, photometric_error

_OCTAVES, _COARSE, _FINE = 1.5, 19, 9
"""Factors are tried from 2^-1.5 to 2^1.5 times the one with the median of the motion's own depth: 19 of them, then 9
about the best."""
_FARTHEST = (0.01, 0.03, 0.1, 0.3)
"""Disparities of the farthest place, as shares of the range of the map, among which an unknown shift is chosen."""


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A frame and its two neighbours, as the pose network sees them.

    Attributes:
        ref: the frame.
        frames: the frame, then the earlier and the later neighbour; colours in [0, 1].
        T_source_target: to the two neighbours, in the unit of the pose network.
        K: intrinsics in pixels of the frames.
        lenses: None for pinholes.
    """

    ref: FrameRef
    frames: Float[Tensor, "views 3 h w"]
    T_source_target: Float[Tensor, "s 4 4"]
    K: Float[Tensor, "3 3"]
    lenses: Lenses | None


def clips_of(frames: EvaluationFrames, motion: MotionPredictor, count: int) -> list[Clip]:
    """At most so many of the frames, evenly spaced, with their neighbours and the camera's motion.

    Args:
        frames: as the model of the pose network sees them.

    Raises:
        DataError: if no frame has the neighbours that the network needs.
    """
    reach = max(1, *(abs(time) for time in motion.plan.times))
    numbers = {sequence.name: {*sequence.numbers} for sequence in frames.selection.sequences}
    steps = [step * motion.spacing for step in range(-reach, reach + 1)]
    inside = tuple(ref for ref in frames.refs if all(ref.number + step in numbers[ref.sequence] for step in steps))
    if not inside:
        raise DataError(
            "no frame can be rebuilt from its neighbours",
            where=frames.source.path,
            expected=f"frames with neighbours at {', '.join(f'{step:+d}' for step in steps if step)}",
            got=f"{len(frames.refs)} {frames.part} without",
            fix="give a video, or data with ground truth",
        )
    chosen = replace(frames, selection=replace(frames.selection, refs=inside)).evenly(count).refs
    return [_clip(frames, motion, ref, steps) for ref in chosen]


def _clip(frames: EvaluationFrames, motion: MotionPredictor, ref: FrameRef, steps: Sequence[int]) -> Clip:
    assert frames.fit is not None, "frames of a model have its fit"
    around = tuple(FrameRef(ref.sequence, ref.number + step) for step in steps)
    images = torch.from_numpy(np.stack(list(frames.read(around))))
    camera = frames.source.fitting(frames.fit).camera(frames.cameras[ref.sequence])
    middle = len(steps) // 2
    starts = [middle - 1, middle]
    targets = [motion.plan.target(start, len(steps), ended=True) for start in starts]
    known = [middle if target is None else target for target in targets]
    before, after = motion.motions(images, starts, known, camera)  # T_target_earlier and T_later_target
    T_source_target = np.stack([inverse(before), after])
    views = images[[middle, middle - 1, middle + 1]].permute(0, 3, 1, 2).float() / 255
    return Clip(
        ref=ref,
        frames=views,
        T_source_target=torch.from_numpy(T_source_target).float(),
        K=torch.as_tensor(camera.matrix(), dtype=torch.float32),
        lenses=_lenses(camera, motion),
    )


def _lenses(camera: Camera, motion: MotionPredictor) -> Lenses | None:
    return None if motion.depth_is == "z" else lens_for(camera, 1, torch.device("cpu"))


def disparities_of(
    candidate: Candidate, frames: EvaluationFrames, clips: Sequence[Clip]
) -> list[Float[ndarray, "h w"]]:
    """A model's disparity of the frames in the clips, over the same view, at the size of the clips.

    Args:
        frames: as the model of the pose network sees them: what it crops is cropped for all.
    """
    assert frames.fit is not None, "frames of a model have its fit"
    own = candidate.predictor
    seen = replace(frames, fit=replace(frames.fit, width=own.width, height=own.height))
    images: list[UInt8[ndarray, "h w 3"]] = list(seen.read(tuple(clip.ref for clip in clips)))
    size = (clips[0].frames.shape[-2], clips[0].frames.shape[-1])
    maps = [torch.from_numpy(own.predict_fitted([image])[0].disparity)[None, None] for image in images]
    return [F.interpolate(each, size, mode="bilinear", align_corners=False)[0, 0].numpy() for each in maps]


@dataclass(frozen=True)
class Fit:
    """How a depth rebuilds a frame best.

    Attributes:
        error: photometric, the smallest.
        disparity: with which it is reached, in 1 / the unit of the motion.
    """

    error: float
    disparity: Float[ndarray, "h w"]


def best_fit(clip: Clip, disparity: Float[ndarray, "h w"], median: float, *, shifts: bool = False) -> Fit:
    """The smallest photometric error that a disparity reaches with any factor, and with `shifts` with some shifts, too.

    Args:
        median: of the depth in the unit of the motion, about which factors are tried.
    """
    tried = [disparity]
    if shifts:
        low, high = np.percentile(disparity, (2, 98)).tolist()
        span = high - low
        # What is farther than the farthest two in a hundred is as far as a tenth of the least share puts it.
        least = _FARTHEST[0] / 10
        tried += [np.maximum((disparity - low) / span + share, least) for share in _FARTHEST if span > 0]
    fits = [(*_best_factor(clip, each, median), each) for each in tried]
    error, factor, best = min(fits, key=lambda fit: fit[0])
    return Fit(error, np.asarray(best / factor))


@torch.no_grad()
def _best_factor(clip: Clip, disparity: Float[ndarray, "h w"], median: float) -> tuple[float, float]:
    """The smallest photometric error that a disparity reaches with any factor of its depth, and that factor."""
    depth = torch.from_numpy(np.asarray(1 / disparity, np.float32))[None, None]
    start = median / float(depth.median())
    error = _rebuilds(clip, depth)
    exponents = np.linspace(-_OCTAVES, _OCTAVES, _COARSE)
    tried = {start * 2**exponent: error(start * 2**exponent) for exponent in exponents.tolist()}
    middle = min(tried, key=lambda factor: tried[factor])
    step = float(exponents[1] - exponents[0])
    for exponent in np.linspace(-step, step, _FINE).tolist():
        tried[middle * 2**exponent] = error(middle * 2**exponent)
    factor = min(tried, key=lambda factor: tried[factor])
    return tried[factor], factor


def _rebuilds(clip: Clip, depth: Float[Tensor, "1 1 h w"]) -> Callable[[float], float]:
    """The photometric error of a frame by the factor of its depth."""
    target = Target.of(clip.frames[:1])

    def error(factor: float) -> float:
        warped = [
            synthesize(
                clip.frames[1 + i][None], depth * factor, clip.T_source_target[i][None], clip.K[None], clip.lenses
            )
            for i in range(2)
        ]
        return _mean(torch.stack(warped, dim=1), target)

    return error


@torch.no_grad()
def unmoved(clip: Clip) -> float:
    """The photometric error of the neighbours as they are."""
    return _mean(clip.frames[None, 1:], Target.of(clip.frames[:1]))


def _mean(candidates: Float[Tensor, "1 s 3 h w"], target: Target) -> float:
    # The minimum over both neighbours, as in training: what one does not see is compared with the other.
    mean = float(photometric_error(candidates, target, LossConfig()).amin(1).mean())
    return mean if math.isfinite(mean) else math.inf
