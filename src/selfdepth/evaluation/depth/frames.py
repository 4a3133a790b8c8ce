"""The frames that depth is evaluated on, and their ground truth."""

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
        source: the data set.
        selection: the frames, and the sequences that they are in.
        fit: crop and size of the network's input; None if predictions are given and no image is read.
        truth: ground-truth depth of whole frames, before any crop.
        protocol: name of the depth protocol that fits this ground truth.
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
        """Description of the frames, such as "test frames"."""
        return PARTS[self.selection.part]

    @cached_property
    def cameras(self) -> dict[str, Camera]:
        """Cameras of the whole frames, by sequence."""
        return {sequence.name: sequence.camera for sequence in self.selection.sequences}

    @cached_property
    def names(self) -> dict[FrameRef, str]:
        """Name of the file of each frame, without its ending. Raises DataError for a store, which holds no names."""
        return self.source.names(self.selection)

    def read(self, refs: tuple[FrameRef, ...]) -> Iterator[UInt8[ndarray, "h w 3"]]:
        """Frames cropped as in training and resized to the network's input, in the order of `refs`.

        Raises:
            DataError: for an image that cannot be read.
        """
        if self.fit is None:
            raise ValueError("frames are only read for a network: these have no fit")
        return self.source.read(self.selection, refs, self.fit)

    def evenly(self, count: int) -> EvaluationFrames:
        """At most `count` of the frames, evenly spaced, from the first to the last."""
        if count >= len(self.refs):
            return self
        rows = np.linspace(0, len(self.refs) - 1, count).round().astype(int)
        chosen = replace(self.selection, refs=tuple(self.refs[row] for row in rows))
        return replace(self, selection=chosen)

    def truth_in_crop(self, ref: FrameRef) -> Float[ndarray, "h w"] | None:
        """Ground truth of the part of a frame that `read` gives, at its own resolution; None if the frame has none.

        Raises:
            DataError: if it cannot be cropped like the frame.
        """
        sides = NO_CROP if self.fit is None else self.source.fitting(self.fit).crop
        return cropped_truth(self.truth, ref, self.cameras[ref.sequence], sides)


def frames_to_evaluate(
    data: Path,
    split: str | Path | None,
    fit: CropResize | None,
    *,
    part: str | None = None,
    stream: int | None = None,
    topic: str | None = None,
    whole: bool = False,
) -> EvaluationFrames:
    """The frames of a data set that depth is evaluated on.

    Args:
        data: path for `recognise`.
        split: name or folder for `find_split`; KITTI only. Its test frames are taken, or else its validation frames, or
            else all of its frames.
        fit: the network's input size, and the crop of its training; None: no image will be read, and nothing is
            cropped.
        part: "train", "val" or "test" of the split or data set, instead of that choice.
        stream: number of the video stream to take; None: the one with the most frames.
        topic: name of the topic of a bag to take; None: that of its only camera.
        whole: without a split, take all frames, not only those for validation: ground truth from a file covers them
            all.

    Raises:
        DataError: for data or a split that cannot be used, a part without frames, or a store that does not fit the
            network.
    """
    source = recognise(data, stream, topic)
    selection = source.select(split=None if split is None else str(split), part=part, whole=whole)
    frames = EvaluationFrames(source=source, selection=selection, fit=fit, truth=source.truth, protocol=source.protocol)
    # A store that cannot serve is refused here, not after minutes of comparing.
    if fit is None:
        frames.names  # noqa: B018  given predictions are found by names, which a store does not hold
    else:
        source.fitting(fit)  # a store holds frames of one size and crop
    return frames


def cropped_truth(truth: DepthTruth, ref: FrameRef, camera: Camera, sides: Crop) -> Float[ndarray, "h w"] | None:
    """Ground truth of the part of a frame that the network sees, in metres; None if the frame has none.

    Args:
        truth: ground truth of whole frames.
        camera: of the whole frame.
        sides: pixels that are cut off each side of the frame.

    Raises:
        DataError: if the map does not have the size of the frame, so that the crop does not apply to it, or if nothing
            is left of it.
    """
    depth = truth(ref)
    if depth is None or not sides:
        return depth
    if depth.shape != (camera.height, camera.width):
        raise DataError(
            "the ground truth does not have the size of the images, so it cannot be cropped with them",
            where=f"frame {ref.number} of {ref.sequence}",
            expected=f"{camera.width}x{camera.height}",
            got=f"{depth.shape[1]}x{depth.shape[0]}",
        )
    return np.ascontiguousarray(crop(depth, camera, sides)[0])
