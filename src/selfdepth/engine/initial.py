"""Where a run starts from, if not from ImageNet weights: another model."""

from __future__ import annotations

from torch import nn

from selfdepth.errors import CheckpointError
from selfdepth.inference.weights import load_weights, misfits


def start_from(learner: nn.Module, model: str) -> None:
    """Give the networks the weights of a model, which must have the same ones; where no pose network is trained, it
    may have one. What the learner held before is not touched unless all fit.

    Args:
        model: as `load_weights` takes it.

    Raises:
        CheckpointError: for a model that cannot be read, or one with other networks.
    """
    wanted = learner.state_dict()
    with_pose = any(_is_pose(name) for name in wanted)
    found = {name: tensor for name, tensor in load_weights(model).state.items() if with_pose or not _is_pose(name)}
    got = misfits(found, wanted)
    if got:
        raise CheckpointError(
            "the model to start from has other networks",
            where=f"--init {model}",
            expected="the networks of this run",
            got=got,
            fix="give the --encoder options and the --offsets that it was trained with, or leave --init away",
        )
    learner.load_state_dict(found)


def _is_pose(name: str) -> bool:
    return name.startswith("pose_net.")
