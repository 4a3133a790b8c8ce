"""What every way to give a camera shares: errors that name their place, and a look at the principal point."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from selfdepth.errors import DataError, SelfDepthWarning
from selfdepth.geometry.camera import Camera


@contextmanager
def naming(where: str) -> Iterator[None]:
    """Add to an error about invalid intrinsics where they were read."""
    try:
        yield
    except DataError as error:
        if error.where is not None:  # it already names a more specific place
            raise
        raise DataError(error.what, where=where, expected=error.expected, got=error.got, fix=error.fix) from error


def warn_of_principal_point(camera: Camera, where: str) -> None:
    """Warn if the principal point does not lie in the image, as when numbers are mixed up or of another size."""
    if not camera.principal_point_inside or not math.isfinite(camera.cx + camera.cy):
        warnings.warn(
            f"the principal point ({camera.cx:g}, {camera.cy:g}) lies outside the image of {camera.width}x"
            f"{camera.height}: {where}; check the order fx,fy,cx,cy and the image size that the numbers refer to",
            SelfDepthWarning,
            stacklevel=4,
        )
