"""The frames that depth is evaluated on, and their ground truth."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from selfdepth.data.footage import PARTS, FrameSelection
from selfdepth.data.frames import FrameRef
from selfdepth.data.readers.cameras import or_models
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.sources.source import DataSource
from selfdepth.data.truth import DepthTruth
from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera, crop
from selfdepth.geometry.crop import NO_CROP, Crop
from selfdepth.geometry.crop_resize import CropResize
from selfdepth.geometry.ray_depth import DepthIs, converted, describe_depth_is
from selfdepth.geometry.rectify import to_frame


@dataclass(frozen=True, kw_only=True)
class EvaluationFrames:
    """Frames to predict and compare.

    Attributes:
        source: the data set.
        selection: the frames, and the sequences that they are in.
        fit: crop and size of the network's input; None if predictions are given and no image is read.
        truth: ground-truth depth of whole frames, before any crop.
        protocol: name of the depth protocol that fits this ground truth.
        depth_is: what the predictions are; ground truth of the other kind is converted by the rays of the camera.
        seen_by: the model's camera, which frames of its aspect have if the data states none; None if it is not known.
    """

    source: DataSource
    selection: FrameSelection
    fit: CropResize | None
    truth: DepthTruth
    protocol: str
    depth_is: DepthIs = "z"
    seen_by: Camera | None = None

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
        camera = self.cameras[ref.sequence]
        given = self.truth.depth_is(ref)
        if given != self.depth_is and not self.source.calibrated and self.seen_by is None:
            raise DataError(
                "the predictions and the ground truth are not the same, and without a camera neither can be converted",
                where=f"frame {ref.number} of {ref.sequence}",
                expected=f"ground truth that is {describe_depth_is(self.depth_is)}, as the predictions",
                got=f"ground truth {describe_depth_is(given)}",
            )
        return cropped_truth(self.truth, ref, camera, sides, self.depth_is)


def frames_to_evaluate(
    data: Path,
    split: str | Path | None,
    fit: CropResize | None,
    *,
    part: str | None = None,
    stream: int | None = None,
    topic: str | None = None,
    whole: bool = False,
    camera: Camera | None = None,
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
        camera: the model's, for frames that it fits and whose own is not known.

    Warns:
        SelfDepthWarning: if frames are rectified, and a part of them is in no view and so not compared.

    Raises:
        DataError: for data or a split that cannot be used, a part without frames, or a store that does not fit the
            network.
    """
    source = recognise(data, stream, topic)
    selection = source.select(split=None if split is None else str(split), part=part, whole=whole)
    known = tuple(replace(each, camera=or_models(each.camera, camera)) for each in selection.sequences)
    selection = replace(selection, sequences=known)
    frames = EvaluationFrames(source=source, selection=selection, fit=fit, truth=source.truth, protocol=source.protocol)
    # A store that cannot serve is refused here, not after minutes of comparing.
    if fit is None:
        frames.names  # noqa: B018  given predictions are found by names, which a store does not hold
    else:
        fit = source.fitting(fit)  # a store holds frames of one size and crop
        lost = max((fit.lost(sequence.camera) for sequence in known), default=0.0)
        if lost > 0:
            sentence = f"{lost:.1%} of the frames' pixels are not in the rectified view, and are not compared"
            warnings.warn(sentence, SelfDepthWarning, stacklevel=2)
    return frames


def on_frame(
    maps: Float[ndarray, "h w"], shape: tuple[int, int], camera: Camera, fit: CropResize
) -> tuple[Float[ndarray, "_h _w"], Bool[ndarray, "_h _w"] | None]:
    """A map over the network's view, such as a disparity, at the pixels of the frame if that was rectified.

    Args:
        shape: height and width of the result, of the frame after the crop at any resolution.
        camera: of the whole frame.
        fit: how it became the network's input.

    Returns:
        The map, 0 where the frame is not in the view, and where it is. Without rectification: as it is, and None.
    """
    if not fit.rectifies(camera):
        return maps, None
    frame = camera.cropped(fit.crop).resized(shape[1], shape[0])
    exact = torch.from_numpy(np.asarray(maps, np.float64))[None, None]
    mapped, inside = to_frame(exact, fit.camera(camera), frame)
    return mapped[0, 0].numpy(), inside


def compared(
    disparity: Float[ndarray, "h w"], truth: Float[ndarray, "_h _w"], camera: Camera, fit: CropResize
) -> tuple[Float[ndarray, "_h2 _w2"], Float[ndarray, "_h _w"]]:
    """A disparity over the network's view and the ground truth of the frame's pixels, to be compared pixel by pixel.

    Returns:
        The disparity at the frame's pixels, as `on_frame`, and the ground truth, 0 (unknown) where there is none.
    """
    mapped, inside = on_frame(disparity, (truth.shape[0], truth.shape[1]), camera, fit)
    if inside is None:
        return mapped, truth
    return np.where(inside, mapped, disparity.mean()), np.where(inside, truth, 0)


def cropped_truth(
    truth: DepthTruth, ref: FrameRef, camera: Camera, sides: Crop, depth_is: DepthIs = "z"
) -> Float[ndarray, "h w"] | None:
    """Ground truth of the part of a frame that the network sees, in metres; None if the frame has none.

    Args:
        truth: ground truth of whole frames.
        camera: of the whole frame.
        sides: pixels that are cut off each side of the frame.
        depth_is: what the depth is to be; that of the other kind is converted.

    Raises:
        DataError: if the map does not have the size of the frame, so that the crop does not apply to it, or if nothing
            is left of it.
    """
    depth = truth(ref)
    if depth is None:
        return None
    depth = converted(depth, camera, truth.depth_is(ref), depth_is)
    if not sides:
        return depth
    if depth.shape != (camera.height, camera.width):
        raise DataError(
            "the ground truth does not have the size of the images, so it cannot be cropped with them",
            where=f"frame {ref.number} of {ref.sequence}",
            expected=f"{camera.width}x{camera.height}",
            got=f"{depth.shape[1]}x{depth.shape[0]}",
        )
    return np.ascontiguousarray(crop(depth, camera, sides)[0])
