"""The distortion of a lens as part of what is learned, with the focal length and the principal point (ours, not the
paper's).

brown, kannala-brandt: k1 and k2; ucm: xi; the other coefficients stay those of the start. With s the square of the
distance from the axis, 1 at the edge of the image, the distortion changes by a s + b (s^2 - 0.8 s). Learned are a and
b, shares of the distance of the edge, so that one learning rate suits every lens; their terms are orthogonal over a
disc, where those of k1 and k2 are nearly the same. Of xi, the logarithm is learned.

Where the image is bent to does not depend on the focal length, which straight driving leaves unknown: k1 goes with the
square of it, k2 with its fourth power, and xi leaves the pinhole near the axis as it is.

Driving forwards determines little of it. Distortion moves pixels along the lines through the middle of the image, and
so would another depth, where the camera moves along its axis (Wu, "Critical Configurations for Radial Distortion
Self-Calibration", CVPR 2014). What is left are turns and motions across the axis, which move pixels across these lines.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from selfdepth.geometry.camera import Camera
from selfdepth.geometry.learned_lenses import LEARNED, learned_lenses, require_learnable_lens
from selfdepth.geometry.lens import Lens, LensModel, mirrored_values
from selfdepth.geometry.lenses import Lenses, common_model
from selfdepth.learners.camera import LearnedCamera, same_in_image
from selfdepth.structs import Batch

PRIOR_WEIGHT = 1e-4
"""Weight of the square of the share by which the edge is moved beyond the start, so that a drive that tells nothing of
the lens leaves it there. In the rendered bend of the tests, depth and motion fitted anew, the loss has a curvature of
0.015 by that share, so the prior moves its minimum by a seventieth of the way to the start."""
_POWERS: dict[LensModel, tuple[int, ...]] = {
    "brown": (2, 4, 1, 1, 6, 2, 4, 6),
    "kannala-brandt": (2, 4, 6, 8),
    "ucm": (0, 2, 4, 1, 1),
}
"""Of the focal length, with which each coefficient goes if the image stays bent as it is."""
_SHARED = 0.8
"""What s^2 has in common with s: over a disc of radius 1, the mean of r s times r s^2 over that of (r s)^2, s = r^2."""
_SAMPLES = 65
"""Points along each side of an image, the middles among them, whose rays say how far it reaches."""


class LearnedLens(nn.Module):
    """What turns the lenses of the start into the learned ones.

    Args:
        starts: a camera for each of the learned cameras. A pinhole is a lens of Brown's model without distortion.

    Raises:
        DataError: for lenses of unlike models.
        ConfigError: for a lens that cannot be learned.
    """

    start: Tensor
    reach: Tensor

    def __init__(self, starts: Sequence[Camera]) -> None:
        super().__init__()
        self.model = common_model(starts)
        for each in starts:
            require_learnable_lens(each.lens)
        self.starts = [each.lens if each.lens.model == self.model else Lens(self.model) for each in starts]
        self.bend = nn.Parameter(torch.zeros(len(starts), len(LEARNED[self.model])))
        # Constants of the run, which its data give again.
        coefficients = torch.tensor([lens.coefficients for lens in self.starts])
        self.register_buffer("start", coefficients, persistent=False)
        self.register_buffer("reach", torch.tensor([reach_of(each) for each in starts]), persistent=False)

    def coefficients(self, log_focal: Float[Tensor, "n"], bend: Float[Tensor, "n m"]) -> Float[Tensor, "n k"]:
        """Those of every camera, at a focal length that is exp(log_focal) times that of the start."""
        powers = torch.tensor(_POWERS[self.model], dtype=bend.dtype, device=bend.device)
        if self.model == "ucm":
            changed = torch.cat([self.start[:, :1] * bend.exp(), self.start[:, 1:]], 1)
        else:
            bow, shape = bend.unbind(1)
            terms = torch.stack([(bow - _SHARED * shape) / self.reach**2, shape / self.reach**4], 1)
            changed = torch.cat([self.start[:, :2] + terms, self.start[:, 2:]], 1)
        return changed * (log_focal.unsqueeze(1) * powers).exp()

    def lenses(self, log_focal: Float[Tensor, "n"]) -> tuple[Lens, ...]:
        """The lens of every camera as learned up to now; one that has not moved is that of the start, to the digit."""
        exact = deepcopy(self).cpu().double()
        exact.start = torch.tensor([lens.coefficients for lens in self.starts], dtype=torch.float64)
        with torch.no_grad():
            rows = exact.coefficients(log_focal.detach().cpu().double(), exact.bend).tolist()
        return tuple(Lens(self.model, tuple(row)) for row in rows)

    def forward(
        self,
        lenses: Lenses,
        K: Float[Tensor, "b 3 3"],
        log_focal: Float[Tensor, "n"],
        which: Int[Tensor, "b"] | None = None,
        mirrored: Bool[Tensor, "b"] | None = None,
    ) -> tuple[Lenses, Float[Tensor, "b 3 3"]]:
        """The learned lenses of images, and their intrinsics.

        Args:
            lenses: of the start.
            K: learned intrinsics, of lenses that are those of the start near the axis.
            log_focal, which, mirrored: as in `LearnedCamera`. In a mirrored image p2 has the other sign.
        """
        which = torch.zeros(len(K), dtype=torch.long, device=K.device) if which is None else which
        by_focal, by_bend = (
            self.coefficients(log_focal, self.bend.detach()),
            self.coefficients(log_focal.detach(), self.bend),
        )
        if self.model == "ucm":
            # Its pinhole near the axis has the focal length f / (1 + xi), and that is what stays.
            factor = ((1 + by_focal[:, 0]) / (1 + self.start[:, 0]))[which, None, None]
            K = torch.cat([torch.cat([K[:, :2, :2] * factor, K[:, :2, 2:]], 2), K[:, 2:]], 1)
        limits = by_focal.new_tensor([[Lens(self.model, tuple(row)).limit] for row in by_focal.tolist()])
        values, bent = (torch.cat([each, limits], 1)[which] for each in (by_focal, by_bend))
        if mirrored is not None:
            signs = values.new_tensor(mirrored_values(self.model, (1.0,) * values.shape[1]))
            signs = torch.where(mirrored.unsqueeze(1), signs, torch.ones_like(signs))
            values, bent = values * signs, bent * signs
        return learned_lenses(lenses, K, values, bent, same_in_image), K

    def edges(self, log_focal: Float[Tensor, "n"]) -> tuple[float, ...]:
        """`edge_of` of every lens as learned up to now. Another focal length alone does not change it."""
        shrunk = torch.ones_like(log_focal) if self.model == "ucm" else (-log_focal.detach()).exp()
        reaches = (self.reach * shrunk).tolist()
        return tuple(edge_of(*each) for each in zip(self.lenses(log_focal), reaches, strict=True))

    def prior(self) -> Float[Tensor, ""]:
        """What keeps a lens near its start that the footage does not determine."""
        return PRIOR_WEIGHT * self.bend.square().sum()


def seen_through(batch: Batch, camera: LearnedCamera, lens: LearnedLens | None) -> Batch:
    """Clips whose camera is that of the start, with the learned one. Without a lens, they are pinholes'."""
    K = camera(batch.K, batch.camera, batch.mirrored)
    if lens is None or batch.lenses is None:
        return replace(batch, K=K)
    lenses, K = lens(batch.lenses, K, camera.current_log_focal(), batch.camera, batch.mirrored)
    return replace(batch, K=K, lenses=lenses)


