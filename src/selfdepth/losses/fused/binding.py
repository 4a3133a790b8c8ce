"""`ReprojectionLevel` for CPUs: one pass over each clip computes errors and gradients together.

It is several times faster than tensor operations, and keeps one map per disparity for the backward pass instead of
every warped image. It is written in C (fused.c, fused_kernel.h) and compiled when the package is installed. Without a
compiler, `TensorReprojectionLevel` does the work.
"""

from __future__ import annotations

import ctypes
import importlib.util
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from selfdepth.config import LossConfig
from selfdepth.errors import SelfDepthWarning
from selfdepth.geometry.lenses import Lenses
from selfdepth.geometry.warp import MIN_Z, homography_and_epipole, project_with_depth
from selfdepth.losses.reprojection import ReprojectionLoss, static_error

_NAMES = {torch.float32: "f32", torch.float64: "f64"}
_REALS = ("ssim_weight", "l1_weight", "inverse_far", "disparity_span", "min_z")
"""Fields of the library's Settings, in the order of fused.c."""


@cache
def library() -> ctypes.CDLL | None:
    """The compiled pass, or None where it was not compiled or was compiled for another kind of system."""
    # Found like an extension module, since it is installed as one, but it has no Python entry point to import.
    spec = importlib.util.find_spec("selfdepth.losses.fused._kernel")
    if spec is None or spec.origin is None:
        return None
    try:
        return ctypes.CDLL(spec.origin)
    except OSError:
        return None


def can_fuse(frames: Tensor, cfg: LossConfig) -> bool:
    """Whether the fused pass can take these frames: on a CPU, in float32 or float64, without a predictive mask."""
    if frames.device.type != "cpu" or frames.dtype not in _NAMES or cfg.predictive_mask:
        return False
    # torch.compile cannot trace a call into another library.
    return not torch.compiler.is_compiling() and library() is not None


def warn_if_not_compiled(device: torch.device, cfg: LossConfig) -> None:
    """Say that training on this device will be slower than it could be, where only the library is missing for that."""
    if device.type == "cpu" and not cfg.predictive_mask and library() is None:
        warnings.warn(
            "selfdepth was installed without a C compiler: training on a CPU gives the same results, but the "
            "photometric error takes about four times as long; install gcc or clang, then selfdepth again (pip install "
            "--force-reinstall --no-deps --no-cache-dir, and what you installed it from)",
            SelfDepthWarning,
            stacklevel=2,
        )


