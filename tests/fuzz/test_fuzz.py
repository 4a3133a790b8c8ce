"""A bounded part of the fuzzing: some mutated files of every kind, the same each time. `make fuzz` tries thousands."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.attempt import Target
from fuzz.corpus import build
from fuzz.readers import READERS, Reader

TRIES, SLOW_TRIES = 40, 4


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    build(folder)
    return folder


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_mutated_file_is_read_or_refused_in_one_sentence(reader: Reader, corpus: Path) -> None:
    target = Target(reader, corpus)
    target.read_good()
    failures = [target.attempt(seed) for seed in range(SLOW_TRIES if reader.slow else TRIES)]
    assert [str(failure) for failure in failures if failure is not None] == []
