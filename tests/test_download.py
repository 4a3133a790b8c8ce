"""Files come whole or are refused in one sentence, and are kept where the user wants them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from helpers.loopback import Loopback
from selfdepth import download
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
    assert (
        receive(SITE, "a.zip", tmp_path / "a.zip", most="text_megabytes", announce=sizes.append)
        == f"{site.url}/files/a.zip"
    )
    assert (tmp_path / "a.zip").read_bytes() == body
    assert sizes == [len(body)]


def test_a_server_that_does_not_say_the_length_is_received_to_its_end(site: Loopback, tmp_path: Path) -> None:
    sizes: list[int | None] = []
    site.give("/files/a.zip", b"abc", length=-1)
    receive(SITE, "a.zip", tmp_path / "a.zip", most="text_megabytes", announce=sizes.append)
    assert (tmp_path / "a.zip").read_bytes() == b"abc" and sizes == [None]


def test_fewer_bytes_than_promised_are_an_interruption(site: Loopback, tmp_path: Path) -> None:
    site.give("/files/a.zip", b"abc", length=10)
    with pytest.raises(DataError, match=r"interrupted: .*a\.zip; got 3 .*try again"):
        receive(SITE, "a.zip", tmp_path / "a.zip", most="text_megabytes", announce=lambda total: None)


def test_what_cannot_be_fetched_is_one_sentence_that_names_the_variable(site: Loopback, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the file cannot be fetched: .*got 404.*SELFDEPTH_TEST_URL"):
        receive(SITE, "gone", tmp_path / "a", most="text_megabytes", announce=lambda total: None)
    assert not (tmp_path / "a").exists()


def test_an_address_that_nobody_listens_at_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(DataError, match="cannot be fetched") as refused:
        receive(SITE, "a", tmp_path / "a", most="text_megabytes", announce=lambda total: None)
    assert "\n" not in str(refused.value)


HEAD = b"HTTP/1.0 200 OK\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def dripping(head: bytes, drop: bytes) -> Callable[[], Iterator[bytes]]:
    """A head, then a few bytes ten times per second, for longer than any test may take."""

    def pieces() -> Iterator[bytes]:
        yield head
        for _ in range(600):
            time.sleep(0.1)
            yield drop

    return pieces


@pytest.mark.parametrize(
    ("stream", "sentence"),
    [
        (dripping(b"", b"H"), "the file cannot be fetched: .*no answer within"),
        (dripping(HEAD + b"X: ", b"x"), "the file cannot be fetched: .*no answer within"),
        (dripping(HEAD + b"\r\n", b"x"), r"interrupted: .*bytes per second.*try again"),
        (dripping(HEAD + b"Content-Length: 9000\r\n\r\n", b"x"), r"interrupted: .*bytes per second"),
        (dripping(HEAD + b"\r\n" + bytes(5000), b""), r"interrupted: .*got 5000 bytes, then "),
        (dripping(CHUNKED, b"1\r\nx\r\n"), r"interrupted: .*bytes per second"),
        (dripping(CHUNKED + b"1; ", b"x"), r"interrupted: .*got 0 bytes, then 0 bytes per second"),
        (dripping(CHUNKED + b"1\r\nx\r\n0\r\nX: ", b"x"), r"interrupted: .*got 1 bytes, then 1 bytes per second"),
    ],
    ids=["status", "head", "no length", "length", "sudden", "chunks", "chunk length", "trailer"],
)
def test_a_server_that_sends_a_few_bytes_now_and_then_is_left(
    site: Loopback,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stream: Callable[[], Iterator[bytes]],
    sentence: str,
) -> None:
    monkeypatch.setattr(download, "_TIMEOUT_S", 1.0)
    site.streams["/files/a"] = stream
    started_s = time.monotonic()
    with pytest.raises(DataError, match=sentence):
        receive(SITE, "a", tmp_path / "a", most="text_megabytes", announce=lambda total: None)
    assert time.monotonic() - started_s < 5


def test_a_slow_but_steady_server_is_waited_for(
    site: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_TIMEOUT_S", 0.3)
    drops = itertools.islice(dripping(HEAD + b"\r\n", bytes(3000))(), 11)
    site.streams["/files/a"] = lambda: drops
    receive(SITE, "a", tmp_path / "a", most="text_megabytes", announce=lambda total: None)
    assert (tmp_path / "a").read_bytes() == bytes(30_000)


def test_no_more_is_received_than_the_limit(site: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFDEPTH_LIMITS", "text_megabytes=2")
    endless = (b"%x\r\n" % (1 << 16)) + bytes(1 << 16) + b"\r\n"
    for stream, got in (
        (lambda: itertools.chain([HEAD, b"\r\n"], itertools.repeat(bytes(1 << 16))), "2."),
        (lambda: itertools.chain([CHUNKED], itertools.repeat(endless)), "2."),
        (lambda: iter([HEAD, b"Content-Length: 3000000\r\n\r\n"]), "3.0"),
        (lambda: iter([HEAD, b"Content-Length: 9000000000000000\r\n\r\n"]), "9,000,000,000"),
    ):
        site.streams["/files/a"] = stream
        with pytest.raises(DataError, match=rf"the file is too large: .*got {got}.*SELFDEPTH_LIMITS=text_megabytes="):
            receive(SITE, "a", tmp_path / "a", most="text_megabytes", announce=lambda total: None)
        assert not (tmp_path / "a").exists() or (tmp_path / "a").stat().st_size <= 2_000_000


@pytest.mark.parametrize("length", ["9" * 5000, "9" * 400, "-3", "0x10", "3, 3", "\xb2"])
def test_a_length_that_is_no_number_of_bytes_is_no_length(site: Loopback, tmp_path: Path, length: str) -> None:
    sizes: list[int | None] = []
    site.streams["/files/a"] = lambda: iter([HEAD + f"Content-Length: {length}\r\n\r\n".encode("latin-1") + b"abc"])
    receive(SITE, "a", tmp_path / "a", most="text_megabytes", announce=sizes.append)
    assert (tmp_path / "a").read_bytes() == b"abc" and sizes == [None]


@pytest.mark.parametrize("chunk", [b"-5\r\nabc", b"x\r\nabc", b"5\r\nabc", b"5" * 70_000, b""])
def test_broken_chunks_are_an_interruption(site: Loopback, tmp_path: Path, chunk: bytes) -> None:
    site.streams["/files/a"] = lambda: iter([CHUNKED, chunk])
    with pytest.raises(DataError, match=r"the download was interrupted: .*try again") as refusal:
        receive(SITE, "a", tmp_path / "a", most="text_megabytes", announce=lambda total: None)
    assert "\n" not in str(refusal.value)


def test_the_page_of_a_redirection_is_not_read(site: Loopback, tmp_path: Path) -> None:
    sent: list[int] = []

    def page() -> Iterator[bytes]:
        yield b"HTTP/1.0 302 Found\r\nLocation: /files/b\r\n\r\n"
        for _ in range(1000):
            yield bytes(1 << 20)
            sent.append(1)

    site.streams["/files/a"] = page
    site.give("/files/b", b"abc")
    receive(SITE, "a", tmp_path / "a", most="text_megabytes", announce=lambda total: None)
    assert (tmp_path / "a").read_bytes() == b"abc" and len(sent) < 100
