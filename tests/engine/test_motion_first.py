"""Motion first: it ends when the motion explains most pixels, and a resumed run knows where it stood."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from helpers.models import TINY
from selfdepth.config import TrainConfig
from selfdepth.engine import train as loop
from selfdepth.engine.checkpoint import examine, save_checkpoint
from selfdepth.engine.motion_first import MotionFirst
from selfdepth.engine.progress import Progress
from selfdepth.engine.tracking import read_metrics
from selfdepth.engine.train import train
from selfdepth.errors import ConfigError
from selfdepth.learners.self_supervised import SelfSupervisedDepth, Stage
from selfdepth.presets import PRESETS
from selfdepth.structs import Batch, StepOutput


def clips() -> Batch:
    """Two clips of noise."""
    torch.manual_seed(7)
    frames = torch.rand(2, 3, 3, 64, 64)
    K = torch.tensor([[40.0, 0.0, 31.5], [0.0, 40.0, 31.5], [0.0, 0.0, 1.0]]).repeat(2, 1, 1)
    return Batch(frames=frames, inputs=frames, K=K, offsets=(-1, 1), T_stereo_target=None)


def rule(progress: Progress | None = None, *, wanted: bool = True, automask: bool = True) -> MotionFirst:
    return MotionFirst(progress or Progress(), wanted=wanted, automask=automask)


def stages(rule: MotionFirst, share: float, steps: int, fraction: float = 0.0) -> list[str]:
    """The stage of each of some steps whose motion explains this share of the pixels."""
    seen = []
    for _ in range(steps):
        seen.append(rule.stage)
        rule.after_step(share, fraction)
    return seen


def test_black_of_a_rectified_view_does_not_count() -> None:
    """Nothing explains it, so a share of 0.45 of all pixels is nearly two thirds of those that show something."""
    start = MotionFirst(Progress(), wanted=True, automask=True, shown=0.7)
    assert stages(start, 0.45, 100)[-1] == "full"


def test_the_motion_comes_first_then_depth_then_the_auto_mask() -> None:
    start = rule()
    assert set(stages(start, 0.45, 100)) == {"motion"}, "a minority is not enough, however long"
    seen = stages(start, 0.55, 100)
    assert seen == sorted(seen), "motion, then unmasked"
    assert set(seen) == {"motion", "unmasked"}
    seen = stages(start, 0.8, 20)
    assert 2 <= seen.count("unmasked") <= 10, "one lucky step is not enough, and ten good ones are"
    assert seen[-1] == "full"


def test_each_stage_ends_early_in_the_budget_even_if_nothing_is_ever_explained() -> None:
    start = rule()
    assert stages(start, 0.1, 5, fraction=0.09) == ["motion"] * 5
    assert stages(start, 0.1, 3, fraction=0.11) == ["motion", "unmasked", "unmasked"]
    assert stages(start, 0.1, 3, fraction=0.31) == ["unmasked", "full", "full"]


def test_each_new_stage_is_announced_with_its_reason() -> None:
    start = rule()
    said = [text for _ in range(30) if (text := start.after_step(0.8, 0.0)) is not None]
    assert len(said) == 2
    assert "depth is learned from here on" in said[0]
    assert "the auto-mask is on from here on" in said[1]


def test_without_an_auto_mask_there_is_none_to_wait_for() -> None:
    assert stages(rule(automask=False), 0.8, 20)[-1] == "full"
    assert "unmasked" not in stages(rule(automask=False), 0.8, 20)


def test_a_run_that_does_not_want_it_starts_with_the_full_objective() -> None:
    assert rule(wanted=False).stage == "full"
    assert rule(wanted=False).after_step(0.8, 0.0) is None


def test_a_resumed_run_continues_in_its_stage(tmp_path: Path) -> None:
    learner = torch.nn.Linear(1, 1)
    optimizer = torch.optim.Adam(learner.parameters())
    progress = Progress()
    before = stages(rule(progress), 0.55, 30)
    again = examine(save_checkpoint(tmp_path, learner, optimizer, progress, keep=2)).progress
    assert rule(again).stage == before[-1] == "unmasked"
    assert again.explained == progress.explained


class TestALearner:
    """What a training step of each stage learns."""

    @pytest.fixture
    def learner(self) -> SelfSupervisedDepth:
        torch.manual_seed(0)
        return SelfSupervisedDepth(TrainConfig(encoder=TINY, width=64, height=64))

    def learned(self, learner: SelfSupervisedDepth, stage: Stage) -> tuple[StepOutput, bool, bool]:
        learner.stage = stage
        learner.zero_grad()
        torch.manual_seed(1)  # of the noise that breaks ties
        result = learner(clips())
        result.loss.backward()
        return result, *(
            any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in part.parameters())
            for part in (learner.depth_net, learner.pose_net)
        )

    def test_learns_the_motion_alone_at_the_untrained_depth(self, learner: SelfSupervisedDepth) -> None:
        result, depth_learns, motion_learns = self.learned(learner, "motion")
        assert (depth_learns, motion_learns) == (False, True)
        assert result.depth.unique().tolist() == pytest.approx([learner.loss_config.untrained_depth])

    def test_then_learns_both_from_every_pixel_and_reports_the_mask_that_it_would_have(
        self, learner: SelfSupervisedDepth
    ) -> None:
        unmasked, *both = self.learned(learner, "unmasked")
        full, *_ = self.learned(learner, "full")
        assert both == [True, True]
        assert torch.equal(unmasked.automask, full.automask)
        assert 0 < full.automask.mean() < 1
        # The mask replaces what warping explains badly by the smaller error of not warping.
        assert unmasked.loss > full.loss

    def test_validates_by_the_full_objective_in_every_stage(self, learner: SelfSupervisedDepth) -> None:
        learner.eval()
        batch = clips()
        losses = set()
        for stage in ("motion", "unmasked", "full"):
            learner.stage = stage  # type: ignore[assignment]
            torch.manual_seed(1)
            losses.add(float(learner(batch).loss.detach()))
        assert len(losses) == 1


def test_the_record_of_the_first_stage_has_no_spread_of_a_disparity_that_is_held_constant(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_LOG_EVERY_STEPS", 1)
    # The stage takes no more than a tenth of the budget, so of few steps the first alone.
    train(replace(tiny, motion_first=True, seed=1), tmp_path / "run")
    lines = [line for line in read_metrics(tmp_path / "run") if line["kind"] == "train"]
    assert "disparity_spread" not in lines[0]
    assert "disparity_spread" in lines[-1]


def test_a_model_to_start_from_has_its_motion_already(tiny: TrainConfig, tmp_path: Path) -> None:
    train(replace(tiny, steps=1), tmp_path / "first")
    run = train(replace(tiny, steps=1, motion_first=True, init=str(tmp_path / "first")), tmp_path / "second")
    assert run.learner.stage == "full"


def test_with_stereo_pairs_it_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"need not wait.*--no-motion-first"):
        TrainConfig(motion_first=True, stereo="calibrated")


def test_it_is_the_default_of_our_monocular_presets_and_of_no_row_of_the_paper() -> None:
    with_it = {name for name, config in PRESETS.items() if config.motion_first}
    assert with_it == {name for name in PRESETS if name.startswith("mono-") and not name.startswith("mono-stereo-")}
