"""The camera's path: motions predicted by the pose network, chained along the frames.

A model that learned depth by aligned motions (`--loss.align-motion`) is followed by them, too: each rotation is refined
by aligning the two images at the predicted depth, where their camera is known.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from selfdepth.config import TrainConfig
from selfdepth.device import Precision, memory_errors, resolve_device, resolve_precision
from selfdepth.errors import CheckpointError, ConfigError, DataError
from selfdepth.geometry.camera import Camera, resample
from selfdepth.geometry.lenses import lens_for
from selfdepth.geometry.rigid import inverse
from selfdepth.learners.self_supervised import SelfSupervisedDepth
from selfdepth.losses.alignment import align
from selfdepth.losses.objective import upsample
from selfdepth.structs import Batch, Trajectory
from selfdepth.weights.files import LoadedWeights
from selfdepth.weights.models import DepthModel
from selfdepth.weights.onnx_weights import OnnxWeights

Fitted = Callable[[UInt8[ndarray, "_h _w 3"]], UInt8[ndarray, "h w 3"]]
"""Brings a frame to the size of the network."""

_POSE_PREFIX = "pose_net."


@dataclass(frozen=True, kw_only=True)
class ClipPlan:
    """Chooses the clip from which the motion between two successive frames is read.

    A pose network that sees whole clips predicts T_source_target for every source of a target t. From these follows the
    motion between any two views a and b of the clip: T_b_a = T_b_t inverse(T_a_t). The best clip for the motion that
    starts at frame a is the one whose target is a, because there T_b_a is a prediction itself, without the error of a
    second one. At the ends of a sequence that clip is incomplete, and the clip of a neighbour is used.

    Attributes:
        times: times of a clip's views in units of the spacing, without gaps. The target's, 0, comes first.
    """

    times: tuple[int, ...]

    @property
    def starts(self) -> tuple[int, ...]:
        """Times of the views at which a motion to the next view starts, best first: the target's, then the nearest."""
        return tuple(sorted(range(min(self.times), max(self.times)), key=lambda time: (abs(time), time)))

    @property
    def min_frames(self) -> int:
        """Number of frames of the shortest sequence that contains a clip."""
        return 1 + max(self.times) - min(self.times)

    def targets(self, start: int) -> tuple[int, ...]:
        """Targets of the clips that contain the motion from frame `start` to the next, best first.

        Clips that begin before the sequence are left out. Some of the others may end after it.
        """
        return tuple(start - time for time in self.starts if start - time + min(self.times) >= 0)

    def target(self, start: int, n_frames: int, *, ended: bool) -> int | None:
        """The best target for the motion from frame `start`, given the first `n_frames` frames of a sequence.

        Args:
            ended: whether the sequence ends there. If not, a better clip may still become complete, and only the best
                one is accepted.

        Returns:
            The target's frame, or None if no clip is complete.
        """
        targets = self.targets(start) if ended else self.targets(start)[:1]
        return next((target for target in targets if target + max(self.times) < n_frames), None)

    def first_needed(self, start: int) -> int:
        """The first frame of any clip for the motion from `start` or a later frame: earlier images can be dropped."""
        return max(0, start - max(self.starts) + min(self.times))


