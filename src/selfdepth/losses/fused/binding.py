"""`ReprojectionLevel` for processors: one pass over each clip gives errors and gradients together.

Several times faster than tensor operations, and nothing of full size is kept for a backward pass. It is written in C
(fused.c, fused_kernel.h) and compiled when the package is installed; where there was no compiler, tensors do the work.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from selfdepth.config import LossConfig
from selfdepth.geometry.warp import MIN_Z, homography_and_epipole
from selfdepth.losses.reprojection import ReprojectionLoss, static_error

_NAMES = {torch.float32: "f32", torch.float64: "f64"}
_REALS = ("ssim_weight", "l1_weight", "inverse_far", "disparity_span", "min_z")


@cache
def library() -> ctypes.CDLL | None:
    """The compiled pass, or None where it was not compiled or was compiled for another kind of system."""
    found = importlib.util.find_spec("selfdepth.losses.fused._kernel")
    if found is None or found.origin is None:
        return None
    try:
        return ctypes.CDLL(found.origin)
    except OSError:
        return None


def can_fuse(frames: Tensor, cfg: LossConfig) -> bool:
    """Whether the fused pass serves: frames on a processor, in float32 or float64, and no predictive mask."""
    if frames.device.type != "cpu" or frames.dtype not in _NAMES or cfg.predictive_mask:
        return False
    return not torch.compiler.is_compiling() and library() is not None


@dataclass(frozen=True, kw_only=True)
class FusedReprojectionLevel:
    """A `ReprojectionLevel` whose work is done by the library.

    Attributes:
        statistics: mean (3 maps) and variance (3 maps) of the target's 3x3 windows.
    """

    frames: Float[Tensor, "b views 3 h w"]
    K: Float[Tensor, "b 3 3"]
    statistics: Float[Tensor, "b 6 h w"]
    static: Float[Tensor, "b h w"] | None
    cfg: LossConfig

    @staticmethod
    def of(
        frames: Float[Tensor, "b views 3 h w"], K: Float[Tensor, "b 3 3"], cfg: LossConfig
    ) -> FusedReprojectionLevel:
        """Prepare a level."""
        b, views, _, h, w = frames.shape
        frames = frames.detach().contiguous()
        statistics = frames.new_empty(b, 6, h, w)
        errors = frames.new_empty(b, views - 1, h, w) if cfg.automask else None
        threads = torch.get_num_threads()
        _call("prepare", frames, b, views - 1, _settings(frames, cfg), threads, statistics, errors)
        static = static_error(errors, cfg) if errors is not None else None
        return FusedReprojectionLevel(frames=frames, K=K, statistics=statistics, static=static, cfg=cfg)

    def compare(
        self,
        disparities: tuple[Float[Tensor, "b 1 h w"], ...],
        T_source_target: Float[Tensor, "b s 4 4"],
        masks: tuple[Float[Tensor, "b s h w"], ...] | None = None,
    ) -> list[ReprojectionLoss]:
        """As `ReprojectionLevel.compare`, without masks."""
        assert masks is None, "can_fuse says so"
        H, e = homography_and_epipole(T_source_target, self.K.unsqueeze(1))
        losses, *keeps = _Reprojection.apply(H, e, self, *disparities)
        return [ReprojectionLoss(loss, keep) for loss, keep in zip(losses.unbind(), keeps, strict=True)]


class _Reprojection(torch.autograd.Function):
    """Loss and gradient in one pass: the gradient of a mean is known up to the factor that `backward` brings."""

    @staticmethod
    def forward(
        ctx: Any, H: Tensor, e: Tensor, level: FusedReprojectionLevel, *disparities: Tensor
    ) -> tuple[Tensor, ...]:
        n, (b, s) = len(disparities), H.shape[:2]
        disparities = tuple(disparity.contiguous() for disparity in disparities)
        keeps = [torch.empty_like(disparity[:, 0]) for disparity in disparities]
        gradients = [torch.empty_like(disparity) for disparity in disparities] if any(ctx.needs_input_grad) else []
        g_H, g_e = H.new_empty(n, b, s, 3, 3), H.new_empty(n, b, s, 3)
        sums = torch.empty(n, b, dtype=torch.float64)
        _call(
            "reprojection",
            disparities,
            level.frames,
            level.statistics,
            level.static,
            H.contiguous(),
            e.contiguous(),
            n,
            b,
            s,
            _settings(level.frames, level.cfg),
            torch.get_num_threads(),
            keeps,
            sums,
            gradients or None,
            g_H,
            g_e,
        )
        if gradients:
            ctx.save_for_backward(g_H, g_e, *gradients)
        ctx.mark_non_differentiable(*keeps)
        ctx.n_pixels = keeps[0].numel()
        return ((sums.sum(1) / ctx.n_pixels).to(H.dtype), *keeps)

    @staticmethod
    def backward(ctx: Any, *g_outputs: Tensor) -> tuple[Tensor | None, ...]:
        g_H, g_e, *gradients = ctx.saved_tensors
        factors = g_outputs[0] / ctx.n_pixels
        to_motion = [torch.einsum("n,n...->...", factors, g) for g in (g_H, g_e)]
        return (*to_motion, None, *(g * factor for g, factor in zip(gradients, factors.unbind(), strict=True)))


def _settings(frames: Tensor, cfg: LossConfig) -> ctypes.Structure:
    """The library's Settings."""
    real = ctypes.c_float if frames.dtype == torch.float32 else ctypes.c_double
    fields = [(name, ctypes.c_int) for name in ("h", "w", "mean")] + [(name, real) for name in _REALS]
    kind = type("Settings", (ctypes.Structure,), {"_fields_": fields})
    weights = (cfg.ssim_weight, 1 - cfg.ssim_weight) if cfg.ssim else (0.0, 1.0)
    depth = (cfg.depth_range.inverse_far, cfg.depth_range.disparity_span, MIN_Z)
    settings: ctypes.Structure = kind(*frames.shape[-2:], cfg.reprojection == "mean", *weights, *depth)
    return settings


_Argument = Tensor | Sequence[Tensor] | ctypes.Structure | int | None


def _call(name: str, *arguments: _Argument) -> None:
    """Call the library's function of that name for the kind of numbers that its first tensor holds."""
    first = arguments[0]
    kind = (first if isinstance(first, Tensor) else first[0]).dtype  # type: ignore[index]
    if getattr(library(), f"{name}_{_NAMES[kind]}")(*map(_as_c, arguments)) != 0:
        raise MemoryError("there is not enough memory for the objective")


def _as_c(argument: _Argument) -> Any:
    if isinstance(argument, Tensor):
        return ctypes.c_void_p(argument.data_ptr())
    if isinstance(argument, ctypes.Structure):
        return ctypes.byref(argument)
    if isinstance(argument, Sequence):
        return (ctypes.c_void_p * len(argument))(*(tensor.data_ptr() for tensor in argument))
    return argument
