"""What the options of the networks accept and refuse."""

from __future__ import annotations

from typing import Any

import pytest

from selfdepth.config import EncoderConfig
from selfdepth.errors import ConfigError


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"scales": ()}, "--encoder.scales"),
        ({"scales": (4,)}, "one or more of 0 1 2 3"),
        ({"scales": (-1, 0)}, "--encoder.scales"),
        ({"scales": (1, 0)}, "in this order"),
        ({"scales": (0, 0)}, "each once"),
        ({"pose_network": "shared", "pose_name": "resnet50"}, "shared pose network has no encoder of its own"),
        ({"pose_network": "posecnn", "pose_name": "resnet50"}, "--encoder.pose-name"),
    ],
)
def test_networks_that_do_not_go_together_are_refused_by_the_name_of_their_option(
    changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        EncoderConfig(**changes)
    assert named in str(refused.value)


@pytest.mark.parametrize(
    ("depth", "given", "pose"),
    [
        ("resnet18", None, "resnet18"),
        ("resnet50", None, "resnet18"),
        ("tf_efficientnet_lite0", None, "tf_efficientnet_lite0"),
        ("mobilenetv3_large_100", None, "mobilenetv3_large_100"),
        ("tf_efficientnet_lite0", "resnet18", "resnet18"),
    ],
)
def test_the_pose_encoder_is_the_papers_beside_a_resnet_and_otherwise_the_same(
    depth: str, given: str | None, pose: str
) -> None:
    assert EncoderConfig(name=depth, pose_name=given).pose_encoder == pose
