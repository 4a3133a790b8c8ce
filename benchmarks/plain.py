"""The yardstick: the method in its usual form, written from the paper's formulas without optimisation.

Everything is computed where the formulas name it. At each of the four scales, the disparity is resized to full size;
every pixel becomes a point in space, is moved by one 4x4 matrix and projected by another; and all errors are computed,
including those of the unwarped sources. Images are contiguous, numbers are float32, and nothing is compiled. It is not
slow on purpose: the grid of pixels is made once, errors are operations on whole images, and no step waits for a value
from the device.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from plain_networks import PlainDepthNet, PlainPoseNet

NEAR, FAR = 0.1, 100.0
SSIM_WEIGHT, SMOOTHNESS = 0.85, 1e-3
N_SCALES = 4


class PlainObjective(nn.Module):
    """Minimum reprojection with auto-mask at four scales, all of them compared at full size.

    Args:
        height, width: of the images in pixels.
        noise: standard deviation of the noise on static errors, which breaks ties.
    """

    def __init__(self, height: int, width: int, *, noise: float = 1e-5) -> None:
        super().__init__()
        self.height, self.width, self.noise = height, width, noise
        v, u = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        pixels = torch.stack([u, v, torch.ones_like(u)]).float().reshape(1, 3, -1)
        self.register_buffer("pixels", pixels, persistent=False)
        self.register_buffer("ones", torch.ones(1, 1, height * width), persistent=False)

    def forward(
        self,
        disparities: tuple[Tensor, ...],
        T_source_target: Tensor,
        frames: tuple[Tensor, ...],
        K: Tensor,
    ) -> Tensor:
        """The loss.

        Args:
            disparities: sigmoids, "b 1 h/2^s w/2^s", finest first.
            T_source_target: "b s 4 4".
            frames: target, then sources, at each scale: "b views 3 h/2^s w/2^s", colours in [0, 1].
            K: "b 4 4", pixels at full size.
        """
        total = torch.zeros((), device=K.device)
        for scale, disparity in enumerate(disparities):
            errors = self._candidates(disparity, T_source_target, frames[0], K)
            total = total + errors.min(1).values.mean()
            total = total + SMOOTHNESS / 2**scale * edge_aware_smoothness(disparity, frames[scale][:, 0])
        return total / len(disparities)

    def _candidates(self, disparity: Tensor, T_source_target: Tensor, frames: Tensor, K: Tensor) -> Tensor:
        """Per pixel the errors of the unwarped sources, then those of the warped ones: "b 2s h w"."""
        full = F.interpolate(disparity, (self.height, self.width), mode="bilinear", align_corners=False)
        depth = 1 / (1 / FAR + (1 / NEAR - 1 / FAR) * full)
        target, sources = frames[:, 0], frames[:, 1:].unbind(1)
        cloud = self._cloud(depth, torch.linalg.inv(K))
        # The same at every scale, and computed again at every scale: a trick would be to do it once.
        static = torch.cat([photometric(source, target) for source in sources], 1)
        warped = [
            photometric(self._warp(source, cloud, T, K), target)
            for source, T in zip(sources, T_source_target.unbind(1), strict=True)
        ]
        return torch.cat([static + self.noise * torch.randn_like(static), *warped], 1)

    def _cloud(self, depth: Tensor, K_inverse: Tensor) -> Tensor:
        """Homogeneous points of all pixels in the target's camera: "b 4 h*w"."""
        points = depth.flatten(2) * (K_inverse[:, :3, :3] @ self.pixels)
        return torch.cat([points, self.ones.expand(len(points), -1, -1)], 1)

    def _warp(self, source: Tensor, cloud: Tensor, T_source_target: Tensor, K: Tensor) -> Tensor:
        """The source, resampled to the target's view."""
        projected = (K @ T_source_target)[:, :3] @ cloud
        u, v = (projected[:, :2] / projected[:, 2:]).unbind(1)
        grid = torch.stack([2 * u / (self.width - 1) - 1, 2 * v / (self.height - 1) - 1], -1)
        grid = grid.reshape(-1, self.height, self.width, 2)
        return F.grid_sample(source, grid, padding_mode="border", align_corners=True)


