"""Which frames a model is evaluated on, and their ground truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from selfdepth.data.footage import PARTS, FrameSelection
from selfdepth.data.frames import FrameRef
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.sources.source import DataSource
from selfdepth.data.truth import DepthTruth
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera, crop
from selfdepth.geometry.crop import NO_CROP, Crop
from selfdepth.geometry.crop_resize import CropResize


@dataclass(frozen=True, kw_only=True)
class EvaluationFrames:
    """Frames to predict and compare.

    Attributes:
        source: the data that they are from.
        selection: the frames.
        fit: how the network takes them, or None where predictions are given and nothing is read.
        truth: ground-truth depth of whole frames.
        protocol: name of the depth protocol that fits it.
    """

    source: DataSource
    selection: FrameSelection
    fit: CropResize | None
    truth: DepthTruth
    protocol: str

    @property
    def refs(self) -> tuple[FrameRef, ...]:
        """The frames, in the order of the split."""
        return self.selection.refs

    @property
    def part(self) -> str:
        """What they are, in words: "test frames"."""
        return PARTS[self.selection.part]

    @cached_property
    def cameras(self) -> dict[str, Camera]:
        """Cameras of the whole frames, by sequence."""
        return {sequence.name: sequence.camera for sequence in self.selection.sequences}

    @cached_property
    def names(self) -> dict[FrameRef, str]:
        """What the file of each frame is called, without its ending. Raises DataError for a store."""
        return self.source.names(self.selection)

    def read(self, refs: tuple[FrameRef, ...]) -> Iterator[UInt8[ndarray, "h w 3"]]:
        """Frames at the network's size and cropped as at training, in the order of `refs`."""
        if self.fit is None:
            raise ValueError("frames are read for a network only")
        return self.source.read(self.selection, refs, self.fit)

    def evenly(self, count: int) -> EvaluationFrames:
        """The same with no more than `count` of the frames, evenly spaced; the first and the last among them."""
        if count >= len(self.refs):
            return self
        rows = np.linspace(0, len(self.refs) - 1, count).round().astype(int)
        chosen = replace(self.selection, refs=tuple(self.refs[row] for row in rows))
        return replace(self, selection=chosen)

    def seen_truth(self, ref: FrameRef) -> Float[ndarray, "h w"] | None:
        """Ground truth of what `read` gives of a frame, or None. Raises DataError if it cannot be cropped alike."""
        sides = NO_CROP if self.fit is None else self.source.fitting(self.fit).crop
        return cropped_truth(self.truth, ref, self.cameras[ref.sequence], sides)


def frames_to_evaluate(
    data: Path, split: str | Path | None, fit: CropResize | None, *, part: str | None = None, whole: bool = False
) -> EvaluationFrames:
    """The frames of a data set that depth is evaluated on.

    Args:
        data: as `recognise` takes it.
        split: as `find_split` takes it; KITTI only. Its test frames are taken, else its validation frames, else all.
        fit: the network's size and the crop at training; None: nothing will be read, and nothing is cropped.
        part: "train", "val" or "test" of the split or data set, instead.
        whole: without a split, take all frames, not only those for validation.

    Raises:
        DataError: for data or a split that cannot be used, a part without frames, or a store that does not fit the
            network.
    """
    source = recognise(data)
    selection = source.select(split=None if split is None else str(split), part=part, whole=whole)
    frames = EvaluationFrames(source=source, selection=selection, fit=fit, truth=source.truth, protocol=source.protocol)
    if fit is None:
        frames.names  # noqa: B018  refuses a store before anything is compared
    else:
        source.fitting(fit)  # refuses a store of another size
    return frames


def cropped_truth(measured: DepthTruth, ref: FrameRef, camera: Camera, sides: Crop) -> Float[ndarray, "h w"] | None:
    """Ground truth of the part of a frame that the networks see, or None where it has none.

    Args:
        measured: gives that of the whole frame.
        camera: of the whole frame.
        sides: what is cut off the frame.

    Raises:
        DataError: if it cannot be cropped as the frame is, or nothing is left.
    """
    truth = measured(ref)
    if truth is None or not sides:
        return truth
    if truth.shape != (camera.height, camera.width):
        raise DataError(
            "the ground truth is not of the images' size, so it cannot be cropped with them",
            where=f"frame {ref.number} of {ref.sequence}",
            expected=f"{camera.width}x{camera.height}",
            got=f"{truth.shape[1]}x{truth.shape[0]}",
        )
    return np.ascontiguousarray(crop(truth, camera, sides)[0])
