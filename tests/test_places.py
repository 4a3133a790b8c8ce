"""Words as paths: what no file system has as a name is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfdepth.errors import CheckpointError, ConfigError
from selfdepth.places import path_of, require_name


def test_a_word_is_its_path_and_the_home_folder_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert path_of("a/b") == Path("a/b")
    assert path_of("~/a") == Path("/home/somebody/a")
    assert path_of(Path("/x/~y")) == Path("/x/~y")
    assert path_of("ä" * 127) == Path("ä" * 127)


BAD = {
    "~nosuchuser/x": "no such user here; write ./~nosuchuser",
    "a\0b": r"zero byte: .*got a\\0b",
    "x" * 300: "too long.*at most 255 bytes; got 300 bytes",
    "ä" * 128: "got 256 bytes",
    "/".join(["x" * 200] * 40): "the path is too long",
    "\ud800": "half a character",
}


@pytest.mark.parametrize("word", BAD, ids=range(len(BAD)))
def test_a_word_that_can_be_no_path_is_refused_by_the_name_of_its_option(word: str) -> None:
    with pytest.raises(ConfigError, match=BAD[word]) as refusal:
        path_of(word, "--out")
    assert refusal.value.where == "--out" and str(refusal.value).isprintable()


def test_links_that_lead_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for word in (tmp_path / "a", tmp_path / "b" / "runs"):
        with pytest.raises(ConfigError, match=r"--out; .*got .*/[ab]|in a circle: --out"):
            path_of(word, "--out")
    (tmp_path / "gone").symlink_to("nowhere")
    assert path_of(tmp_path / "gone") == tmp_path / "gone"


def test_the_error_has_the_kind_that_the_caller_asks_for() -> None:
    with pytest.raises(CheckpointError):
        require_name("a\0", error=CheckpointError)
