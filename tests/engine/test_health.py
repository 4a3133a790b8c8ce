"""Warnings of silent failures: each comes once, and only if it lasts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from selfdepth.engine.health import Health, collapse, vital_signs
from selfdepth.geometry.se3 import transform_from_axis_angle
from selfdepth.structs import StepOutput

WELL = {"disparity_spread": 0.4, "kept": 0.7, "motion": 0.05}


def sentences(health: Health, looks: int, *, automask: bool = True, **bad: float) -> list[str]:
    return [text for _ in range(looks) for text in health.check({**WELL, **bad}, automask=automask)]


def test_a_run_that_is_well_is_told_nothing() -> None:
    assert sentences(Health(), 50) == []


@pytest.mark.parametrize(
    ("sign", "value", "words"),
    [
        ("disparity_spread", 0.001, ["constant", "--camera"]),
        ("kept", 0.0, ["auto-mask", "--every"]),
        ("motion", 0.0, ["no motion", "temporal order"]),
    ],
)
def test_each_silent_failure_is_said_once_when_it_lasts(sign: str, value: float, words: list[str]) -> None:
    health = Health()
    assert sentences(health, 4, **{sign: value}) == []
    (sentence,) = sentences(health, 20, **{sign: value})
    for word in words:
        assert word in sentence


def test_a_bad_moment_is_forgotten() -> None:
    health = Health()
    for _ in range(10):
        assert sentences(health, 4, motion=0.0) == []
        assert sentences(health, 1) == []


def test_a_mask_that_is_off_is_not_blamed() -> None:
    assert sentences(Health(), 20, automask=False, kept=0.0) == []


def output(*, spread: float, keep: float, translation: float, angle: float = 0.0) -> StepOutput:
    disparity = torch.full((2, 1, 4, 6), 0.5)
    disparity[..., ::2] += spread
    T = transform_from_axis_angle(torch.tensor([0.0, angle, 0.0]), torch.tensor([translation, 0.0, 0.0]))
    return StepOutput(
        loss=torch.tensor(0.1),
        terms={},
        depth=torch.full((2, 1, 4, 6), 2.0),
        disparity=disparity,
        T_source_target=T.expand(2, 2, 4, 4),
        automask=torch.full((2, 4, 6), keep),
    )


def test_the_signs_of_a_dead_run_are_zero() -> None:
    signs = vital_signs(output(spread=0.0, keep=0.0, translation=0.0), 2)
    assert {name: float(value) for name, value in signs.items()} == {"disparity_spread": 0, "kept": 0, "motion": 0}


def test_motion_is_translation_over_depth_plus_rotation_in_radians() -> None:
    signs = vital_signs(output(spread=0.2, keep=0.25, translation=0.3, angle=0.02), 2)
    assert float(signs["motion"]) == pytest.approx(0.3 / 2 + 0.02, rel=1e-3)
    assert float(signs["kept"]) == 0.25
    assert float(signs["disparity_spread"]) > 0.1


def test_a_stereo_partner_does_not_hide_a_dead_pose_network_and_pairs_alone_need_no_motion() -> None:
    dead = output(spread=0.2, keep=0.5, translation=0.0)
    partner = torch.eye(4).repeat(2, 1, 1, 1)
    partner[..., 0, 3] = -0.53
    mixed = replace(dead, T_source_target=torch.cat([dead.T_source_target, partner], dim=1))
    assert float(vital_signs(mixed, 2)["motion"]) == 0
    signs = {name: float(value) for name, value in vital_signs(replace(dead, T_source_target=partner), 0).items()}
    assert signs.keys() == {"disparity_spread", "kept"}
    health = Health()
    assert [text for _ in range(20) for text in health.check(signs, automask=True)] == []
    for name, word in (("disparity_spread", "calibration"), ("kept", "two cameras")):
        (sentence,) = [text for _ in range(9) for text in Health.check(health, {**signs, name: 0.0}, automask=True)]
        assert word in sentence and "--every" not in sentence


def test_the_advice_for_monodepth_v1_names_no_option_that_it_refuses() -> None:
    signs = {"disparity_spread": 0.0, "kept": 1.0}
    health = Health("monodepth-v1")
    (sentence,) = [text for _ in range(9) for text in health.check(signs, automask=False)]
    assert "rectified" in sentence and "--loss" not in sentence


def val(step: int, **values: object) -> dict[str, object]:
    return {"kind": "val", "step": step, "abs_rel": 0.2, "abs_rel_of_constant": 0.4, "disparity_spread": 0.3, **values}


def train_line(step: int, **values: object) -> dict[str, object]:
    return {"kind": "train", "step": step, "kept": 0.6, **values}


def test_a_run_that_ended_well_has_not_collapsed_whatever_was_before() -> None:
    lines = [val(2, disparity_spread=0.0, abs_rel=0.9), train_line(3, kept=0.0), val(4), train_line(5)]
    assert collapse(lines, automask=True) == []
    assert collapse([], automask=True) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"disparity_spread": 0.001}, "constant since step 4"),
        ({"abs_rel": 0.41}, "since step 4, validation has been worse than that of a constant"),
        ({"abs_rel": 0.3, "abs_rel_median_scaled": 0.5}, "since step 4, validation has been worse"),
    ],
)
def test_a_run_that_ended_without_depth_is_told_since_when(changes: dict[str, object], words: str) -> None:
    (sentence,) = collapse([val(2), val(4, **changes), val(6, **changes)], automask=True)
    assert words in sentence


def test_an_empty_mask_counts_when_it_lasts_and_there_is_one() -> None:
    lines = [train_line(1), train_line(20, kept=0.0), train_line(40, kept=0.001)]
    (sentence,) = collapse(lines, automask=True)
    assert "since step 20, the auto-mask" in sentence
    assert collapse(lines[:2], automask=True) == collapse(lines, automask=False) == []


@pytest.mark.parametrize("value", ["0", float("nan"), None, False, 10**400, -(10**400), [0], {}])
@pytest.mark.parametrize("name", ["disparity_spread", "abs_rel", "abs_rel_median_scaled", "abs_rel_of_constant"])
def test_damaged_values_mean_nothing(name: str, value: object) -> None:
    lines = [
        val(2, **{name: value}),
        {"kind": "train", "step": 3},
        train_line(4, kept=value),
        train_line(5, kept=value),
    ]
    assert collapse(lines, automask=True) == []
