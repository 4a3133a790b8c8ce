"""The camera of frames whose size may change while they come."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache

from selfdepth.data.readers.cameras import parse_camera
from selfdepth.errors import SelfDepthWarning
from selfdepth.geometry.camera import Camera


def given_camera(spec: str) -> Callable[[int, int], Camera | None]:
    """What gives the camera of frames by their width and height in pixels.

    A camera in pixels is that of the first frames. Others of the same aspect have it resized, and those of another
    aspect none, with a warning: which part of the picture they show cannot be known.

    Args:
        spec: as `parse_camera` reads it.
    """
    first: list[Camera] = []

    @lru_cache(maxsize=16)  # a stream may change its size any number of times
    def camera_for(width: int, height: int) -> Camera | None:
        if not first:
            first.append(parse_camera(spec, width=width, height=height))
        if first[0].has_aspect_of(width, height):
            return first[0].resized(width, height)
        warnings.warn(
            f"--camera {spec} is that of frames of {first[0].width}x{first[0].height}: for those of {width}x{height}, "
            "which have another aspect, the camera is not known",
            SelfDepthWarning,
            stacklevel=2,
        )
        return None

    return camera_for
