"""Stores of clips: one camera, and pairs of two."""

from __future__ import annotations

from dataclasses import replace

import pytest

from helpers.memory_footage import footage, sequence
from selfdepth.data.clips.clips import ClipSet, make_clips
from selfdepth.data.frames import StereoPartner
from selfdepth.data.store.build import build_store
from selfdepth.data.store.store import Store

SIZE = {"width": 64, "height": 32}
LEFT_TO_RIGHT = (-0.53, 0.003, 0.0)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("clips")
    drive = footage(
        sequence(folder / "a", "first", (*range(5, 17), *range(20, 26))),
        sequence(folder / "b", "second", tuple(range(14)), focal_px=70.0),
    )
    return build_store(drive, folder / "store", **SIZE)


@pytest.fixture(scope="module")
def clips(store: Store) -> ClipSet:
    return make_clips(store, store.train, offsets=(-1, 1))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two cameras of which the right one stopped early, and a third that is alone."""
    folder = tmp_path_factory.mktemp("pairs")
    left, right, alone = (
        sequence(folder / name, name, tuple(range(n))) for name, n in (("left", 24), ("right", 12), ("alone", 10))
    )
    back = (0.53, -0.003, 0.0)
    left = replace(left, partner=StereoPartner(sequence="right", translation_m=LEFT_TO_RIGHT))
    right = replace(right, partner=StereoPartner(sequence="left", translation_m=back))
    return build_store(footage(left, right, alone), folder / "store", **SIZE)
