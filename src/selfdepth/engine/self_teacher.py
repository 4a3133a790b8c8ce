"""Other models that a run looks at: the teacher of a self-taught model, and the start that anchors a refinement."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from selfdepth.config import TrainConfig
from selfdepth.errors import CheckpointError, ConfigError
from selfdepth.geometry.ray_depth import DepthIs, describe_depth_is
from selfdepth.inference.fold import for_prediction
from selfdepth.learners.frozen import FrozenDepth
from selfdepth.learners.self_taught import SelfTaughtDepth
from selfdepth.weights.files import LoadedWeights, depth_network, describe_mismatch, load_weights
from selfdepth.weights.locate import find_weights

_POSE_PREFIX = "pose_net."


def frozen_depth(weights: LoadedWeights, *, device: torch.device, dtype: torch.dtype) -> FrozenDepth:
    """The depth network of a model, as fast as in prediction.

    Raises:
        CheckpointError: if the weights do not fit the network that the model's configuration names.
    """
    network = for_prediction(depth_network(weights).requires_grad_(False), dtype).to(device)
    return FrozenDepth(
        network=network.to(memory_format=torch.channels_last),
        depth_range=weights.config.loss.depth_range,
        dtype=dtype,
    )


def anchor_of(config: TrainConfig, *, device: torch.device, dtype: torch.dtype) -> FrozenDepth | None:
    """The model near which the depth of a run stays; None without `config.anchor`.

    Raises:
        CheckpointError: for a model that cannot be read.
        ConfigError: for one with another range of depths: to stay near it would change every depth.
    """
    if config.anchor is None or config.init is None:
        return None
    weights = load_weights(config.init)
    theirs, ours = weights.config.loss.depth_range, config.loss.depth_range
    if theirs != ours:
        raise ConfigError(
            "the model to stay near predicts another range of depths",
            where="--loss.near, --loss.far",
            expected=str(theirs),
            got=str(ours),
            fix=f"give --loss.near {theirs.near:g} --loss.far {theirs.far:g}",
        )
    return frozen_depth(weights, device=device, dtype=dtype)


def student_of(
    config: TrainConfig, teacher: LoadedWeights, *, device: torch.device, dtype: torch.dtype
) -> SelfTaughtDepth:
    """The student of a teacher, with the teacher's pose network, on the CPU.

    Raises:
        ConfigError: if options of the run differ from the teacher's; see `check_student`.
        CheckpointError: for a teacher without the pose network that the run names.
    """
    check_student(config, teacher)
    if config.init is not None and find_weights(config.init) == teacher.folder:
        raise ConfigError(
            "a student that starts as its teacher deviates from it nowhere, and learns no confidence",
            where=f"--init {config.init}",
            expected="another model than that of --self-teacher, or none",
        )
    frozen = frozen_depth(teacher, device=device, dtype=dtype)
    pose = {name: tensor for name, tensor in teacher.state.items() if name.startswith(_POSE_PREFIX)}
    pose_state = {name.removeprefix(_POSE_PREFIX): tensor for name, tensor in pose.items()} if config.offsets else {}
    if config.offsets and not pose_state:
        raise CheckpointError(
            "the teacher has no pose network for its student",
            where=f"--self-teacher {config.self_teacher}",
            expected="a model that learned from neighbours in time, with its pose network",
        )
    torch.manual_seed(config.seed)  # only now: the teacher's network was built with random weights, too
    student = SelfTaughtDepth(config, frozen, network_dtype=dtype)
    mismatch = describe_mismatch(pose_state, student.pose_net.state_dict())
    if mismatch:
        raise CheckpointError(
            "the teacher's pose network is not the one that its configuration names",
            where=f"--self-teacher {config.self_teacher}",
            got=mismatch,
        )
    student.pose_net.load_state_dict(pose_state)
    return student


def check_student(config: TrainConfig, teacher: LoadedWeights | None) -> None:
    """Refuse options of a run that differ from those of its teacher, and with which its depth would be another.

    Args:
        config: of the run. A height or spacing that is not known yet is not compared.
        teacher: None: the run has none, and nothing is refused.

    Raises:
        ConfigError: for a teacher that is self-taught too, or for the first option that differs.
    """
    if teacher is None:
        return
    if teacher.config.has_confidence:
        raise ConfigError(
            "the teacher is a student itself",
            where=f"--self-teacher {config.self_teacher}",
            expected="a model that learned from images",
            got=f"one that learned from {teacher.config.self_teacher}",
            fix="give that one",
        )
    ours, theirs = _shared_options(config), _shared_options(teacher.config)
    known = [option for option, value in ours.items() if value is not None and theirs[option] is not None]
    differing = [option for option in known if ours[option] != theirs[option]]
    if differing:
        option = differing[0]
        raise ConfigError(
            "a student needs the options of its teacher",
            where=option,
            expected=f"{theirs[option]}, as in {config.self_teacher}",
            got=str(ours[option]),
            fix="repeat the teacher's run with --config RUN/config.json --self-teacher RUN",
        )


def _shared_options(config: TrainConfig) -> dict[str, Any]:
    """The options that student and teacher share, by name; None where one is not known yet."""
    shared: dict[str, Any] = {
        "--width": config.width,
        "--height": config.height,
        "--crop": config.crop_px,
        "--rectify": None if config.rectify == "auto" else config.rectify,
        "--loss.near": float(config.loss.near),
        "--loss.far": float(config.loss.far),
        "--stereo": config.stereo,
        "--speed": config.speed,
        "--camera-height": config.camera_height,
        "--offsets": config.offsets,
    }
    if config.offsets:  # without them there is no pose network
        encoder = config.encoder
        separate = encoder.pose_network == "separate"
        shared |= {
            "--every": config.spacing,
            "--encoder.pose-network": encoder.pose_network,
            "--encoder.pose-name": encoder.pose_encoder if separate else "none",
            "--encoder.pose-input": encoder.pose_input,
        }
    return shared


def check_spacing(config: TrainConfig, spacing: int, teacher: LoadedWeights | None) -> None:
    """As `check_student`, for the spacing that the data has, also where that was measured."""
    check_student(replace(config, every=str(spacing)), teacher)


def check_depth_is(config: TrainConfig, depth_is: DepthIs, teacher: LoadedWeights | None) -> None:
    """Refuse models to learn from whose depth is along z, and that of the run along the ray, or the other way round.

    Args:
        depth_is: of the run, as its data have it.
        teacher: of a student; None: the run has none.

    Raises:
        CheckpointError: for an anchor that cannot be read.
        ConfigError: for another kind of depth.
    """
    models = {} if teacher is None else {f"--self-teacher {config.self_teacher}": teacher}
    if config.anchor is not None and config.init is not None:
        models[f"--init {config.init} --anchor {config.anchor:g}"] = load_weights(config.init)
    for where, weights in models.items():
        if weights.depth_is != depth_is:
            raise ConfigError(
                "the depth to learn from is not the depth that the run learns",
                where=where,
                expected=f"a model whose depth is {describe_depth_is(depth_is)}, as through this camera",
                got=f"one whose depth is {describe_depth_is(weights.depth_is)}",
                fix="give the camera with which that model was trained, or leave that model out",
            )
