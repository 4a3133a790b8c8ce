"""The pinhole view of a camera with a lens: which one it is, the frames in it, and the way back to the frame's pixels.

The view has the camera's axis and rotation, so that z is the same in both. It covers the frame: every pixel whose ray
lies within 60 degrees of the axis is in it. A view that ends at the middles of the frame's edges would have no black
corners and be finer, by up to 25 % in its middle for lenses of 90 to 105 degrees, but a tenth of the frame's pixels
would get no depth.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float32, UInt8
from numpy import ndarray
from PIL import Image
from torch import Tensor

from selfdepth.errors import DataError
from selfdepth.geometry.camera import FILTER, Camera
from selfdepth.geometry.crop import NO_CROP, Crop

MOST_DEG = 60.0
"""The farthest from the axis that a view goes. Beyond, a plane is nearly all edge: a degree at 60 takes four times the
pixels of one in the middle, and at 75 fifteen times."""
_SAMPLES = 129
"""Points along each side of a frame whose rays say how far it reaches; odd, so that the middles are among them."""
_RIM = 720
_FINEST = 4
"""Samples along each side of a pixel of the view, at most."""


@dataclass(frozen=True, kw_only=True)
class Extent:
    """The part of the plane z = 1 that a view covers, and the angle from the axis to the farthest pixel of the frame.

    Attributes:
        left, right, top, bottom: its edges.
        widest_rad: over the pixels that have a ray.
    """

    left: float
    right: float
    top: float
    bottom: float
    widest_rad: float

    @property
    def is_within(self) -> bool:
        """Whether the view covers every pixel of the frame that has a ray."""
        return self.widest_rad <= math.radians(MOST_DEG) + 1e-9


@lru_cache(maxsize=256)
def extent(camera: Camera) -> Extent:
    """How far the frames of a camera reach, within 60 degrees of the axis. It does not depend on their resolution.

    Raises:
        DataError: if none of their pixels lies within 60 degrees of the axis.
    """
    across = np.linspace(-0.5, camera.width - 0.5, _SAMPLES)
    down = np.linspace(-0.5, camera.height - 0.5, _SAMPLES)
    rays, seen = camera.unproject(np.stack(np.meshgrid(across, down), -1).reshape(-1, 2))
    cosines = rays[seen, 2]
    near = rays[seen][cosines >= math.cos(math.radians(MOST_DEG)) - 1e-9]
    near = np.concatenate([near, _rim(camera)])
    x, y = near[:, 0] / near[:, 2], near[:, 1] / near[:, 2]
    if len(near) == 0 or min(np.ptp(x), np.ptp(y)) <= 0:
        raise DataError(
            f"the frames show nothing within {MOST_DEG:g} degrees of the camera's axis, so they cannot be rectified",
            where="--rectify",
            expected="a lens whose axis goes through the frame",
            got=f"{camera.lens.model}, {camera.width}x{camera.height}, principal point {camera.cx:.0f},{camera.cy:.0f}",
            fix="correct the camera file, or give --rectify no",
        )
    return Extent(
        left=float(x.min()),
        right=float(x.max()),
        top=float(y.min()),
        bottom=float(y.max()),
        widest_rad=math.acos(min(1.0, float(cosines.min()))),
    )


def _rim(camera: Camera) -> Float[ndarray, "n 3"]:
    """Rays at 60 degrees from the axis that the frames of a camera show: there a view ends, between the samples."""
    around, most = np.linspace(0, 2 * math.pi, _RIM, endpoint=False), math.radians(MOST_DEG)
    sine, cosine = math.sin(most), math.cos(most)
    rays = np.stack([sine * np.cos(around), sine * np.sin(around), np.full(_RIM, cosine)], -1)
    pixels, seen = camera.project(rays)
    return np.asarray(rays[seen & _within(pixels, camera)])


def is_rectified(choice: str, cameras: Iterable[Camera]) -> bool:
    """Whether frames of these cameras, which are cropped already, are rectified.

    Args:
        choice: "yes", "no", or "auto": if all of those with a lens lie within 60 degrees of their axes.
    """
    lenses = [camera for camera in dict.fromkeys(cameras) if not camera.is_pinhole]
    return bool(lenses) and (choice == "yes" or (choice == "auto" and all(_fits(camera) for camera in lenses)))


def view_shape(camera: Camera) -> tuple[float, float]:
    """Width and height of a camera's view in the plane z = 1, which give its aspect."""
    reach = extent(camera)
    return reach.right - reach.left, reach.bottom - reach.top


