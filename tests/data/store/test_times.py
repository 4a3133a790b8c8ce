"""The times of a store's frames."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.memory_footage import footage, sequence
from selfdepth.data.store.build import build_store, fingerprint, open_store
from selfdepth.data.store.index import INDEX_FILE, is_sealed, sealed
from selfdepth.data.store.store import Store
from selfdepth.data.store.times import TIMES_FILE
from selfdepth.errors import DataError

SIZE = {"width": 64, "height": 32}
TIMES = tuple(1.7e9 + 0.1 * i for i in range(20))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two sequences, of which one has times."""
    timed = replace(sequence(tmp_path / "a", "timed"), times_s=TIMES)
    return build_store(footage(timed, sequence(tmp_path / "b", "untimed")), tmp_path / "store", **SIZE)


def test_times_are_kept_to_the_last_bit_and_unknown_ones_are_unknown(store: Store) -> None:
    assert store.times_s[:20].tolist() == list(TIMES)
    assert np.isnan(store.times_s[20:]).all()


def test_frames_without_times_leave_no_file(tmp_path: Path) -> None:
    store = build_store(footage(sequence(tmp_path / "a")), tmp_path / "store", **SIZE)
    assert sorted(path.name for path in store.folder.iterdir()) == ["frames.u8", "index.json"]
    assert np.isnan(store.times_s).all()


def test_times_do_not_change_the_fingerprint(tmp_path: Path) -> None:
    plain = sequence(tmp_path / "a")
    prints = {fingerprint(footage(each), **SIZE) for each in (plain, replace(plain, times_s=TIMES))}
    assert len(prints) == 1


def test_a_store_of_an_older_version_opens_and_has_no_times(store: Store) -> None:
    path = store.folder / INDEX_FILE
    values = json.loads(path.read_text())
    del values["times_sha256"], values["sha256"]
    path.write_text(sealed(json.dumps(values)))
    assert is_sealed(path.read_text())
    (store.folder / TIMES_FILE).unlink()
    assert np.isnan(open_store(store.folder).times_s).all()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "times cannot be read"),
        (lambda path: os.truncate(path, 80), "times were altered"),
        (lambda path: path.write_bytes(path.read_bytes()[::-1]), "times were altered"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x" * 10_000_000), "times were altered"),
    ],
)
def test_altered_times_are_refused_when_they_are_needed(store: Store, damage, words: str) -> None:
    damage(store.folder / TIMES_FILE)
    opened = open_store(store.folder)
    with pytest.raises(DataError, match=words):
        _ = opened.times_s
