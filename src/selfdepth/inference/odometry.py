"""Where the camera went: the pose network's motions, chained along the frames."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
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
from selfdepth.geometry.camera import resample
from selfdepth.geometry.rigid import inverse
from selfdepth.learner import SelfSupervisedDepth
from selfdepth.structs import Batch, Trajectory
from selfdepth.weights.files import LoadedWeights

_POSE_PREFIX = "pose_net."


@dataclass(frozen=True, kw_only=True)
class ClipPlan:
    """Which clip a motion from one frame to the next is read from.

    A clip of target t gives T_source_t of every source, and with them T_b_a = T_b_t inverse(T_a_t) of any two views.
    The best clip is that whose target is a: the motion is what the network said. At the ends of a sequence that clip
    may not be there, and a neighbour's motions are taken.

    Attributes:
        times: of a clip's views, the target's 0 first, in units of the spacing; without gaps.
    """

    times: tuple[int, ...]

    @property
    def starts(self) -> tuple[int, ...]:
        """Times of all views but the last, best first: the target's, then those nearest to it."""
        return tuple(sorted(range(min(self.times), max(self.times)), key=lambda time: (abs(time), time)))

    @property
    def min_frames(self) -> int:
        """Frames that a sequence must have for a motion to be known."""
        return 1 + max(self.times) - min(self.times)

    def targets(self, start: int) -> tuple[int, ...]:
        """Targets of the clips that know the motion from frame `start`, best first; all begin in the sequence, but
        some may end beyond it."""
        return tuple(start - time for time in self.starts if start - time + min(self.times) >= 0)

    def target(self, start: int, n_frames: int, *, ended: bool) -> int | None:
        """The best target for the motion from `start` in a sequence of which n_frames are there, or None.

        Args:
            ended: no more frames come; else None is said as long as a better clip may still become complete.
        """
        targets = self.targets(start) if ended else self.targets(start)[:1]
        return next((target for target in targets if target + max(self.times) < n_frames), None)

    def first_needed(self, start: int) -> int:
        """The first frame that any clip for the motion from `start`, or a later one, may look at."""
        return max(0, start - max(self.starts) + min(self.times))


class MotionPredictor:
    """A pose network ready to be used. Predictions do not depend on each other.

    Attributes:
        width, height: size in pixels at which the network sees every image.
        spacing: frames between neighbours, as at training.
        plan: which frames it looks at together: two, or a whole clip.
        metres_per_unit: what turns motions into metres, where that is known; as `Predictor.metres_per_unit`.
        device: where the network runs.
    """

    def __init__(
        self, weights: LoadedWeights, *, spacing: int | None = None, device: str = "auto", precision: Precision = "auto"
    ) -> None:
        """
        Args:
            spacing: frames between neighbours; None: the spacing that the model was trained with.

        Raises:
            CheckpointError: for a model that has no pose network, or one that looks at clips with gaps.
            ConfigError: for a spacing below 1, or none, of a model that was trained with spacing "auto".
        """
        config = weights.config
        require_pose_network(weights)
        self.spacing = _spacing(weights, spacing)
        self.width, self.height = config.width, config.height
        self.metres_per_unit = config.metres_per_unit
        self.plan = ClipPlan(times=(0, *_offsets(config, weights.folder)))
        self.device = resolve_device(device)
        untrained = dataclasses.replace(config, encoder=dataclasses.replace(config.encoder, pretrained=False))
        # The learner knows how its pose network is to be asked: which image first, and what comes out.
        learner = SelfSupervisedDepth(untrained, network_dtype=resolve_precision(precision, self.device))
        try:
            learner.load_state_dict(weights.state)
        except RuntimeError as error:
            raise CheckpointError(
                "the weights do not fit the network",
                where=weights.folder,
                expected=f"a pose network with encoder {config.encoder.pose_name}",
                got=str(error).splitlines()[-1].strip(),
            ) from error
        self._learner = learner.requires_grad_(False).eval().to(self.device)

    def motions(
        self, images: UInt8[Tensor, "n h w 3"], starts: Sequence[int], targets: Sequence[int]
    ) -> Float[ndarray, "m 4 4"]:
        """T_next_current from each image named by `starts` to the one after it.

        Args:
            images: RGB, at the network's size, `spacing` frames apart, in the order of time.
            starts: m places in `images`.
            targets: the target of the clip that each motion is read from (`ClipPlan.target`).
        """
        frames = images.to(self.device, non_blocking=True).permute(0, 3, 1, 2).float() / 255
        times = self.plan.times
        clips = frames[torch.tensor([[target + time for time in times] for target in targets])]
        K = torch.eye(3, device=self.device).expand(len(clips), 3, 3)  # motion needs no camera
        batch = Batch(frames=clips, inputs=clips, K=K, offsets=times[1:])
        with torch.inference_mode(), memory_errors("give a smaller --batch-size"):
            T_source_target = self._learner.relative_transforms(batch).double().cpu().numpy()
        T_view_target = np.concatenate([np.tile(np.eye(4), (len(clips), 1, 1, 1)), T_source_target], axis=1)
        rows = np.arange(len(clips))
        current, later = (
            T_view_target[rows, [times.index(s - t + step) for s, t in zip(starts, targets, strict=True)]]
            for step in (0, 1)
        )
        return np.asarray(later @ inverse(current))

    def trajectory(self, poses: Sequence[Float[ndarray, "4 4"]], timestamps: Float[ndarray, "n"]) -> Trajectory:
        """Poses of an `Odometer` as a trajectory: in metres where they can be known, else in the model's unit."""
        T_world_camera = np.stack(poses)
        T_world_camera[:, :3, 3] *= 1 if self.metres_per_unit is None else self.metres_per_unit
        return Trajectory(T_world_camera=T_world_camera, timestamps=timestamps)