@dataclass(frozen=True, kw_only=True)
class FusedReprojectionLevel:
    """A `ReprojectionLevel` computed by the C library.

    Attributes:
        frames: the target, then the sources; colours in [0, 1], contiguous.
        K: intrinsics in pixels at this level's size.
        statistics: mean (3 maps) and variance (3 maps) of the target's 3x3 windows.
        static: photometric error of the unwarped sources; None without auto-mask.
        lenses: at this level's size; None for pinholes.
    """

    frames: Float[Tensor, "b views 3 h w"]
    K: Float[Tensor, "b 3 3"]
    statistics: Float[Tensor, "b 6 h w"]
    static: Float[Tensor, "b h w"] | None
    cfg: LossConfig
    lenses: Lenses | None = None

    @staticmethod
    def of(
        frames: Float[Tensor, "b views 3 h w"],
        K: Float[Tensor, "b 3 3"],
        cfg: LossConfig,
        lenses: Lenses | None = None,
        part: tuple[int, int] | None = None,
    ) -> FusedReprojectionLevel:
        """Prepare a level from frames of its size, which are the `part` of a step's (`Batch.part`).

        Raises:
            MemoryError: where the library cannot allocate its maps.
        """
        b, views, _, h, w = frames.shape
        frames = frames.detach().contiguous()  # the library reads raw memory
        statistics = frames.new_empty(b, 6, h, w)
        errors = frames.new_empty(b, views - 1, h, w) if cfg.automask else None
        threads = torch.get_num_threads()
        _call("prepare", frames, b, views - 1, _settings(frames, cfg), threads, statistics, errors)
        # Reduced by the same function as on other devices, so that the same seed gives the same noise.
        static = static_error(errors, cfg, part) if errors is not None else None
        return FusedReprojectionLevel(frames=frames, K=K, statistics=statistics, static=static, cfg=cfg, lenses=lenses)

    def compare(
        self,
        disparities: tuple[Float[Tensor, "b 1 h w"], ...],
        T_source_target: Float[Tensor, "b s 4 4"],
        masks: tuple[Float[Tensor, "b s h w"], ...] | None = None,
    ) -> list[ReprojectionLoss]:
        """As `ReprojectionLevel.compare`, without masks."""
        assert masks is None, "can_fuse refuses predictive masks"
        if self.lenses is None:
            # The library differentiates down to these two small matrices; autograd takes over from there to the motion.
            H, e = homography_and_epipole(T_source_target, self.K.unsqueeze(1))
            losses, *automasks = _Reprojection.apply(H, e, self, *disparities)
        else:
            # Down to the places in the sources; the rest is the lens's.
            places, in_view = zip(*(self._places(each, T_source_target) for each in disparities), strict=True)
            losses, *automasks = _ReprojectionAt.apply(self, in_view, *places)
        return [ReprojectionLoss(loss, automask) for loss, automask in zip(losses.unbind(), automasks, strict=True)]

    def _places(
        self, disparity: Float[Tensor, "b 1 h w"], T_source_target: Float[Tensor, "b s 4 4"]
    ) -> tuple[Float[Tensor, "b s 2 h w"], Float[Tensor, "b s h w"]]:
        """Where the pixels of the target are in each source, and 1 where its lens sees them, else 0."""
        depth = self.cfg.depth_range.depth(disparity)
        projected = [project_with_depth(depth, T, self.K, self.lenses) for T in T_source_target.unbind(1)]
        places, distances = zip(*projected, strict=True)
        return torch.stack(places, dim=1), (torch.cat(distances, dim=1) > 0).to(depth.dtype)


class _Reprojection(torch.autograd.Function):
    """Loss and gradient in one pass.

    The loss is a mean, so its gradient is fixed up to one factor per scale. `forward` computes the gradient at factor
    one, and `backward` only multiplies.
    """

    @staticmethod
    def forward(
        ctx: Any, H: Tensor, e: Tensor, level: FusedReprojectionLevel, *disparities: Tensor
    ) -> tuple[Tensor, ...]:
        n, (b, s) = len(disparities), H.shape[:2]
        disparities = tuple(disparity.contiguous() for disparity in disparities)
        automasks = [torch.empty_like(disparity[:, 0]) for disparity in disparities]
        # In validation nothing needs a gradient, and the library skips that part of the work.
        gradients = [torch.empty_like(disparity) for disparity in disparities] if any(ctx.needs_input_grad) else []
        g_H, g_e = H.new_empty(n, b, s, 3, 3), H.new_empty(n, b, s, 3)
        sums = torch.empty(n, b, dtype=torch.float64)  # in double: a float32 sum of 120,000 pixels loses digits
        # In the order of the C function's parameters (fused_kernel.h).
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
            automasks,
            sums,
            gradients or None,
            g_H,
            g_e,
        )
        if gradients:
            ctx.save_for_backward(g_H, g_e, *gradients)
        ctx.mark_non_differentiable(*automasks)
        ctx.n_pixels = automasks[0].numel()
        return ((sums.sum(1) / ctx.n_pixels).to(H.dtype), *automasks)

    @staticmethod
    def backward(ctx: Any, *g_outputs: Tensor) -> tuple[Tensor | None, ...]:
        g_H, g_e, *gradients = ctx.saved_tensors
        factors = g_outputs[0] / ctx.n_pixels
        # H and e serve all scales, so their gradients are summed over the scales, each with its own factor.
        to_motion = [torch.einsum("n,n...->...", factors, g) for g in (g_H, g_e)]
        return (*to_motion, None, *(g * factor for g, factor in zip(gradients, factors.unbind(), strict=True)))


