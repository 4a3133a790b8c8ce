"""The compiled training step is the plain one, only faster; where it cannot be had, training goes on without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from selfdepth.config import LossConfig, TrainConfig
from selfdepth.data.clips.clip_lenses import ClipLenses
from selfdepth.engine import compiled as module
from selfdepth.engine.compiled import training_step
from selfdepth.engine.setup import prepare_run, worth_compiling
from selfdepth.engine.tracking import read_metrics
from selfdepth.engine.train import train
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lenses import Lenses
from selfdepth.geometry.se3 import transform_from_axis_angle
from selfdepth.losses.objective import self_supervised_loss


def gradients(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None])


@pytest.mark.compiled
def test_the_training_step_is_captured_as_one_graph_with_the_loss_and_gradient_of_the_plain_one(
    tiny: TrainConfig, tmp_path: Path
) -> None:
    # "aot_eager" captures forward and backward as the real compiler does, but skips minutes of C++ compilation.
    run = prepare_run(replace(tiny, loss=replace(tiny.loss, tie_break_noise=0.0)), tmp_path / "run", resume=False)
    batch = run.data.train.batch(0)
    state = {name: tensor.clone() for name, tensor in run.learner.state_dict().items()}
    results = []
    for step in (torch.compile(run.learner, dynamic=False, backend="aot_eager", fullgraph=True), run.learner):
        run.learner.load_state_dict(state)
        run.learner.zero_grad()
        output = step(batch)
        output.loss.backward()
        results.append((output.loss.detach(), gradients(run.learner)))
    (fast, fast_gradient), (slow, slow_gradient) = results
    torch.testing.assert_close(fast, slow, rtol=1e-5, atol=0)
    assert float((fast_gradient - slow_gradient).norm() / slow_gradient.norm()) < 1e-2


@pytest.mark.compiled
def test_compiled_to_machine_code_the_objective_gives_the_same_loss_and_gradient() -> None:
    torch.manual_seed(0)
    cfg = LossConfig(tie_break_noise=0.0)
    frames = torch.rand(1, 2, 3, 32, 32)
    K = torch.tensor([[[20.0, 0, 15.5], [0, 20.0, 15.5], [0, 0, 1]]])
    T = transform_from_axis_angle(torch.tensor([[0.0, 0.01, 0.0]]), torch.tensor([[0.0, 0.0, 0.01]]))[:, None]
    results = []
    # Without vector instructions: the same operations in half of the code for the C++ compiler.
    options = {"cpp.simdlen": 1, "cpp.vec_isa_ok": True}
    for objective in (torch.compile(self_supervised_loss, dynamic=False, options=options), self_supervised_loss):
        disparity = torch.full((1, 1, 32, 32), 0.4, requires_grad=True)
        loss = objective((disparity,), T, frames, K, cfg).loss
        loss.backward()
        results.append((loss.detach(), disparity.grad))
    (fast, fast_gradient), (slow, slow_gradient) = results
    torch.testing.assert_close(fast, slow, rtol=1e-5, atol=0)
    assert fast_gradient is not None and slow_gradient is not None
    assert float((fast_gradient - slow_gradient).norm() / slow_gradient.norm()) < 1e-3


def test_training_goes_on_uncompiled_with_a_sentence_when_compiling_fails(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ear: Any
) -> None:
    def cannot(learner: object, **options: object) -> Callable[..., None]:
        def step(batch: object) -> None:
            raise torch._dynamo.exc.TorchDynamoException("no working compiler")

        return step

    monkeypatch.setattr(module.torch, "compile", cannot)
    run = train(replace(tiny, compile=True, steps=2), tmp_path / "run", watcher=ear)
    assert run.progress.step == 2
    assert sum("compiling failed" in text for text in ear.said) == 1
    plain = train(replace(tiny, steps=2), tmp_path / "plain")
    assert read_metrics(run.folder)[0]["loss"] == read_metrics(plain.folder)[0]["loss"]


def test_without_a_compiler_on_the_machine_nothing_is_compiled(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ear: Any
) -> None:
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    run = prepare_run(replace(tiny, compile=True), tmp_path / "run", resume=False)
    assert training_step(run, ear.say) is run.learner
    assert "no C++ compiler" in ear.said[0]


@pytest.mark.parametrize(
    ("wish", "device", "answer"),
    [(True, "cpu", True), (False, "cuda", False), (None, "cuda", True), (None, "cpu", False), (None, "mps", False)],
)
def test_the_step_is_compiled_as_requested_else_where_it_pays(wish: bool | None, device: str, answer: bool) -> None:
    assert worth_compiling(TrainConfig(compile=wish), torch.device(device)) is answer


@pytest.mark.compiled
def test_on_a_processor_the_networks_are_compiled_for_the_time_of_a_step_and_give_the_same(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_parts = torch.compile
    monkeypatch.setattr(
        module.torch, "compile", lambda part, dynamic: compile_parts(part, dynamic=dynamic, backend="aot_eager")
    )
    run = prepare_run(replace(tiny, compile=True), tmp_path / "run", resume=False)
    batch = run.data.train.batch(0)
    state = {name: tensor.clone() for name, tensor in run.learner.state_dict().items()}
    results = []
    for step in (training_step(run, lambda text: None), run.learner):
        run.learner.load_state_dict(state)
        run.learner.zero_grad()
        torch.manual_seed(0)
        output = step(batch)
        output.loss.backward()
        results.append((output.loss.detach(), gradients(run.learner)))
        assert "encode" not in vars(run.learner.depth_net) and "forward" not in vars(run.learner.pose_net)
    torch.testing.assert_close(results[0][0], results[1][0], rtol=1e-5, atol=0)
    assert float((results[0][1] - results[1][1]).norm() / results[1][1].norm()) < 1e-2


def test_on_a_gpu_the_whole_step_is_compiled_but_through_a_lens_the_networks_alone(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def compile_nothing(what: object, **options: object) -> object:
        asked.append(what)
        return what

    monkeypatch.setattr(module.torch, "compile", compile_nothing)
    run = prepare_run(replace(tiny, compile=True), tmp_path / "run", resume=False)
    run = replace(run, device=torch.device("cuda"))  # nothing runs there
    training_step(run, str)
    assert asked == [run.learner]
    loader = run.data.train
    camera = Camera.from_fov(60, width=64, height=64)
    lenses = ClipLenses(Lenses.of([camera]), np.zeros(len(loader.clips), np.int64))
    loader.clips = replace(loader.clips, lenses=lenses)
    training_step(run, str)
    assert len(asked) == 4 and asked.count(run.learner) == 1
