"""Runs on a disk that is full, read-only, or gives less than was asked for."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.run_server import Disk, RunServer
from helpers.same_run import difference
from selfdepth.config import TrainConfig
from selfdepth.engine.checkpoint import newest_intact

Figures = Callable[[str, str, int, int], None]


@pytest.fixture(autouse=True)
def needs_a_compiler(faulty_disk: Path | None) -> None:
    if faulty_disk is None:
        pytest.skip("there is no C compiler")


@pytest.fixture(scope="module")
def whole(run: RunServer, tiny: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run on a sound disk."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert run(tiny, folder).status == 0
    return folder


def left_half_written(folder: Path) -> list[str]:
    """What a run left under a temporary name."""
    return [path.name for path in folder.rglob(".*") if path.name.endswith((".partial", ".old"))]


def fill(run: RunServer, config: TrainConfig, folder: Path, room: int) -> str:
    """Train on a disk with so much room, then make room and go on. Returns what went wrong before the end."""
    end = run(config, folder, disk=Disk(fault="full", folder=folder.parent, room=room))
    if end.status == 0:
        return ""  # everything had room
    if end.status != 2 or "No space left" not in end.said:
        return f"status {end.status}: {end.said}"
    if left := left_half_written(folder):
        return f"half-written: {left}"
    known = newest_intact(folder)
    if known is None and (folder / "checkpoints").exists() and any((folder / "checkpoints").iterdir()):
        return "no checkpoint is intact"
    end = run(config, folder)
    return "" if end.status == 0 else f"with room again, status {end.status}: {end.said}"


def size_of(folder: Path) -> int:
    """The bytes of all files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def filled(run: RunServer, config: TrainConfig, whole: Path, folder: Path, tries: int) -> list[str]:
    """What went wrong in each of so many tries with random room, empty where nothing did."""
    size = size_of(whole)
    found = []
    for seed in range(tries):
        place = folder / str(seed) / "run"
        place.parent.mkdir()
        # A run writes about twice what it leaves: older checkpoints and models are replaced.
        found.append(fill(run, config, place, random.Random(seed).randrange(2 * size)) or difference(place, whole))
        shutil.rmtree(place.parent)
    return found


def read_in_pieces(run: RunServer, config: TrainConfig, whole: Path, folder: Path, seed: int) -> str:
    """Kill a run half way and go on, with all reading in random pieces. Returns what went wrong."""
    data = Path(config.data)
    disk = Disk(fault="short", folder=data.parent, seed=1 + seed)  # pytest's folder: the drive and the run
    copied = replace(config, data=str(shutil.copytree(data, folder / "drive")))
    disk = replace(disk, folder=folder)
    for kill_after_s in (random.Random(seed).uniform(0, 3), None):
        end = run(copied, folder / "run", kill_after_s=kill_after_s, disk=disk)
    return f"status {end.status}: {end.said}" if end.status != 0 else difference(folder / "run", whole)


def test_a_run_that_fills_the_disk_ends_with_one_sentence_and_goes_on_when_there_is_room(
    run: RunServer, tiny: TrainConfig, whole: Path, tmp_path: Path
) -> None:
    place = tmp_path / "run"
    end = run(tiny, place, disk=Disk(fault="full", folder=tmp_path, room=size_of(whole) // 3))
    assert end.status == 2 and "No space left" in end.said
    assert left_half_written(place) == []
    assert run(tiny, place).status == 0
    assert difference(place, whole) == ""


def test_a_disk_that_gives_less_than_was_asked_for_changes_nothing(
    run: RunServer, tiny: TrainConfig, whole: Path, tmp_path: Path
) -> None:
    assert read_in_pieces(run, tiny, whole, tmp_path, 0) == ""


@pytest.mark.parametrize("begun", [False, True], ids=["a new run", "a resume"])
def test_a_read_only_disk_is_named_before_anything_is_trained_and_nothing_changes(
    run: RunServer, tiny: TrainConfig, tmp_path: Path, begun: bool
) -> None:
    folder = tmp_path / "run"
    if begun:
        assert run(replace(tiny, steps=2), folder).status == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    end = run(tiny, folder, disk=Disk(fault="read-only", folder=tmp_path))
    assert end.status == 2 and str(tmp_path) in end.said and "Read-only file system" in end.said
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.faults
def test_runs_that_fill_the_disk_end_as_one_that_had_room(
    run: RunServer, tiny: TrainConfig, whole: Path, tmp_path: Path, tries: int, figures: Figures
) -> None:
    found = filled(run, tiny, whole, tmp_path, tries)
    figures(
        "a run that fills the disk keeps its checkpoints, leaves nothing half-written, and ends as one that had room",
        "writes fail with a full disk from a random byte on, then --resume with room: weights, optimiser and metrics",
        tries,
        found.count(""),
    )
    assert found == [""] * tries


@pytest.mark.faults
def test_runs_that_read_in_pieces_end_as_one_that_did_not(
    run: RunServer, tiny: TrainConfig, whole: Path, tmp_path: Path, tries: int, figures: Figures
) -> None:
    found = []
    for seed in range(tries):
        (tmp_path / str(seed)).mkdir()
        found.append(read_in_pieces(run, tiny, whole, tmp_path / str(seed), seed))
        shutil.rmtree(tmp_path / str(seed))
    figures(
        "a disk that gives less than was asked for changes nothing",
        "each read returns a random part, in a run that is killed once and continued",
        tries,
        found.count(""),
    )
    assert found == [""] * tries
