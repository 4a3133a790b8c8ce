"""Which frames a model is judged on, and their ground truth."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from selfdepth.data.footage import open_footage, open_sequences
from selfdepth.data.frames import Footage, FrameRef, no_ground_truth
from selfdepth.data.kitti.raw import is_kitti_raw, open_kitti_raw
from selfdepth.data.kitti.splits import find_split, lists_frames
from selfdepth.data.sources.cameras import ANY_CAMERA, any_camera
from selfdepth.data.sources.make3d import is_make3d, make3d_truth, open_make3d, seen_image, seen_size
from selfdepth.data.store.prepare import Truth, truth_of
from selfdepth.data.store.store import Store, is_store, open_store
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera, crop
from selfdepth.geometry.crop import NO_CROP, Crop
from selfdepth.geometry.crop_resize import CropResize

PARTS = {"test": "test frames", "val": "validation frames", "train": "training frames", "all": "all frames"}
"""What is judged, in words; of those that a split has, the first."""


@dataclass(frozen=True, kw_only=True)
class EvaluationFrames:
    """Frames to predict and compare.

    Attributes:
        refs: the frames, in the order of the split.
        part: what they are, in words: "test frames".
        read: gives the frames, at the network's size and cropped as it was at training, in the order asked for.
        measured: metric depth of a whole frame at its own resolution, or None.
        cameras: of the whole frames of each sequence.
        crop: what `read` cuts off.
        protocol: name of the depth protocol that fits it.
        stems: what each frame's file is called, without its ending.
        root: of KITTI raw, where the frames are from there.
    """

    refs: tuple[FrameRef, ...]
    part: str
    read: Callable[[tuple[FrameRef, ...]], Iterator[UInt8[ndarray, "h w 3"]]]
    measured: Truth
    cameras: Mapping[str, Camera]
    crop: Crop
    protocol: str
    stems: Mapping[FrameRef, str]
    root: Path | None = None

    def evenly(self, count: int) -> EvaluationFrames:
        """The same with no more than `count` of the frames, evenly spaced; the first and the last among them."""
        if count >= len(self.refs):
            return self
        rows = np.linspace(0, len(self.refs) - 1, count).round().astype(int)
        return replace(self, refs=tuple(self.refs[row] for row in rows))

    def truth(self, ref: FrameRef) -> Float[ndarray, "h w"] | None:
        """Metric depth of what `read` gives of a frame, or None. Raises DataError if it cannot be cropped alike."""
        return cropped_truth(self.measured, ref, self.cameras[ref.sequence], self.crop)


def cropped_truth(measured: Truth, ref: FrameRef, camera: Camera, sides: Crop) -> Float[ndarray, "h w"] | None:
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


def frames_to_evaluate(
    data: Path, split: str | Path | None, fit: CropResize | None, *, part: str | None = None, every_frame: bool = False
) -> EvaluationFrames:
    """The test frames of a split; else its validation frames; else all; or the part that is asked for.

    Args:
        data: root of KITTI raw or odometry or of Make3D, store, folder of images or video.
        split: as `find_split` takes it; KITTI only.
        fit: the network's size and the crop at training; None: nothing will be read, and nothing is cropped.
        part: "train", "val" or "test" of the split or data set, in place of the first there is.
        every_frame: of own footage and KITTI without a split, take all frames, not only those for validation.

    Raises:
        DataError: for data or a split that cannot be used, a part without frames, or a store that does not fit the
            network.
    """
    if not data.exists():
        raise DataError("there is no such data", where=data, fix="check --data")
    if split is not None and not is_kitti_raw(data):
        raise DataError("a split applies to KITTI only", where=f"--split {split}", got=str(data))
    if is_make3d(data):
        return _of_make3d(data, fit, part)
    if is_store(data):
        return _of_store(open_store(data), fit, part)
    footage, found = _open(data, split, part, every_frame)
    refs = _refs_of(footage, found) or (_every_ref(footage) if part is None else ())
    if not refs:
        raise _no_frames(part or found, data if split is None else Path(split))
    sequences = {sequence.name: sequence for sequence in footage.sequences}

    def read(wanted: tuple[FrameRef, ...]) -> Iterator[UInt8[ndarray, "h w 3"]]:
        for name, numbers in _runs(wanted):
            for image in sequences[name].read(numbers):
                yield image if fit is None else fit(image, sequences[name].camera)[0]

    return EvaluationFrames(
        refs=refs,
        part=PARTS[found],
        read=read,
        measured=footage.truth,
        cameras={name: sequence.camera for name, sequence in sequences.items()},
        crop=NO_CROP if fit is None else fit.crop,
        protocol=footage.protocol,
        stems=_stems(footage),
        root=data if footage.kind == "kitti-raw" else None,
    )


def _open(data: Path, split: str | Path | None, asked: str | None, every_frame: bool) -> tuple[Footage, str]:
    """What is to be judged, and which part of it."""
    if split is not None:
        # Only the part that is judged: the images of the others need not be there, nor any neighbour.
        folder = find_split(split)
        present = (part for part in ("test", "val", "train") if lists_frames(folder, part))
        part = asked or next(present, "test")
        return open_kitti_raw(data, folder, camera=any_camera, offsets=(), parts=(part,)), part
    if is_kitti_raw(data):
        footage = open_footage(data, camera=ANY_CAMERA)
        return footage, asked or ("val" if footage.val and not every_frame else "all")
    kind, sequences = open_sequences(data, camera=ANY_CAMERA)
    return Footage(kind=kind, sequences=sequences, truth=no_ground_truth), asked or "all"


def _refs_of(of: Footage | Store, part: str) -> tuple[FrameRef, ...]:
    return {"test": of.test, "val": of.val, "train": of.train}.get(part, ())


def _every_ref(footage: Footage) -> tuple[FrameRef, ...]:
    return tuple(FrameRef(sequence.name, number) for sequence in footage.sequences for number in sequence.numbers)


def _stems(footage: Footage) -> dict[FrameRef, str]:
    return {
        FrameRef(sequence.name, number): stem
        for sequence in footage.sequences
        for number, stem in zip(sequence.numbers, sequence.names, strict=True)
    }


def _no_frames(part: str, where: Path) -> DataError:
    return DataError(f"there are no {PARTS[part]} to compare", where=where, fix="name another --part, or leave it out")


def _of_make3d(root: Path, fit: CropResize | None, asked: str | None) -> EvaluationFrames:
    """Make3D's test images, of which the middle is seen; a crop at training was about other images."""
    if asked not in (None, "test"):
        raise _no_frames(asked, root)
    refs = open_make3d(root)

    def read(wanted: tuple[FrameRef, ...]) -> Iterator[UInt8[ndarray, "h w 3"]]:
        for ref in wanted:
            image = seen_image(root, ref)
            if fit is not None:
                camera = any_camera(image.shape[1], image.shape[0])
                image = replace(fit, crop=NO_CROP)(image, camera)[0]
            yield image

    sizes = {ref.sequence: seen_size(root, ref) for ref in refs}
    return EvaluationFrames(
        refs=refs,
        part=PARTS["test"],
        read=read,
        measured=partial(make3d_truth, root),
        cameras={name: any_camera(width, height) for name, (width, height) in sizes.items()},
        crop=NO_CROP,
        protocol="make3d",
        stems={ref: ref.sequence.split("/")[1] for ref in refs},
    )


