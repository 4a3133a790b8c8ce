"""A refusal is one sentence: what, where, expected, got, what to do, in this order."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfdepth import errors
from selfdepth.errors import DataError, Interrupted, SelfDepthError, SelfDepthWarning

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
