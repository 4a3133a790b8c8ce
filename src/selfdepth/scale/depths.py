"""Predicted depth of the frames: a model's, in the network's own unit, or that of any method, from files."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.config.quantity import Quantity
from selfdepth.data.footage import FrameSelection
from selfdepth.data.frames import FrameRef, FrameSequence
from selfdepth.data.readers.frame_files import files_of_frames, find_files_of_frames
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.evaluation.depth.arrays import (
    check_aspect,
    depth_is_of,
    inverse_of_known,
    read_predictions,
)
from selfdepth.evaluation.depth.predictions import KINDS, read_prediction
from selfdepth.geometry.crop import NO_CROP
from selfdepth.geometry.crop_resize import CropResize
from selfdepth.geometry.ray_depth import DepthIs
from selfdepth.inference.predictor import Predictor
from selfdepth.scale.frames import ScaleFootage, ScaleFrame
from selfdepth.weights.models import DepthModel

BATCH = 8
"""Frames that are predicted together."""


def model_depths(
    footage: ScaleFootage, refs: Sequence[FrameRef], weights: DepthModel, *, device: str = "auto"
) -> Iterator[ScaleFrame]:
    """The frames with the depth that a network predicts at its own size, in its own unit, in float32.

    Frames of the training frames' size are cropped as at training; others are not, with a warning.

    Raises:
        SelfDepthError: for a frame that cannot be read, or a store that does not fit the model.
    """
    predictor = Predictor(replace(weights, metric=None), device=device, precision="fp32")
    fits = {each.name: fit_of(each, weights, footage) for each in footage.sequences}
    if any(fit.crop != weights.fit.crop for fit in fits.values()):
        warnings.warn(
            f"the model was trained on frames cropped by {weights.fit.crop} (top, bottom, left, right), but "
            "frames of another size are not cropped: their depth may be worse",
            SelfDepthWarning,
            stacklevel=2,
        )
    for name, group in itertools.groupby(refs, key=lambda ref: ref.sequence):
        whole, fit = footage.sequence(name).camera, fits[name]
        chosen = list(group)
        images = footage.read(name, tuple(ref.number for ref in chosen), fit)
        for start in range(0, len(chosen), BATCH):
            batch = chosen[start : start + BATCH]
            predictions = predictor.predict_fitted(list(itertools.islice(images, len(batch))))
            for ref, prediction in zip(batch, predictions, strict=True):
                yield ScaleFrame(
                    ref=ref,
                    time_s=footage.times_s[ref],
                    depth=prediction.depth.astype(np.float64),
                    whole=whole,
                    crop=fit.crop,
                    rectify=fit.rectify,
                    depth_is=weights.depth_is,
                )


def fit_of(sequence: FrameSequence, weights: DepthModel, footage: ScaleFootage) -> CropResize:
    """What turns frames of a sequence into a network's input. Its crop is for frames of the training frames' size."""
    own, fit = weights.camera, weights.fit
    same = own is None or (own.width, own.height) == (sequence.camera.width, sequence.camera.height)
    return fit if same or footage.source.kind == "store" else replace(fit, crop=NO_CROP)


class GivenDepths:
    """Predictions in files for the frames of the data, by any method, at any resolution.

    Args:
        path: a file with one map per frame of the data, in their order; or a folder with a file per frame, named like
            the frame, which may lack some (`files_of_frames`).
        quantity: what the files hold.

    Raises:
        DataError: for a file that cannot be used or has another number of maps, or a folder without any prediction of a
            frame.
    """

    def __init__(self, path: Path, quantity: Quantity, footage: ScaleFootage) -> None:
        self._path, self._quantity, self._footage = path, quantity, footage
        self._files: dict[FrameRef, Path] = {}
        self._maps: dict[FrameRef, ndarray] = {}
        self._depth_is: DepthIs
        refs = footage.refs
        if path.is_dir():
            selection = FrameSelection(part="all", refs=refs, sequences=footage.sequences)
            by_ref = footage.source.names(selection)
            names = [by_ref[ref] for ref in refs]
            found = find_files_of_frames(path, refs, names, kinds=KINDS, wanted="prediction")
            if not any(found):
                files_of_frames(path, refs, names, kinds=KINDS, wanted="prediction")  # raises, naming the first
            self._files = {ref: file for ref, file in zip(refs, found, strict=True) if file is not None}
            self._depth_is = depth_is_of(next(iter(self._files.values()))) or "z"
            return
        self._depth_is = depth_is_of(path) or "z"
        maps = read_predictions(path, quantity)
        if len(maps) != len(refs):
            raise DataError(
                "there are not as many predictions as frames",
                where=path,
                expected=f"{len(refs)}, one for each frame of {footage.source.path}, in their order",
                got=str(len(maps)),
                fix="give a folder with a file per frame if some frames have none",
            )
        self._maps = dict(zip(refs, maps, strict=True))

    @property
    def refs(self) -> tuple[FrameRef, ...]:
        """The frames that have a prediction, in their order."""
        return tuple(self._maps or self._files)

    def depths(self, refs: Iterable[FrameRef]) -> Iterator[ScaleFrame]:
        """The frames with their depth. Raises DataError for a map that cannot be used, or of another aspect."""
        for ref in refs:
            disparity = self._maps[ref] if self._maps else self._read(ref)
            whole = self._footage.sequence(ref.sequence).camera
            shape = (disparity.shape[0], disparity.shape[1])
            check_aspect(shape, (whole.height, whole.width), f"{self._path}, {ref.sequence} {ref.number}")
            yield ScaleFrame(
                ref=ref,
                time_s=self._footage.times_s[ref],
                depth=inverse_of_known(disparity.astype(np.float64)),
                whole=whole,
                depth_is=self._depth_is,
            )

    def _read(self, ref: FrameRef) -> Float[ndarray, "h w"]:
        return read_prediction(self._files[ref], self._quantity, self._depth_is)
