"""Motion first: it ends when the motion explains most pixels, and a resumed run knows where it stood."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from selfdepth.config import TrainConfig
from selfdepth.engine import train as module
from selfdepth.engine.checkpoint import Progress
from selfdepth.engine.motion_first import MotionFirst
from selfdepth.engine.tracking import read_metrics
from selfdepth.engine.train import train
from selfdepth.errors import ConfigError
from selfdepth.presets import PRESETS
from selfdepth.structs import StepOutput


def output(explained: float) -> StepOutput:
    """A step whose motion explains this share of the pixels."""
    one = torch.ones(1, 1, 2, 2)
    return StepOutput(
        loss=torch.zeros(()),
        terms={},
        depth=one,
        disparity=one,
        T_source_target=torch.eye(4).reshape(1, 1, 4, 4),
        automask=torch.full((1, 2, 2), explained),
    )


def sentences(rule: MotionFirst, shares: Iterator[float] | list[float], fraction: float = 0.0) -> list[str | None]:
    return [rule.after_step(output(share), fraction) for share in shares if rule.active]


def test_it_ends_once_the_motion_explains_most_pixels_of_the_recent_steps() -> None:
    progress = Progress()
    rule = MotionFirst(progress, wanted=True)
    assert sentences(rule, [0.3] * 100) == [None] * 100, "a minority is not enough, however long"
    said = sentences(rule, [0.8] * 20)
    assert said[-1] is not None and "explains most of the image" in said[-1]
    assert 2 <= len(said) <= 10, "one lucky step is not enough, and ten good ones are"
    assert not rule.active and progress.motion_found


def test_it_ends_early_in_the_budget_even_if_nothing_is_ever_explained() -> None:
    rule = MotionFirst(Progress(), wanted=True)
    assert sentences(rule, [0.1], fraction=0.01) == [None]
    (said,) = sentences(rule, [0.1], fraction=0.06)
    assert said is not None and "2%" in said
    assert not rule.active


def test_a_run_that_does_not_want_it_never_has_it() -> None:
    assert not MotionFirst(Progress(), wanted=False).active


def test_a_resumed_run_does_not_start_over() -> None:
    progress = Progress()
    sentences(MotionFirst(progress, wanted=True), [0.8] * 20)
    assert not MotionFirst(progress, wanted=True).active


def test_depth_waits_while_the_motion_is_learned_and_then_learns(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found_after = 2

    def explained(self: MotionFirst, output: StepOutput, fraction: float) -> str | None:
        self._progress.motion_found = self._progress.step >= found_after
        return None

    monkeypatch.setattr(MotionFirst, "after_step", explained)
    config = replace(tiny, motion_first=True, steps=4)
    seen: list[tuple[bool, bool, bool]] = []
    step_of = torch.optim.Adam.step

    def watched(self: torch.optim.Adam, *args: Any, **options: Any) -> Any:
        depth, pose = (
            any(p.grad is not None and p.grad.abs().sum() > 0 for p in part.parameters())
            for part in (run.learner.depth_net, run.learner.pose_net)
        )
        seen.append((run.learner.motion_first, depth, pose))
        return step_of(self, *args, **options)

    prepare = module.prepare_run

    def kept(*args: Any, **options: Any) -> Any:
        nonlocal run
        run = prepare(*args, **options)
        return run

    run: Any = None
    monkeypatch.setattr(module, "prepare_run", kept)
    monkeypatch.setattr(torch.optim.Adam, "step", watched)
    train(config, tmp_path / "run")
    assert seen == [(True, False, True)] * 2 + [(False, True, True)] * 2


def test_the_record_of_those_steps_has_no_spread_of_a_disparity_that_is_held_constant(
    tiny: TrainConfig, tmp_path: Path
) -> None:
    train(replace(tiny, motion_first=True, steps=30, seed=1), tmp_path / "run")
    lines = [line for line in read_metrics(tmp_path / "run") if line["kind"] == "train"]
    assert "disparity_spread" not in lines[0]
    assert "disparity_spread" in lines[-1]


def test_a_model_to_start_from_has_its_motion_already(tiny: TrainConfig, tmp_path: Path) -> None:
    train(replace(tiny, steps=1), tmp_path / "first")
    run = train(replace(tiny, steps=1, motion_first=True, init=str(tmp_path / "first")), tmp_path / "second")
    assert not run.learner.motion_first


def test_with_stereo_pairs_it_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"need not wait.*--no-motion-first"):
        TrainConfig(motion_first=True, stereo="calibrated")


def test_it_is_the_default_of_our_monocular_presets_and_of_no_row_of_the_paper() -> None:
    with_it = {name for name, config in PRESETS.items() if config.motion_first}
    assert with_it == {name for name in PRESETS if name.startswith("mono-") and not name.startswith("mono-stereo-")}
