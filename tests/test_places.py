"""Words that name places: what can be no path is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfdepth.errors import ConfigError, DataError
from selfdepth.places import path_of


@pytest.mark.parametrize("word", ["~nosuchuser/x", "x" * 300, "a/" * 3000, "a\0b", "\ud800"])
def test_words_that_can_be_no_path_are_refused(word: str) -> None:
    with pytest.raises(ConfigError):
        path_of(word)
    with pytest.raises(DataError):
        path_of(word, "--camera", error=DataError)


def test_the_home_folder_is_put_in() -> None:
    assert path_of("~/x") == Path.home() / "x"
    assert path_of("a/b") == Path("a/b")
