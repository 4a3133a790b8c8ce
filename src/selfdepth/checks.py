"""Checks of a configuration: numbers in range, sizes that the networks can take, values of the right type."""

from __future__ import annotations

import dataclasses
import math
import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from selfdepth.errors import ConfigError

SIZE_MULTIPLE = 32
"""Widths and heights are multiples of this: the encoder halves the image five times."""

MIN_SIZE = 64
"""The smallest width and height: at the coarsest level, 1/32 of it, reflection padding needs at least two pixels."""


def require(condition: bool, flag: str, expected: str, got: object) -> None:
    """Raise ConfigError for the option `flag` unless the condition holds."""
    if not condition:
        raise ConfigError("option out of range", where=flag, expected=expected, got=str(got))


def require_size(size: int, flag: str) -> None:
    """Raise ConfigError for a width or height, in pixels, that the networks cannot take."""
    if size < MIN_SIZE or size % SIZE_MULTIPLE:
        below = max(MIN_SIZE, size // SIZE_MULTIPLE * SIZE_MULTIPLE)
        raise ConfigError(
            "invalid size",
            where=flag,
            expected=f"a multiple of {SIZE_MULTIPLE}, at least {MIN_SIZE}",
            got=str(size),
            fix=f"try {below} or {below + SIZE_MULTIPLE}",
        )


def check_other_models(
    *,
    anchor: float | None,
    freeze_batch_norm: bool,
    init: str | None,
    self_teacher: str | None,
    never_trained: dict[str, bool],
) -> None:
    """Refuse options of another model, anchor or teacher, that do not go with the rest.

    Args:
        anchor, freeze_batch_norm, init, self_teacher: as in TrainConfig.
        never_trained: by option, whether the run has a part that self-teaching, which sees the target alone, would
            leave untrained.

    Raises:
        ConfigError: for the first of them.
    """
    require(anchor is None or 0 < anchor < math.inf, "--anchor", "a number of more than 0", anchor)
    for option, given in (("--anchor", anchor is not None), ("--freeze-batch-norm", freeze_batch_norm)):
        if given and init is None:
            raise ConfigError("there is no model to stay near", where=option, expected="--init MODEL with it")
    if self_teacher is None:
        return
    if anchor is not None:
        raise ConfigError("--anchor and --self-teacher exclude each other", fix="leave one of them out")
    for option, given in never_trained.items():
        if given:
            raise ConfigError(
                "a self-taught model cannot have this",
                where=option,
                got="--self-teacher",
                fix="give other options, and a teacher that was trained with them",
            )


def check_kinds(values: object, kind: type, where: str | Path, prefix: str = "") -> None:
    """Compare the types of JSON values with the annotations of a dataclass, nested ones included.

    A name that is not a field passes: the constructor refuses it.

    Args:
        values: what the file held; an object, if all is well.
        kind: the dataclass.
        where: the file.
        prefix: of the names in errors, such as "loss.".

    Raises:
        ConfigError: for the first value of another type.
    """
    hints = get_type_hints(kind)
    if not isinstance(values, dict):
        raise _wrong_kind(where, prefix.rstrip(".") or "the file", "a JSON object", values)
    for name, value in values.items():
        hint = hints.get(name)
        if dataclasses.is_dataclass(hint):
            check_kinds(value, hint, where, f"{prefix}{name}.")  # type: ignore[arg-type]
        elif hint is not None and not _fits(value, hint):
            type_name = getattr(hint, "__name__", str(hint)) if get_origin(hint) is None else str(hint)
            raise _wrong_kind(where, prefix + name, type_name.replace("typing.", ""), value)


def _fits(value: object, hint: Any) -> bool:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return value in inner
    if origin in (Union, types.UnionType):
        return any(_fits(value, each) for each in inner)
    if origin is tuple:
        return isinstance(value, list | tuple) and all(_fits(item, inner[0]) for item in value)
    if isinstance(value, bool):  # in Python a bool is an int: `true` would pass as 1
        return hint is bool
    return isinstance(value, int | float if hint is float else hint)  # a JSON file may say 1 for 1.0


def _wrong_kind(where: str | Path, name: str, expected: str, got: object) -> ConfigError:
    return ConfigError(
        "invalid value in the configuration",
        where=where,
        expected=f"{name}: {expected}",
        got=repr(got),
        fix="use the config.json of a run of this version",
    )
