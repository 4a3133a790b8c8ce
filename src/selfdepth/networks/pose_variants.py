"""The pose network that a configuration names, and which images of a clip it looks at together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from selfdepth.config import EncoderConfig, PoseInput, PoseNetworkName
from selfdepth.networks.pose import PoseNet, PoseNetwork, SharedPoseNet
from selfdepth.networks.posecnn import PoseCNN


@dataclass(frozen=True, kw_only=True)
class PosePass:
    """One look of the pose network at some images of a clip.

    Attributes:
        order: which images, 0 being the target and 1 the first source.
        n_motions: how many of the network's motions are used, the first ones; one for each source, in their order.
        inverted: whether they are T_target_source, to be inverted.
    """

    order: tuple[int, ...]
    n_motions: int
    inverted: bool


def pairs(offsets: Sequence[int]) -> tuple[PosePass, ...]:
    """A pass for each source.

    The network always sees the earlier image first and gives T_later_earlier: one direction to learn, not two. Each
    pair passes on its own, so that BatchNorm sees one direction of time at once.
    """
    return tuple(
        PosePass(order=(view, 0) if offset < 0 else (0, view), n_motions=1, inverted=offset < 0)
        for view, offset in enumerate(offsets, start=1)
    )


def all_at_once(offsets: Sequence[int]) -> tuple[PosePass, ...]:
    """One pass of the target and all sources, which gives T_source_target of each."""
    n_sources = len(offsets)
    return (PosePass(order=tuple(range(1 + n_sources)), n_motions=n_sources, inverted=False),) if n_sources else ()


POSE_INPUTS: dict[PoseInput, Callable[[Sequence[int]], tuple[PosePass, ...]]] = {
    "pairs": pairs,
    "all": all_at_once,
}
"""The passes for a clip with sources at these times, by the configuration's `pose_input`."""


def _separate(config: EncoderConfig, channels: int, n_images: int) -> PoseNetwork:
    # Of a pair the published network gives two motions and uses the first.
    n_motions = max(2, n_images - 1)
    return PoseNet(config.pose_name, n_images=n_images, n_motions=n_motions, pretrained=config.pretrained)


POSE_NETWORKS: dict[PoseNetworkName, Callable[[EncoderConfig, int, int], PoseNetwork]] = {
    "separate": _separate,
    "shared": lambda config, channels, n_images: SharedPoseNet(channels, n_images=n_images),
    "posecnn": lambda config, channels, n_images: PoseCNN(n_images=n_images),
}
"""Makers from the encoders' configuration, the channels of the depth encoder's coarsest features, and the number of
images in a pass, by the configuration's `pose_network`."""


def pose_network(config: EncoderConfig, offsets: Sequence[int], *, channels: int) -> PoseNetwork:
    """The pose network of a run; without neighbours in time it has no weights.

    Args:
        offsets: times of the sources.
        channels: of the depth encoder's coarsest features.

    Raises:
        ConfigError: for a pose encoder that cannot be used.
    """
    passes = POSE_INPUTS[config.pose_input](offsets)
    return POSE_NETWORKS[config.pose_network](config, channels, len(passes[0].order)) if passes else PoseNetwork()
