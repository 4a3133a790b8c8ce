"""What `--help` prints, for every verb."""

from __future__ import annotations

import importlib
import re
from types import ModuleType

import pytest

from selfdepth.cli.main import VERBS
from selfdepth.cli.options import Option, read_options
from selfdepth.cli.pages import help_page, sectioned

WIDE = 10_000


def module_of(verb: str) -> ModuleType:
    return importlib.import_module(f"selfdepth.cli.{verb.replace(' ', '_')}")


def kind_of(verb: str) -> type:
    kind: type = getattr(module_of(verb), "".join(part.capitalize() for part in verb.split()) + "Args")
    return kind


def sections_of(verb: str) -> dict[str, tuple[str, ...]]:
    return getattr(module_of(verb), "SECTIONS", {})


def page(verb: str, width: int) -> str:
    return help_page(verb, kind_of(verb), read_options(kind_of(verb)), sections_of(verb), width)


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_has_a_help_that_is_whole_sentences_on_one_line(verb: str) -> None:
    lines = page(verb, WIDE).splitlines()
    for option in read_options(kind_of(verb)):
        (entry,) = [line for line in lines if re.match(rf"  {re.escape(option.name)}(,? |$)", line)] or [""]
        # An invocation that is too long for its column has the line below for its help.
        text = entry if option.help in entry else lines[lines.index(entry) + 1]
        assert option.help.endswith("."), option.name
        assert re.search(r"  \S.*[.)]$", text), text
        assert "  " not in option.help


@pytest.mark.parametrize("verb", VERBS)
def test_defaults_are_values_or_words(verb: str) -> None:
    text = page(verb, WIDE)
    for odd in ("None", "''", '""', "(default: )", "Default:", "[[", "(default: True)", "MISSING"):
        assert odd not in text, odd


@pytest.mark.parametrize("verb", VERBS)
def test_options_are_in_titled_sections_where_there_are_many(verb: str) -> None:
    options, sections = read_options(kind_of(verb)), sections_of(verb)
    found = sectioned(options, sections)
    assert sorted(option.name for part in found.values() for option in part) == sorted(o.name for o in options)
    assert list(found) == (list(sections) or [title for title in ("arguments", "options") if title in found])
    if len([option for option in options if not option.positional]) > 8:
        assert sections
    assert re.findall(r"^([a-z]+)$", page(verb, WIDE), re.MULTILINE) == list(found)


def test_the_sections_of_train_are_those_of_a_run() -> None:
    found = sectioned(read_options(kind_of("train")), sections_of("train"))
    assert list(found) == [
        *("run", "data", "networks", "objective", "teacher", "augmentation", "schedule", "output", "machine"),
    ]
    assert [option.name for option in found["objective"]][:3] == ["--method", "--loss.ssim", "--loss.ssim-weight"]
    assert [option.name for option in found["machine"]] == ["--device", "--precision", "--compile"]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("width", [60, 80, 120])
def test_lines_are_as_wide_as_the_terminal_at_most(verb: str, width: int) -> None:
    usage, _, rest = page(verb, width).partition("\n\n")
    options = {f"  {option.name} {option.metavar}" for option in read_options(kind_of(verb))}
    assert [line for line in rest.splitlines() if len(line) > width and line not in options] == []
    assert usage.startswith(f"usage: selfdepth {verb} ")


@pytest.mark.parametrize(
    ("default", "words", "shown"),
    [
        (None, "as it was", "(default: as it was)"),
        (None, "", ""),
        (0, "", "(default: 0)"),
        (192, "the aspect", "(default: 192)"),
        (1e-4, "", "(default: 0.0001)"),
        ((), "", "(default: none)"),
        ((-1, 1), "", "(default: -1 1)"),
        ("cpu", "", "(default: cpu)"),
        ("", "", ""),
    ],
)
def test_a_default_in_words_gives_way_to_a_value(default: object, words: str, shown: str) -> None:
    option = Option(
        name="--x",
        field="x",
        kind=str,
        many=isinstance(default, tuple),
        optional=False,
        positional=False,
        default=default,
        metavar="X",
        help="Help.",
        default_words=words,
    )
    text = help_page("verb", Option, [option], {}, WIDE)
    assert text.endswith(f"options\n  --x X  Help. {shown}".rstrip() + "\n")


def test_a_switch_shows_what_turns_it_off_unless_it_is_off() -> None:
    text = page("train", WIDE)
    for shown in ("--compile, --no-compile ", "--loss.automask, --loss.no-automask\n", "  --loss.predictive-mask  "):
        assert shown in text
