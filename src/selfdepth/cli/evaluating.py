"""What the two `evaluate` verbs do alike: look at the places for results first, judge, write the numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypeVar

Judged = TypeVar("Judged")


def judged(judge: Callable[[], Judged], *, doing: str, json: str | None, folders: Mapping[str, str | None]) -> Judged:
    """Judge, which may take long, after a look at where the results shall go.

    Args:
        judge: does it.
        doing: in words, for a terminal.
        json: file for the numbers.
        folders: for other results, by their option.

    Raises:
        OutputError: for a place that cannot be written to, before anything is judged.
    """
    from rich.console import Console

    from selfdepth.files import require_writable

    places = {"--json": json and str(Path(json).expanduser().parent), **folders}
    for option, place in places.items():
        if place is not None:
            require_writable(Path(place).expanduser(), option=option)
    console = Console(stderr=True)
    with console.status(doing) if console.is_terminal else nullcontext():
        return judge()


def write_numbers(file: str | None, values: Mapping[str, Any]) -> None:
    """Write a verb's --json, where it is asked for. Raises OutputError when the place cannot be written to."""
    import json

    from selfdepth.files import whole_file

    if file is not None:
        with whole_file(Path(file).expanduser()) as temporary:
            temporary.write_text(json.dumps(values, indent=2, allow_nan=False) + "\n", encoding="utf-8")
