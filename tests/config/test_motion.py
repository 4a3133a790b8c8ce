"""Which options of the motion a run without neighbours in time, or with one, cannot have."""

from __future__ import annotations

import pytest

from selfdepth.config.encoder import EncoderConfig
from selfdepth.config.loss import LossConfig
from selfdepth.config.motion import check_motion
from selfdepth.errors import ConfigError

ALONE = LossConfig(align_motion=False)


@pytest.mark.parametrize(
    ("offsets", "loss", "encoder", "option"),
    [
        ((), LossConfig(align_motion=True), EncoderConfig(), "--loss.align-motion"),
        ((), LossConfig(align_motion=False, consistency=0.1), EncoderConfig(), "--loss.consistency"),
        ((), ALONE, EncoderConfig(pose_network="shared"), "--encoder.pose-network"),
        ((), ALONE, EncoderConfig(pose_name="resnet50"), "--encoder.pose-name"),
        ((1,), ALONE, EncoderConfig(pose_input="all"), "--encoder.pose-input"),
    ],
)
def test_what_needs_neighbours_is_refused_without(
    offsets: tuple[int, ...], loss: LossConfig, encoder: EncoderConfig, option: str
) -> None:
    with pytest.raises(ConfigError, match=option):
        check_motion(offsets=offsets, loss=loss, encoder=encoder)


@pytest.mark.parametrize(("offsets", "pose_input"), [((), "pairs"), ((1,), "pairs"), ((-1, 1), "all")])
def test_the_rest_is_taken(offsets: tuple[int, ...], pose_input: str) -> None:
    check_motion(offsets=offsets, loss=ALONE, encoder=EncoderConfig(pose_input=pose_input))  # type: ignore[arg-type]
