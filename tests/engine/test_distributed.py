"""A run in several processes: the same weights as one process, and no process that hangs or speaks out of turn."""

from __future__ import annotations

import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from helpers.one_of_many import finished, start
from selfdepth.config import TrainConfig
from selfdepth.engine.checkpoint import last_checkpoint
from selfdepth.engine.distributed import ALONE, World, running_statistics_of
from selfdepth.engine.run_config import read_run_config
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


@pytest.fixture(scope="module")
def frozen(whole_run: Run, tiny: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Runs of one and of two processes in double precision, whose batch normalisation is frozen."""
    place = tmp_path_factory.mktemp("frozen")
    config = replace(tiny, init=str(whole_run.folder / "last"), freeze_batch_norm=True)
    runs = {size: start(size, config, place / str(size), double=True) for size in (1, 2)}
    for size, processes in runs.items():
        assert [code for code, _ in finished(processes)] == [0] * size
    return {size: place / str(size) for size in runs}


def equal_to_rounding(a: dict[str, Tensor], b: dict[str, Tensor]) -> None:
    assert a.keys() == b.keys()
    for name, tensor in a.items():
        torch.testing.assert_close(b[name], tensor, rtol=0, atol=1e-9)


def test_two_processes_end_with_the_weights_of_one(whole_run: Run, frozen: dict[int, Path]) -> None:
    one, before = weights(frozen[1]), whole_run.learner.state_dict()
    equal_to_rounding(one, weights(frozen[2]))
    assert max(float((tensor - before[name]).abs().max()) for name, tensor in one.items()) > 1e-4


@pytest.mark.parametrize(("sizes", "steps"), [((1, 3), 2), pytest.param((1, 2, 3), 20, marks=pytest.mark.slow)])
def test_with_synchronised_batch_norm_any_number_of_processes_ends_with_the_weights_of_one(
    whole_run: Run, tiny: TrainConfig, tmp_path: Path, sizes: tuple[int, ...], steps: int
) -> None:
    config = replace(tiny, init=str(whole_run.folder / "last"), sync_batch_norm=True)
    config = replace(config, batch_size=6, steps=steps, save_every=100)
    runs = {size: start(size, config, tmp_path / str(size), double=True) for size in sizes}
    for size, processes in runs.items():
        assert [code for code, _ in finished(processes, within_s=900)] == [0] * size
    one, before = weights(tmp_path / "1"), whole_run.learner.state_dict()
    for size in sizes[1:]:
        equal_to_rounding(one, weights(tmp_path / str(size)))
    assert max(float((tensor - before[name]).abs().max()) for name, tensor in one.items()) > 1e-4


def test_a_run_goes_on_with_another_number_of_processes(frozen: dict[int, Path], tmp_path: Path) -> None:
    for size, other in ((1, 2), (2, 1)):
        folder = tmp_path / f"{size} then {other}"
        shutil.copytree(frozen[size], folder)
        shutil.rmtree(folder / "checkpoints/step_000004")
        config = replace(read_run_config(folder), device="cpu")
        results = finished(start(other, config, folder, resume=True, double=True))
        assert [code for code, _ in results] == [0] * other, results
        equal_to_rounding(weights(frozen[1]), weights(folder))


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


def test_ctrl_c_in_one_process_ends_all_and_says_so_once(shared_step: TrainConfig, tmp_path: Path) -> None:
    results = finished(start(2, shared_step, tmp_path / "run", signalled_at=(0, 1, signal.SIGINT)))
    assert [code for code, _ in results] == [130, 130], results
    assert "everything is saved" in results[0][1] and results[1][1] == "", results
    assert last_checkpoint(tmp_path / "run") == tmp_path / "run/checkpoints/step_000001"


def test_minutes_are_those_of_the_first_process_and_all_stop_after_the_same_step(
    shared_step: TrainConfig, tmp_path: Path
) -> None:
    config = replace(shared_step, steps=None, minutes=100)
    results = finished(start(2, config, tmp_path / "run", slow=[[3_100, 100_000]]))
    assert [code for code, _ in results] == [0, 0], results
    assert last_checkpoint(tmp_path / "run") == tmp_path / "run/checkpoints/step_000002"


def test_a_process_that_dies_ends_the_others_with_one_sentence(shared_step: TrainConfig, tmp_path: Path) -> None:
    results = finished(start(2, shared_step, tmp_path / "run", killed_at=(1, 1)))
    assert [code for code, _ in results] == [2, -9], results
    assert "another process of the run has ended" in one_sentence(results)


NO_PRESET = ["train", "no-such-preset", "--out", "run"]
TRAIN = ["train", "mono-192x64", "--out", "run", "--data"]
"""Of a store that cannot be made, because there is no such folder, if it comes so far."""


@pytest.mark.parametrize(
    ("commands", "said"),
    [
        ([NO_PRESET, NO_PRESET], "no-such-preset"),
        ([[*TRAIN, "nowhere"], NO_PRESET], "no-such-preset"),
        ([NO_PRESET, [*TRAIN, "nowhere"]], "no-such-preset"),
        ([[*TRAIN, "a"], [*TRAIN, "a", "--steps", "2"]], "were not started alike: --steps of process 1"),
        ([[*TRAIN, "a", "--batch-size", "3"]] * 2, "a multiple of 2"),
        ([[*TRAIN, "nowhere", "--batch-size", "2"]] * 2, "nowhere"),
    ],
)
def test_what_is_refused_is_said_once_whoever_meets_it(commands: list[list[str]], said: str, tmp_path: Path) -> None:
    words = [[str(tmp_path / "run") if word == "run" else word for word in each] for each in commands]
    results = finished(start(2, each=[{"words": each} for each in words]))
    assert [code for code, _ in results] == [2, 2], results
    assert said in one_sentence(results)
    assert not (tmp_path / "run").exists()


def test_a_machine_that_does_not_see_the_data_ends_all_with_its_own_sentence(
    shared_step: TrainConfig, tmp_path: Path
) -> None:
    results = finished(start(2, shared_step, tmp_path / "run", blind=[1]))
    assert [code for code, _ in results] == [2, 2], results
    assert "there is no such data" in one_sentence(results)
    assert "not here" in results[1][1]


def test_more_processes_than_clips_are_refused(shared_step: TrainConfig, tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for image in sorted(Path(shared_step.data).iterdir())[:3]:
        shutil.copy(image, few)
    results = finished(start(3, replace(shared_step, data=str(few), batch_size=3), tmp_path / "run"))
    assert [code for code, _ in results] == [2] * 3, results
    assert "batch" in one_sentence(results)
