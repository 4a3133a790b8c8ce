"""The types that pass between the parts: clips, results of a step, predictions, trajectories."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from selfdepth.errors import DataError, printable
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lenses import Lenses, seen_at
from selfdepth.geometry.quaternion import quaternion_from_rotation
from selfdepth.geometry.ray_depth import DepthIs
from selfdepth.geometry.rigid import inverse


@dataclass(frozen=True, kw_only=True)
class HardTargets:
    """Targets of some clips in bad conditions, such as fog or the dark: the same pixels, and the same depth.

    Attributes:
        clips: which clips of the batch, each at most once.
        images: their target inputs in bad conditions; colours in [0, 1].
        weight: of their mean where several processes share a step: k over the mean k of all. None: one process has all.
    """

    clips: Int[Tensor, "k"]
    images: Float[Tensor, "k 3 h w"]
    weight: Float[Tensor, ""] | None = None

    def __getitem__(self, clips: slice) -> HardTargets:
        """Those of a slice of the clips, counted from its first."""
        first, last, _ = clips.indices(int(self.clips.max()) + 1 if len(self.clips) else 0)
        kept = (self.clips >= first) & (self.clips < max(first, last))
        return HardTargets(clips=self.clips[kept] - first, images=self.images[kept])


@dataclass(frozen=True, kw_only=True)
class Driven:
    """How far the vehicle drove between the target and each source in time, by a log of its speed.

    Attributes:
        metres: along the path, 0 or more; 0 where it is not known.
        known: where it is.
        mean_m: of all that are known in the step, and
        n_clips: how many of the step's clips have one, over the number of processes that share it. None: one has all.
    """

    metres: Float[Tensor, "b s"]
    known: Bool[Tensor, "b s"]
    mean_m: Float[Tensor, ""] | None = None
    n_clips: Float[Tensor, ""] | None = None

    def __getitem__(self, clips: slice) -> Driven:
        """Those of a slice of the clips."""
        return Driven(metres=self.metres[clips], known=self.known[clips])


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Clips as the training step takes them. Colours are RGB in [0, 1].

    Attributes:
        frames: view 0 is the target, then the sources in the order of `offsets`, then the stereo partner. The objective
            compares these clean colours.
        inputs: the same views after colour jitter, one draw per clip; only the networks see these.
        K: intrinsics in pixels at the size of the frames, one per clip for all its views.
        offsets: time of each temporal source relative to the target, in frame spacings, e.g. (-1, 1).
        T_stereo_target: maps points from the target's camera to the stereo partner's; metres, or units of the nominal
            baseline. If set, the last view is the partner.
        teacher: disparity of the target by a teacher, up to scale and shift: above 0 and at most 1, 0 where unknown.
            None where there is no teacher, and in validation.
        hard_targets: targets that the depth network must also understand in bad conditions; None for none.
        mirrored: which clips are flipped left to right; None: none is. Only a learned camera asks.
        camera: number of each clip's camera, one for each size of the original frames; None: all have the first.
        driven: between target and sources; None without a speed log, and in validation.
        lenses: at the size of the frames, one per clip for all its views; depth is then the distance along the ray.
            None for pinholes, whose depth is along z.
        part: (first, total) if several processes share a step: these are its clips from `first` on, of `total`. None:
            they are all of them.
    """

    frames: Float[Tensor, "b views 3 h w"]
    inputs: Float[Tensor, "b views 3 h w"]
    K: Float[Tensor, "b 3 3"]
    offsets: tuple[int, ...]
    T_stereo_target: Float[Tensor, "b 4 4"] | None = None
    teacher: Float[Tensor, "b 1 h w"] | None = None
    hard_targets: HardTargets | None = None
    mirrored: Bool[Tensor, "b"] | None = None
    camera: Int[Tensor, "b"] | None = None
    driven: Driven | None = None
    lenses: Lenses | None = None
    part: tuple[int, int] | None = None

    def seen(self, size: tuple[int, int]) -> Bool[Tensor, "b 1 _h _w"] | None:
        """Which pixels of a target have a ray, in maps of this height and width; None: all of them."""
        return None if self.lenses is None else seen_at(self.lenses.seen, size)


