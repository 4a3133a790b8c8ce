"""Where the camera went: the pose network's motions, chained along the frames."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from selfdepth.errors import CheckpointError, ConfigError
from selfdepth.evaluation.odometry import inverse
from selfdepth.inference.device import Precision, memory_errors, resolve_device, resolve_precision
from selfdepth.inference.predictor import resize_pixels
from selfdepth.inference.weights import LoadedWeights
from selfdepth.learner import SelfSupervisedDepth
from selfdepth.structs import Batch

_POSE_PREFIX = "pose_net."


class MotionPredictor:
    """A pose network ready to be used. Predictions do not depend on each other.

    Attributes:
        width, height: size in pixels at which the network sees every image.
        spacing: frames between the two images of a pair, as at training.
        device: where the network runs.
    """

    def __init__(
        self, weights: LoadedWeights, *, spacing: int | None = None, device: str = "auto", precision: Precision = "auto"
    ) -> None:
        """
        Args:
            spacing: frames between the two images of a pair; None: the spacing that the model was trained with.

        Raises:
            CheckpointError: for a model that has no pose network.
            ConfigError: for a spacing below 1, or none, of a model that was trained with spacing "auto".
        """
        config = weights.config
        assert config.height is not None, "load_weights refuses configurations without a height"
        require_pose_network(weights)
        self.spacing = _spacing(weights, spacing)
        self.width, self.height = config.width, config.height
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

    def motions(self, images: UInt8[Tensor, "n h w 3"]) -> Float[ndarray, "m 4 4"]:
        """T_next_current from each image to the next one, n - 1 of them.

        Args:
            images: RGB, at the network's size, `spacing` frames apart, in the order of time.
        """
        frames = images.to(self.device, non_blocking=True).permute(0, 3, 1, 2).float() / 255
        pairs = torch.stack([frames[:-1], frames[1:]], dim=1)
        K = torch.eye(3, device=self.device).expand(len(pairs), 3, 3)  # motion needs no camera
        batch = Batch(frames=pairs, inputs=pairs, K=K, offsets=(1,))
        with torch.inference_mode(), memory_errors("give a smaller --batch-size"):
            T_next_current = self._learner.relative_transforms(batch)[:, 0]
        return T_next_current.double().cpu().numpy()


class Odometer:
    """Follows a camera along frames that come one after the other; the world is the first camera."""

    def __init__(self, predictor: MotionPredictor) -> None:
        self._predictor = predictor
        self._last: UInt8[ndarray, "h w 3"] | None = None
        self._T_world_last = np.eye(4)
        self._count = 0

    def advance(self, images: Sequence[UInt8[ndarray, "_h _w 3"]]) -> list[Float[ndarray, "4 4"] | None]:
        """T_world_camera of the next frames, one for each image; None for those between two frames of a pair.

        Args:
            images: RGB of any size; each call goes on where the last one ended.
        """
        poses: list[ndarray | None] = [None] * len(images)
        chosen = [i for i in range(len(images)) if (self._count + i) % self._predictor.spacing == 0]
        self._count += len(images)
        if not chosen:
            return poses
        size = (self._predictor.width, self._predictor.height)
        small = [resize_pixels(images[i], *size) for i in chosen]
        if self._last is None:
            poses[chosen[0]] = self._T_world_last
            later = chosen[1:]
        else:
            small.insert(0, self._last)
            later = chosen
        self._last = small[-1]
        if later:
            motions = self._predictor.motions(torch.from_numpy(np.stack(small)))
            for i, T_current_next in zip(later, inverse(motions), strict=True):
                self._T_world_last = self._T_world_last @ T_current_next
                poses[i] = self._T_world_last
        return poses


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
    if weights.config.encoder.pose_input == "all":
        raise CheckpointError(
            "the model's pose network looks at whole clips, so it cannot follow a camera from frame to frame",
            where=weights.folder,
            expected="a model trained with --encoder.pose-input pairs",
            got="--encoder.pose-input all",
            fix="give another model, or leave odometry and trajectories out",
        )


def _spacing(weights: LoadedWeights, asked: int | None) -> int:
    if asked is not None:
        if asked < 1:
            raise ConfigError("option out of range", where="--every", expected="at least 1", got=str(asked))
        return asked
    trained = weights.config.spacing()
    if trained is None:
        raise ConfigError(
            "it is not known how many frames apart the model's frames are",
            where=weights.folder,
            got="a model that was trained with --every auto",
            fix="say it with --every N; selfdepth check DATA suggests a number",
        )
    return trained
