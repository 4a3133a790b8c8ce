"""The frames from which the scale is found: of any data, with their cameras, their times, and predicted depth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from selfdepth.data.footage import FrameSelection
from selfdepth.data.frames import FrameRef, FrameSequence
from selfdepth.data.readers.cameras import ANY_CAMERA
from selfdepth.data.sources.recognise import recognise
from selfdepth.data.sources.source import DataSource
from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.crop import NO_CROP, Crop
from selfdepth.geometry.crop_resize import CropResize
from selfdepth.geometry.ray_depth import DepthIs
from selfdepth.weights.models import DepthModel

_LEAST_Z = 0.05
"""Of the unit ray of a pixel whose depth is along z: 87 degrees from the axis."""


@dataclass(frozen=True, kw_only=True)
class ScaleFrame:
    """A frame with its predicted depth.

    Attributes:
        ref: the frame.
        time_s: its time in the data; a frame number where the times are unknown.
        depth: predicted, positive, in the unit whose metres are wanted; 0 where a pixel has none.
        whole: camera of the frame itself, before crop and resize.
        crop: what was cut off the frame before it was resized to the depth map.
        rectify: whether a frame of a camera with a lens was rectified, so that the map is that of a pinhole's view.
        depth_is: along "z", the camera's axis, or along the "ray" of the pixel.
    """

    ref: FrameRef
    time_s: float
    depth: Float[ndarray, "h w"]
    whole: Camera
    crop: Crop = NO_CROP
    rectify: bool = False
    depth_is: DepthIs = "z"

    @property
    def fit(self) -> CropResize:
        """What turns the frame's picture, and that of its stereo partner, into one of the size of the depth map."""
        height, width = self.depth.shape
        return CropResize(width=width, height=height, crop=self.crop, rectify=self.rectify)

    @cached_property
    def camera(self) -> Camera:
        """The camera of the depth map's pixels."""
        return self.fit.camera(self.whole)

    def in_map(self, pixels: Float[ndarray, "n 2"]) -> Float[ndarray, "n 2"]:
        """Pixels (u, v) of the whole frame, as pixels of the depth map; outside it if the map does not show them."""
        if self.fit.rectifies(self.whole):
            rays, seen = self.whole.unproject(pixels)
            mapped, shown = self.camera.project(rays)
            return np.where((seen & shown)[:, None], mapped, -1e6)
        size = self.crop.size_of(self.whole.width, self.whole.height)
        scale = np.array([self.camera.width / size[0], self.camera.height / size[1]])
        return np.asarray((pixels - (self.crop.left, self.crop.top) + 0.5) * scale - 0.5)

    def rays(self, pixels: Float[ndarray, "n 2"]) -> tuple[Float[ndarray, "n 3"], Bool[ndarray, "n"]]:
        """The rays of pixels (u, v) of the map, and which have one: a point is its depth times its ray.

        Rays are unit vectors if the depth is along them; else their z is 1.
        """
        rays, seen = self.camera.unproject(pixels)
        if self.depth_is == "ray":
            return rays, seen
        ahead = rays[:, 2] > _LEAST_Z
        return rays / np.where(ahead, rays[:, 2], 1)[:, None], seen & ahead


