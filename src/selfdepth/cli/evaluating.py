"""What the verbs that evaluate share: check where results go, evaluate, write --json."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from selfdepth.cli.printing import safe_console
from selfdepth.config.teacher import ONNX
from selfdepth.errors import ConfigError
from selfdepth.places import path_of

if TYPE_CHECKING:
    from selfdepth.config.quantity import Quantity
    from selfdepth.weights.models import StatedModel

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


def require_use_of_predictions_are(
    model: str | None, predictions: str | None, given: str | None, takes: str | None = None
) -> None:
    """Refuse --predictions-are and --network-takes where they would be ignored: other models say it themselves.

    Raises:
        ConfigError: naming the model.
    """
    if takes is not None and (predictions is not None or not str(model).lower().endswith(ONNX)):
        raise ConfigError(
            "--network-takes applies only to an ONNX model",
            got=f"{takes}, for {model or predictions}",
            fix="leave it out",
        )
    if given is None or predictions is not None or str(model).lower().endswith(ONNX):
        return
    raise ConfigError(
        "--predictions-are applies only with --predictions, or to an ONNX model",
        got=f"{given}, for {model}",
        fix="leave it out",
    )


class NamesModel(Protocol):
    """The arguments of a verb whose MODEL may be somebody's ONNX file."""

    @property
    def model(self) -> str | None:
        """MODEL."""

    @property
    def predictions_are(self) -> Quantity | None:
        """--predictions-are."""

    @property
    def network_takes(self) -> str | None:
        """--network-takes."""


def stated_model(args: NamesModel) -> StatedModel:
    """MODEL with what the user says of it. Raises ConfigError for words that say nothing."""
    from selfdepth.config.network_input import NetworkInput
    from selfdepth.weights.models import StatedModel

    takes = None if args.network_takes is None else NetworkInput.parse(args.network_takes)
    return StatedModel(str(args.model), args.predictions_are, takes)


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