def view_of(camera: Camera, width: int, height: int) -> Camera:
    """The pinhole camera of this size that covers the frames of a camera. Raises DataError as `extent`."""
    reach, (across, down) = extent(camera), view_shape(camera)
    fx, fy = width / across, height / down
    return Camera(
        fx=fx, fy=fy, cx=-reach.left * fx - 0.5, cy=-reach.top * fy - 0.5, width=width, height=height
    )  # the edges of its outermost pixels are those of `reach`


@dataclass(frozen=True, kw_only=True)
class Rectification:
    """Brings frames of a camera into their view. The tables are computed once.

    Attributes:
        camera: of the whole frames, with its lens.
        crop: the view shows only what is left after it.
        width, height: of the view, pixels.
    """

    camera: Camera
    crop: Crop = NO_CROP
    width: int
    height: int

    @cached_property
    def view(self) -> Camera:
        """The camera of the view."""
        return view_of(self.camera.cropped(self.crop), self.width, self.height)

    def __call__(self, image: UInt8[ndarray, "_h _w 3"]) -> UInt8[ndarray, "_h2 _w2 3"]:
        """The view of a frame, which the decoder may have shrunk by `reduction`. Black where no pixel shows anything.

        Raises:
            DataError: for an image of another size than the camera's.
        """
        small = self._reduced(image)
        # Float arithmetic in numpy: torch's would start a team of threads in each thread of a caller.
        planes = torch.from_numpy(np.ascontiguousarray(small.transpose(2, 0, 1), np.float32))
        fine = F.grid_sample(planes[None], self._grid, padding_mode="border", align_corners=False)
        # Sampled finer than the view, then resized as all frames are.
        pixels = (fine[0].numpy().transpose(1, 2, 0) + np.float32(0.5)).astype(np.uint8)
        seen = np.array(Image.fromarray(pixels).resize((self.width, self.height), FILTER))
        seen[~self.shown] = 0  # as a whole, so that the edge is the same in all frames
        return seen

    @cached_property
    def shown(self) -> Bool[ndarray, "h w"]:
        """The pixels of the view whose centres lie in the frame, after the crop."""
        places, seen = self._sampled(1)
        return np.asarray(seen & _within(places - (self.crop.left, self.crop.top), self.camera.cropped(self.crop)))

    @property
    def black(self) -> float:
        """Share of the view that shows nothing."""
        return 1 - float(self.shown.mean())

    @cached_property
    def lost(self) -> float:
        """Share of the frame's pixels, after the crop, that are not in the view."""
        frame = self.camera.cropped(self.crop)
        return 1 - float(_places(frame, self.view)[1].mean())

    @cached_property
    def reduction(self) -> int:
        """The factor (1, 2, 4 or 8) by which the decoder may shrink frames and still leave the view enough pixels."""
        finest = float(self._pitch[self.shown].min(initial=np.inf))
        return next((factor for factor in (8, 4, 2) if factor <= finest), 1)

    def _reduced(self, image: ndarray) -> ndarray:
        whole, small = (self.camera.height, self.camera.width), self._reduced_size
        if image.shape[:2] == whole and whole != small:
            return np.asarray(Image.fromarray(image).reduce(self.reduction))
        if image.shape[:2] != small:
            raise DataError(
                "the camera was given for another image size",
                expected=f"an image of {self.camera.width}x{self.camera.height}",
                got=f"{image.shape[1]}x{image.shape[0]}",
                fix="give --camera for the size of these frames, or sort frames of different sizes into folders",
            )
        return image

    @property
    def _reduced_size(self) -> tuple[int, int]:
        return -(-self.camera.height // self.reduction), -(-self.camera.width // self.reduction)

    @cached_property
    def places(self) -> Float[ndarray, "h w 2"]:
        """The pixels (u, v) of the frame at which those of the view are seen, in it or beside it."""
        return self._sampled(1)[0]

    @cached_property
    def _pitch(self) -> Float[ndarray, "h w"]:
        """Pixels of the frame per pixel of the view, along one side: the root of the ratio of areas."""
        (du_dy, du_dx), (dv_dy, dv_dx) = (np.gradient(self.places[..., axis]) for axis in (0, 1))
        return np.asarray(np.sqrt(np.abs(du_dx * dv_dy - du_dy * dv_dx)))

    @cached_property
    def _grid(self) -> Float32[Tensor, "1 _h _w 2"]:
        """Where the reduced frame is sampled, as `grid_sample` takes it, several times as finely as the view."""
        coarsest = float(self._pitch[self.shown].max(initial=1.0))
        places, _ = self._sampled(min(_FINEST, max(1, math.ceil(coarsest / self.reduction - 0.05))))
        sides, camera = self.crop, self.camera
        least = np.array([sides.left, sides.top])
        most = np.array([camera.width - 1 - sides.right, camera.height - 1 - sides.bottom])
        rows, columns = self._reduced_size
        # (u + 1/2) / reduction is the distance from the left edge in pixels of the reduced frame.
        grid = (np.clip(places, least, most) + 0.5) / self.reduction * (2 / columns, 2 / rows) - 1
        return torch.from_numpy(grid.astype(np.float32)[None])

    def _sampled(self, factor: int) -> tuple[Float[ndarray, "_h _w 2"], Bool[ndarray, "_h _w"]]:
        """Pixels of the frame at the centres of a view that is finer by a factor, and whether the lens sees them."""
        fine = self.view.resized(self.width * factor, self.height * factor)
        pixels, seen = self.camera.project(fine.rays()[0].reshape(-1, 3))
        return pixels.reshape(fine.height, fine.width, 2), seen.reshape(fine.height, fine.width)


@lru_cache(maxsize=4)
def rectification(camera: Camera, crop: Crop, width: int, height: int) -> Rectification:
    """The rectification of frames, with its tables if they are there already."""
    return Rectification(camera=camera, crop=crop, width=width, height=height)


def to_frame(
    maps: Float[Tensor, "b 1 h w"], view: Camera, frame: Camera
) -> tuple[Float[Tensor, "b 1 _h _w"], Bool[ndarray, "_h _w"]]:
    """Maps over a view, such as disparities, at the pixels of the frame: sampled bilinearly where their rays pass.

    Args:
        maps: at any resolution.
        view: as `view_of` gives it.
        frame: camera with a lens.

    Returns:
        The maps, 0 where the ray of a pixel does not pass through the view; and where it does.
    """
    grid, inside = _way_back(frame, view)
    where = torch.as_tensor(grid, dtype=maps.dtype, device=maps.device).expand(len(maps), *grid.shape)
    sampled = F.grid_sample(maps, where, padding_mode="border", align_corners=False)
    return sampled * torch.as_tensor(inside, device=maps.device), inside


@lru_cache(maxsize=8)
def _way_back(frame: Camera, view: Camera) -> tuple[Float32[ndarray, "h w 2"], Bool[ndarray, "h w"]]:
    """For each pixel of a frame its place in the view, from -1 to 1 between the view's edges, and if it is in it."""
    places, inside = _places(frame, view)
    return ((places + 0.5) * (2 / view.width, 2 / view.height) - 1).astype(np.float32), inside


def _places(frame: Camera, view: Camera) -> tuple[Float[ndarray, "h w 2"], Bool[ndarray, "h w"]]:
    rays, seen = frame.rays()
    pixels, in_front = view.project(rays.reshape(-1, 3))
    places = pixels.reshape(frame.height, frame.width, 2)
    return places, np.asarray(seen & in_front.reshape(seen.shape) & _within(places, view))


def _within(places: Float[ndarray, "*n 2"], camera: Camera) -> Bool[ndarray, "*n"]:
    """Which places lie on the pixels of a camera's frame, to a millionth of one."""
    edge = np.array([camera.width, camera.height]) - 0.5 + 1e-6
    return np.asarray(((places >= -0.5 - 1e-6) & (places <= edge)).all(-1))


def _fits(camera: Camera) -> bool:
    try:
        return extent(camera).is_within
    except DataError:
        return False
