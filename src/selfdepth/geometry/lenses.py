"""The lenses of a batch of clips: rays of all pixels, and where points are seen, for a warp without rectification.

Depth is then the distance along the ray, which every direction has; z would end at 90 degrees from the axis. The rays
of a camera are constants: they are computed once, and a batch takes its clips' from the table. What changes an image
and its camera (flip, zoom, coarser scales) changes them with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from selfdepth.errors import DataError
from selfdepth.geometry.camera import Camera, PixelConvention
from selfdepth.geometry.lens import Lens, LensModel, mirrored_values, project, unproject
from selfdepth.geometry.ray_gradient import jacobian

Follow = Callable[[Float[Tensor, "b s 4 4"], Float[Tensor, "b 3 3"], Float[Tensor, "b 3 3"]], Float[Tensor, "b s 4 4"]]
"""The motions that look through another camera as the given ones look through the first."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Learned:
    """What lenses that are learned have beside their gradient by the focal length and the principal point.

    Attributes:
        bent: the same lenses with their gradient by what is learned of the distortion, and no other.
        follow: how motions go along with the camera.
    """

    bent: Lenses
    follow: Follow


@dataclass(frozen=True, kw_only=True, eq=False)
class Lenses:
    """One lens per clip, all of one model.

    Attributes:
        model: of all of them.
        values: `Lens.values` of each.
        rays: unit vectors through the pixel centres, in the camera's frame; (0, 0, 1) where there is none.
        seen: which pixels have a ray.
        learned: of lenses that are learned (`learned_lenses.py`); None: they are known.
    """

    model: LensModel
    values: Float[Tensor, "b k"]
    rays: Float[Tensor, "b 3 h w"]
    seen: Bool[Tensor, "b 1 h w"]
    learned: Learned | None = None

    @staticmethod
    def of(cameras: Sequence[Camera], dtype: torch.dtype = torch.float32) -> Lenses:
        """The lenses of cameras of one size and model.

        Raises:
            DataError: for cameras of unlike models.
        """
        model = common_model(cameras)
        rays, seen = zip(*(_table(camera, dtype) for camera in cameras), strict=True)
        # A pinhole is a lens of Brown's model whose coefficients are 0.
        lenses = [camera.lens if camera.lens.model == model else Lens(model) for camera in cameras]
        values = torch.tensor([lens.values for lens in lenses], dtype=dtype)
        return Lenses(model=model, values=values, rays=torch.stack(rays), seen=torch.stack(seen))

    def project(
        self, points: Float[Tensor, "b 3 *n"], K: Float[Tensor, "b 3 3"]
    ) -> tuple[Float[Tensor, "b 2 *n"], Bool[Tensor, "b 1 *n"]]:
        """As `project_points`."""
        return project_points(self.model, self.values, points, K)

    def jacobian(self, points: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 2 3 h w"]:
        """The derivative of the places of points on the normalised image plane by the points; no gradient."""
        return jacobian(self.model, [each.detach() for each in columns_of(self.values, 2)], points)

    def __getitem__(self, clips: slice) -> Lenses:
        """The lenses of a slice of the clips."""
        return self._each(lambda tensor: tensor[clips])

    def select(self, clips: Int[Tensor, "n"]) -> Lenses:
        """The lenses of these clips, in their order."""
        return self._each(lambda tensor: tensor.index_select(0, clips))

    def replaced(self, clips: Int[Tensor, "n"], others: Lenses) -> Lenses:
        """The lenses with those of these clips replaced."""
        return replace(
            self,
            **{name: getattr(self, name).index_copy(0, clips, getattr(others, name)) for name in _TENSORS},
        )

    def to(self, device: torch.device) -> Lenses:
        """The same on a device."""
        return self._each(lambda tensor: tensor.to(device))

    def mirrored(self) -> Lenses:
        """The lenses of the same images flipped left to right."""
        k = self.values.shape[1]
        signs = mirrored_values(self.model, (1.0,) * k)
        mirror = self.rays.new_tensor([-1.0, 1.0, 1.0])[:, None, None]
        return replace(
            self,
            values=self.values * self.values.new_tensor(signs),
            rays=self.rays.flip(-1) * mirror,
            seen=self.seen.flip(-1),
        )

    def with_rays_of(self, K: Float[Tensor, "b 3 3"]) -> Lenses:
        """The same lenses behind other focal lengths and principal points, in pixels of images of the same size."""
        u, v = pixels_of(self.rays, K)
        fx, fy, cx, cy = intrinsics_of(K, 2)
        *ray, seen = unproject(self.model, columns_of(self.values, 2), (u - cx) / fx, (v - cy) / fy)
        return replace(self, rays=forward_unless(seen, torch.stack(ray, 1)), seen=seen.unsqueeze(1))

    def detached(self) -> Lenses:
        """The same, as if they were known."""
        return self if self.learned is None else replace(self._each(lambda tensor: tensor.detach()), learned=None)

    def downscaled(self, scale: int, convention: PixelConvention) -> Lenses:
        """The lenses of images averaged over blocks of 2^scale x 2^scale pixels, as `camera.downscale` does.

        A coarse pixel has a ray if all of its block do: the average of the others holds what no ray has seen. The ray
        in the middle of four pixels is the mean of theirs: to about 1e-3 coarse pixels, and a tenth at the very edge of
        a lens. "corner" takes that of the first.
        """
        if scale == 0:
            return self
        if self.learned is not None:
            bent = self.learned.bent.downscaled(scale, convention)
            small = replace(self, learned=None).downscaled(scale, convention)
            return replace(small, learned=replace(self.learned, bent=bent))
        block = 2**scale
        seen = -F.max_pool2d(-self.seen.to(self.rays.dtype), block) > 0.5
        if convention == "corner":
            return replace(self, rays=self.rays[..., ::block, ::block].contiguous(), seen=seen)
        at = (block // 2 - 1, block // 2)
        middle = torch.stack([self.rays[..., i::block, j::block] for i in at for j in at]).sum(0)
        return replace(self, rays=forward_unless(seen[:, 0], F.normalize(middle, dim=1)), seen=seen)

    def _each(self, change: object) -> Lenses:
        return replace(self, **{name: change(getattr(self, name)) for name in _TENSORS})  # type: ignore[operator]


def lens_for(camera: Camera, b: int, device: torch.device) -> Lenses:
    """The lens of one camera for each of b clips."""
    return _lens_of(camera).to(device).select(torch.zeros(b, dtype=torch.int64, device=device))


@lru_cache(maxsize=4)
def _lens_of(camera: Camera) -> Lenses:
    return Lenses.of([camera])


_TENSORS = ("values", "rays", "seen")


def project_points(
    model: LensModel, values: Float[Tensor, "b k"], points: Float[Tensor, "b 3 *n"], K: Float[Tensor, "b 3 3"]
) -> tuple[Float[Tensor, "b 2 *n"], Bool[Tensor, "b 1 *n"]]:
    """The pixels (u, v) at which points in the camera's frame are seen. Differentiable in all tensors.

    Args:
        values: `Lens.values` of each camera.
        K: intrinsics in pixels.

    Returns:
        Pixels, in the image or beside it, and whether the lens sees the point. The pixel of one that it does not see is
        finite, and says nothing.
    """
    n_axes = points.ndim - 2
    x, y, seen = project(model, columns_of(values, n_axes), *points.unbind(1))
    fx, fy, cx, cy = intrinsics_of(K, n_axes)
    return torch.stack([fx * x + cx, fy * y + cy], 1), seen.unsqueeze(1)


def common_model(cameras: Iterable[Camera]) -> LensModel:
    """The lens model of all of these cameras; a pinhole is one of Brown's lenses.

    Raises:
        DataError: for cameras of unlike models.
    """
    first_of: dict[LensModel, Camera] = {}
    for camera in cameras:
        first_of.setdefault("brown" if camera.is_pinhole else camera.lens.model, camera)
    if len(first_of) != 1:
        raise DataError(
            "the cameras of one run have lenses of unlike models",
            expected="one lens model",
            got=", ".join(first_of),
            fix="add --rectify yes, if all of them see less than 120 degrees, or train on each kind of lens alone",
        )
    return next(iter(first_of))


def mean_of_seen(values: Float[Tensor, "*b h w"], seen: Bool[Tensor, "*b h w"] | None) -> Float[Tensor, ""]:
    """The mean over the pixels that count; None: over all. What the others hold has no gradient, and may be anything.

    0 if none counts.
    """
    if seen is None:
        return values.mean()
    seen = seen.expand_as(values)
    return torch.where(seen, values, torch.zeros_like(values)).sum() / seen.sum().clamp(min=1)


def seen_at(seen: Bool[Tensor, "b 1 h w"], size: Sequence[int]) -> Bool[Tensor, "b 1 _h _w"]:
    """Which pixels count, in maps of another height and width that show the same."""
    if tuple(seen.shape[-2:]) == tuple(size):
        return seen
    return F.interpolate(seen.to(torch.float32), tuple(size), mode="nearest-exact") > 0.5


def _table(camera: Camera, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    rays, seen = (torch.from_numpy(each) for each in camera.rays())
    return forward_unless(seen[None], rays.permute(2, 0, 1)[None].to(dtype))[0], seen[None]


def forward_unless(seen: Bool[Tensor, "b h w"], rays: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """The rays, with (0, 0, 1) in place of those that say nothing."""
    forward = rays.new_tensor([0.0, 0.0, 1.0])[:, None, None]
    return torch.where(seen.unsqueeze(1), rays, forward)


def pixels_of(rays: Float[Tensor, "b 3 h w"], K: Float[Tensor, "b 3 3"]) -> list[Float[Tensor, "h w"]]:
    """u and v of the pixels of the rays, in the precision of K."""
    height, width = rays.shape[-2:]
    at = [torch.arange(n, dtype=K.dtype, device=K.device) for n in (width, height)]
    return list(torch.meshgrid(*at, indexing="xy"))


def columns_of(values: Float[Tensor, "b k"], n_axes: int) -> list[Tensor]:
    """Each coefficient, in a shape that broadcasts against points with so many axes after the first."""
    return [each.reshape(-1, *(1,) * n_axes) for each in values.unbind(1)]


def intrinsics_of(K: Float[Tensor, "b 3 3"], n_axes: int) -> list[Tensor]:
    return [K[:, i, j].reshape(-1, *(1,) * n_axes) for i, j in ((0, 0), (1, 1), (0, 2), (1, 2))]