def _of_store(store: Store, fit: CropResize | None, asked: str | None) -> EvaluationFrames:
    if fit is None:
        raise DataError(
            "a store cannot tell which file is which frame",
            where=store.folder,
            fix="give what it was made of as --data",
        )
    if (store.width, store.height, store.crop) != (fit.width, fit.height, fit.crop):
        raise DataError(
            "the store does not fit the model",
            where=store.folder,
            expected=f"frames of {fit.width}x{fit.height} with --crop {fit.crop}",
            got=f"{store.width}x{store.height} with --crop {store.crop}",
            fix="give what the store was made of as --data",
        )
    part = asked or next((part for part in ("test", "val", "train") if _refs_of(store, part)), "test")
    refs = _refs_of(store, part)
    if not refs:
        raise _no_frames(part, store.folder)

    def read(wanted: tuple[FrameRef, ...]) -> Iterator[UInt8[ndarray, "h w 3"]]:
        for ref in wanted:
            row = int(store.by_name[ref.sequence].rows(np.array(ref.number)))
            yield np.ascontiguousarray(store.frames[row].transpose(1, 2, 0))

    return EvaluationFrames(
        refs=refs,
        part=PARTS[part],
        read=read,
        measured=truth_of(store),
        cameras={sequence.name: sequence.camera for sequence in store.sequences},
        crop=store.crop,
        protocol=store.protocol,
        stems={ref: str(ref.number) for ref in refs},
        root=store.origin.path if store.kind == "kitti-raw" and store.origin is not None else None,
    )


def _runs(refs: tuple[FrameRef, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The frames in their order, in groups of one sequence with increasing numbers, as sequences can be read."""
    for name, group in itertools.groupby(refs, key=lambda ref: ref.sequence):
        run: list[int] = []
        for ref in group:
            if run and ref.number <= run[-1]:
                yield name, tuple(run)
                run = []
            run.append(ref.number)
        yield name, tuple(run)
