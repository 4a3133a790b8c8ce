"""The index as it is written: short for long drives, and sealed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from helpers.memory_footage import footage, sequence
from selfdepth.data.frames import FrameRef
from selfdepth.data.store.build import build_store
from selfdepth.data.store.index import INDEX_FILE, VERSION, encode_refs, is_sealed


@pytest.fixture
def text(tmp_path: Path) -> str:
    store = build_store(
        footage(sequence(tmp_path / "a", numbers=tuple(range(1000)))), tmp_path / "s", width=64, height=32
    )
    return (store.folder / INDEX_FILE).read_text()


def test_a_long_drive_has_a_short_index(text: str) -> None:
    assert len(text) < 2000
    values = json.loads(text)
    assert (values["version"], values["sequences"][0]["numbers"]) == (VERSION, [[0, 1000]])
    assert len(values["frames_sha256"]) == len(values["sha256"]) == 64


def test_any_change_of_a_character_breaks_the_seal(text: str) -> None:
    assert is_sealed(text)
    for place in np.random.default_rng(0).integers(0, len(text), 50):
        assert not is_sealed(text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :])
    assert not is_sealed("") and not is_sealed(json.dumps(json.loads(text), indent=2))


def test_references_are_runs_in_their_order() -> None:
    refs = [FrameRef("b", 3), FrameRef("b", 4), FrameRef("a", 5), FrameRef("b", 5), FrameRef("b", 5)]
    assert encode_refs(refs, ["a", "b"]) == [(1, 3, 2), (0, 5, 1), (1, 5, 1), (1, 5, 1)]