@dataclass(frozen=True, kw_only=True)
class ScaleFootage:
    """All frames of the data.

    Attributes:
        source: the data.
        sequences: those whose scale is wanted, with their cameras.
        partners: other cameras of stereo pairs, by the name of their sequence.
        times_s: time of each frame, running on from one sequence to the next.
        own_times_s: seconds of the frames of a sequence, by its name, on the clock of the data; None if unknown.
    """

    source: DataSource
    sequences: tuple[FrameSequence, ...]
    partners: dict[str, FrameSequence]
    times_s: dict[FrameRef, float]
    own_times_s: dict[str, Float[ndarray, "n"] | None]

    @property
    def timed(self) -> bool:
        """Whether the times of all frames are known."""
        return all(times is not None for times in self.own_times_s.values())

    @property
    def refs(self) -> tuple[FrameRef, ...]:
        """All frames, in their order."""
        return tuple(self.times_s)

    def sequence(self, name: str) -> FrameSequence:
        """The sequence with this name."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, FrameSequence]:
        return {each.name: each for each in self.sequences}

    def has_partner(self, ref: FrameRef) -> bool:
        """Whether a frame has a stereo partner."""
        return ref.sequence in self.partners and ref.number in self._partner_numbers[ref.sequence]

    @cached_property
    def _partner_numbers(self) -> dict[str, frozenset[int]]:
        return {name: frozenset(partner.numbers) for name, partner in self.partners.items()}

    def read(
        self, name: str, numbers: tuple[int, ...], fit: CropResize, *, partner: bool = False
    ) -> Iterator[UInt8[ndarray, "h w 3"]]:
        """Frames of a sequence, or of its stereo partner, cropped and resized."""
        sequence = self.partners[name] if partner else self.sequence(name)
        selection = FrameSelection(part="all", refs=(), sequences=(sequence,))
        return self.source.read(selection, tuple(FrameRef(sequence.name, number) for number in numbers), fit)


def open_footage(
    data: Path,
    *,
    camera: str | None = None,
    stream: int | None = None,
    topic: str | None = None,
    stereo: bool = False,
    weights: DepthModel | None = None,
) -> ScaleFootage:
    """Open the data for calibration.

    The camera is the user's, else the data's own, else the model's where the frames have its aspect, else 60 degrees
    are assumed, with a warning.

    Args:
        camera: as `parse_camera` reads it.
        stream: number of the video stream to take; None: the one with the most frames.
        topic: of the images to take from ROS bags; None: that of the only camera.
        stereo: whether the stereo partners are wanted.
        weights: the model, for its camera.

    Raises:
        DataError: for data that cannot be used, or that has no pairs.
    """
    source = recognise(data, stream, topic)
    partners: dict[str, FrameSequence] = {}
    # A store's cameras are those of its frames; all others are opened with the one that counts.
    if source.kind == "store":
        if camera is not None or stereo:
            raise DataError(
                "a store has its camera, and no pairs that could be compared",
                where="--stereo" if stereo else f"--camera {camera}",
                got=str(data),
                fix="give the data that the store was made from as --data",
            )
        sequences = source.select(split=None, part=None, whole=True).sequences
    elif stereo:
        sequences, partners = _pairs(source, camera)
    else:
        sequences = _with_cameras(source, camera, weights)
    own = {each.name: _times(source, each) for each in sequences}
    running = _running_times(sequences, own)
    return ScaleFootage(source=source, sequences=sequences, partners=partners, times_s=running, own_times_s=own)


def _pairs(source: DataSource, camera: str | None) -> tuple[tuple[FrameSequence, ...], dict[str, FrameSequence]]:
    """The sequences, those that are the partner of another excepted; and the partners."""
    # With 0 as the only offset every frame is its own neighbour, so all frames are opened.
    found = source.footage(camera=camera, offsets=(0,), stereo=True).sequences
    by_name = {each.name: each for each in found}
    partners = {
        each.name: by_name[each.partner.sequence]
        for each in found
        if each.partner is not None and each.partner.sequence in by_name
    }
    of_others = {partner.name for partner in partners.values()} - partners.keys()
    return tuple(each for each in found if each.name not in of_others), partners


def _with_cameras(source: DataSource, camera: str | None, weights: DepthModel | None) -> tuple[FrameSequence, ...]:
    own = None if weights is None else weights.camera
    if camera is not None or own is None or source.camera_origin(None) == "calibration":
        return source.sequences(camera)
    sequences = source.sequences(ANY_CAMERA)
    if not all(own.has_aspect_of(each.camera.width, each.camera.height) for each in sequences):
        return source.sequences(None)
    return tuple(replace(each, camera=own.resized(each.camera.width, each.camera.height)) for each in sequences)


def _running_times(
    sequences: Sequence[FrameSequence], own: Mapping[str, Float[ndarray, "_n"] | None]
) -> dict[FrameRef, float]:
    """Time of each frame, sequence after sequence: in seconds if all are known, else frame numbers."""
    counted = any(times is None for times in own.values())
    running: dict[FrameRef, float] = {}
    start = 0.0
    for sequence in sequences:
        known = own[sequence.name]
        times = np.array(sequence.numbers, np.float64) if counted or known is None else known
        refs = [FrameRef(sequence.name, number) for number in sequence.numbers]
        # A single sequence keeps its own times; those of several would overlap.
        shift = start - float(times[0]) if len(sequences) > 1 else 0.0
        running.update(zip(refs, (times + shift).tolist(), strict=True))
        start = float(times[-1]) + shift + (float(np.median(np.diff(times))) if len(times) > 1 else 1.0)
    return running


def _times(source: DataSource, sequence: FrameSequence) -> Float[ndarray, "n"] | None:
    """Seconds of the frames; None if they are unknown."""
    try:
        times = source.times(sequence)
    except DataError:  # a missing or broken list of times is no obstacle: the frames are counted
        return None
    return None if np.array_equal(times, sequence.numbers) and sequence.times_s is None else times
