"""The options of a verb are read from its dataclass."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest
import tyro

from selfdepth.cli.options import REQUIRED, listed, read_options


@dataclass(frozen=True, kw_only=True)
class Inner:
    """Options with a prefix."""

    mask: bool = True
    """Whether to
    mask."""


@dataclass(frozen=True, kw_only=True)
class Flat:
    """Options without one."""

    max_depth: float | None = None
    """The largest. Default: the
    protocol's."""
    kind: Literal["a", "b"] | None = None
    inner: Inner = field(default_factory=Inner)
    """Others."""


@dataclass(frozen=True, kw_only=True)
class Outer:
    """All options."""

    model: Annotated[tyro.conf.Positional[str | None], tyro.conf.arg(metavar="[MODEL]")] = None
    """A model."""
    numbers: tuple[int, ...] = (1, 2)
    """Some numbers."""
    json: str
    """A file."""
    flat: Annotated[Flat, tyro.conf.arg(name="")] = field(default_factory=Flat)


def test_names_kinds_and_helps_are_those_of_the_fields() -> None:
    model, numbers, json, max_depth, kind, mask = read_options(Outer)
    assert (model.name, model.positional, model.names, model.default) == ("MODEL", True, (), None)
    assert (numbers.name, numbers.many, numbers.metavar, numbers.expected) == (
        "--numbers",
        True,
        "N ...",
        "whole numbers",
    )
    assert (json.name, json.default, json.metavar, json.expected) == ("--json", REQUIRED, "FILE", "FILE")
    assert (max_depth.name, max_depth.kind, max_depth.expected) == ("--max-depth", float, "a number")
    assert (max_depth.help, max_depth.default_words) == ("The largest.", "the protocol's")
    assert (kind.choices, kind.metavar, kind.expected, kind.help) == (("a", "b"), "{a,b}", "a or b", "")
    assert (mask.name, mask.field, mask.names) == ("--inner.mask", "inner.mask", ("--inner.mask", "--inner.no-mask"))
    assert (mask.help, mask.is_switch, mask.metavar) == ("Whether to mask.", True, "")


def test_the_defaults_may_be_those_of_an_instance() -> None:
    default = Outer(json=tyro.MISSING, numbers=(), flat=Flat(max_depth=5.0, inner=Inner(mask=False)))
    values = {option.name: option.default for option in read_options(Outer, default)}
    assert values == {
        "MODEL": None,
        "--numbers": (),
        "--json": REQUIRED,
        "--max-depth": 5.0,
        "--kind": None,
        "--inner.mask": False,
    }


@pytest.mark.parametrize(("words", "text"), [(["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")])
def test_choices_are_listed_as_in_a_sentence(words: list[str], text: str) -> None:
    assert listed(words) == text
