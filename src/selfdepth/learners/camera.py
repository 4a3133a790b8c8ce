"""The camera as part of what is learned: focal length and principal point (ours, not the paper's; after Gordon et al.,
"Depth from Videos in the Wild", ICCV 2019, arXiv 1904.04998).

Only rotation determines them. A translation t moves a pixel towards K t, and another K with another t gives the same K
t: for a camera that does not turn, every K explains every video equally well. A turn by r about the vertical axis moves
a pixel u from the middle sideways by r (f + u^2 / f). The pose network finds r f, whatever f is; what is left of an f
that is wrong by df is 2 r u^2 df / f^2, at the border of an image of width w

    r w^2 df / (2 f^2) pixels.

This is Gordon's criterion: errors of f are seen that make it larger than what images of the drive can tell apart. But
depth is learned, too, and can make up for it (`engine/camera_verdict.py` says how): the gradient brings f near its
place and does not keep it there. So the run measures f now and then (`engine/focal_length.py`), and what was measured
is held.
"""

from __future__ import annotations

from copy import deepcopy

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from selfdepth.geometry.se3 import rotation_from_axis_angle
from selfdepth.geometry.warp import inverse_intrinsics

PRIOR_WEIGHT = 0.1
"""Weight of the square of the principal point's offset from the start, in focal lengths. Driving hardly determines it:
of an offset dc the same turn leaves r w dc / f pixels, a few hundredths. So it stays near the start unless much speaks
for another place."""


class LearnedCamera(nn.Module):
    """What turns the intrinsics of the start into the learned ones: K_f exp(a), and an offset of the principal point.

    Pixels are square as they were at the start: both focal lengths have the factor in common. The offset is in units of
    the start's focal length, so that it is the same for an image that was resized, cropped or zoomed.

    Args:
        n: number of cameras, each of which has values of its own.
    """

    def __init__(self, n: int) -> None:
        super().__init__()
        self.log_focal = nn.Parameter(torch.zeros(n))
        self.offset = nn.Parameter(torch.zeros(n, 2))
        self.held_log_focal: Tensor
        self.is_held: Tensor
        # Beside the parameter, not in it: Adam's averages would go on moving that.
        self.register_buffer("held_log_focal", torch.zeros(n))
        self.register_buffer("is_held", torch.zeros(n, dtype=torch.bool))

    def hold(self, number: int, log_factor: float) -> None:
        """Move the focal length of a camera by exp(log_factor), and hold it there: no gradient moves it any more."""
        self.held_log_focal[number] = self.current_log_focal()[number].detach() + log_factor
        self.is_held[number] = True

    def freed(self) -> LearnedCamera:
        """A copy in which the parameters alone say what the cameras are."""
        copy = deepcopy(self)
        with torch.no_grad():
            copy.log_focal.copy_(self.current_log_focal())
        copy.is_held.zero_()
        return copy

    def current_log_focal(self) -> Float[Tensor, "n"]:
        """The logarithms of the factors on the focal lengths of the start: as held, or as learned."""
        return torch.where(self.is_held, self.held_log_focal, self.log_focal)

    def forward(
        self,
        K: Float[Tensor, "b 3 3"],
        which: Int[Tensor, "b"] | None = None,
        mirrored: Bool[Tensor, "b"] | None = None,
    ) -> Float[Tensor, "b 3 3"]:
        """The learned intrinsics of images whose intrinsics at the start are K, in pixels.

        Args:
            which: camera of each image; None: the first.
            mirrored: whether the image is flipped left to right, where the offset has the other sign; None: none is.
        """
        which = torch.zeros(len(K), dtype=torch.long, device=K.device) if which is None else which
        offset = self.offset[which]
        if mirrored is not None:
            sign = 1 - 2 * mirrored.to(offset.dtype)
            offset = torch.stack([offset[:, 0] * sign, offset[:, 1]], dim=1)
        focal = K.diagonal(dim1=1, dim2=2)[:, :2]
        factor = self.current_log_focal()[which].exp()
        learned = K.clone()
        learned[:, 0, 0] = focal[:, 0] * factor
        learned[:, 1, 1] = focal[:, 1] * factor
        learned[:, :2, 2] = K[:, :2, 2] + focal * offset
        return learned

    def prior(self) -> Float[Tensor, ""]:
        """What keeps the principal point near that of the start; no length is preferred for the focal length."""
        return PRIOR_WEIGHT * self.offset.square().sum()


def held_in_image(T_source_target: Float[Tensor, "b s 4 4"], K: Float[Tensor, "b 3 3"]) -> Float[Tensor, "b s 4 4"]:
    """The same motions, as functions of K that leave the image where it is as far as they can.

    The values are those of the argument. The gradient by K is what no motion can make up for. Without that, K would
    feel every error of the motion first, many times the size of its own, and a camera that only drives straight on
    would make it wander. The pose network sees no difference.
    """
    return same_in_image(T_source_target, K.detach(), K)


def same_in_image(
    T_source_target: Float[Tensor, "b s 4 4"], K: Float[Tensor, "b 3 3"], K_other: Float[Tensor, "b 3 3"]
) -> Float[Tensor, "b s 4 4"]:
    """The motions that look through the camera K_other as these look through K, but for what tells the two apart.

    The translation t' has K' t' = K t, and the rotation has angles about x and y that move the middle of the image as
    far: f' r' = f r. With t' alone, pure translation looks the same through every camera, exactly.
    """
    R, translation = T_source_target[..., :3, :3], T_source_target[..., :3, 3:]
    translation = inverse_intrinsics(K_other).unsqueeze(1) @ (K.unsqueeze(1) @ translation)
    about_x, about_y = small_turns(T_source_target.detach()).unbind(-1)
    # A turn about y moves along u, by fx; about x along v, by fy.
    about_x = about_x * (K[:, None, 1, 1] / K_other[:, None, 1, 1] - 1)
    about_y = about_y * (K[:, None, 0, 0] / K_other[:, None, 0, 0] - 1)
    turn = rotation_from_axis_angle(torch.stack([about_x, about_y, torch.zeros_like(about_x)], dim=-1))
    top = torch.cat([turn @ R, translation], dim=-1)
    return torch.cat([top, T_source_target[..., 3:, :]], dim=-2)


def small_turns(T: Float[Tensor, "*b 4 4"]) -> Float[Tensor, "*b 2"]:
    """The parts of a small rotation about the axes x and y, in radians: the axis times the sine of the angle."""
    return torch.stack([T[..., 2, 1] - T[..., 1, 2], T[..., 0, 2] - T[..., 2, 0]], dim=-1) / 2