class MotionPredictor:
    """A pose network that is ready for prediction. It has no state between predictions.

    Attributes:
        width, height: size in pixels to which every image is resized for the network.
        spacing: frames between the views of a clip. A network has learned motions over the spacing of its training.
        plan: the frames that the network sees together: two, or a whole clip.
        metres_per_unit: factor from the translations to metres; None if unknown.
        scale: what the lengths of a trajectory are: "relative", "metric", or `MetricScale.word` of a calibrated model.
        metric: the witness of the metres, of a calibrated model; else None.
        depth_is: as `Predictor.depth_is`.
        device: on which the network runs.
    """

    def __init__(
        self, weights: DepthModel, *, spacing: int | None = None, device: str = "auto", precision: Precision = "auto"
    ) -> None:
        """
        Args:
            spacing: None: the spacing with which the model was trained.

        Raises:
            CheckpointError: for a model without a pose network, or with one that takes clips with gaps.
            ConfigError: for a spacing below 1; or for None, if the model does not record its spacing.
        """
        weights = require_pose_network(weights)
        config = weights.config
        self.spacing = _spacing(weights, spacing)
        self.width, self.height = config.width, config.height
        self.metric, self.metres_per_unit = weights.metric, weights.metres_per_unit
        known = "metric" if self.metric is None else self.metric.word
        self.scale: str = "relative" if self.metres_per_unit is None else known
        self.depth_is = weights.depth_is
        self._loss_config = config.loss
        self.plan = ClipPlan(times=(0, *_offsets(config, weights.folder)))
        self.device = resolve_device(device)
        untrained = dataclasses.replace(config, encoder=dataclasses.replace(config.encoder, pretrained=False))
        # The whole learner, because it knows the order of the pose network's images and the frames of its output. A
        # copy of that knowledge could disagree with the training.
        learner = SelfSupervisedDepth(untrained, network_dtype=resolve_precision(precision, self.device))
        try:
            learner.load_state_dict(weights.state)
        except RuntimeError as error:
            raise CheckpointError(
                "the weights do not fit the network",
                where=weights.folder,
                expected=f"a pose network with encoder {config.encoder.pose_encoder}",
                got=str(error).splitlines()[-1].strip(),
            ) from error
        self._learner = learner.requires_grad_(False).eval().to(self.device)

    def motions(
        self,
        images: UInt8[Tensor, "n h w 3"],
        starts: Sequence[int],
        targets: Sequence[int],
        camera: Camera | None = None,
    ) -> Float[ndarray, "m 4 4"]:
        """T_next_current from each image in `starts` to the image after it, in the model's unit.

        Args:
            images: RGB, at the network's size, `spacing` frames apart, in temporal order.
            starts: m indices into `images`.
            targets: for each of them, the index of the clip's target (`ClipPlan.target`).
            camera: of the images. None: not known, and no motion is aligned.
        """
        frames = images.to(self.device, non_blocking=True).permute(0, 3, 1, 2).float() / 255
        times = self.plan.times
        clips = frames[torch.tensor([[target + time for time in times] for target in targets])]
        # Without a camera the matrix is not read: the pose network sees images only.
        matrix = np.eye(3) if camera is None else camera.matrix()
        K = torch.as_tensor(matrix, dtype=torch.float32, device=self.device).expand(len(clips), 3, 3)
        # A lens belongs to a model that learned through one: for others, the camera is taken for a pinhole as it was.
        lenses = None if camera is None or self.depth_is == "z" else lens_for(camera, len(clips), self.device)
        batch = Batch(frames=clips, inputs=clips, K=K, offsets=times[1:], lenses=lenses)
        with torch.inference_mode(), memory_errors("give a smaller --batch-size"):
            # Chained in float64: the rounding of thousands of float32 products would bend the path.
            predicted = self._learner.relative_transforms(batch)
            if camera is not None and self._loss_config.align_motion:
                predicted = align(predicted, self._depth(batch), clips, K, lenses)
            T_source_target = predicted.double().cpu().numpy()
        # The target is a view as well, at time 0, with the identity for its motion.
        T_view_target = np.concatenate([np.tile(np.eye(4), (len(clips), 1, 1, 1)), T_source_target], axis=1)
        rows = np.arange(len(clips))
        current, later = (
            T_view_target[rows, [times.index(s - t + step) for s, t in zip(starts, targets, strict=True)]]
            for step in (0, 1)
        )
        return np.asarray(later @ inverse(current))  # T_next_target T_target_current

    def _depth(self, batch: Batch) -> Float[Tensor, "b 1 h w"]:
        """Depth of the targets at the size of the images, in the model's unit."""
        finest = upsample(self._learner.predict_disparity(batch), (self.height, self.width))
        return self._loss_config.depth_range.depth(finest)

    def trajectory(self, poses: Sequence[Float[ndarray, "4 4"]], timestamps: Float[ndarray, "n"]) -> Trajectory:
        """Poses of an `Odometer`, in the model's unit, as a trajectory: in metres if the scale is known."""
        T_world_camera = np.stack(poses)
        T_world_camera[:, :3, 3] *= 1 if self.metres_per_unit is None else self.metres_per_unit
        return Trajectory(T_world_camera=T_world_camera, timestamps=timestamps, metric=self.metric)


