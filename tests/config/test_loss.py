"""What the options of the objective accept and refuse."""

from __future__ import annotations

from typing import Any

import pytest

from selfdepth.config import LossConfig
from selfdepth.errors import ConfigError

NAN = float("nan")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"ssim_weight": 1.1}, "--loss.ssim-weight"),
        ({"ssim_weight": -0.1}, "--loss.ssim-weight"),
        ({"ssim_weight": NAN}, "--loss.ssim-weight"),
        ({"smoothness": -1e-3}, "--loss.smoothness"),
        ({"smoothness": NAN}, "--loss.smoothness"),
        ({"tie_break_noise": -1e-5}, "--loss.tie-break-noise"),
        ({"tie_break_noise": float("inf")}, "--loss.tie-break-noise"),
        ({"near": 0.0}, "--loss.near"),
        ({"near": 5.0, "far": 5.0}, "--loss.far"),
        ({"start_depth": 0.05}, "--loss.start-depth"),
        ({"start_depth": 100.0}, "--loss.start-depth"),
        ({"far": float("inf")}, "--loss.far"),
        ({"predictive_mask": True}, "--loss.no-automask"),
        (
            {"ssim": False, "ssim_weight": 0.3},
            "--loss.ssim-weight; expected --loss.ssim; got --loss.no-ssim",
        ),
        ({"consistency": -0.1}, "--loss.consistency"),
        ({"consistency": NAN}, "--loss.consistency"),
        ({"automask": False, "tie_break_noise": 0.5}, "expected --loss.automask; got --loss.no-automask"),
    ],
)
def test_an_objective_out_of_range_is_refused_by_the_name_of_its_option(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError) as refused:
        LossConfig(**changes)
    assert named in str(refused.value)