@dataclass(frozen=True, kw_only=True)
class StepOutput:
    """The result of one forward pass of the learner.

    Attributes:
        loss: the objective to minimise, the only field with a gradient.
        terms: named scalars for the log, detached.
        depth: of the finest disparity, detached; in the unit of the translations.
        disparity: the finest sigmoid in (0, 1), detached. It has the size of the frames only if scale 0 is learned.
        T_source_target: one transform per source, in the order of the views, detached.
        automask: mu of equation 5 at the finest scale: 1 where a warped source explains the pixel best, else 0.
        confidence: of the finest disparity, in (0, 1), detached; None if it is not learned.
        seen: which pixels of the targets have a ray; None: all of them.
    """

    loss: Float[Tensor, ""]
    terms: dict[str, Float[Tensor, ""]]
    depth: Float[Tensor, "b 1 h w"]
    disparity: Float[Tensor, "b 1 _h _w"]
    T_source_target: Float[Tensor, "b s 4 4"]
    automask: Float[Tensor, "b h w"]
    confidence: Float[Tensor, "b 1 _h _w"] | None = None
    seen: Bool[Tensor, "b 1 _hs _ws"] | None = None

    @property
    def kept(self) -> Float[Tensor, ""]:
        """Share of the pixels with a ray that the auto-mask keeps."""
        kept = self.automask.mean()
        return kept if self.seen is None else kept / self.seen.to(kept.dtype).mean().clamp(min=1e-6)


METRIC_SPREAD = 0.10
"""The largest spread of a factor to metres with which depth may be called metric without saying the spread."""
_LONGEST_WITNESS = 200


@dataclass(frozen=True, kw_only=True)
class MetricScale:
    """What a witness of the scale, such as the camera's height, says of a model's unit. `selfdepth calibrate` finds it.

    Attributes:
        factor: metres in one unit of the network's depth.
        spread: of the factor over the frames, as a share of it (1.4826 times the median absolute deviation); None if
            there were too few frames to tell.
        witness: what knew a length, for people: "height 1.65 m".

    Raises:
        DataError: for a factor that is not positive and finite, or a spread that is negative or not finite.
    """

    factor: float
    spread: float | None
    witness: str

    def __post_init__(self) -> None:
        factor_fits = math.isfinite(self.factor) and self.factor > 0
        spread_fits = self.spread is None or (math.isfinite(self.spread) and self.spread >= 0)
        if not (factor_fits and spread_fits):
            raise DataError(
                "the factor to metres cannot be used",
                expected="a factor above 0 and a spread of 0 or more, both finite",
                got=f"{self.factor}, {self.spread}",
            )

    @property
    def word(self) -> str:
        """What the depth may be called: "metric", "metric within 18 %", or "metric with unknown spread"."""
        if self.spread is None:
            return "metric with unknown spread"
        # Rounded up, so that the word never promises more than was found.
        return "metric" if self.spread <= METRIC_SPREAD else f"metric within {math.ceil(100 * self.spread - 1e-9)} %"

    def __str__(self) -> str:
        spread = "spread unknown" if self.spread is None else f"spread {100 * self.spread:.1f} %"
        return f"{self.word}, in metres by {self.witness} ({spread})"

    def to_json(self) -> dict[str, Any]:
        """JSON values, which `from_json` reads back."""
        return {"factor": self.factor, "spread": self.spread, "witness": self.witness}

    @staticmethod
    def from_json(values: dict[str, Any]) -> MetricScale:
        """The inverse of `to_json`, for values from anybody.

        Raises:
            KeyError, TypeError, ValueError, DataError: for anything else.
        """
        factor, spread, witness = values["factor"], values["spread"], values["witness"]
        for number in (factor, spread):
            if isinstance(number, bool) or not isinstance(number, (int, float, type(None))):
                raise TypeError(f"the number {str(number)[:20]!r} of a factor to metres")
        if not isinstance(witness, str):
            raise TypeError("a witness that is no text")
        # It is printed, and written into the headers of files: one line, and not a stranger's pages.
        text = printable(" ".join(witness.split()))[:_LONGEST_WITNESS]
        return MetricScale(factor=float(factor), spread=None if spread is None else float(spread), witness=text)


