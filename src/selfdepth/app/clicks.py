"""What clicks in a picture mean: the pixel below each, its distance from the camera, and the distance between two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.geometry.camera import Camera
from selfdepth.geometry.ray_depth import DepthIs, describe_depth_is
from selfdepth.structs import DepthPrediction, MetricScale

Pixel = tuple[int, int]
"""(u, v): column and row of a pixel of the frame, (0, 0) the first."""

INVITATION = "Click a point in the picture for its distance, and a second one for the distance between the two."


@dataclass(frozen=True, kw_only=True)
class Measurable:
    """A predicted frame, as far as clicks need it.

    Attributes:
        depth: as in `DepthPrediction`; it may be an array on disk, of which only the clicked pixels are read.
        camera: of the frame; None if it is unknown: only depths can then be told.
        depth_is: as in `DepthPrediction`.
        metres_per_unit: factor from the depth to metres; None if it is unknown.
        metric: the witness of the metres of a calibrated model; else None.
        assumed_fov_deg: the horizontal field of view that was assumed because the camera is not known; else None.
        model: as the user named it, for the command that calibrates it.
    """

    depth: Float[ndarray, "h w"]
    camera: Camera | None
    depth_is: DepthIs
    metres_per_unit: float | None
    metric: MetricScale | None
    assumed_fov_deg: float | None
    model: str

    @staticmethod
    def of(
        prediction: DepthPrediction, *, metres_per_unit: float | None, assumed_fov_deg: float | None, model: str
    ) -> Measurable:
        """The measurable part of a prediction; the attributes are as above."""
        return Measurable(
            depth=prediction.depth,
            camera=prediction.camera,
            depth_is=prediction.depth_is,
            metres_per_unit=metres_per_unit,
            metric=prediction.metric,
            assumed_fov_deg=assumed_fov_deg,
            model=model,
        )


def pixel_of_click(click: tuple[float, float], *, shown: tuple[int, int], frame: tuple[int, int]) -> Pixel:
    """The pixel of the frame below a click in a picture of it.

    Pixel centres are integers, so a picture that is s times as large shows u at (u + 1/2) s - 1/2.

    Args:
        click: (u, v) in pixels of the picture; a browser may round it to its edge, and even beyond.
        shown: width and height of the picture.
        frame: width and height of the frame.
    """
    places = ((at + 0.5) * full / small - 0.5 for at, small, full in zip(click, shown, frame, strict=True))
    u, v = (min(max(round(place), 0), full - 1) for place, full in zip(places, frame, strict=True))
    return u, v


def point_at(frame: Measurable, pixel: Pixel) -> Float[ndarray, "3"] | None:
    """The point seen at a pixel, in the camera's frame (x right, y down, z forward) and in the unit of the depth.

    None where there is no depth or no ray, and if the camera is unknown.
    """
    u, v = pixel
    depth = float(frame.depth[v, u])
    if frame.camera is None or depth <= 0:
        return None
    (ray,), (seen,) = frame.camera.unproject(np.array([[u, v]], dtype=np.float64))
    if frame.depth_is == "ray":
        return np.asarray(ray * depth) if seen else None
    return np.asarray(ray * (depth / ray[2])) if seen and ray[2] > 0 else None


def distance_between(frame: Measurable, first: Pixel, second: Pixel) -> float | None:
    """The length of the straight line between the points seen at two pixels, in the unit of the depth.

    None where a point is unknown.
    """
    a, b = point_at(frame, first), point_at(frame, second)
    return None if a is None or b is None else float(np.linalg.norm(a - b))


def describe_clicks(frame: Measurable, pixels: tuple[Pixel, ...]) -> str:
    """A sentence or two on what was clicked: no pixel, one, or two.

    Metres are given if the model knows them; else the ratio of the two depths, which needs no unit, and what to do for
    metres.
    """
    if not pixels:
        return INVITATION
    depths = [float(frame.depth[v, u]) for u, v in pixels]
    if min(depths) <= 0:
        return "There is no depth at that point: the camera's lens does not show it, or the model does not see it."
    return _in_metres(frame, pixels) if frame.metres_per_unit is not None else _relative(frame, depths)


def _in_metres(frame: Measurable, pixels: tuple[Pixel, ...]) -> str:
    factor = frame.metres_per_unit or 1.0
    points = [point_at(frame, pixel) for pixel in pixels]
    away = [None if point is None else factor * float(np.linalg.norm(point)) for point in points]
    if away[0] is None or away[-1] is None:
        u, v = pixels[0]
        return f"Depth {_metres(factor * float(frame.depth[v, u]))} ({describe_depth_is(frame.depth_is)})."
    if len(pixels) == 1:
        return f"{_metres(away[0])} from the camera. {_trust(frame)}Click a second point."
    apart = factor * (distance_between(frame, pixels[0], pixels[1]) or 0.0)
    ends = f"the first is {_metres(away[0])} from the camera, the second {_metres(away[1] or 0.0)}"
    return f"{_metres(apart)} between the two points; {ends}. {_trust(frame)}".rstrip()


def _trust(frame: Measurable) -> str:
    """By what the metres are known, and how sure."""
    told = ""
    if frame.metric is not None:
        spread = frame.metric.spread
        sure = "with unknown spread" if spread is None else f"within about {100 * spread:.0f} %"
        told = f"Metres by {frame.metric.witness}, {sure}. "
    if frame.assumed_fov_deg is not None:
        told += f"A field of view of {frame.assumed_fov_deg:g} degrees is assumed: give your camera's. "
    return told


def _relative(frame: Measurable, depths: list[float]) -> str:
    advice = (
        "This model's depth is relative, not in metres. For metres, calibrate it once: "
        f"selfdepth calibrate {frame.model} --data DATA --height METRES (or --speed, --distance, --stereo)."
    )
    if len(depths) == 1:
        return f"Click a second point to compare the two. {advice}"
    ratio = depths[1] / depths[0]
    if abs(ratio - 1) < 0.02:
        return f"Both points are about equally far. {advice}"
    return f"The second point is {ratio:.2g} times as far as the first. {advice}"


def _metres(length: float) -> str:
    """A length with three digits, and centimetres below a metre."""
    if length < 1:
        return f"{100 * length:.0f} cm"
    return f"{length:.2f} m" if length < 10 else f"{length:.1f} m" if length < 100 else f"{length:.0f} m"
