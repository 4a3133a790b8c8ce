"""Text and JSON from anybody: read whatever system wrote it, or refused in one sentence."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path

import pytest

from selfdepth import texts
from selfdepth.errors import CheckpointError, DataError
from selfdepth.limits import VARIABLE
from selfdepth.texts import decoded, decoding, parse_json, read_bytes, read_json, read_text, reason, whole_number

WHAT = "the list cannot be read"


def text_of(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return read_text(path, what=WHAT)


@pytest.mark.parametrize("content", [b"a\nb\n", b"\xef\xbb\xbfa\nb\n", b"a\r\nb\r\n", b"a\rb\r"])
def test_the_text_is_the_same_whatever_system_wrote_it(tmp_path: Path, content: bytes) -> None:
    assert text_of(tmp_path / "a.txt", content) == "a\nb\n"


@pytest.mark.parametrize(
    ("content", "got"),
    [
        ("a\n".encode("utf-16"), "text in UTF-16; save it as UTF-8"),
        ("a\n".encode("utf-32"), "text in UTF-32; save it as UTF-8"),
        ("a\n".encode("utf-16-le"), "zero bytes, as in UTF-16.*; save it as UTF-8"),
        (b"a\nb \xff", "no UTF-8: byte 0xff in line 2; save it as UTF-8"),
    ],
)
def test_another_encoding_is_refused_by_its_name(tmp_path: Path, content: bytes, got: str) -> None:
    with pytest.raises(DataError, match=f"{WHAT}: .*a.txt; expected text in UTF-8; got {got}"):
        text_of(tmp_path / "a.txt", content)
    with pytest.raises(ValueError):
        decoded(content)


def test_a_text_above_the_limit_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "a.txt").open("wb") as file:
        file.truncate(10**12)  # a hole, which takes no space
    with pytest.raises(DataError, match=f"too large.*1,000,000 megabytes.*{VARIABLE}=text_megabytes="):
        read_text(tmp_path / "a.txt", what=WHAT)
    with pytest.raises(DataError, match="too large"):
        read_bytes(Path("/dev/zero"), what=WHAT, name="yaml_kilobytes")


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(b"x" * 3_000_000,))
    writer.start()
    assert len(read_text(tmp_path / "pipe", what=WHAT)) == 3_000_000
    writer.join()


def test_a_pipe_whose_writer_takes_its_time_is_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "_WAIT_S", 0.1)
    with subprocess.Popen(["sh", "-c", "sleep 0.5; echo 1"], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert read_text(Path(f"/dev/fd/{writer.stdout.fileno()}"), what=WHAT) == "1\n"
    with subprocess.Popen(["true"], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert read_text(Path(f"/dev/fd/{writer.stdout.fileno()}"), what=WHAT) == ""


def test_a_pipe_into_which_nobody_writes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "_WAIT_S", 0.1)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match=f"{WHAT}: .*pipe; got a pipe into which nobody writes"):
        read_bytes(tmp_path / "pipe", what=WHAT, name="text_megabytes")


@pytest.mark.parametrize("place", ["pipe", "/dev/zero"])
def test_what_must_be_a_file_is_neither_pipe_nor_device(tmp_path: Path, place: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="a pipe or a device, which is no file"):
        texts.open_regular(tmp_path / place)


@pytest.mark.parametrize("name", ["missing", "a\0b", "x" * 300, "."])
def test_what_cannot_be_opened_is_one_sentence_of_the_callers_kind(tmp_path: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match=WHAT):
        read_text(tmp_path / name, what=WHAT, error=CheckpointError)


def test_a_json_object_is_read(tmp_path: Path) -> None:
    values = {"a": [1, -2.5, 1e300, None, True], "b": {"c": "é"}}
    (tmp_path / "a.json").write_text(json.dumps(values), encoding="utf-8")
    assert read_json(tmp_path / "a.json", what=WHAT) == values


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("[1]", "a JSON list"),
        ("", "Expecting value"),
        ('{"a": 1, "b": 2, "a": 3}', "'a' twice in one object"),
        ('{"a": ' + "9" * 5000 + "}", "a number of 5,000 digits"),
        ('{"a": 0.' + "9" * 5000 + "}", "a number of 5,002 digits"),
        ('{"a": ' * 100_000, "too deep"),
        ("[" * 100_000, "too deep"),
    ],
)
def test_json_that_cannot_be_used_is_refused(text: str, got: str) -> None:
    with pytest.raises(CheckpointError, match=f"{WHAT}: here; expected a JSON object; got .*{got}"):
        parse_json(text, what=WHAT, where="here", error=CheckpointError)


def test_many_names_twice_are_refused_at_once() -> None:
    pairs = ",".join(f'"{number}":0' for number in range(200_000))
    with pytest.raises(DataError, match="'199999' twice"):
        parse_json(f'{{{pairs},"199999":1}}', what=WHAT, where="here")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12),
        ("0000000012", 12),
        ("0", 0),
        ("0" * 5000 + "7", 7),
        ("1000000000000000000", 10**18),
        *((text, None) for text in ("1000000000000000001", "9" * 5000, "", "-1", "1.0", "1_0", "x", "²")),
    ],
)
def test_a_whole_number_is_decimal_digits_of_a_sensible_size(text: str, number: int | None) -> None:
    assert whole_number(text) == number


@pytest.mark.parametrize("fault", [KeyError("x"), EOFError(), MemoryError(), RecursionError("deep"), OSError(22, "no")])
def test_whatever_a_library_raises_becomes_one_refusal(fault: Exception) -> None:
    with pytest.raises(DataError, match=r"unreadable; got ."), decoding(lambda got: DataError("unreadable", got=got)):
        raise fault


def test_an_error_of_ours_and_a_signal_pass_as_they_are() -> None:
    for fault, kind in ((CheckpointError("ours"), CheckpointError), (KeyboardInterrupt(), KeyboardInterrupt)):
        with pytest.raises(kind), decoding(lambda got: DataError(got)):
            raise fault


def test_a_reason_is_one_short_line() -> None:
    assert reason(ValueError("first\nsecond")) == "first"
    assert reason(EOFError()) == "EOFError"
    assert len(reason(ValueError("x" * 10_000))) == 200
