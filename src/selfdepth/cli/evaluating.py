"""What the verbs that evaluate share: check where results go, evaluate, write --json."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, TypeVar

from selfdepth.cli.printing import safe_console
from selfdepth.config.teacher import ONNX
from selfdepth.errors import ConfigError
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


def require_use_of_predictions_are(model: str | None, predictions: str | None, given: str | None) -> None:
    """Refuse --predictions-are where it would be ignored: everything but files and ONNX models says it itself.

    Raises:
        ConfigError: naming the model.
    """
    if given is None or predictions is not None or str(model).lower().endswith(ONNX):
        return
    raise ConfigError(
        "--predictions-are applies only with --predictions, or to an ONNX model",
        got=f"{given}, for {model}",
        fix="leave it out",
    )


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
