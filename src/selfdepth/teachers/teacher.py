"""The interface of a teacher, and the checks and the resizing that its maps go through."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Float32, UInt8
from numpy import ndarray
from PIL import Image

from selfdepth.data.store.store import Store
from selfdepth.data.store.teacher_maps import Targets
from selfdepth.errors import ConfigError, DataError

Quantity = Literal["disparity", "depth"]
Ask = Callable[[UInt8[ndarray, "h w 3"]], ndarray]
"""A teacher as a function: the disparity of an image."""


class Teacher(ABC):
    """Another source of disparity, up to a scale and a shift that may differ from image to image."""

    @abstractmethod
    def identity(self, targets: Targets) -> dict[str, Any]:
        """What the maps depend on, as JSON values: equal only for teachers that give the same maps.

        Raises:
            SelfDepthError: for a teacher that cannot be used.
        """

    @abstractmethod
    def disparities(self, store: Store, targets: Targets, start: int) -> Iterator[Float32[ndarray, "h w"]]:
        """The disparity of each target from the one with index `start` on, at the size of the stored frames; NaN where
        unknown.

        Raises:
            SelfDepthError: for a map that cannot be used.
        """


@dataclass(frozen=True, kw_only=True)
class ImageTeacher(Teacher):
    """A teacher that looks at images: a function from Python, or a model. It sees the frames as they are stored.

    Attributes:
        ask: gives the map of an image; None if only maps that were made earlier can be used.
        gives: what the map holds.
        about: what the maps depend on besides the frames, as JSON values; its "name" is used in errors.
        any_size: whether a map may have another size than the image; it is a map of the whole image nevertheless.
    """

    ask: Ask | None
    gives: Quantity
    about: dict[str, Any]
    any_size: bool = False

    def identity(self, targets: Targets) -> dict[str, Any]:
        """What was said of it, and what its maps hold."""
        return {**self.about, "gives": self.gives}

    def disparities(self, store: Store, targets: Targets, start: int) -> Iterator[Float32[ndarray, "h w"]]:
        """One question per frame. Raises ConfigError without a function, and DataError for a map that is no map."""
        if self.ask is None:
            raise ConfigError(
                "the teacher is a Python function, and the store does not hold all of its maps",
                where=f"--teacher.path {self.about['name']}",
                fix="run this from Python, with train(config, folder, teacher=FUNCTION)",
            )
        size = (store.width, store.height)
        for row, ref in zip(targets.rows[start:].tolist(), targets.refs[start:], strict=True):
            image = np.ascontiguousarray(store.frames[row].transpose(1, 2, 0))  # a store is planar
            where = f"{self.about['name']}, frame {ref.number} of {ref.sequence}"
            yield fitted(self._disparity(self.ask(image), image, where), size=size, where=where)

    def _disparity(self, answer: object, image: UInt8[ndarray, "h w 3"], where: str) -> Float32[ndarray, "_h _w"]:
        """The answer as disparity. Raises DataError for anything that is not a map of the image."""
        shape = image.shape[:2]
        fits = isinstance(answer, ndarray) and answer.ndim == 2 and answer.size > 0 and answer.dtype.kind in "fiu"
        if not isinstance(answer, ndarray) or not fits or not (self.any_size or answer.shape == shape):
            is_array = isinstance(answer, ndarray)
            raise DataError(
                "the teacher's answer is not a map of the image",
                where=where,
                expected=f"an array of floats, {'height x width' if self.any_size else 'x'.join(map(str, shape))}",
                got=f"{answer.dtype}, {'x'.join(map(str, answer.shape))}"  # type: ignore[attr-defined]
                if is_array
                else f"a {type(answer).__name__}",
            )
        values = answer.astype(np.float32)
        if np.isnan(values).any() or (self.gives == "disparity" and np.isinf(values).any()):
            unusable = int((~np.isfinite(values)).sum())
            raise DataError(
                "the teacher's map has values that are no numbers",
                where=where,
                expected="finite numbers" if self.gives == "disparity" else "numbers; infinity is far away",
                got=f"NaN or infinity in {unusable} of {values.size} pixels",
            )
        return np.asarray(values) if self.gives == "disparity" else inverted(values, where)


def inverted(depth: Float32[ndarray, "h w"], where: str) -> Float32[ndarray, "h w"]:
    """The disparity of a depth map: NaN where the depth is 0, which means unknown, and 0 where it is infinite.

    Raises:
        DataError: for a negative depth.
    """
    if (depth < 0).any():
        raise DataError(
            "the teacher's map cannot be depth",
            where=where,
            expected="numbers of at least 0 (0: unknown)",
            got=f"{depth.min():g}",
            fix="if the maps are disparity, leave --teacher.gives out",
        )
    with np.errstate(divide="ignore", over="ignore"):
        disparity = np.float32(1) / depth
    return np.asarray(np.where(np.isfinite(disparity), disparity, np.float32(np.nan)))


def fitted(
    disparity: Float[ndarray, "_h _w"],
    *,
    size: tuple[int, int],
    where: str,
    box: tuple[float, float, float, float] | None = None,
) -> Float32[ndarray, "h w"]:
    """A map cropped and resized. Unknown pixels (NaN) take no part in the averages.

    Args:
        size: (width, height) of the result.
        box: left, top, right, bottom of the part to keep, in pixels of the map; None: all of it.

    Raises:
        DataError: if fewer than two different values are known in the result: such a map teaches nothing.
    """
    known = np.isfinite(disparity)
    values = np.where(known, disparity, 0).astype(np.float32)
    share, total = (
        np.asarray(Image.fromarray(each).resize(size, Image.Resampling.BILINEAR, box=box))
        for each in (known.astype(np.float32), values)
    )
    # Where most of the neighbourhood is unknown, the result is too.
    result = np.where(share > 0.5, total / np.maximum(share, 0.5), np.float32(np.nan)).astype(np.float32)
    n_known = int(np.isfinite(result).sum())
    if n_known == 0 or not np.nanmin(result) < np.nanmax(result):
        raise DataError(
            "the teacher's map is empty" if n_known == 0 else "the teacher's map is the same everywhere",
            where=where,
            expected="different disparities of near and far",
            got="unknown (0) in all pixels" if n_known == 0 else f"{np.nanmin(result):g} in all known pixels",
        )
    return np.asarray(result)
