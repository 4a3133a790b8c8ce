"""Lenses through which a drive can be rendered.

Each gives the same street in an image of the same size. Focal lengths are in widths of the image, so that the
horizontal field of view is that of the table at any size; what a higher image shows above and below comes on top.
"""

from __future__ import annotations

from dataclasses import dataclass

from selfdepth.errors import ConfigError
from selfdepth.geometry.camera import Camera
from selfdepth.geometry.lens import PINHOLE, Lens


@dataclass(frozen=True, kw_only=True)
class DriveLens:
    """A lens in front of the camera of a drive.

    Attributes:
        lens: its model and coefficients.
        focal: focal length along both axes, in widths of the image.
        circle_deg: full angle of the image circle, outside which the image is black and has no depth; None for a lens
            that lights all of the image.

    Raises:
        ConfigError: for a focal length or an image circle out of its range.
    """

    lens: Lens = PINHOLE
    focal: float = 0.58
    circle_deg: float | None = None

    def __post_init__(self) -> None:
        if not 0.05 <= self.focal <= 20:
            _refuse("focal", "0.05 to 20 widths of the image", self.focal)
        if self.circle_deg is not None and not 10 <= self.circle_deg <= 360:
            _refuse("circle_deg", "10 to 360 degrees, or None", self.circle_deg)

    def camera(self, width: int, height: int) -> Camera:
        """The camera for an image size. An off-centre principal point exposes mistakes with it in tests."""
        w, h = width, height
        focal_px = self.focal * w
        return Camera(
            fx=focal_px, fy=focal_px, cx=0.492 * w - 0.5, cy=0.47 * h - 0.5, width=w, height=h, lens=self.lens
        )


def _refuse(name: str, expected: str, got: float) -> None:
    raise ConfigError("no drive can be rendered through this lens", where=name, expected=expected, got=f"{got:g}")


LENSES: dict[str, DriveLens] = {
    # KITTI's field of view, 81 degrees.
    "pinhole": DriveLens(),
    # A cheap wide-angle camera: 100 degrees, with strong barrel distortion and a sensor that is not quite level.
    "brown": DriveLens(lens=Lens("brown", (-0.28, 0.07, 0.001, -0.0008)), focal=0.564),
    # KITTI's colour camera before rectification, from calib_cam_to_cam.txt of 2011_09_26: 85 degrees in frames of
    # 1392x512. Beyond 50 degrees from the axis its polynomial turns back; only corners of higher frames lie there.
    "kitti": DriveLens(
        lens=Lens("brown", (-0.3691481, 0.1968681, 0.001353473, 0.0005677587, -0.06770705)),
        focal=959.8 / 1392,
        circle_deg=100.0,
    ),
    # A surround-view camera: 190 degrees, a few of them behind the camera.
    "fisheye": DriveLens(lens=Lens("kannala-brandt", (-0.03, 0.004)), focal=0.3182, circle_deg=190.0),
    # The side cameras of KITTI-360: 185 degrees.
    "ucm": DriveLens(lens=Lens("ucm", (2.2, 0.02, 1.65, 0.0004, 0.0004)), focal=1.0, circle_deg=185.0),
}
"""Ready-made lenses."""
