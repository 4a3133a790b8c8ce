"""The tables behind `pose_network` and `pose_input`: which pose network, and which images of a clip in one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from selfdepth.config import EncoderConfig, PoseInput, PoseNetworkName
from selfdepth.networks.pose import PoseNet, PoseNetwork, SharedPoseNet
from selfdepth.networks.posecnn import PoseCNN


@dataclass(frozen=True, kw_only=True)
class PosePass:
    """One forward pass of the pose network, on some images of a clip.

    Attributes:
        order: indices of the images in the order in which the network reads them; 0 is the target, 1 the first source.
        n_motions: how many of the predicted motions to use, from the first; one per source, in the order of the
            sources.
        inverted: whether they are T_target_source, and need inverting.
    """

    order: tuple[int, ...]
    n_motions: int
    inverted: bool


def pairs(offsets: Sequence[int]) -> tuple[PosePass, ...]:
    """One pass per source: the target and that source, in temporal order.

    The network always reads the earlier image first and predicts T_later_earlier: one direction of time to learn
    instead of two. Each pair has a pass of its own, as published; BatchNorm's statistics are then those of one kind of
    pair.
    """
    return tuple(
        PosePass(order=(view, 0) if offset < 0 else (0, view), n_motions=1, inverted=offset < 0)
        for view, offset in enumerate(offsets, start=1)
    )


def all_at_once(offsets: Sequence[int]) -> tuple[PosePass, ...]:
    """One pass of the target and all sources, which predicts T_source_target of each; nothing to invert."""
    n_sources = len(offsets)
    return (PosePass(order=tuple(range(1 + n_sources)), n_motions=n_sources, inverted=False),) if n_sources else ()


POSE_INPUTS: dict[PoseInput, Callable[[Sequence[int]], tuple[PosePass, ...]]] = {
    "pairs": pairs,
    "all": all_at_once,
}
"""By the configuration's `pose_input`: the passes for a clip, from the offsets of its sources."""


def _separate(config: EncoderConfig, channels: int, n_images: int) -> PoseNetwork:
    # The published network predicts two motions of a pair and uses the first. Its checkpoints have weights for both.
    n_motions = max(2, n_images - 1)
    return PoseNet(config.pose_encoder, n_images=n_images, n_motions=n_motions, pretrained=config.pretrained)


POSE_NETWORKS: dict[PoseNetworkName, Callable[[EncoderConfig, int, int], PoseNetwork]] = {
    "separate": _separate,
    "shared": lambda config, channels, n_images: SharedPoseNet(channels, n_images=n_images),
    "posecnn": lambda config, channels, n_images: PoseCNN(n_images=n_images),
}
"""By the configuration's `pose_network`: a function that builds it from the encoders' configuration, the channels of
the depth encoder's coarsest features, and the number of images in one pass."""


def pose_network(config: EncoderConfig, offsets: Sequence[int], *, channels: int) -> PoseNetwork:
    """The pose network of a run. Without temporal sources it is a bare `PoseNetwork`, which has no weights.

    Args:
        offsets: times of the sources relative to the target.
        channels: channels of the depth encoder's coarsest features.

    Raises:
        ConfigError: for a pose encoder that cannot be used.
    """
    passes = POSE_INPUTS[config.pose_input](offsets)
    return POSE_NETWORKS[config.pose_network](config, channels, len(passes[0].order)) if passes else PoseNetwork()
