"""The options of a verb, read from its dataclass: their names, kinds, defaults and help.

A field is an option, and the string below it is its help; "Default: WORDS." at its end says what None stands for.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import tyro

METAVARS = {
    "config": "FILE",
    "ground_truth": "PATH",
    "init": "MODEL",
    "json": "FILE",
    "out": "FOLDER",
    "plots": "FOLDER",
    "predictions": "PATH",
    "splits": "FOLDER",
    "store": "FOLDER",
    "truth_cache": "FOLDER",
}
"""What stands for the value of an option that is text, by the field's name; elsewhere the name in capitals."""

_NUMBERS = {int: ("N", "a whole number", "whole numbers"), float: ("X", "a number", "numbers")}

REQUIRED = dataclasses.MISSING
"""The default of an option that must be given."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option, or what is given without one (DATA).

    Attributes:
        name: "--loss.automask"; for what is given without an option, what stands for it: "DATA".
        field: name of the dataclass's field.
        kind: bool, int, float, str or a Literal, of the value or of each one.
        many: whether it takes any number of values.
        optional: whether the field may be None.
        positional: whether it is given without an option.
        default: REQUIRED where it must be given.
        metavar: what stands for the value; empty for a switch.
        help: one paragraph, without the default.
        default_words: what a default of None stands for; may be empty.
    """

    name: str
    field: str
    kind: Any
    many: bool
    optional: bool
    positional: bool
    default: Any
    metavar: str
    help: str
    default_words: str

    @property
    def is_switch(self) -> bool:
        """Whether it takes no value."""
        return self.kind is bool

    @property
    def off(self) -> str:
        """What turns a switch off: "--loss.no-automask"."""
        head, dot, tail = self.name.removeprefix("--").rpartition(".")
        return f"--{head}{dot}no-{tail}"

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that the parser knows it by on the command line; nothing for what is given without an option."""
        if self.positional:
            return ()
        return (self.name, self.off) if self.is_switch else (self.name,)

    @property
    def choices(self) -> tuple[str, ...]:
        """The values that it may have, if they are few."""
        return get_args(self.kind) if get_origin(self.kind) is Literal else ()

    @property
    def expected(self) -> str:
        """The values that it may have: "a whole number"."""
        if self.choices:
            return listed(self.choices)
        return _NUMBERS[self.kind][1 + self.many] if self.kind in _NUMBERS else self.metavar


def listed(words: Sequence[str]) -> str:
    """ "a, b or c"."""
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def read_options(kind: type, default: Any = None) -> tuple[Option, ...]:
    """The options of a dataclass and of those in it, in their order.

    Args:
        kind: the dataclass. A field marked `tyro.conf.Positional` is given without an option; `tyro.conf.arg` may name
            what stands for its value.
        default: an instance whose values are the defaults, instead of the dataclass's own.
    """
    return tuple(_read(kind, default, prefix=""))


def _read(kind: type, default: Any, prefix: str) -> Iterator[Option]:
    hints, helps = get_type_hints(kind, include_extras=True), _field_helps(kind)
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        hint, *markers = get_args(hint) if get_origin(hint) is Annotated else [hint]
        value = _default(field) if default is None else getattr(default, field.name)
        if dataclasses.is_dataclass(hint):
            assert isinstance(hint, type)
            inside = "" if _named(markers, "name") == "" else f"{prefix}{field.name}."
            yield from _read(hint, None if value is REQUIRED else value, inside)
            continue
        base, many, optional = _unwrapped(hint)
        positional = tyro.conf.Positional in markers
        metavar = _named(markers, "metavar") or _metavar(field.name, base, many=many)
        text, _, words = helps.get(field.name, "").partition("Default: ")
        yield Option(
            name=metavar.strip("[]") if positional else f"--{prefix}{field.name}".replace("_", "-"),
            field=prefix + field.name,
            kind=base,
            many=many,
            optional=optional,
            positional=positional,
            default=REQUIRED if value is tyro.MISSING else value,
            metavar=metavar,
            help=text.strip(),
            default_words=words.strip().removesuffix("."),
        )


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _unwrapped(hint: Any) -> tuple[Any, bool, bool]:
    """The kind of a value, whether there may be any number of them, and whether there may be None instead."""
    if get_origin(hint) is tuple:
        return get_args(hint)[0], True, False
    kinds = [each for each in get_args(hint) if each is not NoneType]
    optional = NoneType in get_args(hint) and len(kinds) == 1
    return (kinds[0] if optional else hint), False, optional


def _metavar(name: str, kind: Any, *, many: bool) -> str:
    if kind is bool:
        return ""
    if get_origin(kind) is Literal:
        word = f"{{{','.join(get_args(kind))}}}"
    elif kind in _NUMBERS:
        word = _NUMBERS[kind][0]
    else:
        word = METAVARS.get(name, name.upper().replace("_", "-"))
    return f"{word} ..." if many else word


def _named(markers: Sequence[Any], attribute: str) -> str | None:
    """What `tyro.conf.arg` says of a field."""
    return next((found for each in markers if (found := getattr(each, attribute, None)) is not None), None)


def _field_helps(kind: type) -> dict[str, str]:
    """The string below each field, in one line."""
    body = next(node.body for node in _classes(kind.__module__) if node.name == kind.__name__)
    helps = {}
    for field, below in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            helps[field.target.id] = " ".join(ast.literal_eval(below.value).split())
    return helps


@cache
def _classes(module: str) -> tuple[ast.ClassDef, ...]:
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return tuple(node for node in tree.body if isinstance(node, ast.ClassDef))
