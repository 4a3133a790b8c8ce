"""Find the weights folder that a MODEL on the command line names."""

from __future__ import annotations

import difflib
import glob
import hashlib
from pathlib import Path

from selfdepth.config.teacher import ONNX
from selfdepth.errors import CheckpointError
from selfdepth.files import checksum
from selfdepth.places import path_of
from selfdepth.weights.hub import fetch_from_hub
from selfdepth.weights.hub_names import SCHEME, hub_name, name_on_page
from selfdepth.weights.published import is_published
from selfdepth.weights.published_models import PUBLISHED_NAMES, fetch_published
from selfdepth.weights.published_names import FILES

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
CALIBRATION_FILES = ("calibration.json", "calibration.png")
"""What `selfdepth calibrate` writes beside the weights: the numbers and the plot of their factor to metres."""
_EXPECTED = (
    "a run, weights or published folder, an ONNX file, a published name like mono_640x192, or a hub name "
    "OWNER/NAME[@REVISION]"
)


def find_model(model: str | Path) -> Path:
    """The weights folder, or the ONNX file, that MODEL names: as `find_weights`, for those who only predict."""
    path = path_of(model, "MODEL", error=CheckpointError)
    return path if _is_onnx(path) and path.is_file() else find_weights(model)


def find_weights(model: str | Path) -> Path:
    """The weights folder that MODEL names.

    Args:
        model: a run folder (its `best/`, else its `last/`), a weights folder, a published checkpoint folder, the name
            of one of the nine published models, or a Hugging Face hub name "owner/name" or "owner/name@revision". The
            models behind names are downloaded on first use.

    Raises:
        CheckpointError: if there is no such model, or it cannot be downloaded; and for an ONNX file, which holds no
            weights to go on from.
    """
    path = path_of(model, "MODEL", error=CheckpointError)
    if _is_onnx(path) and path.is_file():
        raise CheckpointError(
            "an ONNX file holds a network that predicts depth, and no weights of selfdepth",
            where=path,
            expected="the run or weights folder that it was exported from",
            fix="predict, evaluate depth, calibrate, compare and info take the file",
        )
    if path.is_dir():
        for folder in (path / "best", path / "last", path):  # best/ is the model that validation chose
            if (folder / WEIGHTS_FILE).is_file() and (folder / CONFIG_FILE).is_file():
                return folder
        if is_published(path):
            return path
        raise CheckpointError(
            "the folder holds no model",
            where=path,
            expected=f"{WEIGHTS_FILE} and {CONFIG_FILE}, there or in best/ or last/; or {FILES[0]} and {FILES[1]}",
            got=_contents(path),
            fix="give the --out folder of a training run that has saved a model",
        )
    if path.exists():
        raise CheckpointError(
            "the model is a file", where=path, expected=_EXPECTED, fix=f"try its folder, {path.parent}"
        )
    hub = hub_name(str(model))
    # "runs/drvie" looks like a hub name, but if runs/ exists here it is a misspelt path: do not wait for the network.
    if hub is not None and (hub.is_explicit or not (path_of(hub.repository).parent.exists() or _is_onnx(path))):
        return fetch_from_hub(hub, weights=WEIGHTS_FILE, config=CONFIG_FILE)
    if str(model) in PUBLISHED_NAMES:
        return fetch_published(str(model))
    raise CheckpointError("there is no such model", where=path, expected=_EXPECTED, fix=_meant(str(model)))


def _meant(word: str) -> str | None:
    """What may have been meant by a word that names nothing."""
    close = name_on_page(word) or next(iter(difflib.get_close_matches(word, PUBLISHED_NAMES, n=1)), None)
    if close is not None:
        return f"did you mean {close}"
    return None if hub_name(word) is None else f"write {SCHEME}{word} if it is a model of the hub"


def files_of_model(place: Path) -> dict[str, Path]:
    """The files that predictions of a model depend on, by their names; of an ONNX file, also those of its weights
    (model.onnx.data).

    Args:
        place: as `find_model` returns it.
    """
    if place.is_file():
        beside = sorted(each for each in place.parent.glob(f"{glob.escape(place.name)}*") if each.is_file())
        return {f"{ONNX}{each.name.removeprefix(place.name)}": each for each in beside}
    return {name: place / name for name in (WEIGHTS_FILE, CONFIG_FILE, *FILES) if (place / name).is_file()}


def model_checksum(place: Path) -> str:
    """SHA-256, in hexadecimal digits, of `files_of_model`.

    Args:
        place: as `find_model` returns it.

    Raises:
        CheckpointError: if one of them cannot be read.
    """
    try:
        lines = [f"{name} {checksum(file)}\n" for name, file in files_of_model(place).items()]
    except OSError as error:
        raise CheckpointError("the model cannot be read", where=place, got=error.strerror or str(error)) from error
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _is_onnx(path: Path) -> bool:
    return path.suffix.lower() == ONNX


def _contents(folder: Path) -> str:
    names = sorted(entry.name for entry in folder.iterdir())
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "") if names else "an empty folder"
