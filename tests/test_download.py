"""Files come whole or are refused in one sentence, and are kept where the user wants them."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.loopback import Loopback
from selfdepth.download import DownloadSite, cache_folder, receive
from selfdepth.errors import DataError


def test_the_cache_is_where_the_user_wants_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SELFDEPTH_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == Path("~/.cache/selfdepth").expanduser()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "selfdepth"
    monkeypatch.setenv("SELFDEPTH_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"


SITE = DownloadSite(
    base="http://127.0.0.1:1/files",
    variable="SELFDEPTH_TEST_URL",
    what="the file",
    wrong="another file",
    kind=DataError,
)


@pytest.fixture
def site(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> Loopback:
    """Answers in the place of SITE."""
    monkeypatch.setenv("SELFDEPTH_TEST_URL", f"{loopback.url}/files/")
    return loopback


def test_a_file_is_received_whole_from_the_copy_that_the_variable_names(site: Loopback, tmp_path: Path) -> None:
    body, sizes = bytes(range(256)) * 9000, []
    site.give("/files/a.zip", body)
    assert receive(SITE, "a.zip", tmp_path / "a.zip", announce=sizes.append) == f"{site.url}/files/a.zip"
    assert (tmp_path / "a.zip").read_bytes() == body
    assert sizes == [len(body)]


def test_a_server_that_does_not_say_the_length_is_received_to_its_end(site: Loopback, tmp_path: Path) -> None:
    sizes: list[int | None] = []
    site.give("/files/a.zip", b"abc", length=-1)
    receive(SITE, "a.zip", tmp_path / "a.zip", announce=sizes.append)
    assert (tmp_path / "a.zip").read_bytes() == b"abc" and sizes == [None]


def test_fewer_bytes_than_promised_are_an_interruption(site: Loopback, tmp_path: Path) -> None:
    site.give("/files/a.zip", b"abc", length=10)
    with pytest.raises(DataError, match=r"interrupted: .*a\.zip; got 3 .*try again"):
        receive(SITE, "a.zip", tmp_path / "a.zip", announce=lambda total: None)


def test_what_cannot_be_fetched_is_one_sentence_that_names_the_variable(site: Loopback, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the file cannot be fetched: .*got 404.*SELFDEPTH_TEST_URL"):
        receive(SITE, "gone", tmp_path / "a", announce=lambda total: None)
    assert not (tmp_path / "a").exists()


def test_an_address_that_nobody_listens_at_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(DataError, match="cannot be fetched") as refused:
        receive(SITE, "a", tmp_path / "a", announce=lambda total: None)
    assert "\n" not in str(refused.value)
