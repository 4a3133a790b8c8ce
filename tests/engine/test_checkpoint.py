"""A checkpoint is there whole or not at all, and gives back exactly what was saved."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from selfdepth.engine import checkpoint as module
from selfdepth.engine.checkpoint import Progress, last_checkpoint, load_checkpoint, save_checkpoint
from selfdepth.errors import CheckpointError, OutputError

CPU = torch.device("cpu")


def network(seed: int = 0, width: int = 4) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A network with running statistics, one step into its training."""
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width), nn.Linear(width, 1))
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.rand(5, 3)).sum().backward()
    optimizer.step()
    return net, optimizer


def save(run: Path, step: int, *, keep: int = 2, seed: int = 0) -> Path:
    return save_checkpoint(run, *network(seed), Progress(step=step, elapsed_s=1.5, best_score=0.25), keep=keep)


def test_weights_statistics_optimiser_and_progress_come_back_exactly(tmp_path: Path) -> None:
    net, optimizer = network(0)
    progress = Progress(step=12, elapsed_s=3.25, best_score=0.125, best_step=8)
    folder = save_checkpoint(tmp_path, net, optimizer, progress, keep=2)
    assert folder == tmp_path / "checkpoints" / "step_000012"
    other, other_optimizer = network(1)
    assert load_checkpoint(folder, other, other_optimizer, CPU) == progress
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name
    state, expected = other_optimizer.state_dict()["state"], optimizer.state_dict()["state"]
    assert state.keys() == expected.keys()
    for index, moments in expected.items():
        for name, tensor in moments.items():
            assert torch.equal(tensor, state[index][name]), name


def test_only_the_newest_checkpoints_are_kept_and_the_last_is_the_highest_step(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path) is None
    for step in (1, 2, 10, 1_000_000):
        save(tmp_path, step, keep=2)
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["step_000010", "step_1000000"]
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoints" / "step_1000000"


def test_a_checkpoint_of_the_same_step_is_replaced(tmp_path: Path) -> None:
    save(tmp_path, 3, seed=0)
    folder = save(tmp_path, 3, seed=1)
    net, optimizer = network(0)
    load_checkpoint(folder, net, optimizer, CPU)
    assert torch.equal(net.state_dict()["0.weight"], network(1)[0].state_dict()["0.weight"])


FAILURES: dict[str, Callable[..., None]] = {}


def failing(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def register(function: Callable[..., None]) -> Callable[..., None]:
        FAILURES[name] = function
        return function

    return register


@failing("a full disk, as the system says it")
def _full(state: object, path: Path) -> None:
    path.write_bytes(b"half")
    raise OSError(28, "No space left on device")


@failing("a full disk, as torch says it")
def _full_in_torch(state: object, path: Path) -> None:
    path.write_bytes(b"half")
    raise RuntimeError("[enforce fail at inline_container.cc:603] . unexpected pos 64 vs 0")


@failing("an interrupt")
def _interrupted(state: object, path: Path) -> None:
    path.write_bytes(b"half")
    raise KeyboardInterrupt


@pytest.mark.parametrize("name", FAILURES)
def test_a_write_that_fails_leaves_the_older_checkpoint_and_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    older = save(tmp_path, 2, keep=1)
    monkeypatch.setattr(module.torch, "save", FAILURES[name])
    with pytest.raises((OutputError, KeyboardInterrupt)) as failed:
        save(tmp_path, 4, keep=1)
    if isinstance(failed.value, OutputError):
        assert "step_000004" in str(failed.value)
        assert "space" in str(failed.value)
    assert list((tmp_path / "checkpoints").iterdir()) == [older]
    assert load_checkpoint(older, *network(1), CPU).step == 2


def test_leftovers_of_a_killed_write_are_neither_taken_for_a_checkpoint_nor_in_the_way(tmp_path: Path) -> None:
    save(tmp_path, 2)
    leftover = tmp_path / "checkpoints" / ".step_000004.partial"
    leftover.mkdir()
    (leftover / "state.pt").write_bytes(b"half")
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoints" / "step_000002"
    assert load_checkpoint(save(tmp_path, 4), *network(1), CPU).step == 4
    assert not leftover.exists()


def _truncate(folder: Path) -> None:
    path = folder / "state.pt"
    path.write_bytes(path.read_bytes()[:500])


def _bad_json(folder: Path) -> None:
    (folder / "state.json").write_text("{")


def _unknown_progress(folder: Path) -> None:
    (folder / "state.json").write_text(json.dumps({"epoch": 3}))


def _empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


class Evil:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return exec, ("raise SystemExit('code from a file was run')",)


def _pickle(folder: Path) -> None:
    torch.save({"learner": Evil(), "optimizer": {}}, folder / "state.pt")


@pytest.mark.parametrize("damage", [_truncate, _bad_json, _unknown_progress, _empty, _pickle])
def test_a_damaged_checkpoint_is_refused_by_name_and_runs_no_code(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder = save(tmp_path, 2)
    damage(folder)
    with pytest.raises(CheckpointError, match="step_000002"):
        load_checkpoint(folder, *network(1), CPU)


def test_a_checkpoint_of_other_networks_is_refused(tmp_path: Path) -> None:
    folder = save(tmp_path, 2)
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(folder, *network(1, width=5), CPU)
