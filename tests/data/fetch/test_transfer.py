"""An archive comes whole from a server that cuts, stalls, lies and changes its mind, or is refused in one sentence."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.mirror import Mirror, Served, wait_for
from selfdepth import download
from selfdepth.data.fetch.official import SITE
from selfdepth.data.fetch.transfer import Patience, Stopped, Transfer, size_of_file
from selfdepth.errors import DataError, OutputError, SelfDepthError, SelfDepthWarning

BODY = b"PK\x03\x04" + bytes(range(256)) * 1200
OTHER = b"PK\x03\x04" + bytes(range(255, -1, -1)) * 1200
AT_ONCE = Patience(tries=5, first_wait_s=0.0)


def transfer_of(mirror: Mirror, folder: Path, **changes: object) -> Transfer:
    plain = Transfer(
        site=replace(SITE, base=mirror.url),
        name="a.zip",
        file=folder / "a.zip",
        n_bytes=len(BODY),
        stop=threading.Event(),
        count=lambda n_bytes: None,
        patience=AT_ONCE,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def received(mirror: Mirror, folder: Path, **changes: object) -> bytes:
    """The file, after which nothing else is left."""
    transfer = transfer_of(mirror, folder, **changes)
    transfer.run()
    assert [path.name for path in folder.iterdir()] == ["a.zip"]
    return transfer.file.read_bytes()


def test_a_file_comes_whole_and_an_honest_name_asks_for_it(bare: Mirror, tmp_path: Path) -> None:
    bare.give("/a.zip", BODY)
    counted: list[int] = []
    assert received(bare, tmp_path, count=counted.append) == BODY
    assert sum(counted) == len(BODY)
    assert bare.gets("/a.zip") == [None]
    assert {str(agent).split("/")[0] for agent in bare.agents} == {"selfdepth"}


def test_a_file_that_is_there_is_not_asked_for(bare: Mirror, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(BODY)
    assert received(bare, tmp_path) == BODY
    assert bare.asked == []


def test_a_cut_download_goes_on_where_it_was_cut(bare: Mirror, tmp_path: Path) -> None:
    file = bare.give("/a.zip", BODY)
    file.cut, file.cuts = 100_000, 3
    counted: list[int] = []
    assert received(bare, tmp_path, count=counted.append) == BODY
    assert bare.gets("/a.zip") == [None, "bytes=100000-", "bytes=200000-", "bytes=300000-"]
    assert {condition for *_, asked, condition in bare.asked if asked} == {'"1"'}
    assert sum(counted) == len(BODY), "no byte came twice"


def test_each_further_try_is_said_in_one_line(bare: Mirror, tmp_path: Path) -> None:
    file = bare.give("/a.zip", BODY)
    file.cut, file.cuts = 100_000, 2
    with pytest.warns(SelfDepthWarning) as said:
        received(bare, tmp_path)
    lines = [str(each.message) for each in said]
    assert len(lines) == 2
    for line, megabytes, number in zip(lines, ("0.1", "0.2"), (2, 3), strict=True):
        assert line.startswith("a.zip: ")
        assert line.endswith(f"; {megabytes} MB are here; trying again in 0 s (try {number} of 5)")


def test_another_process_goes_on_too(bare: Mirror, tmp_path: Path) -> None:
    file = bare.give("/a.zip", BODY)
    file.cut = 100_000
    with pytest.raises(DataError, match=r"cannot be fetched, after 1 tries.*the same command goes on"):
        transfer_of(bare, tmp_path, patience=Patience(tries=1)).run()
    assert not (tmp_path / "a.zip").exists()
    file.cut = None
    assert received(bare, tmp_path) == BODY
    assert bare.gets("/a.zip") == [None, "bytes=100000-"]


@pytest.mark.parametrize(("etag", "modified"), [('"1"', None), (None, "now"), ('W/"1"', "now"), (None, None)])
def test_whatever_tells_versions_apart_is_sent_along(
    bare: Mirror, tmp_path: Path, etag: str | None, modified: str | None
) -> None:
    file = bare.give("/a.zip", BODY)
    file.cut, file.cuts, file.etag, file.modified = 100_000, 1, etag, modified
    assert received(bare, tmp_path) == BODY
    weak = etag is not None and etag.startswith("W/")
    assert bare.asked[-1][2:] == ("bytes=100000-", modified if weak or etag is None else etag)


def changed(file: Served, number: int) -> None:
    """Another file from the second answer on."""
    if number == 1:
        file.body, file.etag, file.modified = OTHER, '"2"', "later"


def changed_in_secret(file: Served, number: int) -> None:
    """... whose server takes no notice of If-Range."""
    if number == 1:
        file.body, file.etag = OTHER, '"2"'


@pytest.mark.parametrize("change", [changed, changed_in_secret])
def test_halves_of_two_versions_are_never_joined(
    bare: Mirror, tmp_path: Path, change: Callable[[Served, int], None]
) -> None:
    file = bare.give("/a.zip", BODY)
    file.cut, file.cuts, file.then = 100_000, 1, change
    assert received(bare, tmp_path) == OTHER


def test_a_server_that_cannot_go_on_within_a_file_sends_it_from_the_beginning(bare: Mirror, tmp_path: Path) -> None:
    file = bare.give("/a.zip", BODY)
    file.cut, file.cuts, file.ranges = 100_000, 2, False
    counted: list[int] = []
    assert received(bare, tmp_path, count=counted.append) == BODY
    assert sum(counted) == len(BODY)


def test_such_a_server_that_always_cuts_is_not_asked_for_ever(bare: Mirror, tmp_path: Path) -> None:
    file = bare.give("/a.zip", b"PK\x03\x04" + bytes(3 << 20))
    file.cut, file.ranges = 2 << 20, False
    with pytest.raises(DataError, match=r"after 5 tries: .*got 2097152 of 3145732 bytes \(2\.1 MB are here\)"):
        transfer_of(bare, tmp_path, n_bytes=None).run()
    assert len(bare.asked) == 5, "what comes again and again is no progress"


def test_a_line_that_gives_a_megabyte_at_a_time_is_good_enough(bare: Mirror, tmp_path: Path) -> None:
    body = b"PK\x03\x04" + bytes(8 << 20)
    bare.give("/a.zip", body).cut = (1 << 20) + 1
    assert received(bare, tmp_path, n_bytes=None, patience=Patience(tries=2, first_wait_s=0.0)) == body


@pytest.mark.parametrize(
    ("changes", "tries", "sentence"),
    [
        ({"status": 404}, 1, "KITTI's archive cannot be fetched: .*got 404.*--url"),
        ({"status": 403}, 1, "got 403"),
        ({"status": 401}, 1, "got 401"),
        ({"status": 500}, 5, "after 5 tries: .*got 500"),
        ({"status": 503}, 5, "got 503"),
        ({"status": 429}, 5, "got 429"),
        ({"location": "/a.zip"}, 1, "got 302"),
        ({"location": "ftp://127.0.0.1/a.zip"}, 1, "got 302 .*ftp"),
        ({"location": "file:///etc/passwd"}, 1, "got 302 .*file"),
        ({"body": b"<!DOCTYPE html><p>Please log in"}, 1, "not KITTI's archive: .*expected a zip archive; got .*html"),
        ({"told": len(BODY) + 9}, 5, "after 5 tries: .*when asked for the size alone"),
        ({"told": 9}, 5, "got 9 bytes, and 307204 when asked for the size alone"),
        ({"told": 10**12}, 1, "is too large.*got 1,000,000 megabytes.*fetched_megabytes"),
        ({"cut": 0}, 5, r"after 5 tries: .*got 0 of 307204 bytes \(0\.0 MB are here\)"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_what_cannot_be_had_is_one_sentence_after_a_bounded_number_of_tries(
    bare: Mirror, tmp_path: Path, changes: dict[str, object], tries: int, sentence: str
) -> None:
    bare.files["/a.zip"] = replace(Served(BODY), **changes)
    with pytest.raises(DataError, match=sentence) as refused:
        transfer_of(bare, tmp_path, n_bytes=None if "body" in changes else len(BODY)).run()
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "a.zip").exists()
    if "location" not in changes:
        assert len(bare.asked) == tries


def test_a_length_that_was_a_lie_is_no_file(bare: Mirror, tmp_path: Path) -> None:
    bare.give("/a.zip", BODY).told = len(BODY) + 9
    with pytest.raises(DataError, match="after 5 tries"):
        transfer_of(bare, tmp_path, n_bytes=None).run()
    assert not (tmp_path / "a.zip").exists()


def test_a_server_that_is_out_of_breath_is_asked_again(bare: Mirror, tmp_path: Path) -> None:
    file = bare.give("/a.zip", BODY)
    file.status, file.refusals, file.retry_after = 503, 4, "0"
    assert received(bare, tmp_path) == BODY


def test_the_server_may_say_how_long_to_wait_and_waits_double(
    monkeypatch: pytest.MonkeyPatch, bare: Mirror, tmp_path: Path
) -> None:
    file = bare.give("/a.zip", BODY)
    file.status, file.refusals = 503, 4
    file.then = lambda file, number: setattr(file, "retry_after", "7" if number == 1 else None)
    waited: list[float] = []
    stop = threading.Event()
    monkeypatch.setattr(stop, "wait", waited.append)
    received(bare, tmp_path, patience=Patience(tries=5, first_wait_s=1.0), stop=stop)
    assert waited == [1, 7, 4, 8]
    assert Patience().wait_s(50) == 60


def test_a_file_of_unknown_length_is_received_to_its_end(bare: Mirror, tmp_path: Path) -> None:
    bare.give("/a.zip", BODY).chunked = True
    assert received(bare, tmp_path, n_bytes=None) == BODY


@pytest.mark.parametrize("dripping", [0, 50_000])
def test_a_server_that_falls_asleep_is_left_and_asked_for_the_rest(
    bare: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dripping: int
) -> None:
    monkeypatch.setattr(download, "_TIMEOUT_S", 0.4)

    def wake(file: Served, number: int) -> None:
        file.drip = None if number else dripping

    bare.give("/a.zip", BODY).then = wake
    assert received(bare, tmp_path) == BODY


def test_more_bytes_here_than_there_are_thrown_away(bare: Mirror, tmp_path: Path) -> None:
    file = bare.give("/a.zip", BODY)
    file.cut = 100_000
    with pytest.raises(DataError):
        transfer_of(bare, tmp_path, patience=Patience(tries=1)).run()
    with (tmp_path / "a.zip.part").open("ab") as part:
        part.write(bytes(len(BODY)))
    file.cut = None
    assert received(bare, tmp_path) == BODY
    assert bare.gets("/a.zip") == [None, f"bytes={100_000 + len(BODY)}-", None]


@pytest.mark.parametrize(
    "notes", [None, "", "[]", "{", '{"url": 3}', '{"url":"x","etag":3,"modified":[],"n_bytes":{}}']
)
def test_a_beginning_of_which_nothing_is_known_is_not_used(bare: Mirror, tmp_path: Path, notes: str | None) -> None:
    bare.give("/a.zip", BODY)
    (tmp_path / "a.zip.part").write_bytes(b"PK\x03\x04 of something else")
    if notes is not None:
        (tmp_path / "a.zip.part.json").write_text(notes)
    assert received(bare, tmp_path) == BODY
    assert bare.gets("/a.zip") == [None]


def test_a_beginning_from_another_server_is_not_used(bare: Mirror, tmp_path: Path) -> None:
    bare.give("/a.zip", OTHER).cut = 100_000
    with pytest.raises(DataError):
        transfer_of(bare, tmp_path, patience=Patience(tries=1)).run()
    bare.give("/copy/a.zip", BODY)
    assert received(bare, tmp_path, site=replace(SITE, base=f"{bare.url}/copy")) == BODY


def test_who_gives_up_keeps_what_has_come(bare: Mirror, tmp_path: Path) -> None:
    file = bare.give("/a.zip", BODY)
    file.drip = 100_000
    stop = threading.Event()
    came: list[int] = []
    outcome: list[type] = []

    def run() -> None:
        try:
            transfer_of(bare, tmp_path, stop=stop, count=came.append).run()
        except Stopped:
            outcome.append(Stopped)

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(lambda: sum(came) >= 100_000, "the first bytes")
    stop.set()
    thread.join(10)
    assert outcome == [Stopped]
    assert (tmp_path / "a.zip.part").stat().st_size >= 100_000
    file.drip = None
    assert received(bare, tmp_path) == BODY
    assert bare.gets("/a.zip")[1] is not None


def test_a_full_disk_is_one_sentence_and_not_tried_again(
    bare: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare.give("/a.zip", BODY)

    real = Path.open

    def full(self: Path, *args: object, **more: object) -> object:
        if self.name == "a.zip.part":
            raise OSError(28, "No space left on device")
        return real(self, *args, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OutputError, match=r"write: .*a\.zip\.part; expected 0\.3 MB of space; got No space"):
        transfer_of(bare, tmp_path).run()
    assert len(bare.asked) == 1


def test_an_address_that_nobody_listens_at_is_tried_and_then_named(
    bare: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SelfDepthError, match=r"after 5 tries: http://127\.0\.0\.1:1/a\.zip; got .*refused"):
        transfer_of(bare, tmp_path, site=replace(SITE, base="http://127.0.0.1:1")).run()


def test_a_proxy_of_the_environment_is_asked(bare: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare.give("http://kitti.test/raw_data/a.zip", BODY)
    monkeypatch.setenv("http_proxy", bare.url)
    assert received(bare, tmp_path, site=replace(SITE, base="http://kitti.test/raw_data")) == BODY


def test_the_size_is_what_the_server_says_and_unknown_where_it_does_not(bare: Mirror) -> None:
    site = replace(SITE, base=bare.url)
    bare.give("/a.zip", BODY)
    bare.give("/b.zip", BODY).shown = -1
    bare.give("/c.zip", BODY).status = 503
    assert [size_of_file(site, name) for name in ("a.zip", "b.zip", "c.zip")] == [len(BODY), None, None]
    assert size_of_file(replace(SITE, base="http://127.0.0.1:1"), "a.zip") is None
    with pytest.raises(FileNotFoundError):
        size_of_file(site, "d.zip")
