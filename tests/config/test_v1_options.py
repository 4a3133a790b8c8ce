"""Options that Monodepth v1 has no use for are refused by their names, and the others are taken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from selfdepth.config import EncoderConfig, TrainConfig
from selfdepth.config.v1_options import FIXED
from selfdepth.errors import ConfigError
from selfdepth.presets import MONODEPTH_V1, preset

V1 = preset(MONODEPTH_V1)

REFUSED: list[tuple[str, Any, str]] = [
    ("offsets", (-1, 1), "--offsets; expected none; got (-1, 1)"),
    ("drop_after", 15, "--drop-after; expected none; got 15"),
    ("teacher.path", "maps", "--teacher.path; expected none; got maps"),
    ("self_teacher", "runs/first", "--self-teacher; expected none"),
    ("anchor", 1.0, "--anchor"),
    ("freeze_batch_norm", True, "--freeze-batch-norm"),
    ("motion_first", True, "--motion-first"),
    ("augment.zoom", 1.5, "--augment.zoom; expected 1.0"),
    ("augment.stretch", 1.5, "--augment.stretch"),
    ("augment.weather", 0.5, "--augment.weather"),
    ("loss.consistency", 0.5, "--loss.consistency"),
    ("loss.automask", True, "--loss.automask; expected False"),
    ("loss.reprojection", "min", "--loss.reprojection; expected mean"),
    ("loss.multiscale", "full", "--loss.multiscale; expected native"),
    ("loss.predictive_mask", True, "--loss.predictive-mask; expected False"),
    ("loss.align_motion", True, "--loss.align-motion"),
    ("loss.near", 0.5, "--loss.near; expected 0.1; got 0.5"),
    ("loss.far", 80.0, "--loss.far; expected 100"),
    ("loss.start_depth", 5.0, "--loss.start-depth; expected none"),
    ("loss.pixel_convention", "corner", "--loss.pixel-convention"),
    ("stereo", "none", "--offsets"),
    ("encoder", EncoderConfig(pose_name="resnet50"), "--encoder.pose-name"),
    ("encoder", EncoderConfig(pose_network="posecnn"), "--encoder.pose-network"),
    ("encoder", EncoderConfig(pose_input="all"), "--encoder.pose-input"),
]


def changed(name: str, value: Any) -> TrainConfig:
    part, _, field = name.partition(".")
    if field:
        return replace(V1, **{part: replace(getattr(V1, part), **{field: value})})
    return replace(V1, **{name: value})


@pytest.mark.parametrize(("name", "value", "sentence"), REFUSED, ids=[f"{name} {value}" for name, value, _ in REFUSED])
def test_what_has_no_effect_is_refused(name: str, value: Any, sentence: str) -> None:
    with pytest.raises(ConfigError) as refused:
        changed(name, value)
    assert sentence in str(refused.value)
    assert name not in FIXED or MONODEPTH_V1 in str(refused.value), "where to start from"


def test_the_table_of_refusals_is_complete() -> None:
    assert {name for name, _, _ in REFUSED} >= set(FIXED)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stereo", "nominal"),
        ("loss.smoothness", 0.05),
        ("loss.ssim_weight", 0.5),
        ("loss.ssim", False),
        ("encoder", EncoderConfig(name="resnet18", scales=(0, 1))),
        ("crop", "1,2,3,4"),
        ("camera", "fov:60"),
        ("batch_size", 4),
    ],
)
def test_what_has_an_effect_is_taken(name: str, value: Any) -> None:
    changed(name, value)


def test_another_preset_does_not_become_this_method_by_the_option_alone() -> None:
    with pytest.raises(ConfigError, match=MONODEPTH_V1):
        replace(preset("stereo-640x192"), method="monodepth-v1")
