"""The data that passes between the parts, each a type."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.quaternion import quaternion_from_rotation
from selfdepth.geometry.rigid import inverse


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Clips as the training step sees them. Colours are RGB in [0, 1].

    Attributes:
        frames: view 0 is the target, then the sources in the order of `offsets`, then the stereo partner.
        inputs: the same views after colour jitter; only the networks see these.
        K: intrinsics in pixels at this size.
        offsets: time of each temporal source relative to the target, e.g. (-1, 1).
        T_stereo_target: target points in the stereo partner's camera, metres. If set, the last view is the partner.
    """

    frames: Float[Tensor, "b views 3 h w"]
    inputs: Float[Tensor, "b views 3 h w"]
    K: Float[Tensor, "b 3 3"]
    offsets: tuple[int, ...]
    T_stereo_target: Float[Tensor, "b 4 4"] | None = None


@dataclass(frozen=True, kw_only=True)
class StepOutput:
    """What one forward pass of the learner gives.

    Attributes:
        loss: the objective, to be minimised.
        terms: named scalars for the log, detached.
        depth: of the finest disparity, detached; in the unit of the translations.
        disparity: the finest sigmoid, detached; at half the size or less where no scale is 0.
        T_source_target: one transform per source, detached.
        keep: the auto-mask at the finest scale: 1 where a warped source won the pixel, else 0.
    """

    loss: Float[Tensor, ""]
    terms: dict[str, Float[Tensor, ""]]
    depth: Float[Tensor, "b 1 h w"]
    disparity: Float[Tensor, "b 1 _h _w"]
    T_source_target: Float[Tensor, "b s 4 4"]
    keep: Float[Tensor, "b h w"]


@dataclass(frozen=True, kw_only=True)
class DepthPrediction:
    """Depth of one image at the image's own resolution.

    Attributes:
        depth: along z, float32; metres if `scale` is "metric", else up to one unknown factor.
        disparity: 1 / depth.
        scale: "relative" or "metric".
        camera: intrinsics for the image's own resolution, or None if not known.
    """

    depth: Float[ndarray, "h w"]
    disparity: Float[ndarray, "h w"]
    scale: Literal["relative", "metric"]
    camera: Camera | None

    def in_metres(self, metres_per_unit: float) -> DepthPrediction:
        """The same prediction in metres; `metres_per_unit` is what turns its depths into them."""
        depth, disparity = self.depth * metres_per_unit, self.disparity / metres_per_unit
        return replace(self, depth=depth, disparity=disparity, scale="metric")


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """Where a camera was, frame by frame.

    Attributes:
        T_world_camera: camera points in the world, float64; in metres, or in the model's own unit if that is relative.
        timestamps: seconds, or the frames' numbers where their times are not known; increasing.

    Raises:
        DataError: for another number of timestamps than of poses, numbers that are not finite, or timestamps that
            do not increase.
    """

    T_world_camera: Float[ndarray, "n 4 4"]
    timestamps: Float[ndarray, "m"]

    def __post_init__(self) -> None:
        if len(self.timestamps) != len(self.T_world_camera):
            raise DataError(
                "the trajectory has another number of timestamps than of poses",
                expected=str(len(self.T_world_camera)),
                got=str(len(self.timestamps)),
            )
        if not (np.isfinite(self.T_world_camera).all() and np.isfinite(self.timestamps).all()):
            raise DataError("the trajectory cannot be used", expected="finite numbers", got="nan or infinity")
        if (np.diff(self.timestamps) <= 0).any():
            later = int(np.argmax(np.diff(self.timestamps) <= 0)) + 1
            raise DataError(
                "the trajectory's timestamps do not increase",
                where=f"pose {later}",
                expected=f"more than {self.timestamps[later - 1]:.6f}",
                got=f"{self.timestamps[later]:.6f}",
            )

    def __len__(self) -> int:
        return len(self.T_world_camera)

    def from_first(self) -> Trajectory:
        """The same trajectory; the world is its first camera."""
        return replace(self, T_world_camera=inverse(self.T_world_camera[0]) @ self.T_world_camera)

    def to_kitti(self) -> str:
        """KITTI's text: a line per pose, the upper three rows of T_world_camera one after the other."""
        return "".join(_line(T[:3].ravel()) for T in self.T_world_camera)

    def to_tum(self) -> str:
        """TUM's text: a line per pose, `timestamp tx ty tz qx qy qz qw`."""
        quaternions = quaternion_from_rotation(self.T_world_camera[:, :3, :3])
        rows = np.concatenate([self.timestamps[:, None], self.T_world_camera[:, :3, 3], quaternions], axis=1)
        return "".join(f"{row[0]:.6f} {_line(row[1:])}" for row in rows)


def _line(numbers: Float[ndarray, "n"]) -> str:
    # More digits than KITTI's own seven, so that errors are the same before and after the trip through text.
    return " ".join(f"{number:.12e}" for number in numbers) + "\n"
