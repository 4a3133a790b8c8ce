"""Given predictions for the frames of a data set: one file for all frames, or a folder with one file per frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.data.kitti.improved import read_depth_png
from selfdepth.data.readers.frame_files import files_of_frames
from selfdepth.data.readers.frame_names import natural_key
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
        # Every file is found before the first is compared, which takes minutes.
        names = [frames.names[ref] for ref in frames.refs]
        files = files_of_frames(path, frames.refs, names, kinds=KINDS, wanted="prediction")
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
        raise DataError(
            "there is no prediction", where=folder, expected=f"files ending in {', '.join(KINDS)}", got="none"
        )
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
