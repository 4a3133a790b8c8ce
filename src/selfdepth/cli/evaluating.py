"""What both `evaluate` verbs do: check where results go, evaluate, write --json."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, TypeVar

from selfdepth.cli.printing import safe_console
from selfdepth.places import path_of

Result = TypeVar("Result")


def run_evaluation(
    evaluate: Callable[[], Result], *, status: str, json: str | None, folders: Mapping[str, str | None]
) -> Result:
    """Call `evaluate`, once every place for its results is known to be writable: it may run for hours.

    Args:
        evaluate: does the work.
        status: what it does, shown on a terminal meanwhile ("following the camera").
        json: value of --json, a file.
        folders: other output folders, by their options.

    Raises:
        OutputError: if a place cannot be written to, before `evaluate` is called.
    """
    from selfdepth.files import require_writable, require_writable_file

    if json is not None:
        require_writable_file(path_of(json), option="--json")
    for option, folder in folders.items():
        if folder is not None:
            require_writable(path_of(folder), option=option)
    console = safe_console(stderr=True)
    with console.status(status) if console.is_terminal else nullcontext():
        return evaluate()


def write_json(file: str | None, values: Mapping[str, Any]) -> None:
    """Write the file of --json; do nothing without one.

    Raises:
        OutputError: if the file cannot be written.
        ValueError: for nan or infinity, which JSON does not have.
    """
    import json

    from selfdepth.files import whole_file

    if file is not None:
        with whole_file(path_of(file)) as temporary:
            temporary.write_text(json.dumps(values, indent=2, allow_nan=False) + "\n", encoding="utf-8")
