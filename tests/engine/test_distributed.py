"""A run in several processes: the same weights as one process, and no process that hangs or speaks out of turn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from helpers.one_of_many import finished, start, start_in_rounds
from selfdepth.config import TrainConfig
from selfdepth.engine.checkpoint import last_checkpoint
from selfdepth.engine.distributed import ALONE, World, running_statistics_of
from selfdepth.engine.setup import Run
from selfdepth.errors import ConfigError


@pytest.fixture(scope="module")
def shared_step(tiny: TrainConfig) -> TrainConfig:
    """Three steps of two clips, with statistics that both processes would measure alike only by chance."""
    return replace(tiny, steps=3, save_every=100)


def weights(folder: Path) -> dict[str, Tensor]:
    newest = last_checkpoint(folder)
    assert newest is not None
    state: dict[str, Tensor] = torch.load(newest / "state.pt", weights_only=True)["learner"]
    return state


def one_sentence(results: list[tuple[int, str]]) -> str:
    """The only line that begins as an error does, of all processes together."""
    errors = [line for _, text in results for line in text.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, results
    assert all("Traceback" not in text for _, text in results), results
    return errors[0]


def test_one_process_takes_all_clips_and_exchanges_nothing() -> None:
    assert ALONE.is_first and ALONE.share_of(12) == 12
    assert ALONE.gather({"a": 1}) == [{"a": 1}]
    assert ALONE.gather_numbers([1.5]) == [[1.5]]
    assert ALONE.mean({"loss": 0.1}) == {"loss": 0.1}
    learner = nn.Linear(1, 1)
    assert ALONE.wrap(learner) is learner
    ALONE.wait()


@pytest.mark.parametrize(("size", "batch_size", "fix"), [(5, 12, "10"), (8, 12, "16"), (8, 3, "8")])
def test_shares_that_are_not_equal_are_refused_with_the_nearest_size_that_fits(
    size: int, batch_size: int, fix: str
) -> None:
    with pytest.raises(ConfigError, match=f"--batch-size {fix}, or") as refused:
        World(size=size).share_of(batch_size)
    assert f"a multiple of {size}" in str(refused.value)
    assert World(size=4).share_of(12) == 3


def test_the_statistics_that_are_measured_are_those_of_norms_in_training() -> None:
    learner = nn.Sequential(nn.BatchNorm2d(2), nn.Conv2d(2, 2, 1), nn.BatchNorm2d(3))
    assert [len(tensor) for tensor in running_statistics_of(learner)] == [2, 2, 3, 3]
    learner[0].eval()
    assert [len(tensor) for tensor in running_statistics_of(learner)] == [3, 3]


def test_any_number_of_processes_ends_with_the_weights_of_one(
    whole_run: Run, tiny: TrainConfig, tmp_path: Path
) -> None:
    config = replace(tiny, batch_size=6, steps=20, save_every=100, init=str(whole_run.folder / "last"))
    synchronised, frozen = {"sync_batch_norm": True}, {"freeze_batch_norm": True, "steps": 3}
    runs = [
        ([0], tmp_path / "sync_1", synchronised),
        ([1, 2], tmp_path / "sync_2", synchronised),
        ([0, 1, 2], tmp_path / "sync_3", synchronised),
        ([0], tmp_path / "frozen_1", frozen),
        ([0, 1, 2], tmp_path / "frozen_3", frozen),
    ]
    assert [code for code, _ in finished(start_in_rounds(config, runs, double=True), within_s=900)] == [0, 0, 0]
    before = whole_run.learner.state_dict()
    for first, *others in (("sync_1", "sync_2", "sync_3"), ("frozen_1", "frozen_3")):
        one = weights(tmp_path / first)
        assert max(float((tensor - before[name]).abs().max()) for name, tensor in one.items()) > 1e-4
        for other in others:
            many = weights(tmp_path / other)
            assert one.keys() == many.keys()
            for name, tensor in one.items():
                torch.testing.assert_close(many[name], tensor, rtol=0, atol=1e-9)


def test_a_signal_to_one_process_ends_all_after_the_same_step_and_one_goes_on_with_the_run(
    shared_step: TrainConfig, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    results = finished(start(2, shared_step, folder, signalled_at=(1, 1)))
    assert [code for code, _ in results] == [143, 143], results
    assert "everything is saved" in results[0][1] and results[1][1] == "", results
    newest = last_checkpoint(folder)
    assert newest is not None and newest.name == "step_000002"
    assert [code for code, _ in finished(start(1, shared_step, folder, resume=True))] == [0]
    newest = last_checkpoint(folder)
    assert newest is not None and newest.name == "step_000003"


def test_a_loss_that_is_not_finite_in_one_process_skips_the_step_in_all(
    shared_step: TrainConfig, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    results = finished(start(2, shared_step, folder, with_nan=(1, 1)))
    assert [code for code, _ in results] == [0, 0], results
    assert "step 2 is skipped" in results[0][1] and results[1][1] == ""
    assert [path.name for path in sorted((folder / "skipped" / "step_000002").iterdir())] == [
        "clip_1.png",
        "clips.json",
    ]
    assert all(torch.isfinite(tensor).all() for tensor in weights(folder).values())


def test_a_process_that_dies_ends_the_others_with_one_sentence(shared_step: TrainConfig, tmp_path: Path) -> None:
    results = finished(start(2, shared_step, tmp_path / "run", killed_at=(1, 1)))
    assert [code for code, _ in results] == [2, -9], results
    assert "another process of the run has ended" in one_sentence(results)


def test_an_error_that_all_meet_is_said_once(shared_step: TrainConfig, tmp_path: Path) -> None:
    results = finished(start(2, replace(shared_step, batch_size=3), tmp_path / "run"))
    assert [code for code, _ in results] == [2, 2], results
    assert "a multiple of 2" in one_sentence(results)
    assert not (tmp_path / "run").exists()
