"""How well the footage determines a learned distortion, and whether it may be called known.

The distortion is judged at the edge of the image: by which share of its distance from the axis a lens moves it. As for
the focal length (`camera_verdict.py`), three things must agree; the edge is known to the worst of them, and not known
if that is more than 5 %:

1. The motion. To first order, of a change of the distortion that moves the edge by a share e, the images of some clips
   are moved by what neither another depth of each pixel, nor another motion of each pair, nor another focal length,
   principal point and shape of the distortion makes up for. What leaves w / 2000 in the root of the mean square is
   seen. That is a tenth of a pixel at 192, and less than what is asked of a focal length, because here the depth has
   had its way already. Driving straight along the axis leaves next to nothing; turns, and motions across the axis,
   leave the more the larger they are: the lines along which pixels move are bent.
2. The course: how far the edge still moved in the last quarter of the run.
3. The test: with lenses that move the edge farther in or out, the motion of some clips is fitted anew to the learned
   depth, and the photometric error drawn over the share. Where its minimum is, and how far it moves with the clips.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from selfdepth.engine.camera_verdict import STEPS, minimum

MOST = 0.05
"""The largest uncertainty, as a share of the edge's distance from the axis, with which a distortion is called known. A
wide-angle lens moves it by 0.1 to 0.2."""
VISIBLE = 1 / 2000
"""The shift that is seen, as a share of the width of the image: the root of the mean square over its pixels."""
EDGE_PER_STEP = 0.2
EDGE_STEPS = tuple(EDGE_PER_STEP * step for step in STEPS)
"""Shares by which the edge is moved where the error is measured, from 2 to 12 %."""


@dataclass(frozen=True, kw_only=True)
class DistortionVerdict:
    """What is known of a learned distortion. All are shares of the distance of the image's edge from the axis; infinite
    where nothing is known.

    Attributes:
        edge: by which the lens moves the edge outwards.
        motion: by which the edge must move until the images show it, given how the camera moves.
        course: half the range of the values in the last quarter of the run.
        minimum: distance of the smallest photometric error from the learned value.
        sharpness: two standard deviations of the place of that minimum, over other choices of clips.
    """

    edge: float
    motion: float
    course: float
    minimum: float
    sharpness: float

    @property
    def uncertainty(self) -> float:
        """The share to which the edge is known: the worst of the three."""
        return max(self.motion, self.course, self.minimum + self.sharpness)

    @property
    def is_known(self) -> bool:
        """Whether the footage determines the distortion."""
        return self.uncertainty <= MOST

    def __str__(self) -> str:
        outwards = "outwards" if self.edge > 0 else "inwards"
        known = f"known to +-{_percent(self.uncertainty)} of it" if self.is_known else f"NOT known: {self.reason}"
        return f"the distortion moves the edge of the image {outwards} by {_percent(abs(self.edge))}, {known}"

    @property
    def reason(self) -> str:
        """Why the distortion is not known; empty if it is."""
        if self.motion > MOST:
            return (
                f"by the motion of this camera, {_percent(self.motion)} more or less would look the same, with another "
                "depth; add footage with bends or sideways motion, or a larger --every"
            )
        if self.course > MOST:
            return f"it still moved by +-{_percent(self.course)} in the last quarter of the run; train for longer"
        if self.sharpness > MOST:
            return (
                "the images are explained as well by others: the one with the smallest error changes by "
                f"+-{_percent(self.sharpness)} from clip to clip; train for longer, or add footage with bends"
            )
        if self.minimum + self.sharpness > MOST:
            return (
                f"the images are explained best by one that is {_percent(self.minimum)} away, "
                f"+-{_percent(self.sharpness)}: it is not learned yet; train for longer"
            )
        return ""


def judge_distortion(
    *,
    course: Sequence[float],
    errors: Float[ndarray, "clips steps"],
    information: Float[ndarray, "n n"],
    by_edge: Float[ndarray, " n"],
    width: int,
) -> DistortionVerdict:
    """The verdict on a distortion.

    Args:
        course: the share by which the edge is moved over the last quarter of the run; the last is that of its end.
        errors: photometric error of each clip with the edge moved by EDGE_STEPS more, the motion fitted anew.
        information: of a change c of what is learned of a camera, c^T information c is the mean square of the shifts in
            pixels that depths and motions do not make up for.
        by_edge: derivatives of the share by what is learned.
        width: of the images in pixels.
    """
    place, spread = minimum(errors)
    return DistortionVerdict(
        edge=float(course[-1]) if len(course) else 0.0,
        motion=hidden_share(information, by_edge, VISIBLE * width),
        course=(max(course) - min(course)) / 2 if len(course) > 1 else math.inf,
        minimum=abs(place) * EDGE_PER_STEP,
        sharpness=spread * EDGE_PER_STEP,
    )


def hidden_share(information: Float[ndarray, "n n"], by_edge: Float[ndarray, " n"], visible_px: float) -> float:
    """The largest change of the edge that shifts the images by no more than visible_px; infinite if nothing shows.

    The largest g c with c^T information c = v^2 is v sqrt(g^T information^-1 g).
    """
    values, vectors = np.linalg.eigh(information)
    along = vectors.T @ by_edge
    # A combination that shifts nothing at all leaves the edge free, if it moves it.
    free = values <= 1e-12 * max(float(values.max(initial=0.0)), 1e-300)
    if np.abs(along[free]).max(initial=0.0) > 1e-6 * np.abs(by_edge).max(initial=0.0):
        return math.inf
    return visible_px * math.sqrt(float((along[~free] ** 2 / values[~free]).sum()))


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.995 else "any"
