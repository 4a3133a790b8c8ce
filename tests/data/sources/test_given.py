"""Data that a program assembled, as a data source."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from helpers.memory_footage import footage, sequence
from selfdepth.config import TrainConfig
from selfdepth.data.sources.given import GivenFootage
from selfdepth.data.sources.source import DataSource


def test_its_targets_and_cameras_stay_as_they_are(tmp_path: Path) -> None:
    given = footage(sequence(tmp_path / "a"))
    source = GivenFootage(given=given)
    assert source.footage(camera="fov:20", spacing=3) is given
    assert source.sequences("fov:20") is given.sequences
    assert source.truth is given.truth


def test_it_is_never_recognised(tmp_path: Path) -> None:
    assert GivenFootage.recognise(tmp_path) is None


def test_a_store_is_made_of_it_like_of_any_other_data(tmp_path: Path) -> None:
    given = footage(sequence(tmp_path / "a"))
    source: DataSource = GivenFootage(given=given)
    store = source.store_for(TrainConfig(width=64, height=32 * 2), tmp_path / "store")
    assert (store.train, store.val, store.origin) == (given.train, given.val, None)
    assert np.array_equal(store.sequences[0].numbers, given.sequences[0].numbers)
