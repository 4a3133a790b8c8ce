"""Checks of a configuration: numbers in range, sizes that the networks can take, values of the right type."""

from __future__ import annotations

import dataclasses
import math
import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from selfdepth.errors import ConfigError, DataError
from selfdepth.limits import VARIABLE, limit

SIZE_MULTIPLE = 32
"""Widths and heights are multiples of this: the encoder halves the image five times."""

MIN_SIZE = 64
"""The smallest width and height: at the coarsest level, 1/32 of it, reflection padding needs at least two pixels."""


LARGEST = 10**9
"""The largest whole number of an option, either way: above any count of steps, clips, frames or pixels."""

_SEEDS = range(-(2**63), 2**64)
"""What torch takes as a seed."""
MAX_ASPECT_FACTOR = 1.1
"""A map may be a little wider or narrower than its image, because networks take sizes in steps. Beyond this factor it
is the map of something else, or its axes are swapped."""
_MOST_DIGITS = 40
"""More than a number in range has, signs and underscores included. Python itself refuses thousands of digits."""


def require(condition: bool, flag: str, expected: str, got: object) -> None:
    """Raise ConfigError for the option `flag` unless the condition holds."""
    if not condition:
        raise out_of_range(flag, expected, got)


def require_stream(number: int | None) -> None:
    """Raise ConfigError unless a number of a video stream is given as --stream, or none is."""
    require(number is None or number >= 0, "--stream", "0 or more", number)


def out_of_range(flag: str, expected: str, got: object) -> ConfigError:
    """The error for a value of the option `flag`."""
    # Python refuses to write a number of thousands of digits.
    text = f"a number of {got.bit_length()} bits" if isinstance(got, int) and got.bit_length() > 256 else str(got)
    return ConfigError("option out of range", where=flag, expected=expected, got=text)


def require_number(value: int | str, flag: str) -> None:
    """Refuse a whole number that is too large for any use: arrays and tensors hold 64 bits.

    Args:
        value: the number, or the text that may be one; text that is none passes, for the parser to refuse.
        flag: the option.

    Raises:
        ConfigError: naming the option.
    """
    allowed = _SEEDS if flag == "--seed" else range(-LARGEST, LARGEST + 1)
    expected = f"a whole number from {allowed[0]:,} to {allowed[-1]:,}"
    if isinstance(value, str):
        if len(value) > _MOST_DIGITS and value.strip("+-_0123456789") == "":
            raise ConfigError("option out of range", where=flag, expected=expected, got=f"{len(value):,} digits")
        try:
            value = int(value)
        except ValueError:
            return
    require(value in allowed, flag, expected, value)


def check_numbers(config: object, prefix: str = "") -> None:
    """Refuse whole numbers of a configuration that `require_number` refuses.

    Args:
        config: a dataclass.
        prefix: of its options, such as "loss.".

    Raises:
        ConfigError: for the first of them.
    """
    for name, value in vars(config).items():
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, int):
                require_number(number, f"--{prefix}{name}".replace("_", "-"))


def require_size(size: int, flag: str) -> None:
    """Raise ConfigError for a width or height, in pixels, that the networks cannot take."""
    most = limit("side_pixels")
    if size > most:
        fix = f"resize the frames; or raise the limit with {VARIABLE}=side_pixels={size}"
        raise ConfigError("invalid size", where=flag, expected=f"at most {most} pixels", got=str(size), fix=fix)
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


def check_sync_batch_norm(wanted: bool, *, freeze: bool, compiled: bool | None) -> None:
    """Refuse options that do not go with synchronised batch normalisation: `freeze_batch_norm` and `compile`.

    Raises:
        ConfigError: for the first of them.
    """
    if wanted and freeze:
        raise ConfigError("frozen statistics are not measured", where="--sync-batch-norm", fix="leave it out")
    if wanted and compiled:
        raise ConfigError(
            "a step with messages between its layers cannot be compiled",
            where="--sync-batch-norm",
            got="--compile",
            fix="add --no-compile, or leave --sync-batch-norm out",
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
        got=_short(got),
        fix="use the config.json of a run of this version",
    )


def _short(value: object) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits; lists in lists
        return f"a {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}..."


def check_map_aspect(shape: tuple[int, int], image: tuple[int, int], *, whose: str, where: str) -> None:
    """Refuse a map that cannot be of the image, by its aspect.

    Args:
        shape, image: (height, width) of the map and of the image.
        whose: "teacher's".

    Raises:
        DataError: if their aspects differ by more than MAX_ASPECT_FACTOR.
    """
    factor = (shape[1] / shape[0]) / (image[1] / image[0])
    if max(factor, 1 / factor) > MAX_ASPECT_FACTOR:
        raise DataError(
            f"the {whose} map has another shape than the image",
            where=where,
            expected=f"about the aspect of {image[1]}x{image[0]}",
            got=f"{shape[1]}x{shape[0]}",
            fix="give maps of whole frames, at any size but with the frame's aspect",
        )
