"""The pair of cameras from which Monodepth v1 learns: what turns its disparity into depth."""

from __future__ import annotations

import warnings

import numpy as np

from selfdepth.data.clips.clips import ClipSet
from selfdepth.errors import DataError, SelfDepthWarning

_MAX_TILT = 0.1
"""Largest share of a baseline that may be vertical or along the view: the method shifts along rows only."""
_MAX_SPREAD = 0.05
"""Relative difference between cameras beyond which one number no longer serves them all."""


def focal_baseline_of(clips: ClipSet, width: int) -> float:
    """Focal length in image widths times the baseline: the median over the clips, in the unit of the baseline.

    The network sees no camera. Its disparity is a share of the width, and one number turns it into depth, for the
    pairs that it has learned from and for any image later.

    Args:
        clips: the training clips, with their partners.
        width: of the frames, in pixels.

    Warns:
        SelfDepthWarning: if the cameras differ so much that depth would be wrong for some of them.

    Raises:
        DataError: if the partners do not stand beside the targets.
    """
    T = clips.T_stereo_target
    assert T is not None, "Monodepth v1 learns from pairs"
    x, y, z = np.abs(T[clips.has_partner, :3, 3]).T
    beside = (x > 0) & (np.maximum(y, z) <= _MAX_TILT * x)
    if not beside.all():
        worst = int(np.argmin(beside))
        raise DataError(
            "Monodepth v1 needs rectified pairs, whose cameras stand side by side",
            where=clips.refs[int(np.flatnonzero(clips.has_partner)[worst])].sequence,
            expected="a translation along x",
            got=f"{x[worst]:.3g}, {y[worst]:.3g}, {z[worst]:.3g} along x, y and z",
            fix="rectify the pairs, or train a stereo preset",
        )
    each = clips.K[clips.has_partner, 0, 0].astype(np.float64) / width * x
    median = float(np.median(each))
    if np.ptp(each) > _MAX_SPREAD * median:
        warnings.warn(
            f"the pairs have different cameras: focal length times baseline is from {each.min():.3g} to "
            f"{each.max():.3g} image widths; depth is computed with {median:.3g} for all of them",
            SelfDepthWarning,
            stacklevel=2,
        )
    return median
