"""A store's frames on the device: all of them, only on a GPU, only if they fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.memory_footage import footage, sequence
from selfdepth.data.clips import resident
from selfdepth.data.clips.resident import frames_on, resident_frames
from selfdepth.data.store.build import build_store
from selfdepth.data.store.store import Store


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
