"""Text and JSON from anybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfdepth.errors import DataError
from selfdepth.texts import parse_json, read_text, whole_number


@pytest.mark.parametrize("content", [b"a\nb", b"\xef\xbb\xbfa\nb", b"a\r\nb", b"a\rb"])
def test_marks_and_line_ends_are_those_of_one_system(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t").write_bytes(content)
    assert read_text(tmp_path / "t", what="unreadable") == "a\nb"


@pytest.mark.parametrize(
    ("content", "name"),
    [("a".encode("utf-16"), "UTF-16"), ("a".encode("utf-32"), "UTF-32"), (b"a\xff", "no UTF-8"), (b"a\0b", "zero")],
)
def test_other_encodings_are_refused_by_name(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / "t").write_bytes(content)
    with pytest.raises(DataError, match=rf"unreadable: .*t; .*{name}"):
        read_text(tmp_path / "t", what="unreadable")


@pytest.mark.parametrize("text", ["[1]", "{", '{"a": 1, "a": 2}', '{"a": ' + "9" * 5000 + "}", "[" * 10000])
def test_what_is_no_plain_object_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="unreadable"):
        parse_json(text, what="unreadable", where="here")


def test_whole_numbers_are_decimal_and_not_too_large() -> None:
    assert [whole_number(text) for text in ("0012", "x", "9" * 5000, "-1", "")] == [12, None, None, None, None]