@dataclass(frozen=True, kw_only=True)
class DepthPrediction:
    """Depth of one image at the image's own resolution.

    Attributes:
        depth: of what `depth_is` says, float32; in metres unless `scale` is "relative": then up to one unknown factor.
            0 for pixels without a ray, whose depth is not known.
        disparity: 1 / depth, or 0 where it is not known.
        scale: "relative" or "metric"; of a calibrated model `MetricScale.word`, such as "metric within 18 %".
        camera: intrinsics for the image's own resolution, or None if the camera is unknown.
        confidence: of the depth, in (0, 1), float32: 1 / (1 + r), where r is the deviation that the model expects of
            the depth, as a share of it. None if the model does not predict it.
        metric: the witness of the metres, and how sure they are, of a calibrated model; else None.
        depth_is: "z", along the camera's axis, or "ray", the distance along the ray of each pixel, as a model predicts
            that was trained through a lens.
    """

    depth: Float[ndarray, "h w"]
    disparity: Float[ndarray, "h w"]
    scale: str
    camera: Camera | None
    confidence: Float[ndarray, "h w"] | None = None
    metric: MetricScale | None = None
    depth_is: DepthIs = "z"

    def in_metres(self, metres_per_unit: float) -> DepthPrediction:
        """The same prediction in metres: its depth times `metres_per_unit`."""
        depth, disparity = self.depth * metres_per_unit, self.disparity / metres_per_unit
        return replace(self, depth=depth, disparity=disparity, scale="metric")


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """The pose of a camera in each frame.

    Attributes:
        T_world_camera: maps points from the camera to the world, float64; in metres, or in the model's own unit if its
            scale is relative.
        timestamps: seconds, or frame numbers where the times are unknown; strictly increasing.
        metric: the witness of the metres, of a calibrated model's trajectory; else None.

    Raises:
        DataError: if poses and timestamps differ in number, if a number is not finite, or if the timestamps do not
            increase.
    """

    T_world_camera: Float[ndarray, "n 4 4"]
    timestamps: Float[ndarray, "m"]
    metric: MetricScale | None = None

    def __post_init__(self) -> None:
        if len(self.timestamps) != len(self.T_world_camera):
            raise DataError(
                "poses and timestamps of the trajectory differ in number",
                expected=f"{len(self.T_world_camera)} timestamps, one per pose",
                got=str(len(self.timestamps)),
            )
        if not (np.isfinite(self.T_world_camera).all() and np.isfinite(self.timestamps).all()):
            raise DataError(
                "poses or timestamps of the trajectory are not finite", expected="finite numbers", got="nan or infinity"
            )
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
        """The same trajectory with the first camera as the world."""
        # T_first_camera = T_first_world T_world_camera
        return replace(self, T_world_camera=inverse(self.T_world_camera[0]) @ self.T_world_camera)

    def to_kitti(self) -> str:
        """KITTI's format: one line per pose, the upper three rows of T_world_camera one after the other."""
        return "".join(_line(T[:3].ravel()) for T in self.T_world_camera)

    def to_tum(self) -> str:
        """TUM's format: one line per pose, `timestamp tx ty tz qx qy qz qw`."""
        quaternions = quaternion_from_rotation(self.T_world_camera[:, :3, :3])
        rows = np.concatenate([self.timestamps[:, None], self.T_world_camera[:, :3, 3], quaternions], axis=1)
        return "".join(f"{row[0]:.6f} {_line(row[1:])}" for row in rows)


def _line(numbers: Float[ndarray, "n"]) -> str:
    # More digits than KITTI's own seven: a trajectory must have the same errors before and after a trip through a file.
    return " ".join(f"{number:.12e}" for number in numbers) + "\n"
