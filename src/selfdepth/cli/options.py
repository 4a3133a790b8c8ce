"""Read the options of a verb from its dataclass: their names, kinds, defaults and help.

Each field is an option. The string below it is its help, and "Default: WORDS." at the end says what None stands for.
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
    "raw": "FOLDER",
    "self_teacher": "MODEL",
    "shard": "I/N",
    "splits": "FOLDER",
    "store": "FOLDER",
    "truth_cache": "FOLDER",
}
"""Placeholders in the help for values that are text, by field name. For other fields it is the name in capitals."""

_NUMBERS = {int: ("N", "a whole number", "whole numbers"), float: ("X", "a number", "numbers")}

REQUIRED = dataclasses.MISSING
"""The default of a required option."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option, or a positional argument.

    Attributes:
        name: "--loss.automask"; of a positional argument, its placeholder: "DATA".
        field: name of the field, with those of the dataclasses around it: "loss.automask".
        kind: type of the value, or of each value: bool, int, float, str or a Literal.
        many: whether it takes any number of values.
        optional: whether the field may be None.
        positional: whether it is a positional argument.
        default: REQUIRED if it must be given.
        metavar: placeholder of the value in the help; empty for a switch.
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
        """Whether it is a flag that takes no value."""
        return self.kind is bool

    @property
    def off(self) -> str:
        """The flag that turns a switch off: "--loss.no-automask"."""
        head, dot, tail = self.name.removeprefix("--").rpartition(".")
        return f"--{head}{dot}no-{tail}"

    @property
    def names(self) -> tuple[str, ...]:
        """Its names on the command line; a positional argument has none."""
        if self.positional:
            return ()
        return (self.name, self.off) if self.is_switch else (self.name,)

    @property
    def choices(self) -> tuple[str, ...]:
        """The values of a Literal; empty for other kinds."""
        return get_args(self.kind) if get_origin(self.kind) is Literal else ()

    @property
    def expected(self) -> str:
        """A phrase for the values that it takes: "a whole number"."""
        if self.choices:
            return listed(self.choices)
        return _NUMBERS[self.kind][1 + self.many] if self.kind in _NUMBERS else self.metavar


def listed(words: Sequence[str]) -> str:
    """Words as a phrase: "a, b or c"."""
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def read_options(kind: type, default: Any = None) -> tuple[Option, ...]:
    """The options of a dataclass and of those in it, in their order.

    Args:
        kind: the dataclass. `tyro.conf.Positional` marks positional arguments; `tyro.conf.arg` may name placeholders.
        default: an instance whose values are the defaults; None: the defaults of the dataclass.
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
    """The kind of a value, whether there may be any number of values, and whether None is allowed."""
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
    """An attribute that `tyro.conf.arg` sets for a field, or None."""
    return next((value for each in markers if (value := getattr(each, attribute, None)) is not None), None)


def _field_helps(kind: type) -> dict[str, str]:
    """The string below each field, on one line. Python drops these strings, so they are read from the source."""
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
