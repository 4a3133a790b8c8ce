"""Predictions and ground truth from files: anybody's, as numpy writes them."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.errors import DataError

Quantity = Literal["disparity", "depth"]

MAX_ASPECT_FACTOR = 2.0
"""Predictions are stretched to the ground truth's size. Beyond this they were rather written with other axes."""

_KINDS = "a .npy or .npz file with one array (images, height, width), or a .npz with one array per image"


def read_maps(path: Path, *, keys: tuple[str, ...] = ("data",)) -> list[Float[ndarray, "_h _w"]]:
    """One map per image, from a .npy or .npz file.

    Args:
        path: .npy with (images, height, width); or .npz with such an array under one of `keys`, or as its only
            entry, or with one (height, width) array per image in the order of writing.

    Raises:
        DataError: for a file that is missing, cannot be read without pickle, or holds something else.
    """
    arrays = _load(path)
    known = [key for key in keys if key in arrays]
    if known or len(arrays) == 1:
        stack = arrays[known[0] if known else next(iter(arrays))]
        maps = list(stack if stack.ndim == 3 else [stack] if stack.ndim == 2 else [])
        shape = f"an array of shape {stack.shape}"
    else:
        maps, shape = list(arrays.values()), f"entries {', '.join(list(arrays)[:5])}"
    if not maps or any(one.ndim != 2 or one.size == 0 or one.dtype.kind not in "fiu" for one in maps):
        got = shape if not maps or all(one.dtype.kind in "fiu" for one in maps) else f"numbers of type {maps[0].dtype}"
        raise DataError("the file does not hold maps", where=path, expected=_KINDS, got=got)
    return [one.astype(np.float32, copy=False) for one in maps]


def read_predictions(path: Path, quantity: Quantity) -> list[Float[ndarray, "_h _w"]]:
    """Disparities (1 / depth, up to one factor per set) from a file of disparities or of depths.

    Raises:
        DataError: as `read_maps`, or for a number that is NaN, infinite, zero or negative.
    """
    maps = read_maps(path, keys=("data", quantity))
    for index, one in enumerate(maps):
        require_positive(one, quantity, f"{path}, image {index}")
    return maps if quantity == "disparity" else [1 / one for one in maps]


def require_positive(one: Float[ndarray, "_h _w"], quantity: Quantity, where: str) -> None:
    """Refuse a prediction with a number that is NaN, infinite, zero or negative. Raises DataError naming the pixel."""
    wrong = ~(np.isfinite(one) & (one > 0))
    if wrong.any():
        row, column = np.argwhere(wrong)[0].tolist()
        raise DataError(
            f"the prediction cannot be a {quantity}",
            where=f"{where}, row {row}, column {column}",
            expected="positive, finite numbers",
            got=f"{one[row, column]:g}, and {int(wrong.sum()) - 1} more such pixels",
            fix=f"write the {quantity} itself" + (", or say --predictions-are depth" * (quantity == "disparity")),
        )


def read_truths(path: Path) -> list[Float[ndarray, "_h _w"]]:
    """Ground truth in metres, 0 = not known, from a file.

    Raises:
        DataError: as `read_maps`, for negative numbers or NaN, or if nothing is known at all.
    """
    maps = read_maps(path, keys=("data", "depth"))
    for index, one in enumerate(maps):
        wrong = ~(np.isfinite(one) & (one >= 0))
        if wrong.any():
            raise DataError(
                "the ground truth cannot be depth",
                where=f"{path}, image {index}",
                expected="metres, and 0 where not known",
                got=f"{one[wrong][0]:g}",
            )
    if not any(one.any() for one in maps):
        raise DataError("there is no ground truth", where=path, expected="metres, 0 = not known", got="zeros only")
    return maps


def check_pairs(
    predictions: Sequence[Float[ndarray, "_h _w"]], truths: Sequence[Float[ndarray, "_h2 _w2"]], where: str
) -> None:
    """Refuse a different number of predictions and truths, or shapes that cannot be of the same images.

    Raises:
        DataError: saying which.
    """
    if len(predictions) != len(truths):
        raise DataError(
            "there are not as many predictions as ground truths",
            where=where,
            expected=f"{len(truths)} predictions",
            got=str(len(predictions)),
            fix="give one prediction per ground truth, in the same order",
        )
    for index, (prediction, truth) in enumerate(zip(predictions, truths, strict=True)):
        shape = (truth.shape[0], truth.shape[1])
        check_aspect((prediction.shape[0], prediction.shape[1]), shape, f"{where}, image {index}")


def check_aspect(shape: tuple[int, int], truth: tuple[int, int], where: str) -> None:
    """Refuse ground truth that cannot be of an image or prediction; both as (height, width). Raises DataError."""
    factor = (shape[1] / shape[0]) / (truth[1] / truth[0])
    if max(factor, 1 / factor) > MAX_ASPECT_FACTOR:
        raise DataError(
            "the ground truth cannot be of the same image",
            where=where,
            expected=f"about the aspect of {shape[1]}x{shape[0]}",
            got=f"ground truth of {truth[1]}x{truth[0]}",
            fix="write arrays as (images, height, width)",
        )


def _load(path: Path) -> dict[str, ndarray]:
    if not path.is_file():
        got = "a folder" if path.is_dir() else "no such file"
        raise DataError("the file cannot be read", where=path, expected=_KINDS, got=got)
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, ndarray):
            return {"data": loaded}
        with loaded:
            return {key: loaded[key] for key in loaded.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        pickled = "pickle" in str(error).lower()
        raise DataError(
            "the file cannot be read",
            where=path,
            expected=_KINDS,
            got="Python objects, which are not read" if pickled else str(error),
            fix="write one array of numbers per image: np.savez(path, *maps)" if pickled else None,
        ) from error
