"""What `--help` prints: usage, description, and the options in sections."""

from __future__ import annotations

import inspect
import shutil
import textwrap
from collections.abc import Mapping, Sequence

from selfdepth.cli.options import REQUIRED, Option

_COLUMN = 28
"""Largest column at which the help of the options starts."""

_USAGE_LINES = 3
"""Longest usage. If it would be longer, it names only the required options."""

Sections = Mapping[str, Sequence[str]]
"""Fields by the title of their section, in order. "loss" stands for all fields of the dataclass in that field."""


def help_page(verb: str, kind: type, options: Sequence[Option], sections: Sections, width: int | None = None) -> str:
    """The text of a verb's --help.

    Args:
        kind: dataclass of the options; its docstring is the description.
        options: as `read_options` returns them.
        sections: groups of options. Options in none of them come first, under "arguments" and "options".
        width: longest line, in characters; None: that of the terminal, from 60 to 120.
    """
    width = width or min(max(shutil.get_terminal_size().columns, 60), 120)
    paragraphs = [_usage(verb, options, width), *_paragraphs(inspect.getdoc(kind) or "", width)]
    column = min(_COLUMN, 4 + max((len(_invocation(option)) for option in options), default=0))
    for title, part in sectioned(options, sections).items():
        lines = [line for option in part for line in _entry(option, column, width)]
        paragraphs.append("\n".join([title, *lines]))
    return "\n\n".join(paragraphs) + "\n"


def sectioned(options: Sequence[Option], sections: Sections) -> dict[str, list[Option]]:
    """The options by the title of their section, without empty sections."""
    parts: dict[str, list[Option]] = {title: [] for title in ("arguments", "options", *sections)}
    for option in options:
        title = next((title for title, fields in sections.items() if _is_in(option, fields)), None)
        parts[title or ("arguments" if option.positional else "options")].append(option)
    for title, fields in sections.items():
        parts[title].sort(key=lambda option: next(i for i, field in enumerate(fields) if _is_in(option, [field])))
    return {title: part for title, part in parts.items() if part}


def _is_in(option: Option, fields: Sequence[str]) -> bool:
    return any(option.field == field or option.field.startswith(f"{field}.") for field in fields)


def _usage(verb: str, options: Sequence[Option], width: int) -> str:
    shown = {option: _invocation(option) for option in options}
    words = {option: words if option.default is REQUIRED else f"[{words}]" for option, words in shown.items()}
    required = [words[option] for option in options if option.positional or option.default is REQUIRED]
    head = f"usage: selfdepth {verb}"
    lines = _filled([head, *words.values()], width)
    return "\n".join(lines if len(lines) <= _USAGE_LINES else _filled([head, *required, "[options]"], width))


def _filled(parts: Sequence[str], width: int) -> list[str]:
    """Parts joined to lines of at most this width; no part is broken."""
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + 1 + len(part) <= width:
            lines[-1] += f" {part}"
        else:
            lines.append(f"         {part}")
    return lines


def _paragraphs(text: str, width: int) -> list[str]:
    return [textwrap.fill(" ".join(part.split()), width, break_on_hyphens=False) for part in text.split("\n\n") if part]


def _invocation(option: Option) -> str:
    if option.positional:
        return option.name
    if option.is_switch:
        return option.name if option.default is False else ", ".join(option.names)
    return f"{option.name} {option.metavar}"


def _entry(option: Option, column: int, width: int) -> list[str]:
    words = f"{option.help} {_default(option)}".strip()
    text = textwrap.wrap(words, width - column, break_long_words=False, break_on_hyphens=False) or [""]
    head = f"  {_invocation(option)}"
    below = [head] if len(head) + 2 > column else []
    first, *rest = text
    lines = [f"{'' if below else head:<{column}}{first}", *(f"{'':<{column}}{line}" for line in rest)]
    return [line.rstrip() for line in [*below, *lines]]


def _default(option: Option) -> str:
    """The default in brackets; empty if there is none to show."""
    value = option.default
    if value is REQUIRED:
        return "(required)"
    if value in (None, "", ()) and option.default_words:
        return f"(default: {option.default_words})"
    if value in (None, ""):
        return ""
    if option.is_switch:
        return f"(default: {'on' if value else 'off'})"
    if isinstance(value, float):
        return f"(default: {value:g})"
    if isinstance(value, tuple):
        return f"(default: {' '.join(map(str, value)) or 'none'})"
    return f"(default: {value})"
