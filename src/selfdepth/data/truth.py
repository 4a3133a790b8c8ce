"""Ground-truth depth of frames, wherever it comes from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.frames import FrameRef


class DepthTruth(ABC):
    """Measured or rendered depth, frame by frame."""

    @abstractmethod
    def __call__(self, ref: FrameRef) -> Float[ndarray, "h w"] | None:
        """Depth map of a whole frame at its own resolution, or None where the frame has none.

        Returns:
            metres along the camera's z axis; 0 where the depth is unknown.

        Raises:
            DataError: for files that cannot be used.
        """

    @property
    def root(self) -> Path | None:
        """The folder that the maps are read from; None if they are not in files."""
        return None

    @property
    def layout(self) -> str:
        """Where such a map would be, for the error that reports that no frame has one."""
        return "KITTI raw with velodyne_points, or a store of it; or --ground-truth FILE"

    @property
    def is_computed(self) -> bool:
        """Whether maps take time to compute, so that they are worth keeping (--truth-cache)."""
        return False

    def fingerprint(self, ref: FrameRef) -> str | None:
        """What a frame's map is computed from: paths, sizes and times of files; None where there is no map."""
        return None


class NoTruth(DepthTruth):
    """For data without ground truth."""

    def __call__(self, ref: FrameRef) -> Float[ndarray, "h w"] | None:
        """None."""
        return None


@dataclass(frozen=True)
class GivenTruth(DepthTruth):
    """Depth maps held in memory."""

    maps: Mapping[FrameRef, Float[ndarray, "_h _w"]]

    def __call__(self, ref: FrameRef) -> Float[ndarray, "h w"] | None:
        """The map of a frame, or None."""
        return self.maps.get(ref)
