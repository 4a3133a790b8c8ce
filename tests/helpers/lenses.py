"""Cameras with lenses for tests, small, with their edge in the image where they have one."""

from __future__ import annotations

from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import PINHOLE, Lens

LENSES = {
    "pinhole": PINHOLE,
    "brown": Lens("brown", (-0.28, 0.07, 1e-3, -8e-4)),
    "rational": Lens("brown", (0.9, 0.11, -2e-4, 3e-4, 0.004, 1.25, 0.34, 0.02)),
    "fisheye": Lens("kannala-brandt", (0.05, -0.02, 0.004, -0.0006)),
    "ucm": Lens("ucm", (2.2, 0.016, 0.6, 3e-4, -2e-4)),
    "eucm": Lens("eucm", (0.6, 1.1)),
}


def camera(name: str, *, width: int = 64, height: int = 48, fov: float = 1.0) -> Camera:
    """A camera through one of `LENSES`; `fov` widens its view."""
    lens = LENSES[name]
    focal = {"pinhole": 0.55, "brown": 0.55, "kannala-brandt": 0.3, "ucm": 0.9, "eucm": 0.36}[lens.model] * width / fov
    cx, cy = 0.49 * width, 0.52 * height
    return Camera(fx=focal, fy=focal * 1.03, cx=cx, cy=cy, width=width, height=height, lens=lens)
