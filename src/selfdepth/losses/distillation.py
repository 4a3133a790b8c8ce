"""Learning from a teacher: two disparities are compared after each has lost its scale and its shift.

A teacher's disparity is known up to a factor and an offset that differ from image to image. Per image, with the median
and the mean over the pixels that the teacher knows (Ranftl et al., arXiv 1907.01341, equations 5 and 6):

    d^ = (d - median(d)) / mean |d - median(d)|        L = mean |d^_student - d^_teacher|
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

_SMALLEST_SPREAD = 1e-6
"""Below this mean deviation a disparity counts as constant, and is not enlarged any further: it would be noise."""


def distillation_loss(disparity: Float[Tensor, "b 1 _h _w"], teacher: Float[Tensor, "b 1 h w"]) -> Float[Tensor, ""]:
    """Mean difference of student and teacher, each free of its scale and shift; 0 if they agree up to these.

    Args:
        disparity: of the student, at any size: it is brought to the teacher's. The network's sigmoid will do as well as
            a scaled inverse depth, because one is a scaled and shifted form of the other.
        teacher: disparity, 0 where it is unknown, positive elsewhere. Every image has a known pixel.

    Returns:
        The mean over the known pixels of an image, and then over the images, so that each image counts the same.
    """
    if disparity.shape[-2:] != teacher.shape[-2:]:
        size = (teacher.shape[-2], teacher.shape[-1])
        # align_corners=False is the half-pixel rule of geometry/camera.py.
        disparity = F.interpolate(disparity, size, mode="bilinear", align_corners=False)
    known = (teacher > 0).flatten(1)
    # In float32 whatever the networks run in: bf16 has too few digits for a difference from the median.
    student, target = (_normalised(maps.float().flatten(1), known) for maps in (disparity, teacher))
    return _mean((student - target).abs(), known).mean()


def _normalised(disparity: Float[Tensor, "b n"], known: Bool[Tensor, "b n"]) -> Float[Tensor, "b n"]:
    """Without shift and scale: the median is 0 and the mean deviation from it 1, over the known pixels."""
    median = disparity.masked_fill(~known, torch.nan).nanmedian(dim=1, keepdim=True).values
    centred = disparity - median
    spread = _mean(centred.abs(), known).clamp(min=_SMALLEST_SPREAD)
    return centred / spread.unsqueeze(1)


def _mean(values: Float[Tensor, "b n"], known: Bool[Tensor, "b n"]) -> Float[Tensor, "b"]:
    return values.masked_fill(~known, 0).sum(dim=1) / known.sum(dim=1)