def photometric(a: Tensor, b: Tensor) -> Tensor:
    """0.85 (1 - SSIM) / 2 + 0.15 |a - b|, mean over the channels: "b 1 h w"."""
    return SSIM_WEIGHT * dissimilarity(a, b).mean(1, True) + (1 - SSIM_WEIGHT) * (a - b).abs().mean(1, True)


def dissimilarity(a: Tensor, b: Tensor) -> Tensor:
    """(1 - SSIM) / 2 in [0, 1] per channel, over 3x3 windows of the reflected image."""
    a, b = F.pad(a, (1, 1, 1, 1), mode="reflect"), F.pad(b, (1, 1, 1, 1), mode="reflect")
    mean_a, mean_b = F.avg_pool2d(a, 3, 1), F.avg_pool2d(b, 3, 1)
    variance_a = F.avg_pool2d(a**2, 3, 1) - mean_a**2
    variance_b = F.avg_pool2d(b**2, 3, 1) - mean_b**2
    covariance = F.avg_pool2d(a * b, 3, 1) - mean_a * mean_b
    similar = (2 * mean_a * mean_b + 0.01**2) * (2 * covariance + 0.03**2)
    norm = (mean_a**2 + mean_b**2 + 0.01**2) * (variance_a + variance_b + 0.03**2)
    return ((1 - similar / norm) / 2).clamp(0, 1)


def edge_aware_smoothness(disparity: Tensor, image: Tensor) -> Tensor:
    """Gradients of the mean-normalised disparity, with less weight where the image has an edge."""
    d = disparity / (disparity.mean((2, 3), True) + 1e-7)
    along_x = (d[..., :-1] - d[..., 1:]).abs() * (-(image[..., :-1] - image[..., 1:]).abs().mean(1, True)).exp()
    along_y = (d[:, :, :-1] - d[:, :, 1:]).abs() * (-(image[:, :, :-1] - image[:, :, 1:]).abs().mean(1, True)).exp()
    return along_x.mean() + along_y.mean()


def rigid_transform(axis_angle: Tensor, translation: Tensor, *, invert: bool) -> Tensor:
    """The 4x4 matrix of a rotation vector and a translation ("b 3" each), or its inverse."""
    x, y, z = axis_angle.unbind(-1)
    zero = torch.zeros_like(x)
    generator = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)
    R, t = torch.linalg.matrix_exp(generator), translation.unsqueeze(-1)
    if invert:
        R, t = R.transpose(1, 2), -R.transpose(1, 2) @ t
    bottom = torch.tensor([0.0, 0.0, 0.0, 1.0], device=R.device).expand(len(R), 1, 4)
    return torch.cat([torch.cat([R, t], 2), bottom], 1)


def four_scales(frames: Tensor) -> tuple[Tensor, ...]:
    """Block averages of "b views 3 h w" at 1, 1/2, 1/4 and 1/8, for frames that do not come from the plain loader."""
    flat = frames.flatten(0, 1)
    return tuple(frames if s == 0 else F.avg_pool2d(flat, 2**s).unflatten(0, frames.shape[:2]) for s in range(N_SCALES))


def homogeneous(K: Tensor) -> Tensor:
    """Intrinsics "b 3 3" as "b 4 4"."""
    K4 = torch.eye(4, device=K.device).repeat(len(K), 1, 1)
    K4[:, :3, :3] = K
    return K4


class PlainModel(nn.Module):
    """Depth network, pose network and objective. The previous and the next frame go through the pose network
    separately."""

    def __init__(self, height: int, width: int, *, noise: float = 1e-5) -> None:
        super().__init__()
        self.depth_net = PlainDepthNet()
        self.pose_net = PlainPoseNet()
        self.objective = PlainObjective(height, width, noise=noise)

    def forward(self, inputs: Tensor, frames: tuple[Tensor, ...], K: Tensor) -> Tensor:
        """The loss of clips (target, previous, next).

        Args:
            inputs: jittered images for the networks, "b 3 3 h w".
            frames, K: for PlainObjective.
        """
        target, before, after = inputs.unbind(1)
        disparities = self.depth_net(target)
        T_target_before = self.pose_net(torch.cat([before, target], 1))
        T_after_target = self.pose_net(torch.cat([target, after], 1))
        T_source_target = torch.stack(
            [rigid_transform(*T_target_before, invert=True), rigid_transform(*T_after_target, invert=False)], 1
        )
        return self.objective(disparities, T_source_target, frames, K)