class _ReprojectionAt(torch.autograd.Function):
    """As `_Reprojection`, for sources whose places are given."""

    @staticmethod
    def forward(
        ctx: Any, level: FusedReprojectionLevel, in_view: tuple[Tensor, ...], *places: Tensor
    ) -> tuple[Tensor, ...]:
        assert level.lenses is not None
        n, (b, s, _, h, w) = len(places), places[0].shape
        places = tuple(each.contiguous() for each in places)
        seen = level.lenses.seen[:, 0].to(level.frames.dtype).contiguous()
        automasks = [each.new_empty(b, h, w) for each in places]
        gradients = [torch.empty_like(each) for each in places] if any(ctx.needs_input_grad) else []
        sums = torch.empty(n, b, dtype=torch.float64)
        _call(
            "reprojection_at",
            places,
            in_view,
            level.frames,
            level.statistics,
            level.static,
            seen,
            n,
            b,
            s,
            _settings(level.frames, level.cfg),
            torch.get_num_threads(),
            automasks,
            sums,
            gradients or None,
        )
        # The mean is over the pixels with a ray; without auto-mask, over those of them that a source sees.
        counted = [seen.sum() if level.static is not None else mask.sum() for mask in automasks]
        ctx.counts = torch.stack(counted).clamp(min=1)
        if gradients:
            ctx.save_for_backward(*gradients)
        ctx.mark_non_differentiable(*automasks)
        return ((sums.sum(1) / ctx.counts).to(level.frames.dtype), *automasks)

    @staticmethod
    def backward(ctx: Any, *g_outputs: Tensor) -> tuple[Tensor | None, ...]:
        factors = (g_outputs[0] / ctx.counts).unbind()
        return (None, None, *(g * factor for g, factor in zip(ctx.saved_tensors, factors, strict=True)))


def _settings(frames: Tensor, cfg: LossConfig) -> ctypes.Structure:
    """The library's Settings, for the kind of numbers that the frames hold."""
    real = ctypes.c_float if frames.dtype == torch.float32 else ctypes.c_double
    fields = [(name, ctypes.c_int) for name in ("h", "w", "mean")] + [(name, real) for name in _REALS]
    kind = type("Settings", (ctypes.Structure,), {"_fields_": fields})
    # Without SSIM the L1 part counts in full, not with its share of 1 - alpha.
    weights = (cfg.ssim_weight, 1 - cfg.ssim_weight) if cfg.ssim else (0.0, 1.0)
    depth = (cfg.depth_range.inverse_far, cfg.depth_range.disparity_span, MIN_Z)
    settings: ctypes.Structure = kind(*frames.shape[-2:], cfg.reprojection == "mean", *weights, *depth)
    return settings


_Argument = Tensor | Sequence[Tensor] | ctypes.Structure | int | None


def _call(name: str, *arguments: _Argument) -> None:
    """Call the library's function of that name, in the precision of the first argument's tensors.

    Raises:
        MemoryError: where the library cannot allocate its maps.
    """
    first = arguments[0]
    dtype = (first if isinstance(first, Tensor) else first[0]).dtype  # type: ignore[index]
    if getattr(library(), f"{name}_{_NAMES[dtype]}")(*map(_as_c, arguments)) != 0:
        raise MemoryError("there is not enough memory for the objective")


def _as_c(argument: _Argument) -> Any:
    if isinstance(argument, Tensor):
        return ctypes.c_void_p(argument.data_ptr())
    if isinstance(argument, ctypes.Structure):
        return ctypes.byref(argument)
    if isinstance(argument, Sequence):
        return (ctypes.c_void_p * len(argument))(*(tensor.data_ptr() for tensor in argument))
    return argument
