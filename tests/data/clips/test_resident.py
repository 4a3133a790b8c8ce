"""A store's frames on the device: all of them, only on a GPU, only if they fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.memory_footage import footage, sequence
from selfdepth.data.clips import resident
from selfdepth.data.clips.resident import frames_on, maps_on, resident_frames, with_resident_maps
from selfdepth.data.store.build import build_store
from selfdepth.data.store.store import Store
from selfdepth.data.store.teacher_maps import TeacherMaps


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return build_store(footage(sequence(tmp_path / "a")), tmp_path / "store", width=64, height=32)


@pytest.mark.parametrize("rows", [1, 7, 20, 512])
def test_all_frames_are_copied_whatever_the_size_of_a_piece(
    store: Store, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resident, "_ROWS", rows)
    frames = frames_on(store, torch.device("cpu"))
    assert frames.dtype == torch.uint8
    assert np.array_equal(frames.numpy(), store.frames)


def test_frames_lie_on_a_gpu_only_and_only_where_they_fit(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resident_frames(store, torch.device("cpu")) is None
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2 * store.frames.nbytes, 10**12))
    assert resident_frames(store, torch.device("cuda")) is None


@pytest.fixture
def teacher() -> TeacherMaps:
    """Maps of every value."""
    maps = np.arange(65536, dtype=np.uint16).reshape(16, 64, 64)
    return TeacherMaps(rows=np.arange(3, 35, 2), maps=maps)


@pytest.mark.parametrize("rows", [1, 7, 512])
def test_all_maps_are_copied_bit_by_bit(teacher: TeacherMaps, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resident, "_ROWS", rows)
    assert np.array_equal(maps_on(teacher, torch.device("cpu")).numpy().view(np.uint16), teacher.maps)


def test_maps_lie_on_a_gpu_only_and_only_where_they_fit(teacher: TeacherMaps, monkeypatch: pytest.MonkeyPatch) -> None:
    assert with_resident_maps(None, torch.device("cuda")) is None
    assert with_resident_maps(teacher, torch.device("cpu")) is teacher
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (4 * teacher.maps.nbytes, 10**12))
    assert with_resident_maps(teacher, torch.device("cuda")) is teacher
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (6 * teacher.maps.nbytes, 10**12))
    on_cpu = torch.zeros(16, 64, 64, dtype=torch.int16)
    monkeypatch.setattr(resident, "maps_on", lambda teacher, device: on_cpu)
    moved = with_resident_maps(teacher, torch.device("cuda"))
    assert moved is not None and moved.resident is on_cpu
