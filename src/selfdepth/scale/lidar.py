"""Measured depth as a witness: a LiDAR's, or whatever ground truth the data has."""

from __future__ import annotations

import numpy as np

from selfdepth.data.truth import DepthTruth
from selfdepth.evaluation.depth.frames import compared, cropped_truth
from selfdepth.evaluation.depth.metrics import DepthProtocol, resize_disparity
from selfdepth.scale.frames import ScaleFrame
from selfdepth.scale.witness import WitnessKind

MIN_PIXELS = 50
"""Measured pixels of a frame, below which it is left out."""


class LidarWitness:
    """Ground-truth depth: the median over a frame's pixels of true over predicted depth.

    Args:
        truth: depth in metres of whole frames.
        protocol: which pixels count, as in `evaluate depth`.
        source: the name of the data.
    """

    kind: WitnessKind = "lidar"

    def __init__(self, truth: DepthTruth, protocol: DepthProtocol, source: str) -> None:
        self._truth, self._protocol = truth, protocol
        self.source = source

    def observe(self, frame: ScaleFrame) -> tuple[float, ...] | str:
        """Metres per unit of a frame, or why there is none. Raises DataError for ground truth that cannot be used."""
        depth_m = cropped_truth(self._truth, frame.ref, frame.whole, frame.crop)
        if depth_m is None:
            return "without measured depth"
        shape = (depth_m.shape[0], depth_m.shape[1])
        known = frame.depth > 0
        disparity = np.divide(1, frame.depth, out=np.zeros_like(frame.depth), where=known)
        sure, _ = compared(known.astype(np.float64), depth_m, frame.whole, frame.fit)
        disparity, depth_m = compared(disparity, depth_m, frame.whole, frame.fit)
        counts = self._protocol.mask(depth_m) & (resize_disparity(sure, shape) > 0.999)
        if counts.sum() < MIN_PIXELS:
            return f"fewer than {MIN_PIXELS} measured pixels"
        return (float(np.median(depth_m[counts] * resize_disparity(disparity, shape)[counts])),)
