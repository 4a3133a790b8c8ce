"""Ground-truth depth of frames, as the evaluation reads it from any kind of data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.frames import FrameRef
from selfdepth.geometry.ray_depth import DepthIs


class DepthTruth(ABC):
    """Measured or rendered depth, frame by frame."""

    @abstractmethod
    def __call__(self, ref: FrameRef) -> Float[ndarray, "h w"] | None:
        """Depth map of an uncropped frame, or None if the frame has none.

        Returns:
            metres, along what `depth_is` says, at the ground truth's own resolution; 0 where the depth is unknown.

        Raises:
            DataError: for files that cannot be used.
        """

    def depth_is(self, ref: FrameRef) -> DepthIs:
        """Whether the depth of a frame is along the camera's z axis, or the distance along each pixel's ray."""
        return "z"

    def may_have(self, ref: FrameRef) -> bool:
        """Whether a frame may have a map: quick to ask of all frames, and never wrongly false."""
        return True

    @property
    def root(self) -> Path | None:
        """The folder that the maps are read from; None if they do not come from files."""
        return None

    @property
    def layout(self) -> str:
        """Where the maps are expected, for the error that no frame has one."""
        return "KITTI raw with velodyne_points, or a store made from it; or --ground-truth FILE"

    @property
    def is_computed(self) -> bool:
        """Whether maps are slow to compute, and so worth caching (--truth-cache)."""
        return False

    def fingerprint(self, ref: FrameRef) -> str | None:
        """Paths, sizes and times of the files that a frame's map is computed from; None if there is no map.

        The cache of maps (--truth-cache) compares it to notice that a file has changed.
        """
        return None


class NoTruth(DepthTruth):
    """The ground truth of data that has none."""

    def __call__(self, ref: FrameRef) -> Float[ndarray, "h w"] | None:
        """None for every frame."""
        return None


@dataclass(frozen=True)
class GivenTruth(DepthTruth):
    """Ground truth held in memory.

    Attributes:
        maps: depth maps in metres, 0 where the depth is unknown.
    """

    maps: Mapping[FrameRef, Float[ndarray, "_h _w"]]

    def __call__(self, ref: FrameRef) -> Float[ndarray, "h w"] | None:
        """The map of a frame, or None if it has none."""
        return self.maps.get(ref)
