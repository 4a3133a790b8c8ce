"""A teacher's maps beside the frames: what is stored, and that nothing half-made or of another teacher is taken."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy import ndarray

from helpers.memory_footage import footage, sequence
from selfdepth.data.frames import FrameRef
from selfdepth.data.store import teacher_maps as module
from selfdepth.data.store.build import build_store
from selfdepth.data.store.store import Store
from selfdepth.data.store.teacher_maps import LEVELS, Targets, encode, open_or_make, record_of
from selfdepth.errors import DataError, OutputError, SelfDepthWarning

ME = {"name": "me"}
MAP_BYTES = 2 * 32 * 64


@pytest.fixture
def store(tmp_path: Path) -> Store:
    drives = footage(sequence(tmp_path / "a", "a", (3, 4, 6, 7, 8)), sequence(tmp_path / "b", "b", (0, 1, 2, 3)))
    return build_store(drives, tmp_path / "store", width=64, height=32)


def map_of(index: int) -> ndarray:
    """The map of a target, unlike any other; some of it is unknown."""
    rng = np.random.default_rng(index)
    disparity = rng.uniform(-3, 70, (32, 64)).astype(np.float32)
    disparity[rng.random((32, 64)) < 0.2] = np.nan
    return disparity


class Asked:
    """Gives the map of each target, and remembers where it began; after `stop_at` maps it raises an error."""

    def __init__(self, n: int, stop_at: int | None = None, error: BaseException | None = None) -> None:
        self.n, self.stop_at, self.error = n, stop_at, error
        self.starts: list[int] = []

    def __call__(self, start: int) -> Iterator[ndarray]:
        self.starts.append(start)
        for index in range(start, self.n):
            if index == self.stop_at and self.error is not None:
                raise self.error
            yield map_of(index)


def decoded(maps: module.TeacherMaps, rows: ndarray) -> ndarray:
    return maps.finish(maps.gather(rows))[:, 0].numpy()


def as_in_a_batch(disparity: ndarray) -> ndarray:
    """The slow twin of storing and reading: smallest to largest become 1 to LEVELS, in units of LEVELS."""
    low, high = np.nanmin(disparity), np.nanmax(disparity)
    levels = 1 + (disparity.astype(np.float64) - low) / (np.float64(high) - low) * (LEVELS - 1)
    return np.nan_to_num(levels, nan=0) / LEVELS


def test_a_map_is_stored_to_half_a_step_and_the_unknown_as_zero() -> None:
    disparity = map_of(0)
    levels = encode(disparity)
    assert levels.dtype == np.uint16
    np.testing.assert_array_equal(levels == 0, np.isnan(disparity))
    assert (levels[~np.isnan(disparity)].min(), levels.max()) == (1, LEVELS)
    np.testing.assert_allclose(levels / LEVELS, as_in_a_batch(disparity), atol=0.5001 / LEVELS)


def test_the_targets_are_the_training_frames_once_each_in_the_order_of_their_rows(store: Store) -> None:
    twice = replace(store, train=(*reversed(store.train), *store.train, FrameRef("a", 99), FrameRef("nowhere", 1)))
    targets = Targets.of(twice)
    assert targets.refs == tuple(FrameRef("a", n) for n in (3, 4, 6)) + tuple(FrameRef("b", n) for n in (0, 1))
    assert targets.rows.tolist() == [0, 1, 2, 5, 6]
    assert targets.names == ("003", "004", "006", "000", "001")


def test_maps_are_made_once_and_belong_to_their_rows(store: Store) -> None:
    asked, seen = Asked(5), []
    maps = open_or_make(store, record_of(store, ME), asked, lambda done, total: seen.append((done, total)))
    assert seen == [(i, 5) for i in range(1, 6)]
    again = open_or_make(store, record_of(store, ME), asked)
    assert asked.starts == [0], "the second time, the files are there"
    for each in (maps, again):
        got = decoded(each, np.array([6, 0, 2]))
        expected = np.stack([as_in_a_batch(map_of(index)) for index in (4, 0, 2)])
        np.testing.assert_allclose(got, expected, atol=0.51 / LEVELS)


def test_maps_on_a_device_are_the_same_maps(store: Store) -> None:
    maps = open_or_make(store, record_of(store, ME), Asked(5))
    resident = replace(maps, resident=torch.from_numpy(np.array(maps.maps).view(np.int16)))
    rows = np.array([5, 1, 1])
    assert resident.gather(rows).shape == (3,), "only the indices travel"
    np.testing.assert_array_equal(decoded(resident, rows), decoded(maps, rows))


@pytest.mark.parametrize("change", ["teacher", "frames"])
def test_the_maps_of_another_teacher_or_of_other_frames_are_not_taken(store: Store, change: str) -> None:
    first, second = Asked(5), Asked(5)
    open_or_make(store, record_of(store, ME), first)
    other = {"name": "another"} if change == "teacher" else ME
    changed = replace(store, fingerprint="changed") if change == "frames" else store
    open_or_make(changed, record_of(changed, other), second)
    assert (first.starts, second.starts) == ([0], [0])
    open_or_make(store, record_of(store, ME), first)
    assert first.starts == [0], "both are there now"


def test_an_interrupted_teacher_goes_on_where_it_stopped(store: Store) -> None:
    record = record_of(store, ME)
    with pytest.raises(KeyboardInterrupt):
        open_or_make(store, record, Asked(5, 3, KeyboardInterrupt()))
    partial, sums = sorted(store.folder.glob("teacher-*"))
    assert (partial.suffix, sums.suffix) == (".part", ".sums")
    for each in (partial, sums):
        with each.open("ab") as file:
            file.write(b"half of one")
    (store.folder / f".{partial.stem}.json.123.part").touch()
    rest = Asked(5)
    resumed = open_or_make(store, record, rest)
    assert rest.starts == [3]
    rows = np.array([0, 1, 2, 5, 6])
    expected = np.stack([encode(map_of(index)) for index in range(5)])
    np.testing.assert_array_equal(resumed.maps, expected)
    np.testing.assert_array_equal(resumed.rows, rows)
    assert sorted(path.suffix for path in store.folder.glob("*teacher-*")) == [".json", ".u16"]


@pytest.mark.parametrize(
    ("name", "first", "count", "intact"),
    [
        (".part", 0, None, 0),
        (".part", 2 * MAP_BYTES, None, 2),
        (".part", 2 * MAP_BYTES - 100, 100, 1),
        (".part", MAP_BYTES + 7, 40, 1),
        (".sums", 3 * 32, None, 3),
    ],
)
def test_maps_that_a_power_cut_left_as_zeros_are_asked_for_again(
    store: Store, name: str, first: int, count: int | None, intact: int
) -> None:
    record = record_of(store, ME)
    with pytest.raises(KeyboardInterrupt):
        open_or_make(store, record, Asked(5, 4, KeyboardInterrupt()))
    (path,) = store.folder.glob(f"teacher-*{name}")
    data = bytearray(path.read_bytes())
    last = len(data) if count is None else first + count
    data[first:last] = bytes(last - first)
    path.write_bytes(data)
    rest = Asked(5)
    maps = open_or_make(store, record, rest)
    assert rest.starts == [intact]
    np.testing.assert_array_equal(maps.maps, np.stack([encode(map_of(index)) for index in range(5)]))


@pytest.mark.parametrize("damage", ["one bit", "second half zero"])
def test_altered_maps_are_said_and_made_again(store: Store, damage: str) -> None:
    record = record_of(store, ME)
    expected = np.array(open_or_make(store, record, Asked(5)).maps)
    (path,) = store.folder.glob("teacher-*.u16")
    data = bytearray(path.read_bytes())
    if damage == "one bit":
        data[12345] ^= 4
    else:
        data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    path.write_bytes(data)
    again = Asked(5)
    with pytest.warns(SelfDepthWarning, match="not what was written, and the teacher is asked again"):
        maps = open_or_make(store, record, again)
    assert again.starts == [0]
    np.testing.assert_array_equal(maps.maps, expected)


def test_a_teacher_that_cannot_be_used_leaves_nothing(store: Store) -> None:
    with pytest.raises(DataError, match="no map"):
        open_or_make(store, record_of(store, ME), Asked(5, 3, DataError("no map")))
    assert list(store.folder.glob("teacher-*")) == []


@pytest.mark.parametrize("damage", ["short", "no record", "another record", "no checksum", "no json", "too deep"])
def test_damaged_files_are_made_again(store: Store, damage: str) -> None:
    record = record_of(store, ME)
    open_or_make(store, record, Asked(5))
    (text,), (maps,) = store.folder.glob("teacher-*.json"), store.folder.glob("teacher-*.u16")
    if damage == "short":
        maps.write_bytes(maps.read_bytes()[:-2])
    elif damage == "no record":
        text.unlink()
    elif damage == "no checksum":
        text.write_text(json.dumps(record))
    else:
        text.write_text({"another record": "{}", "no json": "{", "too deep": "[" * 100_000}[damage])
    again = Asked(5)
    open_or_make(store, record, again)
    assert again.starts == [0]


def test_a_disk_that_is_too_small_is_refused_before_the_teacher_is_asked(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(module.shutil, "disk_usage", lambda folder: usage(free=1000))
    asked = Asked(5)
    with pytest.raises(OutputError, match=r"not enough disk space for the teacher's maps.*--store"):
        open_or_make(store, record_of(store, ME), asked)
    assert asked.starts == []


def test_two_processes_do_not_write_the_same_maps(store: Store) -> None:
    fcntl = pytest.importorskip("fcntl")
    record = record_of(store, ME)
    with (store.folder / f"teacher-{module.digest_of(record)}.lock").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match="another process is asking the same teacher"):
            open_or_make(store, record, Asked(5))
    open_or_make(store, record, Asked(5))


def test_a_store_with_maps_may_be_replaced_and_one_with_other_files_may_not(store: Store, tmp_path: Path) -> None:
    open_or_make(store, record_of(store, ME), Asked(5))
    drives = footage(sequence(tmp_path / "a", "a", (3, 4, 6, 7, 8)))
    shutil.copytree(store.folder, tmp_path / "other")
    (tmp_path / "other/teacher-notes.json").write_text("mine")
    with pytest.raises(OutputError, match="holds other files"):
        build_store(drives, tmp_path / "other", width=64, height=32)
    build_store(drives, store.folder, width=64, height=32)
    assert list(store.folder.glob("teacher-*")) == []