class Odometer:
    """Follows a camera along frames that come one after the other; the world is the first camera.

    Poses are in the unit of the model's depth. Where the pose network looks at whole clips, a pose may be known only
    some frames later.
    """

    def __init__(self, predictor: MotionPredictor) -> None:
        self._predictor = predictor
        self._kept: list[UInt8[ndarray, "h w 3"]] = []
        self._first_kept = 0  # place of the first kept image among those at the spacing
        self._T_world_last = np.eye(4)
        self._n_frames = 0  # that came
        self._n_poses = 0  # given out, for frames at the spacing
        self._n_answered = 0  # frames that were given a pose or None

    def advance(self, images: Sequence[UInt8[ndarray, "_h _w 3"]]) -> list[Float[ndarray, "4 4"] | None]:
        """T_world_camera of the next frames that it is known of; None for those between two at the spacing.

        Args:
            images: RGB of any size; each call goes on where the last one ended.
        """
        size = (self._predictor.width, self._predictor.height)
        for image in images:
            if self._n_frames % self._predictor.spacing == 0:
                self._kept.append(resample(image, *size))
            self._n_frames += 1
        return self._answer(ended=False)

    def finish(self) -> list[Float[ndarray, "4 4"] | None]:
        """The rest of what `advance` gives, when no more frames come.

        Raises:
            DataError: for fewer frames than the network has to look at; for one frame alone, its pose is known.
        """
        rest = self._answer(ended=True)
        if self._n_answered < self._n_frames:
            raise too_few_frames(self._predictor, self._n_frames)
        return rest

    def _answer(self, *, ended: bool) -> list[Float[ndarray, "4 4"] | None]:
        plan, n_seen = self._predictor.plan, self._first_kept + len(self._kept)
        poses = [self._T_world_last] if n_seen and not self._n_poses else []
        starts: list[int] = []
        targets: list[int] = []
        for start in range(max(0, self._n_poses - 1), n_seen - 1):
            target = plan.target(start, n_seen, ended=ended)
            if target is None:
                break
            starts.append(start - self._first_kept)
            targets.append(target - self._first_kept)
        if starts:
            motions = self._predictor.motions(torch.from_numpy(np.stack(self._kept)), starts, targets)
            for T_current_next in inverse(motions):
                self._T_world_last = self._T_world_last @ T_current_next
                poses.append(self._T_world_last)
        self._n_poses += len(poses)
        if self._n_poses:
            unneeded = plan.first_needed(self._n_poses - 1) - self._first_kept
            self._kept, self._first_kept = self._kept[unneeded:], self._first_kept + unneeded
        return self._with_those_between(poses)

    def _with_those_between(self, poses: list[Float[ndarray, "4 4"]]) -> list[Float[ndarray, "4 4"] | None]:
        """The poses, and None for the frames between: as many as can be answered in the order of the frames."""
        spacing = self._predictor.spacing
        until = min(self._n_frames, self._n_poses * spacing)
        at_spacing = iter(poses)
        answers = [next(at_spacing) if i % spacing == 0 else None for i in range(self._n_answered, until)]
        self._n_answered = until
        return answers


def too_few_frames(predictor: MotionPredictor, n_frames: int, *, where: str | Path | None = None) -> DataError:
    """The refusal of a sequence that is shorter than what the pose network looks at."""
    needed = (predictor.plan.min_frames - 1) * predictor.spacing
    spaced = f", {predictor.spacing} apart" if predictor.spacing > 1 else ""
    return DataError(
        "the sequence is too short for a motion",
        where=where,
        expected=f"more than {needed} frames: the model looks at {predictor.plan.min_frames} together{spaced}",
        got=str(n_frames),
        fix="give a longer one" + (" or a smaller --every" if predictor.spacing > 1 else ""),
    )


def has_pose_network(weights: LoadedWeights) -> bool:
    """Whether a model knows motion; one that was learned from stereo pairs alone does not."""
    return bool(weights.config.offsets) and any(name.startswith(_POSE_PREFIX) for name in weights.state)


def require_pose_network(weights: LoadedWeights) -> None:
    """Refuse a model that knows no motion. Raises CheckpointError."""
    if not has_pose_network(weights):
        raise CheckpointError(
            "the model has no pose network, so it cannot say where the camera went",
            where=weights.folder,
            expected="a model that was trained on successive frames",
            got="one of stereo pairs alone, or a depth network alone",
            fix="give another model, or leave odometry and trajectories out",
        )


def _offsets(config: TrainConfig, folder: Path) -> tuple[int, ...]:
    """Times of the sources that the pose network is asked about together with a target.

    Raises:
        CheckpointError: for clips with gaps: of some sequences they would leave a motion unknown.
    """
    if config.encoder.pose_input == "pairs":
        return (1,)
    times = {0, *config.offsets}
    if times != {*range(min(times), max(times) + 1)}:
        raise CheckpointError(
            "the model's pose network looks at clips with gaps, so it cannot follow a camera from frame to frame",
            where=folder,
            expected="--offsets without gaps, like -1 1",
            got=" ".join(map(str, config.offsets)),
            fix="give another model, or leave odometry and trajectories out",
        )
    return config.offsets


def _spacing(weights: LoadedWeights, asked: int | None) -> int:
    if asked is not None:
        if asked < 1:
            raise ConfigError("option out of range", where="--every", expected="at least 1", got=str(asked))
        return asked
    trained = weights.config.spacing
    if trained is None:
        raise ConfigError(
            "it is not known how many frames apart the model's frames are",
            where=weights.folder,
            got="a model that was trained with --every auto",
            fix="say it with --every N; selfdepth check DATA suggests a number",
        )
    return trained
