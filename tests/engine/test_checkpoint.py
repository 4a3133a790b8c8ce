"""A checkpoint is there whole or not at all, and gives back exactly what was saved."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from selfdepth.engine import checkpoint as module
from selfdepth.engine.checkpoint import (
    MANIFEST_FILE,
    Checkpoint,
    examine,
    last_checkpoint,
    load_checkpoint,
    newest_intact,
    not_finite,
    put_damaged_aside,
    save_checkpoint,
)
from selfdepth.engine.progress import Progress
from selfdepth.errors import CheckpointError, DiskFullError, OutputError, SelfDepthWarning

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


def load(folder: Path, net: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
    """Check and restore."""
    found = examine(folder)
    load_checkpoint(found, net, optimizer, CPU)
    return found.progress


def test_weights_statistics_optimiser_and_progress_come_back_exactly(tmp_path: Path) -> None:
    net, optimizer = network(0)
    progress = Progress(step=12, elapsed_s=3.25, best_score=0.125, best_step=8)
    folder = save_checkpoint(tmp_path, net, optimizer, progress, keep=2)
    assert folder == tmp_path / "checkpoints" / "step_000012"
    other, other_optimizer = network(1)
    assert load(folder, other, other_optimizer) == progress
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
    load(folder, net, optimizer)
    assert torch.equal(net.state_dict()["0.weight"], network(1)[0].state_dict()["0.weight"])


FAILURES: dict[str, Callable[..., None]] = {}


def failing(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def register(function: Callable[..., None]) -> Callable[..., None]:
        FAILURES[name] = function
        return function

    return register


@failing("a full disk, as the system says it")
def _full(state: object, file: Any) -> None:
    file.write(b"half")
    raise OSError(28, "No space left on device")


@failing("a full disk, as torch says it")
def _full_in_torch(state: object, file: Any) -> None:
    file.write(b"half")
    raise RuntimeError("[enforce fail at inline_container.cc:603] . unexpected pos 64 vs 0")


@failing("an interrupt")
def _interrupted(state: object, file: Any) -> None:
    file.write(b"half")
    raise KeyboardInterrupt


@pytest.mark.parametrize("name", FAILURES)
def test_a_write_that_fails_leaves_the_older_checkpoint_and_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    older = save(tmp_path, 2)
    monkeypatch.setattr(module.torch, "save", FAILURES[name])
    with pytest.raises((OutputError, KeyboardInterrupt)) as failed:
        save(tmp_path, 4)
    if isinstance(failed.value, OutputError):
        assert "step_000004" in str(failed.value)
        assert "space" in str(failed.value)
    assert list((tmp_path / "checkpoints").iterdir()) == [older]
    assert load(older, *network(1)).step == 2


def test_a_disk_that_fills_up_while_torch_writes_is_said_with_the_space_that_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: object, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    older = save(tmp_path, 2)
    monkeypatch.setattr(module._Summed, "write", full)
    with pytest.raises(DiskFullError, match=r"step_000004; expected \d+\.\d MB of space; got"):
        save(tmp_path, 4)
    assert list((tmp_path / "checkpoints").iterdir()) == [older]


def test_leftovers_of_a_killed_write_are_neither_taken_for_a_checkpoint_nor_in_the_way(tmp_path: Path) -> None:
    save(tmp_path, 2)
    leftover = tmp_path / "checkpoints" / ".step_000004.partial"
    leftover.mkdir()
    (leftover / "state.pt").write_bytes(b"half")
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoints" / "step_000002"
    assert load(save(tmp_path, 4), *network(1)).step == 4
    assert not leftover.exists()


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "empty": lambda path: path.write_bytes(b""),
    "zeros": _zeros,
    "cut": _cut,
    "one bit": _flip,
    "gone": Path.unlink,
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "not UTF-8": lambda path: path.write_bytes(b"\xff\xfe{}"),
    "nested": lambda path: path.write_text("[" * 100_000),
    "a list": lambda path: path.write_text("[]"),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["state.pt", "state.json", "manifest.json"])
def test_a_damaged_checkpoint_is_never_believed_and_the_one_before_is_used_with_a_word(
    tmp_path: Path, name: str, damage: str
) -> None:
    older, newer = save(tmp_path, 2), save(tmp_path, 4, seed=1)
    DAMAGES[damage](newer / name)
    with pytest.warns(SelfDepthWarning) as said:
        found = newest_intact(tmp_path)
    assert found == Checkpoint(folder=older, progress=examine(older).progress, damaged=(newer,))
    assert "step_000004" in str(said[0].message) and "\n" not in str(said[0].message)


def test_damaged_checkpoints_are_put_aside_and_no_longer_counted(tmp_path: Path) -> None:
    older, newer = save(tmp_path, 2), save(tmp_path, 4)
    _flip(newer / "state.pt")
    with pytest.warns(SelfDepthWarning):
        found = newest_intact(tmp_path)
    assert found is not None
    put_damaged_aside(found)
    assert sorted(path.name for path in older.parent.iterdir()) == ["step_000002", "step_000004.damaged"]
    save(tmp_path, 3)
    assert [path.name for path in module.checkpoints(tmp_path)] == ["step_000002", "step_000003"]


def test_a_run_whose_checkpoints_are_all_damaged_cannot_go_on_and_says_what_can(tmp_path: Path) -> None:
    for step in (2, 4):
        _flip(save(tmp_path, step) / "state.pt")
    with (
        pytest.warns(SelfDepthWarning),
        pytest.raises(CheckpointError, match=r"no checkpoint .* is intact.*2 damaged: step_000004.*--init"),
    ):
        newest_intact(tmp_path)


def as_older_version(folder: Path) -> Path:
    """A checkpoint as versions without manifests wrote it."""
    (folder / MANIFEST_FILE).unlink()
    values = json.loads((folder / "state.json").read_text())
    known = ("step", "elapsed_s", "best_score", "best_step")
    (folder / "state.json").write_text(json.dumps({name: values[name] for name in known}))
    return folder


def test_without_a_manifest_the_archive_is_checked_by_its_own_values(tmp_path: Path) -> None:
    folder = as_older_version(save(tmp_path, 2))
    with pytest.warns(SelfDepthWarning, match="no checksums, because an older version wrote it"):
        assert examine(folder).progress.step == 2
    data = (folder / "state.pt").read_bytes()
    place = data.index(network(0)[0].state_dict()["0.weight"].numpy().tobytes())
    (folder / "state.pt").write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    with pytest.raises(CheckpointError, match=r"damaged.*step_000002"):
        examine(folder)


def test_a_manifest_that_is_gone_is_no_sign_of_an_older_version(tmp_path: Path) -> None:
    older, newer = save(tmp_path, 2), as_older_version(save(tmp_path, 4))
    with pytest.raises(CheckpointError, match=r"damaged.*step_000004; got manifest.json is missing"):
        examine(newer)
    as_older_version(older)
    for folder in (older, newer):  # both of an older version
        with pytest.warns(SelfDepthWarning, match="no checksums"):
            examine(folder)
    save(tmp_path, 6, keep=3)  # selfdepth was updated: those before stay what they are
    with pytest.warns(SelfDepthWarning, match="no checksums"):
        examine(newer)


def test_an_archive_without_manifest_is_intact_or_damaged_whatever_its_directory_says(tmp_path: Path) -> None:
    folder, random = as_older_version(save(tmp_path, 2)), np.random.default_rng(0)
    sound = (folder / "state.pt").read_bytes()
    directory, refused = sound.index(b"PK\x01\x02"), 0
    for method in (0, 8, 9, 12, 14, 93) * 10:
        data = bytearray(sound)
        data[directory + 10] = method  # of compression
        for place in random.integers(directory, len(data), 4):
            data[place] ^= 1 << int(random.integers(8))
        (folder / "state.pt").write_bytes(data)
        with warnings.catch_warnings(action="ignore"):
            try:
                examine(folder)
            except CheckpointError:
                refused += 1
    assert refused >= 50


class Evil:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return exec, ("raise SystemExit('code from a file was run')",)


def _with_state(folder: Path, state: object) -> None:
    """A strange state, with the checksum that belongs to it."""
    torch.save(state, folder / "state.pt")
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    manifest["sha256"]["state.pt"] = hashlib.sha256((folder / "state.pt").read_bytes()).hexdigest()
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest))


def test_a_checkpoint_runs_no_code_and_nobody_is_told_how_to_let_it(tmp_path: Path) -> None:
    folder = save(tmp_path, 2)
    _with_state(folder, {"learner": Evil(), "optimizer": {}})
    with pytest.raises(CheckpointError, match="cannot be read") as refused:
        load(folder, *network(1))
    assert "weights_only" not in str(refused.value)


def test_a_checkpoint_far_larger_than_the_networks_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save(tmp_path, 2)
    _with_state(folder, {"learner": {"x": torch.zeros(17_000_000)}, "optimizer": {}})
    monkeypatch.setattr(module.torch, "load", lambda *args, **options: pytest.fail("was read"))
    with pytest.raises(CheckpointError, match=r"too large for this run's networks: .*got 68 megabytes"):
        load(folder, *network(1))


class Endless:
    def __reduce__(self) -> tuple[type, tuple[int]]:
        return bytearray, (3_000_000_000,)


def test_a_checkpoint_that_asks_for_memory_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save(tmp_path, 2)
    _with_state(folder, {"learner": Endless(), "optimizer": {}})
    monkeypatch.setattr(module.torch, "load", lambda *args, **options: pytest.fail("was read"))
    with pytest.raises(CheckpointError, match=r"cannot be read: .*got Python objects.*bytearray"):
        load(folder, *network(1))


def test_a_checkpoint_of_other_networks_is_refused(tmp_path: Path) -> None:
    folder = save(tmp_path, 2)
    with pytest.raises(CheckpointError, match="cannot be read"):
        load(folder, *network(1, width=5))


def test_numbers_that_are_not_finite_are_found_by_name_and_not_resumed(tmp_path: Path) -> None:
    net, optimizer = network(0)
    assert not_finite(net) == ""
    net.state_dict()["1.running_mean"][0] = float("nan")
    assert not_finite(net) == "1.running_mean"
    folder = save_checkpoint(tmp_path, net, optimizer, Progress(step=2), keep=2)
    with pytest.raises(CheckpointError, match=r"not finite.*1\.running_mean.*delete this folder"):
        load(folder, *network(1))


def test_an_optimiser_with_numbers_that_are_not_finite_is_not_resumed(tmp_path: Path) -> None:
    net, optimizer = network(0)
    optimizer.state_dict()["state"][2]["exp_avg_sq"][0] = float("inf")
    folder = save_checkpoint(tmp_path, net, optimizer, Progress(step=2), keep=2)
    with pytest.raises(CheckpointError, match=r"not finite.*exp_avg_sq of the optimiser, for parameter 2"):
        load(folder, *network(1))