class Odometer:
    """Follows a camera along frames that arrive a few at a time. The world is the first camera.

    Poses are in the unit of the model's depth. If the pose network sees whole clips, the pose of a frame may become
    known only some frames later.

    Args:
        camera: of the frames as the network takes them; None if it is not known.
        fitted: brings a frame to the network's size; None: it is resized.
    """

    def __init__(self, predictor: MotionPredictor, camera: Camera | None = None, fitted: Fitted | None = None) -> None:
        self._predictor, self._camera, self._fitted = predictor, camera, fitted
        # Images at the network's size, one per spacing, as far as clips of coming motions need them.
        self._buffer: list[UInt8[ndarray, "h w 3"]] = []
        self._buffer_start = 0  # index of its first image among those at the spacing
        self._T_world_last = np.eye(4)
        self._n_frames = 0  # frames that have arrived
        self._n_poses = 0  # poses returned, one per spacing
        self._n_returned = 0  # frames for which a pose or None was returned

    def advance(self, images: Sequence[UInt8[ndarray, "_h _w 3"]]) -> list[Float[ndarray, "4 4"] | None]:
        """Take the next frames, and return the poses that are known now.

        Args:
            images: RGB of any size, in temporal order; each call continues where the last one ended.

        Returns:
            T_world_camera of the next frames, in order, or None for frames between two at the spacing. Over all calls
            and `finish` there is one per frame.
        """
        size = (self._predictor.width, self._predictor.height)
        fitted = self._fitted or (lambda image: resample(image, *size))
        for image in images:
            if self._n_frames % self._predictor.spacing == 0:
                # Resized now: the buffer then holds a few small images, whatever the size of the frames.
                self._buffer.append(fitted(image))
            self._n_frames += 1
        return self._next_poses(ended=False)

    def finish(self) -> list[Float[ndarray, "4 4"] | None]:
        """The poses of the remaining frames, when no more frames come.

        Raises:
            DataError: for fewer frames than one clip, unless there is only one, whose pose is the identity.
        """
        rest = self._next_poses(ended=True)
        if self._n_returned < self._n_frames:
            raise too_few_frames(self._predictor, self._n_frames)
        return rest

    def _next_poses(self, *, ended: bool) -> list[Float[ndarray, "4 4"] | None]:
        plan, n_spaced = self._predictor.plan, self._buffer_start + len(self._buffer)
        poses = [self._T_world_last] if n_spaced and not self._n_poses else []
        starts: list[int] = []
        targets: list[int] = []
        for start in range(max(0, self._n_poses - 1), n_spaced - 1):
            target = plan.target(start, n_spaced, ended=ended)
            if target is None:
                break
            starts.append(start - self._buffer_start)
            targets.append(target - self._buffer_start)
        if starts:
            motions = self._predictor.motions(torch.from_numpy(np.stack(self._buffer)), starts, targets, self._camera)
            # The network predicts T_next_current, from the earlier to the later; the path is chained with its inverse.
            for T_current_next in inverse(motions):
                self._T_world_last = self._T_world_last @ T_current_next
                poses.append(self._T_world_last)
        self._n_poses += len(poses)
        if self._n_poses:
            n_unneeded = plan.first_needed(self._n_poses - 1) - self._buffer_start
            self._buffer, self._buffer_start = self._buffer[n_unneeded:], self._buffer_start + n_unneeded
        return self._with_frames_between(poses)

    def _with_frames_between(self, poses: list[Float[ndarray, "4 4"]]) -> list[Float[ndarray, "4 4"] | None]:
        """The poses, with None for the frames between them that have arrived."""
        spacing = self._predictor.spacing
        end = min(self._n_frames, self._n_poses * spacing)
        at_spacing = iter(poses)
        answers = [next(at_spacing) if i % spacing == 0 else None for i in range(self._n_returned, end)]
        self._n_returned = end
        return answers


def too_few_frames(predictor: MotionPredictor, n_frames: int, *, where: str | Path | None = None) -> DataError:
    """The error for a sequence that is shorter than a clip of the pose network."""
    needed = (predictor.plan.min_frames - 1) * predictor.spacing
    spaced = f", {predictor.spacing} apart" if predictor.spacing > 1 else ""
    return DataError(
        "the sequence is too short for a motion",
        where=where,
        expected=f"more than {needed} frames: the model takes {predictor.plan.min_frames} together{spaced}",
        got=str(n_frames),
        fix="give a longer sequence" + (" or a smaller --every" if predictor.spacing > 1 else ""),
    )


def has_pose_network(weights: DepthModel) -> bool:
    """Whether a model can predict motion. One that learned from stereo pairs alone cannot, nor an ONNX file."""
    return (
        isinstance(weights, LoadedWeights)
        and bool(weights.config.offsets)
        and any(name.startswith(_POSE_PREFIX) for name in weights.state)
    )


def require_pose_network(weights: DepthModel) -> LoadedWeights:
    """The model, if it has a pose network. Raises CheckpointError for one without."""
    if not isinstance(weights, LoadedWeights) or not has_pose_network(weights):
        got = "a model of stereo pairs alone, or a depth network alone"
        raise CheckpointError(
            "the model has no pose network, so it cannot predict the camera's path",
            where=weights.folder,
            expected="a model that was trained on successive frames",
            got="an ONNX file, which holds one network" if isinstance(weights, OnnxWeights) else got,
            fix="give another model, or leave odometry and trajectories out",
        )
    return weights


def _offsets(config: TrainConfig, folder: Path) -> tuple[int, ...]:
    """Times of the sources that the pose network sees together with a target.

    Raises:
        CheckpointError: for clips with gaps. With sources at -2 and 2, no clip contains two successive frames.
    """
    if config.encoder.pose_input == "pairs":
        return (1,)
    times = {0, *config.offsets}
    if times != {*range(min(times), max(times) + 1)}:
        raise CheckpointError(
            "the model's pose network takes clips with gaps, so it cannot follow a camera from frame to frame",
            where=folder,
            expected="--offsets without gaps, like -1 1",
            got=" ".join(map(str, config.offsets)),
            fix="give another model, or leave odometry and trajectories out",
        )
    return config.offsets


def _spacing(weights: LoadedWeights, requested: int | None) -> int:
    if requested is not None:
        if requested < 1:
            raise ConfigError("option out of range", where="--every", expected="at least 1", got=str(requested))
        return requested
    trained = weights.config.spacing
    if trained is None:
        raise ConfigError(
            "the frame spacing of the model is unknown",
            where=weights.folder,
            got="a model that was trained with --every auto",
            fix="give it with --every N; selfdepth check DATA suggests a number",
        )
    return trained
