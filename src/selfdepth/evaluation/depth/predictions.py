"""Given predictions for the frames of a data set: one file for all frames, or a folder with one file per frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.config.quantity import SHIFTED, Quantity, stored
from selfdepth.data.kitti.improved import read_depth_png
from selfdepth.data.readers.frame_files import files_of_frames
from selfdepth.data.readers.frame_names import natural_key
from selfdepth.errors import DataError
from selfdepth.evaluation.depth.arrays import (
    depth_is_of,
    inverse_of_known,
    read_maps,
    read_predictions,
    require_positive,
)
from selfdepth.evaluation.depth.frames import EvaluationFrames
from selfdepth.geometry.ray_depth import DepthIs, describe_depth_is
from selfdepth.geometry.shifted_disparity import lifted

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
        return (read_prediction(file, quantity, frames.depth_is) for file in _files(path, frames))
    maps = read_predictions(path, quantity)
    if len(maps) != len(frames.refs):
        raise DataError(
            "there are not as many predictions as frames",
            where=path,
            expected=f"{len(frames.refs)}, one for each of the {frames.part}, in their order",
            got=str(len(maps)),
        )
    return iter(maps)


def kind_of_predictions(path: Path, frames: EvaluationFrames) -> DepthIs:
    """What the depths are that `predictions_of` reads: what the first file says, or else along z.

    Raises:
        DataError: if a frame has no prediction, or the file cannot be used.
    """
    return depth_is_of(_files(path, frames)[0] if path.is_dir() else path) or "z"


def kind_of_files(predictions: Path, ground_truth: Path) -> DepthIs:
    """What the depths are of files of predictions and of ground truth.

    Args:
        predictions: file, or folder with a file for each image.

    Raises:
        DataError: if they differ: there is no camera to convert one of them.
    """
    first = min(predictions.glob("*.npz"), default=None) if predictions.is_dir() else predictions
    given = None if first is None else depth_is_of(first)
    given, true = given or "z", depth_is_of(ground_truth) or "z"
    if given != true:
        raise DataError(
            "the predictions and the ground truth are not the same, and without a camera neither can be converted",
            where=predictions,
            expected=f"predictions that are {describe_depth_is(true)}, as {ground_truth.name}",
            got=f"predictions that are {describe_depth_is(given)}",
            fix="give the data that they are of with --data",
        )
    return given


def _files(path: Path, frames: EvaluationFrames) -> list[Path]:
    names = [frames.names[ref] for ref in frames.refs]
    return list(files_of_frames(path, frames.refs, names, kinds=KINDS, wanted="prediction"))


def read_folder(folder: Path, quantity: Quantity, depth_is: DepthIs = "z") -> dict[str, Float[ndarray, "_h _w"]]:
    """The disparities in a folder, by the name of their file, in natural order (2.npy before 10.npy).

    Raises:
        DataError: if there are none, or a file cannot be used.
    """
    files = {file.stem: file for kind in reversed(KINDS) for file in sorted(folder.glob(f"*{kind}"))}
    if not files:
        raise DataError(
            "there is no prediction", where=folder, expected=f"files ending in {', '.join(KINDS)}", got="none"
        )
    return {stem: read_prediction(files[stem], quantity, depth_is) for stem in sorted(files, key=natural_key)}


def read_prediction(path: Path, quantity: Quantity, depth_is: DepthIs = "z") -> Float[ndarray, "h w"]:
    """The disparity of one frame, from its own file; 0 where the file says that the depth is not known.

    Args:
        depth_is: what the depth is to be, in all files alike.

    Raises:
        DataError: for a file that cannot be read, that holds several maps, with numbers that are not positive, or whose
            depth is of the other kind.
    """
    said = depth_is_of(path)
    if (said or "z") != depth_is:
        raise DataError(
            "the predictions are not all of one kind",
            where=path,
            expected=f"depth_is {depth_is}, as in the first file",
            got=f"{said or 'nothing, which stands for z'}",
        )
    if path.suffix == ".png":
        if stored(quantity) == "disparity":
            raise DataError("16-bit PNGs hold depth, not disparity", where=path, fix="add --predictions-are depth")
        maps = [read_depth_png(path)]
    else:
        maps = read_maps(path, keys=("data", stored(quantity)))
    if len(maps) != 1:
        raise DataError("the file holds several maps", where=path, expected="one map", got=f"{len(maps)} maps")
    require_positive(maps[0], quantity, str(path), or_zero=said is not None)
    if quantity == SHIFTED:
        return lifted(maps[0])
    return np.asarray(maps[0] if quantity == "disparity" else inverse_of_known(maps[0]))
