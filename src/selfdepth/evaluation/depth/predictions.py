"""Anybody's predictions for the frames of a data set: one file with all of them, or a folder with one for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.frames import FrameRef
from selfdepth.data.kitti.improved import read_depth_png
from selfdepth.data.readers.images import natural_key
from selfdepth.errors import DataError
from selfdepth.evaluation.depth.arrays import Quantity, read_maps, read_predictions, require_positive
from selfdepth.evaluation.depth.frames import EvaluationFrames

KINDS = (".npy", ".npz", ".png")
"""Of several files of one frame, the first of these: pictures in colours may lie beside the numbers."""


def predictions_of(path: Path, frames: EvaluationFrames, quantity: Quantity) -> Iterator[Float[ndarray, "_h _w"]]:
    """Disparities of the frames, in their order.

    Args:
        path: a file as `read_predictions` takes it, in the frames' order; or a folder with a file per frame, named
            by the frame: SEQUENCE/0000000012.npy as the images are, or 0000000012.npy where no other frame has
            that name. `.npz` as `predict` writes them, 16-bit `.png` with depth * 256.

    Raises:
        DataError: for another number of predictions, a frame that has none, or a file that cannot be used.
    """
    if path.is_dir():
        files = _find(path, frames)  # all of them, before the first is compared
        return (read_prediction(file, quantity) for file in files)
    maps = read_predictions(path, quantity)
    if len(maps) != len(frames.refs):
        raise DataError(
            "there are not as many predictions as frames",
            where=path,
            expected=f"{len(frames.refs)}, one for each of the {frames.part}, in their order",
            got=str(len(maps)),
        )
    return iter(maps)


def read_folder(folder: Path, quantity: Quantity) -> dict[str, Float[ndarray, "_h _w"]]:
    """The disparities in a folder of files by their names, in natural order (2.npy before 10.npy).

    Raises:
        DataError: if there are none, or one cannot be used.
    """
    files = {file.stem: file for kind in reversed(KINDS) for file in sorted(folder.glob(f"*{kind}"))}
    if not files:
        raise _no_predictions(folder)
    return {stem: read_prediction(files[stem], quantity) for stem in sorted(files, key=natural_key)}


def read_prediction(path: Path, quantity: Quantity) -> Float[ndarray, "h w"]:
    """The disparity of one frame, from a file of its own.

    Raises:
        DataError: for a file that cannot be read, holds more than one map, or numbers that are not positive.
    """
    if path.suffix == ".png":
        if quantity == "disparity":
            raise DataError("16-bit PNGs hold depth", where=path, fix="say --predictions-are depth")
        maps = [read_depth_png(path)]
    else:
        maps = read_maps(path, keys=("data", quantity))
    if len(maps) != 1:
        raise DataError("the file does not hold one map", where=path, expected="one map", got=f"{len(maps)} maps")
    require_positive(maps[0], quantity, str(path))
    return np.asarray(maps[0] if quantity == "disparity" else 1 / maps[0])


def _find(folder: Path, frames: EvaluationFrames) -> list[Path]:
    """The file of each frame."""
    found: dict[str, Path] = {}
    for kind in reversed(KINDS):
        for file in folder.rglob(f"*{kind}"):
            found[_key(file.parent.relative_to(folder).as_posix(), _plain(file.stem))] = file
    if not found:
        raise _no_predictions(folder)
    names = [_plain(frames.names[ref]) for ref in frames.refs]
    common = Counter(names)
    return [
        _file_of(ref, name, folder, found, alone=common[name] == 1)
        for ref, name in zip(frames.refs, names, strict=True)
    ]


def _file_of(ref: FrameRef, name: str, folder: Path, found: dict[str, Path], *, alone: bool) -> Path:
    parents = [ref.sequence, f"{ref.sequence}/data", ref.sequence.split("/", 1)[-1], *(["."] if alone else [])]
    for parent in parents:
        if _key(parent, name) in found:
            return found[_key(parent, name)]
    raise DataError(
        "a frame has no prediction",
        where=folder,
        expected=f"{ref.sequence}/{f'{ref.number:010d}' if name.isdecimal() else name} ({', '.join(KINDS)})"
        + (", or without the folder" if alone else ""),
        got=f"{len(found)} other files" + ("" if alone else "; other frames have the same name, so folders tell them"),
    )


def _key(parent: str, name: str) -> str:
    return f"{parent}/{name}"


def _plain(stem: str) -> str:
    """A name as it is compared: numbers without leading zeros."""
    return str(int(stem)) if stem.isdecimal() else stem


def _no_predictions(folder: Path) -> DataError:
    return DataError(
        "there are no predictions", where=folder, expected=f"files ending in {', '.join(KINDS)}", got="none"
    )
