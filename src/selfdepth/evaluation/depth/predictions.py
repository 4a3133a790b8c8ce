"""Given predictions for the frames of a data set: one file for all frames, or a folder with one file per frame."""

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
"""Endings of prediction files. If a frame has several files, the first ending here is taken: `predict` may have written
a colour picture beside the numbers."""


def predictions_of(path: Path, frames: EvaluationFrames, quantity: Quantity) -> Iterator[Float[ndarray, "_h _w"]]:
    """Disparities of the frames, in the order of the frames.

    Args:
        path: a file for `read_predictions`, in the order of the frames; or a folder with one file per frame, named
            like the frame: SEQUENCE/0000000012.npy, or 0000000012.npy if no other frame has that name. `.npz` as
            `predict` writes them; 16-bit `.png` with depth * 256.
        quantity: what the files hold.

    Raises:
        DataError: if the number of predictions differs from that of the frames, a frame has no prediction, or a file
            cannot be used.
    """
    if path.is_dir():
        files = _find(path, frames)  # every file is found before the first is compared, which takes minutes
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
    """The disparities in a folder, by the name of their file, in natural order (2.npy before 10.npy).

    Raises:
        DataError: if there are none, or a file cannot be used.
    """
    files = {file.stem: file for kind in reversed(KINDS) for file in sorted(folder.glob(f"*{kind}"))}
    if not files:
        raise _no_predictions(folder)
    return {stem: read_prediction(files[stem], quantity) for stem in sorted(files, key=natural_key)}


def read_prediction(path: Path, quantity: Quantity) -> Float[ndarray, "h w"]:
    """The disparity of one frame, from its own file.

    Raises:
        DataError: for a file that cannot be read, that holds several maps, or with numbers that are not positive.
    """
    if path.suffix == ".png":
        if quantity == "disparity":
            raise DataError("16-bit PNGs hold depth, not disparity", where=path, fix="add --predictions-are depth")
        maps = [read_depth_png(path)]
    else:
        maps = read_maps(path, keys=("data", quantity))
    if len(maps) != 1:
        raise DataError("the file holds several maps", where=path, expected="one map", got=f"{len(maps)} maps")
    require_positive(maps[0], quantity, str(path))
    return np.asarray(maps[0] if quantity == "disparity" else 1 / maps[0])


def _find(folder: Path, frames: EvaluationFrames) -> list[Path]:
    """The file of each frame, in the order of the frames."""
    files: dict[str, Path] = {}
    for kind in reversed(KINDS):  # the first kind is written last and so replaces the others
        for file in folder.rglob(f"*{kind}"):
            files[_key(file.parent.relative_to(folder).as_posix(), _without_zeros(file.stem))] = file
    if not files:
        raise _no_predictions(folder)
    names = [_without_zeros(frames.names[ref]) for ref in frames.refs]
    counts = Counter(names)
    return [
        _file_of(ref, name, folder, files, unique=counts[name] == 1)
        for ref, name in zip(frames.refs, names, strict=True)
    ]


def _file_of(ref: FrameRef, name: str, folder: Path, files: dict[str, Path], *, unique: bool) -> Path:
    """The file of one frame; at the top of the folder only if no other frame has its name. Raises DataError."""
    # As `predict` writes them, as KITTI lays out its images, and without the folder of the date.
    parents = [ref.sequence, f"{ref.sequence}/data", ref.sequence.split("/", 1)[-1], *(["."] if unique else [])]
    for parent in parents:
        if _key(parent, name) in files:
            return files[_key(parent, name)]
    raise DataError(
        "a frame has no prediction",
        where=folder,
        expected=f"{ref.sequence}/{f'{ref.number:010d}' if name.isdecimal() else name} ({', '.join(KINDS)})"
        + (", or the same without the folder" if unique else ""),
        got=f"{len(files)} other files"
        + ("" if unique else "; several frames have this name, so the folder is needed to distinguish them"),
    )


def _key(parent: str, name: str) -> str:
    return f"{parent}/{name}"


def _without_zeros(stem: str) -> str:
    """A name for comparison: numbers lose their leading zeros, because methods pad them differently."""
    return str(int(stem)) if stem.isdecimal() else stem


def _no_predictions(folder: Path) -> DataError:
    return DataError(
        "there are no predictions", where=folder, expected=f"files ending in {', '.join(KINDS)}", got="none"
    )
