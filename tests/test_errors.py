"""A refusal is one sentence: what, where, expected, got, what to do, in this order."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from selfdepth import errors
from selfdepth.errors import DataError, Interrupted, SelfDepthError, SelfDepthWarning, printable

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SelfDepthError)]


def test_the_sentence_has_its_parts_in_order_and_leaves_out_what_is_not_given() -> None:
    whole = SelfDepthError("too short", where="a.mp4", expected="3 frames", got="2", fix="film longer")
    assert str(whole) == "too short: a.mp4; expected 3 frames; got 2; film longer"
    assert str(SelfDepthError("too short")) == "too short"
    assert str(SelfDepthError("too short", got="2")) == "too short; got 2"


def test_the_parts_can_be_read_from_the_error() -> None:
    error = SelfDepthError("too short", where=Path("a.mp4"), expected="3", got="2", fix="film longer")
    assert (error.what, error.where, error.expected, error.got, error.fix) == (
        *("too short", Path("a.mp4"), "3", "2", "film longer"),
    )


def test_whatever_is_put_into_it_a_refusal_is_one_line() -> None:
    text = str(DataError("cannot\nbe read", where="a\tb", got="line one\n\n  line two"))
    assert text == "cannot be read: a b; got line one line two"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_is_caught_as_ours_and_says_what_it_is_about(kind: type[SelfDepthError]) -> None:
    with pytest.raises(SelfDepthError, match="no good: here"):
        raise kind("no good", where="here")
    assert kind.__doc__


def test_a_stop_that_was_asked_for_is_no_error_and_names_the_folder_to_go_on_in() -> None:
    stop = Interrupted(2, Path("runs/a"))
    assert not isinstance(stop, SelfDepthError)
    assert (stop.signal_number, stop.folder) == (2, Path("runs/a"))
    assert "runs/a can be resumed" in str(stop)


def test_a_warning_does_not_stop_the_work() -> None:
    assert issubclass(SelfDepthWarning, UserWarning) and not issubclass(SelfDepthWarning, SelfDepthError)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünïcode 深度 ok", "plain, ünïcode 深度 ok"),
        ("\x1b[2J\x07\x7f\x9b", r"\x1b[2J\x07\x7f\x9b"),
        ("a\u202eb\u2028c\ufeff", r"a\u202eb\u2028c\ufeff"),
        ("\udcff\ud800", r"\udcff\ud800"),
        ("\U000e0001", r"\U000e0001"),
        ("a\nb\tc", "a\nb\tc"),
    ],
)
def test_what_steers_a_terminal_is_shown_as_its_escape(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(shown) == shown
    assert str(DataError("bad", where=text)) == printable(f"bad: {' '.join(text.split())}")


def test_no_character_that_is_hidden_survives() -> None:
    shown = printable("".join(map(chr, range(0x110000))))
    assert {unicodedata.category(character) for character in shown if not character.isprintable()} == {"Cc", "Zs"}
    assert {character for character in shown if unicodedata.category(character) == "Cc"} == {"\n", "\t"}


def test_a_part_that_is_far_too_long_is_shortened_and_keeps_both_ends() -> None:
    text = str(DataError("bad", got="a" + "9" * 5000 + "z"))
    assert len(text) < 1100 and text.startswith("bad; got a9") and text.endswith("9z") and " ... " in text
