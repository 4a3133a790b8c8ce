"""What a configuration refuses: numbers out of range, sizes that the networks cannot take, values of another kind."""

from __future__ import annotations

import dataclasses
import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from selfdepth.errors import ConfigError

SIZE_MULTIPLE = 32
"""Widths and heights are multiples of this: the encoder halves the image five times."""

MIN_SIZE = 64
"""The smallest width and height: at 1/32 of it there must be two pixels, or there is nothing to reflect at a border."""


def require(condition: bool, flag: str, expected: str, got: object) -> None:
    """Refuse the option that `flag` names unless the condition holds. Raises ConfigError."""
    if not condition:
        raise ConfigError("option out of range", where=flag, expected=expected, got=str(got))


def require_size(size: int, flag: str) -> None:
    """Refuse a width or height that the networks cannot take. Raises ConfigError."""
    if size < MIN_SIZE or size % SIZE_MULTIPLE:
        below = max(MIN_SIZE, size // SIZE_MULTIPLE * SIZE_MULTIPLE)
        raise ConfigError(
            "size cannot be used",
            where=flag,
            expected=f"a multiple of {SIZE_MULTIPLE}, at least {MIN_SIZE}",
            got=str(size),
            fix=f"try {below} or {below + SIZE_MULTIPLE}",
        )


def check_kinds(values: object, kind: type, where: str | Path, prefix: str = "") -> None:
    """Refuse values of another kind than the field's; names that are no field are left to the constructor."""
    hints = get_type_hints(kind)
    if not isinstance(values, dict):
        raise _wrong_kind(where, prefix.rstrip(".") or "the file", "a JSON object", values)
    for name, value in values.items():
        hint = hints.get(name)
        if dataclasses.is_dataclass(hint):
            check_kinds(value, hint, where, f"{prefix}{name}.")  # type: ignore[arg-type]
        elif hint is not None and not _fits(value, hint):
            words = getattr(hint, "__name__", str(hint)) if get_origin(hint) is None else str(hint)
            raise _wrong_kind(where, prefix + name, words.replace("typing.", ""), value)


def _fits(value: object, hint: Any) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return value in inner
    if origin in (Union, types.UnionType):
        return any(_fits(value, each) for each in inner)
    if origin is tuple:
        return isinstance(value, list | tuple) and all(_fits(item, inner[0]) for item in value)
    if isinstance(value, bool):  # to Python a truth value is a number too
        return hint is bool
    return isinstance(value, int | float if hint is float else hint)


def _wrong_kind(where: str | Path, name: str, expected: str, got: object) -> ConfigError:
    return ConfigError(
        "the configuration cannot be used",
        where=where,
        expected=f"{name}: {expected}",
        got=repr(got),
        fix="use the config.json of a run of this version",
    )