def reach_of(camera: Camera) -> float:
    """How far from the axis the image of a camera ends: the angle in radians; of brown, its tangent."""
    across, down = (np.linspace(-0.5, n - 0.5, _SAMPLES) for n in (camera.width, camera.height))
    rays, seen = camera.unproject(np.stack(np.meshgrid(across, down), -1).reshape(-1, 2))
    rays = rays[seen]
    angle = float(np.arccos(np.clip(rays[:, 2].min(), -1, 1)))
    return math.tan(angle) if camera.lens.model in ("pinhole", "brown") else angle


def edge_of(lens: Lens, reach: float) -> float:
    """The share by which a lens moves the edge of the image outwards, against the image without its distortion: of
    brown, that of a pinhole; else one whose radius is proportional to the angle.

    Args:
        reach: of the edge, as in `reach_of`.
    """
    c = lens.coefficients
    if lens.model == "ucm":
        return (1 + c[0]) * math.sin(reach) / ((c[0] + math.cos(reach)) * reach) - 1
    if lens.model == "kannala-brandt":
        return sum(k * reach ** (2 * i + 2) for i, k in enumerate(c))
    s = reach * reach
    k1, k2, _, _, k3, k4, k5, k6 = c or (0.0,) * 8
    return (1 + s * (k1 + s * (k2 + s * k3))) / (1 + s * (k4 + s * (k5 + s * k6))) - 1
