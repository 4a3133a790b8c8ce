"""A local store, and the same in chunks in a folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from helpers.memory_footage import footage, sequence
from selfdepth.data.frames import StereoPartner
from selfdepth.data.store.build import build_store
from selfdepth.data.store.remote import Remote
from selfdepth.data.store.store import Store
from selfdepth.data.store.write_chunks import contents_of_store, write_chunks


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A long drive, and a pair whose right camera began later."""
    folder = tmp_path_factory.mktemp("chunked")
    long = sequence(folder / "a", "long", tuple(range(400)))
    left, right = (sequence(folder / name, name, tuple(range(at, 70))) for name, at in (("l", 0), ("r", 30)))
    left = replace(left, partner=StereoPartner(sequence="r", translation_m=(-0.5, 0.0, 0.0)))
    right = replace(right, partner=StereoPartner(sequence="l", translation_m=(0.5, 0.0, 0.0)))
    return build_store(footage(long, left, right), folder / "store", width=64, height=32)


@pytest.fixture(scope="session")
def chunks(local: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("far") / "chunks"
    write_chunks(contents_of_store(local), Remote(str(folder), "--out"))
    return folder
