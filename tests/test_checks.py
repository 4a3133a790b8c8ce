"""What a configuration refuses, by the option or field that it is about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from selfdepth.checks import (
    MIN_SIZE,
    SIZE_MULTIPLE,
    check_kinds,
    check_map_aspect,
    require,
    require_number,
    require_size,
)
from selfdepth.errors import ConfigError, DataError


def test_an_option_is_refused_by_its_flag_unless_the_condition_holds() -> None:
    require(True, "--width", "anything", 3)
    with pytest.raises(ConfigError, match=r"out of range: --width; expected more than 3; got 2"):
        require(False, "--width", "more than 3", 2)


def test_sizes_are_multiples_that_the_encoder_can_halve_five_times() -> None:
    assert SIZE_MULTIPLE == 2**5
    for size in range(-SIZE_MULTIPLE, 4 * MIN_SIZE):
        if size >= MIN_SIZE and size % SIZE_MULTIPLE == 0:
            require_size(size, "--width")
        else:
            with pytest.raises(ConfigError, match="--width"):
                require_size(size, "--width")


@pytest.mark.parametrize(("size", "fix"), [(100, "try 96 or 128"), (0, "try 64 or 96"), (63, "try 64 or 96")])
def test_a_size_is_refused_with_sizes_that_could_be_taken(size: int, fix: str) -> None:
    with pytest.raises(ConfigError, match=fix):
        require_size(size, "--height")


@dataclass(frozen=True)
class Inner:
    on: bool = True
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True)
class Outer:
    count: int = 1
    share: float = 0.5
    name: str | None = None
    offsets: tuple[int, ...] = ()
    inner: Inner = field(default_factory=Inner)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"count": 3, "share": 1, "name": None, "offsets": [1, -1]},
        {"name": "x", "inner": {"on": False, "kind": "b"}},
        {"unknown": object()},  # left to the constructor
    ],
)
def test_values_of_the_fields_kinds_are_accepted(values: dict[str, Any]) -> None:
    check_kinds(values, Outer, "config.json")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([], "the file: a JSON object; got []"),
        ({"count": 1.0}, "count: int; got 1.0"),
        ({"count": True}, "count: int; got True"),
        ({"share": "0.5"}, "share: float; got '0.5'"),
        ({"share": False}, "share: float; got False"),
        ({"name": 3}, "name: str | None; got 3"),
        ({"offsets": 1}, "offsets: tuple[int, ...]; got 1"),
        ({"offsets": [1, None]}, "offsets: tuple[int, ...]; got [1, None]"),
        ({"inner": 3}, "inner: a JSON object; got 3"),
        ({"inner": {"on": 1}}, "inner.on: bool; got 1"),
        ({"inner": {"kind": "c"}}, "inner.kind: Literal['a', 'b']; got 'c'"),
    ],
    ids=str,
)
def test_a_value_of_another_kind_is_refused_by_its_field_and_file(values: Any, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_kinds(values, Outer, "runs/a/config.json")
    assert words in str(refused.value)
    assert refused.value.where == "runs/a/config.json"


@pytest.mark.parametrize("number", [10**9, -(10**9), "5", "-7", "x", "1_0", "", "0x10"])
def test_numbers_of_some_use_pass_and_other_text_is_left_to_the_parser(number: int | str) -> None:
    require_number(number, "--steps")


@pytest.mark.parametrize("number", [10**9 + 1, -(10**400), "9" * 5000, "1_" * 300 + "1", "+" + "9" * 20])
def test_numbers_beyond_all_use_are_refused_by_the_option(number: int | str) -> None:
    with pytest.raises(ConfigError, match=r"out of range: --steps; expected a whole number from -1,000,000,000"):
        require_number(number, "--steps")


def test_a_giant_size_is_refused_with_the_limit_to_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="at most 8192 pixels; got 64000") as refusal:
        require_size(64000, "--width")
    name, _, value = str(refusal.value).rpartition("SELFDEPTH_LIMITS=")[2].partition("=")
    monkeypatch.setenv("SELFDEPTH_LIMITS", f"{name}={value}")
    require_size(64000, "--width")


def test_values_that_cannot_be_written_in_a_line_are_refused_all_the_same() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    for value in (10**6000, nested, ["x" * 1000]):
        with pytest.raises(ConfigError, match="invalid value") as refusal:
            check_kinds({"name": value}, _Named, "config.json")
        assert len(str(refusal.value)) < 300


@dataclass
class _Named:
    name: str


@pytest.mark.parametrize("shape", [(32, 64), (24, 50), (300, 640)])
def test_an_aspect_that_differs_by_rounding_is_accepted(shape: tuple[int, int]) -> None:
    check_map_aspect(shape, (32, 64), whose="teacher's", where="here")


@pytest.mark.parametrize("shape", [(64, 32), (32, 32), (32, 80)])
def test_another_aspect_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(DataError, match=rf"about the aspect of 64x32; got {shape[1]}x{shape[0]}"):
        check_map_aspect(shape, (32, 64), whose="teacher's", where="here")
