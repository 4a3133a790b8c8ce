"""Predictions and ground truth in .npy and .npz files, as any method can write them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Num
from numpy import ndarray

from selfdepth.config.quantity import SHIFTED, Quantity, stored
from selfdepth.data.readers.arrays import read_arrays
from selfdepth.errors import DataError
from selfdepth.geometry.ray_depth import DepthIs
from selfdepth.geometry.shifted_disparity import lifted
from selfdepth.limits import require_within

MAX_ASPECT_FACTOR = 2.0
"""Predictions are resized to the ground truth, so that their aspects may differ a little. Where they differ by more
than this factor, the axes of the file are probably in another order."""

_DEPTH_IS = "depth_is"
_TOO_MANY = "the file has too many maps"
_KINDS = "a .npy or .npz file with one array (images, height, width), or a .npz with one array per image"


def read_maps(path: Path, *, keys: tuple[str, ...] = ("data",)) -> list[Float[ndarray, "_h _w"]]:
    """One map per image, as float32, from a .npy or .npz file.

    Args:
        path: .npy of shape (images, height, width); or .npz with such an array under one of `keys` or as its only
            entry, or with one (height, width) array per image in the order of writing.
        keys: names of the array in a .npz, the preferred one first.

    Raises:
        DataError: for a file that is missing, cannot be read without pickle, or holds other arrays, too many maps or
            too large ones.
    """
    # float32 halves the memory of a split, and its seven digits exceed those of any depth sensor.
    return [each.astype(np.float32, copy=False) for each in _maps(path, keys)]


def _maps(path: Path, keys: tuple[str, ...]) -> list[Num[ndarray, "_h _w"]]:
    """As `read_maps`, with the numbers as they are stored."""
    arrays = _load(path, keys)
    preferred = [key for key in keys if key in arrays]
    if preferred or len(arrays) == 1:
        stack = arrays[preferred[0] if preferred else next(iter(arrays))]
        # A few bytes can state any number of maps without pixels, and each takes a hundred bytes.
        maps, contents = [], f"an array of shape {stack.shape}"
        if stack.size and stack.ndim in (2, 3):
            require_within("array_maps", len(stack) if stack.ndim == 3 else 1, what=_TOO_MANY, where=path)
            maps = list(stack) if stack.ndim == 3 else [stack]
    else:
        maps, contents = list(arrays.values()), f"entries {', '.join(list(arrays)[:5])}"
        require_within("array_maps", len(maps), what=_TOO_MANY, where=path)
    if not maps or any(each.ndim != 2 or each.size == 0 or each.dtype.kind not in "fiu" for each in maps):
        numeric = all(each.dtype.kind in "fiu" for each in maps)
        got = contents if not maps or numeric else f"numbers of type {maps[0].dtype}"
        raise DataError("the file does not hold maps", where=path, expected=_KINDS, got=got)
    n_bytes = sum(each.size for each in maps) * np.dtype(np.float32).itemsize
    require_within("array_megabytes", n_bytes / 1e6, what="the maps are too large", where=path)
    for each in maps:
        require_within("image_megapixels", each.size / 1e6, what="a map is too large", where=path)
    return maps


def depth_is_of(path: Path) -> DepthIs | None:
    """What a .npz says that its depth is, as `predict` writes it; None if it does not say.

    Raises:
        DataError: for a file that cannot be read, or says something else.
    """
    if path.suffix != ".npz":
        return None
    entries = read_arrays(path, what="the file cannot be read", expected=_KINDS, wanted=lambda names: [_DEPTH_IS])
    said = str(entries[_DEPTH_IS]) if _DEPTH_IS in entries else None
    if said not in ("z", "ray", None):
        raise DataError("the file does not say what its depth is", where=path, expected="z or ray", got=str(said)[:40])
    return None if said is None else "z" if said == "z" else "ray"


def read_predictions(path: Path, quantity: Quantity) -> list[Float[ndarray, "_h _w"]]:
    """Disparities (1 / depth, in any unit) from a file of disparities or of depths; 0 where the depth is not known.

    Raises:
        DataError: as `read_maps`, or for a number that is NaN, infinite or negative; or zero, unless the file says what
            its depth is, as those of `predict`, where 0 is no depth.
    """
    kind = stored(quantity)
    given, with_unknown = _maps(path, ("data", kind)), depth_is_of(path) is not None
    for index, each in enumerate(given):  # before any is converted: a refusal takes the memory of the file alone
        require_positive(each.astype(np.float32, copy=False), quantity, f"{path}, image {index}", or_zero=with_unknown)
    maps = [each.astype(np.float32, copy=False) for each in given]
    if quantity == SHIFTED:
        return [lifted(each) for each in maps]
    return maps if kind == "disparity" else [inverse_of_known(each) for each in maps]


def inverse_of_known(maps: Float[ndarray, "_h _w"]) -> Float[ndarray, "_h _w"]:
    """1 over each number, and 0 for 0."""
    return np.asarray(np.divide(1, maps, out=np.zeros_like(maps), where=maps > 0))


def require_positive(
    prediction: Float[ndarray, "_h _w"], quantity: Quantity, where: str, *, or_zero: bool = False
) -> None:
    """Refuse a prediction with a number that is NaN, infinite, zero or negative.

    Every pixel must be usable, not only those with ground truth: resizing mixes it with its neighbours.

    Args:
        or_zero: accept zeros, which stand for no depth.

    Raises:
        DataError: naming the first such pixel.
    """
    any_sign = quantity == SHIFTED
    wrong = ~(np.isfinite(prediction) & (any_sign | ((prediction >= 0) if or_zero else (prediction > 0))))
    if wrong.any():
        row, column = np.argwhere(wrong)[0].tolist()
        raise DataError(
            f"the prediction cannot be a {stored(quantity)}",
            where=f"{where}, row {row}, column {column}",
            expected="finite numbers" if any_sign else "positive, finite numbers",
            got=f"{prediction[row, column]:g}, and {int(wrong.sum()) - 1} more such pixels",
            fix=f"write the {stored(quantity)} itself"
            + (", or add --predictions-are depth, or disparity-affine" * (quantity == "disparity")),
        )


def read_truths(path: Path) -> list[Float[ndarray, "_h _w"]]:
    """Ground truth in metres, 0 where unknown, from a file.

    Raises:
        DataError: as `read_maps`, for negative numbers or NaN, or if all depths are unknown.
    """
    given = _maps(path, ("data", "depth"))
    known = False
    for index, each in enumerate(each.astype(np.float32, copy=False) for each in given):
        known = known or bool(each.any())
        wrong = ~(np.isfinite(each) & (each >= 0))
        if wrong.any():
            raise DataError(
                "the ground truth cannot be depth",
                where=f"{path}, image {index}",
                expected="metres, and 0 where unknown",
                got=f"{each[wrong][0]:g}",
            )
    if not known:
        raise DataError("there is no ground truth", where=path, expected="metres, 0 where unknown", got="zeros only")
    return [each.astype(np.float32, copy=False) for each in given]


def check_pairs(
    predictions: Sequence[Float[ndarray, "_h _w"]], truths: Sequence[Float[ndarray, "_h2 _w2"]], where: str
) -> None:
    """Refuse predictions and ground truths whose numbers differ, or whose shapes cannot be of the same images.

    Raises:
        DataError: naming the numbers, or the first such image.
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
    """Refuse ground truth whose aspect cannot be that of an image or prediction.

    Args:
        shape, truth: (height, width) of the image or prediction, and of the ground truth.

    Raises:
        DataError: if their aspects differ by more than MAX_ASPECT_FACTOR.
    """
    factor = (shape[1] / shape[0]) / (truth[1] / truth[0])
    if max(factor, 1 / factor) > MAX_ASPECT_FACTOR:
        raise DataError(
            "the ground truth cannot be of the same image",
            where=where,
            expected=f"about the aspect of {shape[1]}x{shape[0]}",
            got=f"ground truth of {truth[1]}x{truth[0]}",
            fix="write arrays as (images, height, width)",
        )


def _load(path: Path, keys: tuple[str, ...]) -> dict[str, ndarray]:
    """The array of a file under the first of `keys` that it has, else all of its arrays. Raises DataError."""
    if path.is_dir() or not path.exists():
        got = "a folder" if path.is_dir() else "no such file"
        raise DataError("the file cannot be read", where=path, expected=_KINDS, got=got)
    return read_arrays(
        path,
        what="the file cannot be read",
        expected=_KINDS,
        wanted=lambda names: [key for key in keys if key in names][:1] or [each for each in names if each != _DEPTH_IS],
    )
